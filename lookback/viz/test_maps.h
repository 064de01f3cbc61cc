// For tests: maps to draw.
#pragma once

#include <cmath>

#include "lookback/viz/attention_map.h"

namespace lookback::viz {

// A softmax over how near each source token is to where the target token comes from.
inline Tensor soft_alignment(const std::vector<double>& centers, int64_t T, double sharpness) {
  Tensor out({static_cast<int64_t>(centers.size()), T});
  for (size_t u = 0; u < centers.size(); ++u) {
    float* row = out.data<float>() + static_cast<int64_t>(u) * T;
    double sum = 0;
    for (int64_t t = 0; t < T; ++t) {
      const double d = std::abs(static_cast<double>(t) - centers[u]);
      sum += std::exp(-sharpness * d * std::sqrt(d + 0.2));
    }
    for (int64_t t = 0; t < T; ++t) {
      const double d = std::abs(static_cast<double>(t) - centers[u]);
      row[t] = static_cast<float>(std::exp(-sharpness * d * std::sqrt(d + 0.2)) / sum);
    }
  }
  return out;
}

// Twelve German pieces, eleven English ones; the verb moves from the end to the front.
inline AttentionMap german_english() {
  AttentionMap map;
  map.source = {"▁Die",     "▁kleine", "▁Katze", "▁hat",      "▁gestern", "▁den",
                "▁Zeitung", "s",       "boten",  "▁gekratzt", ".",        "</s>"};
  map.target = {"▁Yesterday", "▁the", "▁little", "▁cat", "▁scratch", "ed", "▁the", "▁news", "paper", "▁carrier", "."};
  map.weights = soft_alignment({4, 0.2, 1, 2, 9, 8.8, 5, 6.1, 6.6, 8, 10.1}, 12, 1.1);
  map.title = "Die kleine Katze hat gestern den Zeitungsboten gekratzt.";
  map.target_scores = {-0.31, -0.05, -0.22, -0.02, -0.41, -0.01, -0.08, -0.36, -0.03, -1.72, -0.01};
  return map;
}

// n tokens on either side, one of them looking at nothing.
inline AttentionMap long_map(int64_t n) {
  AttentionMap map;
  std::vector<double> centers;
  for (int64_t k = 0; k < n; ++k) {
    map.source.push_back("▁wort" + std::to_string(k));
    map.target.push_back("▁word" + std::to_string(k));
    const double x = static_cast<double>(k);
    centers.push_back(x + 3 * std::sin(x / 4));
  }
  map.weights = soft_alignment(centers, n, 0.5);
  if (n > 7)
    for (int64_t t = 0; t < n; ++t) map.weights.data<float>()[7 * n + t] = 0;
  map.title = "A long one";
  return map;
}

// Tokens made to break layouts, markup and terminals.
inline AttentionMap hostile() {
  AttentionMap map;
  map.source = {"",
                " ",
                "<script>alert(1)</script>",
                "\"&'",
                "\033[31mred",
                "a\nb\tc",
                std::string("\0x", 2),
                "\xff\xfe",
                "\xe2\x96",
                "▁",
                "@@",
                "##"};
  map.target = {"猫が", "é",          "e\u0301\u0302",      "\u0301", "قطة",
                "חתול", "\u202Eevil", "👩‍👩‍👧", "नमस्ते",   "Donaudampfschifffahrtsgesellschaftskapitän",
                "]]>",  "-->"};
  map.weights = soft_alignment({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 12, 1.0);
  map.title = "</title><b>\xC3 & \"title\"";
  return map;
}

}  // namespace lookback::viz

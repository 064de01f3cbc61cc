// For tests: figures to draw.
#pragma once

#include <algorithm>
#include <cmath>

#include "lookback/viz/figure.h"

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
inline HeatMap german_english() {
  HeatMap map{.columns = {"source", {}}, .rows = {"target", {}}};
  map.columns.tokens = {"▁Die",     "▁kleine", "▁Katze", "▁hat",      "▁gestern", "▁den",
                        "▁Zeitung", "s",       "boten",  "▁gekratzt", ".",        "</s>"};
  map.rows.tokens = {"▁Yesterday", "▁the",  "▁little", "▁cat",     "▁scratch", "ed",
                     "▁the",       "▁news", "paper",   "▁carrier", "."};
  map.weights = soft_alignment({4, 0.2, 1, 2, 9, 8.8, 5, 6.1, 6.6, 8, 10.1}, 12, 1.1);
  map.title = "Die kleine Katze hat gestern den Zeitungsboten gekratzt.";
  map.row_scores = {-0.31, -0.05, -0.22, -0.02, -0.41, -0.01, -0.08, -0.36, -0.03, -1.72, -0.01};
  return map;
}

// n tokens on either side, one of them looking at nothing.
inline HeatMap long_map(int64_t n) {
  HeatMap map{.columns = {"source", {}}, .rows = {"target", {}}};
  std::vector<double> centers;
  for (int64_t k = 0; k < n; ++k) {
    map.columns.tokens.push_back("▁wort" + std::to_string(k));
    map.rows.tokens.push_back("▁word" + std::to_string(k));
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
inline HeatMap hostile() {
  HeatMap map{.columns = {"source", {}}, .rows = {"target", {}}};
  map.columns.tokens = {"",
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
  map.rows.tokens = {"猫が", "é",          "e\u0301\u0302",      "\u0301", "قطة",
                     "חתול", "\u202Eevil", "👩‍👩‍👧", "नमस्ते",   "Donaudampfschifffahrtsgesellschaftskapitän",
                     "]]>",  "-->"};
  map.weights = soft_alignment({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 12, 1.0);
  map.title = "</title><b>\xC3 & \"title\"";
  return map;
}

// A review in pieces: praise outweighs what was criticised.
inline Highlight review() {
  Highlight h;
  h.words.tokens = {"▁The", "▁ending", "▁is", "▁a",   "▁let", "down",   ",",       "▁but",   "▁the", "▁leads", "▁are",
                    "▁won", "der",     "ful", "▁and", "▁I",   "▁would", "▁gladly", "▁watch", "▁it",  "▁again", "."};
  h.weights =
      Tensor::of<float>({22}, {0.01f, 0.02f, 0.005f, 0.01f, 0.06f, 0.09f, 0.005f, 0.05f, 0.005f, 0.02f, 0.01f,
                               0.15f, 0.12f, 0.16f,  0.01f, 0.02f, 0.03f, 0.11f,  0.03f, 0.01f,  0.07f, 0.005f});
  h.title = "The ending is a letdown, but …";
  h.probabilities = {{"positive", 0.8312}, {"mixed", 0.1427}, {"negative", 0.0261}};
  return h;
}

// Two hops over whole words.
inline Highlight two_hops() {
  Highlight h;
  h.words.tokens = {"Mary", "took", "the", "milk", ".", "She", "went", "home", "."};
  h.weights = Tensor::of<float>({2, 9}, {0.1f, 0.25f, 0.05f, 0.6f, 0, 0, 0, 0, 0,  //
                                         0.05f, 0, 0, 0, 0.1f, 0.1f, 0.25f, 0.5f, 0});
  h.title = "Where is the milk?";
  return h;
}

inline Highlight right_to_left_text() {
  Highlight h;
  h.words.tokens = {"كان", "الفيلم", "رائعا", "،", "New", "York", "مدينة", "."};
  h.weights = Tensor::of<float>({8}, {0.05f, 0.1f, 0.6f, 0, 0.05f, 0.05f, 0.15f, 0});
  h.probabilities = {{"إيجابي", 0.7}, {"سلبي", 0.3}};
  return h;
}

inline Highlight hostile_highlight() {
  const HeatMap map = hostile();
  Highlight h;
  h.words = {"<w>\xC3\033", map.columns.tokens};
  h.words.tokens.insert(h.words.tokens.end(), map.rows.tokens.begin(), map.rows.tokens.end());
  h.words.tokens.emplace_back("\u200D");
  h.weights = Tensor(Shape{2, std::ssize(h.words.tokens)});
  for (int64_t k = 0; k < h.weights.size(); ++k) h.weights.data<float>()[k] = static_cast<float>(k % 7) * 0.4f - 0.6f;
  h.title = map.title;
  h.probabilities = {{"<b>\xFF\n", 1.5}, {"", -0.25}, {"\033[31mred", 1e300}};
  return h;
}

inline Highlight long_text(int64_t n) {
  Highlight h;
  h.weights = Tensor::zeros({n});
  for (int64_t k = 0; k < n; ++k) {
    h.words.tokens.push_back("▁word" + std::to_string(k * 7919 % n));
    if (k % 97 == 0) h.weights.data<float>()[k] = 1.0f / static_cast<float>(n);
  }
  return h;
}

// A review in sentences of pieces; the middle one decides, and "not" in it.
inline Highlight sentences() {
  Highlight h;
  h.words.tokens = {"▁It", "▁look", "s", "▁good", ".", "▁It", "▁did", "▁not", "▁hold", "▁wa", "ter", ".", "▁Sad", "."};
  h.weights = Tensor::of<float>(
      {14}, {0.1f, 0.15f, 0.05f, 0.65f, 0.05f, 0.04f, 0.16f, 0.4f, 0.15f, 0.1f, 0.1f, 0.05f, 0.75f, 0.25f});
  h.title = "It looks good. …";
  h.probabilities = {{"negative", 0.9}, {"positive", 0.1}};
  h.parts = {5, 7, 2};
  h.part_weights = Tensor::of<float>({3}, {0.16f, 0.64f, 0.2f});
  return h;
}

// Parts of one word and of many, with weights no softmax gives.
inline Highlight hostile_parts() {
  Highlight h = hostile_highlight();
  h.parts = {1, 11, 12, 1};
  h.part_weights = Tensor::of<float>({4}, {-3e38f, 0, 1e30f, -0.0f});
  return h;
}

inline Highlight long_document(int64_t n) {
  Highlight h = long_text(n);
  for (int64_t left = n; left > 0; left -= h.parts.back()) h.parts.push_back(std::min(left, 1 + left % 41));
  h.part_weights = Tensor::zeros({std::ssize(h.parts)});
  for (size_t p = 0; p < h.parts.size(); p += 9) h.part_weights.data<float>()[p] = 0.01f;
  return h;
}

inline HeatMap answers() {
  return confusion_map(std::vector<int64_t>{50, 3, 0, 12, 40, 1, 0, 0, 0}, {"bad", "good", "none"}, "Right and wrong");
}

// n classes, text in each cell.
inline HeatMap long_table(int64_t n) {
  HeatMap map = long_map(n);
  for (int64_t k = 0; k < n * n; ++k) map.cells.push_back(std::to_string(k % n) + " of " + std::to_string(n));
  return map;
}

// Axes and cells made to break layouts, markup and terminals.
inline HeatMap hostile_table() {
  HeatMap map = hostile();
  map.columns.name = "<b>\xFF\n & an axis of a name that is too long for any label", map.rows.name = "\033[31m\"猫\"";
  map.weight_name = "</p>\033 a name of a scale";
  for (const auto& row : map.rows.tokens)
    for (const auto& column : map.columns.tokens) map.cells.push_back(row.substr(row.size() / 2) + column);
  map.cells[0].clear();
  return map;
}

// Heat maps whose axes have other names.
inline HeatMap question_and_context() {
  HeatMap map = german_english();
  map.columns.name = "context", map.rows.name = "the <question>";
  return map;
}

}  // namespace lookback::viz

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "lookback/base/utf8.h"
#include "lookback/viz/attention_map.h"
#include "lookback/viz/marks.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

std::string quoted(const std::string& bytes) { return nlohmann::json(with_replacements(bytes)).dump(); }

// The shortest digits that read back to the same number, whatever its type.
template <class R>
std::string number(R value) {
  if (value == 0 && std::signbit(value)) return "-0.0";  // many readers take -0 for the integer 0
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

template <class Item>
std::string array(int64_t n, Item&& item) {
  std::string out = "[";
  for (int64_t k = 0; k < n; ++k) {
    if (k) out += ',';
    out += item(k);
  }
  return out + "]";
}

std::string array(const std::vector<std::string>& tokens) {
  return array(static_cast<int64_t>(tokens.size()), [&](int64_t k) { return quoted(tokens[static_cast<size_t>(k)]); });
}

}  // namespace

std::string to_json(const AttentionMap& map) {
  check_map(map);
  const auto T = static_cast<int64_t>(map.source.size()), U = static_cast<int64_t>(map.target.size());
  const float* w = T && U ? map.weights.data<float>() : nullptr;
  std::string out = std::string(kJsonMark) + "\n\"title\":" + quoted(map.title);
  out += ",\n\"source\":" + array(map.source);
  out += ",\n\"target\":" + array(map.target);
  out += ",\n\"weights\":" + array(U, [&](int64_t u) {
           return (u ? "\n " : "") + array(T, [&](int64_t t) { return number(w[u * T + t]); });
         });
  out += ",\n\"scores\":";
  out += map.target_scores.empty()
             ? "null"
             : array(U, [&](int64_t u) { return number(map.target_scores[static_cast<size_t>(u)]); });
  return out + "}\n";
}

}  // namespace lookback::viz

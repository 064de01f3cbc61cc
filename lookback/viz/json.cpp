#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "lookback/base/utf8.h"
#include "lookback/viz/figure.h"
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

std::string matrix(const float* w, int64_t rows, int64_t columns) {
  return array(rows, [&](int64_t u) {
    return (u ? "\n " : "") + array(columns, [&](int64_t t) { return number(w[u * columns + t]); });
  });
}

std::string mark_of(const Axis& axis) {
  return axis.mark.empty() ? "" : str_cat(",\n\"marked\":[", axis.mark.begin, ",", axis.mark.end, "]");
}

std::string cells_of(const HeatMap& map) {
  if (map.cells.empty()) return "";
  const int64_t T = std::ssize(map.columns.tokens);
  return ",\n\"cells\":" + array(map.token_rows(), [&](int64_t u) {
           return (u ? "\n " : "") +
                  array(T, [&](int64_t t) { return quoted(map.cells[static_cast<size_t>(u * T + t)]); });
         });
}

std::string underlay_of(const HeatMap& map) {
  if (map.underlay.size() == 0) return "";
  return ",\n\"underlay\":" + matrix(map.underlay.data<float>(), map.underlay.dim(0), map.underlay.dim(1));
}

std::string parts_of(const Highlight& h) {
  if (h.parts.empty()) return "";
  return ",\n\"parts\":" + array(std::ssize(h.parts), [&](int64_t p) {
           return str_cat("{\"words\":", h.parts[static_cast<size_t>(p)],
                          ",\"weight\":", number(h.part_weights.data<float>()[p]), "}");
         });
}

std::string json_of(const HeatMap& map) {
  const int64_t T = map.column_count(), U = std::ssize(map.rows.tokens);
  const float* w = T && U ? map.weights.data<float>() : nullptr;
  std::string out = ",\n" + quoted(map.columns.name) + ":";
  out += map.columns.seconds > 0 ? str_cat("{\"seconds\":", number(map.columns.seconds), ",\"count\":", T, "}")
                                 : array(map.columns.tokens);
  out += ",\n" + quoted(map.rows.name) + ":" + array(map.rows.tokens);
  out += ",\n\"weights\":" + matrix(w, U, T) + ",\n\"scores\":";
  return out +
         (map.row_scores.empty()
              ? "null"
              : array(U, [&](int64_t u) { return number(map.row_scores[static_cast<size_t>(u)]); })) +
         cells_of(map) + mark_of(map.rows) + underlay_of(map);
}

std::string json_of(const Highlight& h) {
  const int64_t n = std::ssize(h.words.tokens);
  std::string out = ",\n\"words\":" + array(h.words.tokens);
  out += ",\n\"weights\":" + matrix(n ? h.weights.data<float>() : nullptr, h.hops(), n);
  return out + ",\n\"probabilities\":" +
         array(std::ssize(h.probabilities),
               [&](int64_t k) {
                 const auto& [label, probability] = h.probabilities[static_cast<size_t>(k)];
                 return (k ? "\n " : "") + ("{\"label\":" + quoted(label)) + ",\"probability\":" + number(probability) +
                        "}";
               }) +
         parts_of(h) + mark_of(h.words);
}

std::string values_of(const std::vector<double>& values) {
  return array(std::ssize(values), [&](int64_t k) {
    const double value = values[static_cast<size_t>(k)];
    return std::isnan(value) ? std::string("null") : number(value);
  });
}

// An array of objects, each on a line of its own.
template <class T, class Object>
std::string objects(const std::vector<T>& all, Object&& object) {
  return array(std::ssize(all),
               [&](int64_t k) { return (k ? "\n " : "") + ("{" + object(all[static_cast<size_t>(k)])) + "}"; });
}

std::string line_of(const Chart::Line& line) {
  return str_cat("\"name\":", quoted(line.name), ",\"first\":", line.first, ",\"dots\":", line.dots ? "true" : "false",
                 ",\"values\":", values_of(line.values), ",\"bands\":", objects(line.bands, [](const Chart::Band& b) {
                   return "\"name\":" + quoted(b.name) + ",\"low\":" + values_of(b.low) +
                          ",\"high\":" + values_of(b.high);
                 }));
}

std::string json_of(const Chart& c) {
  std::string out = ",\n\"x\":{\"name\":" + quoted(c.x.name) + ",\"labels\":" + array(c.x.tokens) + "}";
  out += ",\n\"panels\":" + objects(c.panels, [](const Chart::Panel& p) {
           return "\"name\":" + quoted(p.name) + ",\"lines\":" + objects(p.lines, line_of);
         });
  out += ",\n\"rules\":" + objects(c.rules, [](const Chart::Rule& r) {
           return str_cat("\"position\":", r.position, ",\"name\":", quoted(r.name));
         });
  out += ",\n\"strips\":" + objects(c.strips, [](const Chart::Strip& s) {
           return str_cat("\"name\":", quoted(s.name), ",\"first\":", s.first, ",\"weights\":", values_of(s.weights));
         });
  return out + ",\n\"bars\":" + objects(c.bars, [](const Chart::Bar& b) {
           return "\"group\":" + quoted(b.group) + ",\"name\":" + quoted(b.name) + ",\"value\":" + number(b.value);
         });
}

std::string json_of(const PictureMaps& m) {
  const int64_t U = std::ssize(m.tokens), cells = U ? m.weights.dim(1) : 0;
  const auto size = [](int64_t height, int64_t width) {
    return str_cat("{\"height\":", height, ",\"width\":", width, "}");
  };
  const auto or_null = [](const std::vector<double>& values) { return values.empty() ? "null" : values_of(values); };
  return ",\n\"picture\":" + size(m.picture.dim(0), m.picture.dim(1)) +
         ",\n\"grid\":" + size(m.grid_height, m.grid_width) + ",\n\"tokens\":" + array(m.tokens) +
         ",\n\"weights\":" + matrix(U ? m.weights.data<float>() : nullptr, U, cells) +
         ",\n\"elsewhere\":" + or_null(m.elsewhere) + ",\n\"scores\":" + or_null(m.row_scores);
}

}  // namespace

std::string to_json(const Figure& figure) {
  check_figure(figure);
  return std::visit(
      [](const auto& f) { return std::string(kJsonMark) + "\n\"title\":" + quoted(f.title) + json_of(f) + "}\n"; },
      figure);
}

}  // namespace lookback::viz

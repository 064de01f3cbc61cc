// For tests: figures to draw.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

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

// The same with a word of three pieces that stands out.
inline Highlight marked_review() {
  Highlight h = review();
  h.words.mark = {11, 14};
  return h;
}

// "little cat scratch" stand out.
inline HeatMap marked_map() {
  HeatMap map = german_english();
  map.rows.mark = {2, 5};
  return map;
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
  h.weight_name = "</p>\033 a name of a scale";
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

// Characters written over the sound of a tone that rises, which breaks off for a moment: each looks at a tenth of a
// second or so, the space at the break. T frames of 20 ms; the spectrogram has two for each.
inline HeatMap rising_tone(int64_t T = 150, int64_t U = 12) {
  constexpr int64_t F = 40;
  const std::string letters = "rising tones";
  HeatMap map{.columns = {"time", {}, 0.02}, .rows = {"written", {}}, .title = "A tone rises"};
  std::vector<double> centers;
  for (int64_t u = 0; u < U; ++u) {
    map.rows.tokens.emplace_back(1, letters[static_cast<size_t>(u) % letters.size()]);
    const double share = (static_cast<double>(u) + 0.5) / static_cast<double>(U);
    centers.push_back((0.06 + 0.88 * share) * static_cast<double>(T));
  }
  map.weights = soft_alignment(centers, T, 0.25);
  map.underlay = Tensor({2 * T, F});
  for (int64_t t = 0; t < 2 * T; ++t) {
    const double at = static_cast<double>(t) / (2.0 * static_cast<double>(T)), pitch = 4 + 16 * at;
    const double loud = at < 0.04 || at > 0.96 || std::abs(at - 0.535) < 0.02 ? 0 : 0.75 + 0.25 * std::sin(at * 60);
    for (int64_t f = 0; f < F; ++f) {
      const double tone = std::exp(-0.5 * (static_cast<double>(f) - pitch) * (static_cast<double>(f) - pitch));
      const double over = std::exp(-0.3 * std::abs(static_cast<double>(f) - 2 * pitch));
      map.underlay.data<float>()[t * F + f] = static_cast<float>(0.06 + 0.9 * loud * std::max(tone, 0.5 * over));
    }
  }
  return map;
}

// Names of any bytes, sounds and weights of any size.
inline HeatMap hostile_time_map() {
  HeatMap map = hostile();
  const auto U = std::ssize(map.rows.tokens);
  map.columns = {"<b>\xFF\n & \033[31m", {}, 1e-3};
  map.weights = Tensor({U, 700});
  for (int64_t k = 0; k < map.weights.size(); ++k) map.weights.data<float>()[k] = static_cast<float>(k % 13) * 0.3f - 1;
  map.underlay = Tensor({3, 1});
  map.underlay.data<float>()[0] = -5, map.underlay.data<float>()[1] = 3e38f, map.underlay.data<float>()[2] = 0.5f;
  map.row_scores.assign(static_cast<size_t>(U), -1e300);
  map.weight_name = "</p>\033 a name of a scale";
  return map;
}

// A day's load in a week that rises, with noise that is the same each time.
inline double load_at(int64_t hour) {
  const double t = static_cast<double>(hour), noise = std::fmod(std::abs(std::sin(t * 12.9898) * 43758.5453), 1.0);
  return 42000 + 30 * t + 9000 * std::sin((t - 8) * 0.2618) - 2500 * std::cos(t * 0.5236) + 2400 * (noise - 0.5);
}

// Hours from midnight of the first of June on.
inline std::string hour_label(int64_t hour) {
  const auto two = [](int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  return "2024-06-" + two(hour / 24 + 1) + " " + two(hour % 24) + ":00";
}

// The forecast of a line from `first` on, its bands as wide as the root of the steps ahead.
inline Chart::Line forecast_line(int64_t first, int64_t steps, double miss) {
  Chart::Line line{.name = "forecast", .values = {}, .first = first, .bands = {{"80 %", {}, {}}, {"95 %", {}, {}}}};
  for (int64_t k = 0; k < steps; ++k) {
    const double x = load_at(first + k) * 0.5 + load_at(first + k - 24) * 0.5 + miss * static_cast<double>(k) / 2;
    const double spread = 1100 * std::sqrt(static_cast<double>(k) + 1);
    line.values.push_back(x);
    for (size_t b = 0; b < 2; ++b) {
      const double z = b == 0 ? 0.8 : 1.4;
      line.bands[b].low.push_back(x - z * spread), line.bands[b].high.push_back(x + z * spread);
    }
  }
  return line;
}

// Five days of the past, a day ahead, of which half came true already.
inline Chart fan_chart() {
  constexpr int64_t kPast = 120, kAhead = 24;
  Chart chart{.panels = {{"load in MW",
                          {{.name = "past", .values = {}},
                           forecast_line(kPast, kAhead, 60),
                           {.name = "what came", .values = {}, .first = kPast, .dots = true}}}},
              .rules = {{kPast - 1, "origin"}}};
  for (int64_t k = 0; k < kPast + kAhead; ++k) chart.x.tokens.push_back(hour_label(k));
  auto& lines = chart.panels[0].lines;
  for (int64_t k = 0; k < kPast; ++k) lines[0].values.push_back(load_at(k));
  for (int64_t k = 0; k < kAhead; ++k)
    lines[2].values.push_back(k < kAhead / 2 ? load_at(kPast + k) : std::numeric_limits<double>::quiet_NaN());
  chart.title = "Load of the next day";
  return chart;
}

// Forecasts of a day from every thirtieth hour on, over what came.
inline Chart back_test() {
  constexpr int64_t kHours = 480;
  Chart chart{.panels = {{"load in MW", {{.name = "what came", .values = {}}}}}};
  for (int64_t k = 0; k < kHours; ++k) {
    chart.x.tokens.push_back(hour_label(k));
    chart.panels[0].lines[0].values.push_back(load_at(k));
  }
  for (int64_t first = 240; first + 24 <= kHours; first += 30)
    chart.panels[0].lines.push_back(forecast_line(first, 24, first % 4 ? 80 : -120));
  chart.title = "Back-test: a day ahead, from every 30th hour on";
  return chart;
}

inline Chart error_by_steps() {
  Chart chart{.x = {"steps ahead", {}}, .panels = {{"mean absolute error in MW", {}}}};
  const std::vector<std::pair<std::string, double>> models{
      {"last value", 900}, {"last day", 40}, {"linear map", 210}, {"LSTM with attention", 150}};
  for (const auto& [name, growth] : models) {
    Chart::Line& line = chart.panels[0].lines.emplace_back(Chart::Line{.name = name, .values = {}});
    for (int k = 1; k <= 48; ++k)
      line.values.push_back((name == "last day" ? 3100 : 500) + growth * std::sqrt(k) + 60 * std::sin(k));
  }
  for (int k = 1; k <= 48; ++k) chart.x.tokens.push_back(std::to_string(k));
  chart.title = "Error by steps ahead";
  return chart;
}

// The fan chart, and below it where each of three heads looked; what the variables weigh at two steps ahead.
inline Chart attention_chart() {
  Chart chart = fan_chart();
  for (int64_t head = 0; head < 3; ++head) {
    Chart::Strip strip{.name = "head " + std::to_string(head + 1), .weights = std::vector<double>(120)};
    double sum = 0;
    for (int64_t k = 0; k < 120; ++k) {
      const double day = head == 0   ? std::cos(static_cast<double>(k % 24) * 0.2618)
                         : head == 1 ? 0.0
                                     : std::cos(static_cast<double>(k % 24 - 12) * 0.2618);
      sum += strip.weights[static_cast<size_t>(k)] =
          std::exp(3 * day + static_cast<double>(k - 120) / (head == 1 ? 4.0 : 60.0));
    }
    for (double& w : strip.weights) w /= sum;
    chart.strips.push_back(strip);
  }
  const std::vector<std::pair<std::string, double>> weights{
      {"load", 0.52}, {"temperature", 0.23}, {"hour of the day", 0.14}, {"holiday", 0.08}, {"wind", 0.03}};
  for (const char* group : {"1 hour ahead", "24 hours ahead"})
    for (const auto& [name, weight] : weights)
      chart.bars.push_back({group, name, group[1] == ' ' ? weight : 0.2 + (weight - 0.2) * 0.3});
  chart.title = "Load of the next day, and where the forecast looked";
  return chart;
}

inline Chart long_series(int64_t n) {
  Chart chart{.panels = {{"load",
                          {{.name = "past", .values = {}},
                           {.name = "forecast", .values = {}, .bands = {{"80 %", {}, {}}}},
                           {.name = "dots", .values = {}, .dots = true}}}},
              .strips = {{"head", std::vector<double>(static_cast<size_t>(n), 0.0)}}};
  auto& lines = chart.panels[0].lines;
  for (int64_t k = 0; k < n; ++k) {
    chart.x.tokens.push_back("step " + std::to_string(k));
    const double t = static_cast<double>(k), x = load_at(k) - 30 * t + 8000 * std::sin(t * 0.001);
    lines[0].values.push_back(x), lines[1].values.push_back(x + 500), lines[2].values.push_back(x - 30000);
    lines[1].bands[0].low.push_back(x - 4000), lines[1].bands[0].high.push_back(x + 4000);
  }
  lines[0].values[static_cast<size_t>(n / 3)] = 150000;  // an outlier no reduction may lose
  chart.strips[0].weights[static_cast<size_t>(n / 2)] = 0.7;
  chart.title = "A long one";
  return chart;
}

// Names of any bytes; numbers of any size; gaps, values alone, bounds that cross.
inline Chart hostile_chart() {
  const HeatMap map = hostile();
  constexpr double kGap = std::numeric_limits<double>::quiet_NaN();
  Chart chart{
      .x = {map.rows.tokens[9] + "<b>\xFF\n", map.columns.tokens}, .title = map.title, .weight_name = "</p>\033"};
  chart.panels.push_back({"</g>\033[31m \xC3 & \"name\"", {}});
  auto& lines = chart.panels[0].lines;
  for (const std::string& name : map.columns.tokens)
    lines.push_back({.name = name, .values = {1e300, kGap, -1e300, kGap, kGap, 1e-300, 0.0, -0.0}, .first = 2});
  for (const std::string& name : map.rows.tokens)
    lines.push_back(
        {.name = name, .values = {kGap, 3}, .bands = {{name, {kGap, 1}, {2, 0}}, {"", {1, 2}, {3, 4}}}, .dots = true});
  chart.panels.push_back({"", {{.name = "", .values = std::vector<double>(12, 1e-300)}}});
  chart.panels.push_back({"constant", {{.name = "c", .values = std::vector<double>(12, -7.5)}}});
  chart.panels.push_back({"",
                          {{.name = "d",
                            .values = {std::numeric_limits<double>::max(), std::numeric_limits<double>::lowest(),
                                       std::numeric_limits<double>::denorm_min()}}}});
  for (size_t k = 0; k < map.rows.tokens.size(); ++k) {
    chart.rules.push_back({static_cast<int64_t>(k), map.rows.tokens[k]});
    chart.strips.push_back({map.rows.tokens[k], {-1e300, 1e300, 0, 0.5}, static_cast<int64_t>(k) % 9});
    chart.bars.push_back({map.rows.tokens[k / 3], map.columns.tokens[k], k % 2 ? -1e300 : 1e300});
    chart.bars.push_back({"", map.rows.tokens[k], std::numeric_limits<double>::lowest()});
  }
  return chart;
}

inline std::vector<Chart> all_charts() {
  std::vector<Chart> out{fan_chart(),       back_test(),     error_by_steps(),
                         attention_chart(), hostile_chart(), long_series(3000)};
  const auto one = [](std::vector<double> values) {
    Chart chart{.panels = {{"", {{.name = "a", .values = values}}}}};
    for (size_t k = 0; k < values.size(); ++k) chart.x.tokens.push_back(std::to_string(k));
    return chart;
  };
  for (const std::vector<double>& values : std::vector<std::vector<double>>{
           {1}, {0, 0, 0}, {5, 5}, {1e300, -1e300}, {1e-300, 2e-300}, {1e9, 1e9 + 1}, {1e16, 1e16 + 2}})
    out.push_back(one(values));
  out.push_back({.bars = {{"g", "only bars", 0.5}, {"", "b", 0}}});
  out.push_back({.x = {"", {"a", "b"}}, .rules = {{1, "r"}}, .strips = {{"only a strip", {0, 0}}}});
  Chart many = attention_chart();
  for (int k = 0; k < 400; ++k) {
    many.strips.push_back(many.strips[0]);
    many.bars.push_back({"g" + std::to_string(k), "b", 0.1});
    many.panels[0].lines.push_back({.name = "l" + std::to_string(k), .values = {1, 2}});
  }
  out.push_back(many);
  return out;
}

// A bay in flat colours: a lighthouse on a rock at the left, a red boat at the right, the sun above it. x and y in [0,
// 1].
inline std::array<double, 3> bay_color(double x, double y) {
  using Color = std::array<double, 3>;
  const auto within = [&](double cx, double cy, double rx, double ry) {
    return (x - cx) * (x - cx) / (rx * rx) + (y - cy) * (y - cy) / (ry * ry) < 1;
  };
  const bool sea = y > 0.62;
  Color color = sea ? Color{40 + 60 * (y - 0.62), 110 + 70 * (y - 0.62), 165 + 40 * (y - 0.62)}
                    : Color{135 + 150 * y, 195 + 60 * y, 240 - 10 * y};
  if (within(0.77, 0.2, 0.072, 0.096)) color = {255, 208, 70};
  if (within(0.47, 0.17, 0.09, 0.04) || within(0.52, 0.14, 0.07, 0.045)) color = {250, 252, 255};
  if (sea && std::abs(std::fmod(y * 16 + 0.12 * std::sin(x * 40), 1.0) - 0.5) < 0.07 &&
      std::fmod(x * 3 + std::floor(y * 16) * 0.37, 1.0) < 0.45)
    color = {110, 170, 210};
  if (within(0.2, 0.78, 0.2, 0.14)) color = {96, 84, 76};
  if (within(0.16, 0.73, 0.13, 0.06)) color = {92, 130, 74};
  const double half = 0.028 + 0.03 * (y - 0.25);  // the tower widens downwards
  if (y > 0.3 && y < 0.7 && std::abs(x - 0.2) < half)
    color = static_cast<int64_t>((y - 0.3) / 0.08) % 2 ? Color{206, 62, 58} : Color{246, 244, 238};
  if (y > 0.23 && y <= 0.3 && std::abs(x - 0.2) < 0.02) color = {255, 240, 150};
  if (y > 0.17 && y <= 0.23 && std::abs(x - 0.2) < (y - 0.17) * 0.6) color = {70, 60, 66};
  if (y > 0.36 && y < 0.68 && x > 0.74 && x < 0.745) color = {70, 50, 40};
  if (y > 0.38 && y < 0.64 && x >= 0.75 && x - 0.75 < (y - 0.38) * 0.42) color = {250, 246, 235};
  if (y > 0.42 && y < 0.64 && x < 0.735 && 0.735 - x < (y - 0.42) * 0.3) color = {238, 228, 210};
  if (y > 0.66 && y < 0.75 && std::abs(x - 0.75) < 0.13 - (y - 0.66) * 0.7) color = {190, 48, 44};
  return color;
}

inline Tensor bay(int64_t height, int64_t width) {
  constexpr int64_t kFine = 3;  // edges are smoothed
  Tensor out = Tensor::zeros({height, width, 3});
  for (int64_t y = 0; y < height * kFine; ++y)
    for (int64_t x = 0; x < width * kFine; ++x) {
      const auto color = bay_color((static_cast<double>(x) + 0.5) / static_cast<double>(width * kFine),
                                   (static_cast<double>(y) + 0.5) / static_cast<double>(height * kFine));
      for (size_t c = 0; c < 3; ++c)
        out.data<float>()[(y / kFine * width + x / kFine) * 3 + static_cast<int64_t>(c)] +=
            static_cast<float>(color[c] / (kFine * kFine));
    }
  return out;
}

// What a captioner with a visual sentinel (Lu et al. 2017) would look at: things where they are, little words
// elsewhere.
inline PictureMaps captioned_bay(int64_t grid_height = 12, int64_t grid_width = 16) {
  PictureMaps maps{.picture = bay(240, 320), .grid_height = grid_height, .grid_width = grid_width};
  maps.title = "a lighthouse and a red boat under the sun .";
  struct Look {
    const char* token;
    double x, y, wide, high, elsewhere, score;
  };
  const std::vector<Look> looks{
      {"▁a", 0.3, 0.5, 0.35, 0.3, 0.71, -0.42},      {"▁light", 0.2, 0.36, 0.045, 0.14, 0.08, -0.61},
      {"house", 0.2, 0.5, 0.05, 0.16, 0.21, -0.02},  {"▁and", 0.5, 0.6, 0.4, 0.2, 0.78, -0.35},
      {"▁a", 0.65, 0.6, 0.3, 0.2, 0.66, -0.11},      {"▁red", 0.75, 0.7, 0.09, 0.05, 0.05, -0.93},
      {"▁boat", 0.75, 0.6, 0.08, 0.13, 0.09, -0.18}, {"▁under", 0.76, 0.4, 0.12, 0.2, 0.48, -1.24},
      {"▁the", 0.6, 0.3, 0.4, 0.25, 0.81, -0.07},    {"▁sun", 0.77, 0.2, 0.06, 0.075, 0.03, -0.15},
      {".", 0.5, 0.5, 0.6, 0.5, 0.86, -0.04},        {"</s>", 0.5, 0.5, 0.7, 0.6, 0.9, -0.01}};
  const int64_t cells = grid_height * grid_width;
  maps.weights = Tensor({std::ssize(looks), cells});
  for (size_t u = 0; u < looks.size(); ++u) {
    const Look& look = looks[u];
    float* w = maps.weights.data<float>() + static_cast<int64_t>(u) * cells;
    double sum = 0;
    for (int64_t k = 0; k < cells; ++k) {
      const double x = (static_cast<double>(k % grid_width) + 0.5) / static_cast<double>(grid_width) - look.x;
      const double y = (static_cast<double>(k / grid_width) + 0.5) / static_cast<double>(grid_height) - look.y;
      const double some = std::exp(-0.5 * (x * x / (look.wide * look.wide) + y * y / (look.high * look.high)));
      sum += some;
      w[k] = static_cast<float>(some);
    }
    for (int64_t k = 0; k < cells; ++k) w[k] = static_cast<float>(w[k] * (1 - look.elsewhere) / sum);
    maps.tokens.emplace_back(look.token);
    maps.elsewhere.push_back(look.elsewhere);
    maps.row_scores.push_back(look.score);
  }
  return maps;
}

// Tokens of any bytes, weights of any size, one of them nowhere.
inline PictureMaps hostile_maps() {
  const HeatMap map = hostile();
  PictureMaps maps{.picture = bay(5, 3), .tokens = map.columns.tokens, .grid_height = 2, .grid_width = 3};
  maps.tokens.insert(maps.tokens.end(), map.rows.tokens.begin(), map.rows.tokens.end());
  const auto U = std::ssize(maps.tokens);
  maps.weights = Tensor::zeros({U, 6});
  for (int64_t k = 0; k < 6 * (U - 1); ++k)
    maps.weights.data<float>()[k] = k % 7 == 0 ? 3e38f : k % 5 == 0 ? 1e-40f : static_cast<float>(k % 3);
  maps.elsewhere.assign(maps.tokens.size(), 1e300);
  maps.row_scores.assign(maps.tokens.size(), -1e300);
  maps.title = map.title;
  return maps;
}

inline std::vector<PictureMaps> all_picture_maps() {
  std::vector<PictureMaps> out{captioned_bay(), captioned_bay(1, 40), hostile_maps()};
  PictureMaps plain = captioned_bay(3, 3);
  plain.elsewhere.clear(), plain.row_scores.clear(), plain.title.clear();
  plain.tokens.resize(2);
  plain.weights = plain.weights.rows(0, 2);
  for (const auto& [height, width] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {400, 30}, {2, 500}, {300, 200}}) {
    plain.picture = bay(height, width);
    out.push_back(plain);
  }
  out.push_back({.picture = bay(20, 20), .grid_height = 1, .grid_width = 1, .title = "no words"});
  return out;
}

}  // namespace lookback::viz

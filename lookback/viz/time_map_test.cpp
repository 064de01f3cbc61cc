// Heat maps over seconds, in every format.
#include "lookback/viz/time_map.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "lookback/base/testing.h"
#include "lookback/viz/picture.h"
#include "lookback/viz/test_figures.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

bool has(const std::string& words, const std::string& part) { return words.find(part) != std::string::npos; }

std::vector<std::string> lines_of(const std::string& out) {
  std::vector<std::string> lines;
  std::istringstream in(out);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

HeatMap tiny() {
  HeatMap map{.columns = {"time", {}, 0.25}, .rows = {"written", {"a", "b"}}};
  map.weights = Tensor::of<float>({2, 4}, {0.8f, 0.2f, 0, 0, 0, 0, 0.4f, 0.6f});
  map.underlay = Tensor::of<float>({4, 2}, {1, 0, 0.5f, 0, 0, 0, 1, 1});
  return map;
}

TEST(TimeTicks, AreAtStepsOfOneTwoOrFive) {
  const auto texts = [](double length, int64_t most) {
    std::string out;
    for (const TimeTick& tick : time_ticks(length, most)) out += tick.text + " ";
    return out;
  };
  EXPECT_EQ(texts(3.2, 10), "0.0 0.5 1.0 1.5 2.0 2.5 3.0 ");
  EXPECT_EQ(texts(1, 11), "0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0 ");
  EXPECT_EQ(texts(12, 8), "0 2 4 6 8 10 12 ");
  EXPECT_EQ(texts(3600, 5), "0 1000 2000 3000 ");
  EXPECT_EQ(texts(0.03, 4), "0.00 0.01 0.02 0.03 ");
  EXPECT_EQ(texts(7, 1), "0 5 ");
  EXPECT_EQ(texts(1e-9, 5), "0.000000 ");
}

TEST(TimeCells, KeepTheLargestWeightAndTheMeanSound) {
  const TimeCells cells = weight_cells(tiny(), 2);
  EXPECT_EQ(cells.values, (std::vector<double>{0.8f, 0, 0, 0.6f}));
  const TimeCells sound = sound_cells(tiny().underlay, 2, 2);
  EXPECT_EQ(sound.values, (std::vector<double>{0, 0.5, 0.75, 0.5})) << "high frequencies first";
  EXPECT_EQ(sound_cells(tiny().underlay, 8, 1).at(0, 1), 0.5) << "more cells than frames";
}

TEST(TimeMap, OnATerminal) {
  EXPECT_EQ(to_terminal(tiny(), {.width = 40, .color = false}),
            "    a ███▒▒▒\n"
            "    b       ▓▓▓███\n"
            "sound ▄▄▄▂▂▂   ███\n"
            "      ┬──────────┬\n"
            "      0          1 s\n"
            "\n"
            "      0 ··░░▒▒▓▓██ 0.80\n");
  EXPECT_TRUE(has(to_terminal(tiny(), {.width = 40, .color = false, .scale = Scale::unit}), "██ 1\n"));
}

TEST(TimeMap, NeverWiderThanTheTerminal) {
  for (const HeatMap& map : {rising_tone(), with_totals(rising_tone()), tiny(), hostile_time_map()})
    for (const int64_t width : {1, 20, 21, 34, 80, 200})
      for (const bool color : {false, true})
        for (std::string line : lines_of(to_terminal(map, {.width = width, .color = color}))) {
          for (size_t at; (at = line.find("\033[")) != std::string::npos;) line.erase(at, line.find('m', at) + 1 - at);
          EXPECT_LE(display_width(line), std::max<int64_t>(width, 20)) << line;
        }
}

TEST(TimeMap, ScaleIsOfTheMapUnlessAsked) {
  EXPECT_TRUE(has(to_svg(tiny()), ">0.80</text>"));
  EXPECT_FALSE(has(to_svg(tiny(), {.scale = Scale::unit}), ">0.80</text>"));
}

TEST(TimeMap, SvgSaysWhenAndWhat) {
  const std::string svg = to_svg(rising_tone());
  EXPECT_TRUE(has(svg, ">time in seconds</text>"));
  EXPECT_TRUE(has(svg, ">2.5</text>"));
  EXPECT_TRUE(has(svg, ">sound</text>"));
  EXPECT_TRUE(has(svg, "Attention of 12 written tokens (rows) over 3.00 s of time (columns)"));
  EXPECT_TRUE(has(svg, "<title>r: most at "));
  HeatMap silent = rising_tone();
  silent.underlay = Tensor();
  EXPECT_FALSE(has(to_svg(silent), ">sound</text>"));
}

TEST(TimeMap, RasterHasEveryCellOnce) {
  const Picture picture = draw(rising_tone(), {});
  ASSERT_EQ(picture.rasters.size(), 2u);
  for (const Raster& r : picture.rasters) {
    EXPECT_EQ(std::ssize(r.levels), r.rows * r.columns);
    int64_t covered = 0;
    for_runs(r, [&](int64_t, int64_t begin, int64_t end, uint8_t level) {
      EXPECT_LT(level, r.colors.size());
      covered += end - begin;
    });
    EXPECT_EQ(covered, std::ranges::count_if(r.levels, [](uint8_t level) { return level > 0; }));
  }
  EXPECT_EQ(picture.rasters[0].x, picture.rasters[1].x) << "one scale of time";
  EXPECT_EQ(picture.rasters[0].width, picture.rasters[1].width);
}

TEST(TimeMap, LargeOnesStaySmall) {
  HeatMap map = rising_tone(3000, 100);
  for (int64_t k = 0; k < map.weights.size(); ++k)
    map.weights.data<float>()[k] += static_cast<float>(k * 7919 % 97) * 1e-5f;
  EXPECT_LT(to_svg(map).size(), 400'000u);
  EXPECT_LT(to_html(map).size(), 450'000u);
  EXPECT_LT(draw(map, {}).width, 1100);
  if (can_draw_png()) {
    EXPECT_LT(to_png(map).size(), 600'000u);
  }
}

TEST(TimeMap, PageHasBothThemes) {
  const std::string page = to_html(with_totals(rising_tone()));
  EXPECT_TRUE(has(page, "prefers-color-scheme:dark){#chart0{--c"));
  EXPECT_TRUE(has(page, "<svg "));
  EXPECT_FALSE(has(page, "<table"));
}

TEST(TimeMap, Json) {
  const HeatMap map = rising_tone();
  const auto json = nlohmann::json::parse(to_json(map));
  EXPECT_EQ(json["time"], (nlohmann::json{{"seconds", 0.02}, {"count", 150}}));
  EXPECT_EQ(json["written"].size(), 12u);
  EXPECT_EQ(json["weights"][11].size(), 150u);
  EXPECT_EQ(json["underlay"].size(), 300u);
  EXPECT_EQ(json["underlay"][299].size(), 40u);
  EXPECT_EQ(json["underlay"][7][9].get<float>(), map.underlay.data<float>()[7 * 40 + 9]);
}

TEST(TimeMap, MergesPiecesOfRowsOnly) {
  HeatMap map = tiny();
  map.rows.tokens = {"▁a", "b"};
  const HeatMap merged = merge_subwords(with_totals(map));
  EXPECT_EQ(merged.rows.tokens, (std::vector<std::string>{"ab", "Σ"}));
  EXPECT_EQ(merged.columns.seconds, 0.25);
  EXPECT_EQ(merged.underlay.shape(), map.underlay.shape());
  EXPECT_EQ(merged.weights.shape(), (Shape{2, 4}));
  EXPECT_FLOAT_EQ(merged.weights.data<float>()[3], 0.3f);
}

TEST(TimeMap, EmptyAndHostile) {
  HeatMap empty{.columns = {"time", {}, 0.1}, .rows = {"written", {}}};
  EXPECT_TRUE(has(to_terminal(empty), "Nothing to draw"));
  EXPECT_TRUE(has(to_svg(empty), "Nothing to draw"));
  EXPECT_TRUE(has(to_html(empty), "Nothing to draw"));
  EXPECT_EQ(nlohmann::json::parse(to_json(empty))["time"]["count"], 0);
  HeatMap silent = tiny();  // nothing heard, nothing looked at
  silent.underlay = Tensor::zeros({1, 1});
  silent.weights = Tensor::zeros({2, 4});
  EXPECT_TRUE(has(to_svg(with_totals(silent)), "looks at nothing"));
  EXPECT_TRUE(has(to_terminal(silent, {.color = false}), "────"));
  const std::string svg = to_svg(hostile_time_map());
  EXPECT_FALSE(has(svg, "<b>"));
  EXPECT_FALSE(has(svg, "\033"));
}

TEST(TimeMap, RefusesWhatDoesNotFit) {
  const auto refusal = [](auto&& change) {
    HeatMap map = tiny();
    change(map);
    return message_of<Error>([&] { check_figure(map); });
  };
  EXPECT_TRUE(has(refusal([](HeatMap& m) { m.columns.tokens = {"a"}; }), "have no tokens, got 1"));
  EXPECT_TRUE(has(refusal([](HeatMap& m) { m.columns.seconds = -1; }), "a column of -1 seconds"));
  EXPECT_TRUE(has(refusal([](HeatMap& m) { m.rows.seconds = 1; }), "rows cannot be seconds"));
  EXPECT_TRUE(has(refusal([](HeatMap& m) { m.cells.resize(8); }), "no text in their cells"));
  EXPECT_TRUE(has(refusal([](HeatMap& m) { m.underlay = Tensor::zeros({3}); }), "[frames, frequencies], got [3]"));
  EXPECT_TRUE(has(refusal([](HeatMap& m) { m.underlay = Tensor(Shape{1, 1}, Dtype::f64); }), "must be f32"));
  EXPECT_TRUE(has(refusal([](HeatMap& m) {
                    m.underlay = Tensor::of<float>({1, 1}, {std::numeric_limits<float>::quiet_NaN()});
                  }),
                  "underlay[0,0] is nan"));
  EXPECT_TRUE(has(refusal([](HeatMap& m) { m.weights.data<float>()[5] = std::numeric_limits<float>::infinity(); }),
                  "weights[1,1] of 'b' looking at 0.250 s is inf"));
  EXPECT_TRUE(has(refusal([](HeatMap& m) { m.weights = Tensor::zeros({3, 4}); }), "2 written and 4 time frames"));
  HeatMap tokens = german_english();
  tokens.underlay = tiny().underlay;
  EXPECT_TRUE(has(message_of<Error>([&] { check_figure(tokens); }), "needs columns of seconds"));
}

}  // namespace
}  // namespace lookback::viz

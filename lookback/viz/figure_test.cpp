#include "lookback/viz/figure.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "lookback/base/testing.h"
#include "lookback/viz/color.h"
#include "lookback/viz/test_figures.h"

namespace lookback::viz {
namespace {

bool has(const std::string& words, const std::string& part) { return words.find(part) != std::string::npos; }

TEST(CheckFigure, NamesWhatDoesNotFit) {
  HeatMap map = german_english();
  map.columns.tokens.pop_back();
  EXPECT_TRUE(has(message_of<ShapeError>([&] { check_figure(map); }), "must be [11,11]"));
  EXPECT_TRUE(has(message_of<ShapeError>([&] { check_figure(map); }), "got [11,12]"));

  map = german_english();
  map.row_scores.pop_back();
  EXPECT_TRUE(has(message_of<ShapeError>([&] { check_figure(map); }), "11 scores or none, got 10"));

  map = german_english();
  map.weights = map.weights.to(Dtype::f64);
  EXPECT_TRUE(has(message_of<ShapeError>([&] { check_figure(map); }), "must be f32, got f64"));

  map = german_english();
  map.weights = Tensor();
  EXPECT_THROW(check_figure(map), ShapeError);
  map.columns.tokens.clear();
  EXPECT_NO_THROW(check_figure(map));
  map.weights = Tensor::zeros({3, 4});
  EXPECT_THROW(check_figure(map), ShapeError);
}

TEST(CheckFigure, AxesNeedTwoNames) {
  HeatMap map = german_english();
  map.rows.name = "source";
  EXPECT_TRUE(has(message_of<ShapeError>([&] { to_json(map); }), "columns and rows are both 'source'"));
  map.rows.name = "";
  EXPECT_TRUE(has(message_of<ShapeError>([&] { to_svg(map); }), "rows have no name"));
  map.rows.name = "weights";
  EXPECT_TRUE(has(message_of<ShapeError>([&] { to_svg(map); }), "cannot be called 'weights'"));
  map.rows.name = "\xFF", map.columns.name = "\xFE";  // the same once they are shown
  EXPECT_THROW(check_figure(map), ShapeError);
  map = question_and_context();
  map.weights = Tensor::zeros({1, 1});
  EXPECT_TRUE(has(message_of<ShapeError>([&] { check_figure(map); }), "11 the <question> and 12 context tokens"));
}

TEST(CheckFigure, NamesWhatDoesNotFitInAHighlight) {
  Highlight h = review();
  h.words.tokens.pop_back();
  EXPECT_TRUE(has(message_of<ShapeError>([&] { to_svg(h); }), "must be [21] or [hops,21] for 21 words, got [22]"));
  h = two_hops();
  h.weights = Tensor({0, 9});
  EXPECT_THROW(to_html(h), ShapeError);
  h.weights = Tensor::zeros({9}, Dtype::f64);
  EXPECT_TRUE(has(message_of<ShapeError>([&] { to_json(h); }), "must be f32, got f64"));
  h.words.name = "";
  EXPECT_THROW(to_terminal(h), ShapeError);
  EXPECT_NO_THROW(check_figure(Highlight{}));

  h = two_hops();
  h.weights.data<float>()[9 + 3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(has(message_of<NumericError>([&] { to_terminal(h); }), "weights[1,3] of 'milk' is nan"));
  h = review();
  h.weights.data<float>()[4] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(has(message_of<NumericError>([&] { merge_subwords(h); }), "weights[4] of '▁let' is inf"));
  h = review();
  h.probabilities[1].second = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(has(message_of<NumericError>([&] { to_html(h); }), "the probability of 'mixed' is nan"));
}

TEST(CheckFigure, MarksAreOfWordsAndRowsAlone) {
  Highlight h = review();
  for (const auto& mark : {Axis::Mark{-1, 2}, {3, 2}, {20, 23}}) {
    h.words.mark = mark;
    EXPECT_TRUE(has(message_of<ShapeError>([&] { to_svg(h); }), "is not among the 22 that can be marked"));
  }
  HeatMap map = german_english();
  map.columns.mark = {0, 1};
  EXPECT_TRUE(has(message_of<ShapeError>([&] { to_json(map); }), "the mark of source [0, 1) is not among the 0"));
  map = with_totals(german_english());
  map.rows.mark = {10, 12};  // the last one is the sum
  EXPECT_THROW(to_html(map), ShapeError);
  map = rising_tone();
  map.rows.mark = {0, 1};
  EXPECT_THROW(to_terminal(map), ShapeError);
  Chart chart = attention_chart();
  chart.x.mark = {0, 1};
  EXPECT_THROW(check_figure(chart), ShapeError);
}

TEST(CheckFigure, NamesWhatDoesNotFitInParts) {
  const auto why = [](std::vector<int64_t> parts) {
    Highlight h = sentences();
    h.parts = std::move(parts);
    return message_of<ShapeError>([&] { to_svg(h); });
  };
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_TRUE(has(why({5, 7, 1}), "parts have 13 of 14 words"));
  EXPECT_TRUE(has(why({5, 7, 3}), "parts[2] ends after the last of 14 words"));
  EXPECT_TRUE(has(why({5, kMost, kMost}), "parts[1] ends after"));
  EXPECT_TRUE(has(why({14, 0, 0}), "parts[1] has 0 words"));
  EXPECT_TRUE(has(why({15, -1, 0}), "parts[0] ends after"));
  EXPECT_TRUE(has(why({14}), "part_weights must be [1] for 1 parts, got [3]"));
  EXPECT_TRUE(has(why({}), "part_weights must be [0] for 0 parts, got [3]"));

  Highlight h = sentences();
  h.part_weights = Tensor();
  EXPECT_THROW(to_json(h), ShapeError);
  h.part_weights = Tensor::zeros({3}, Dtype::f64);
  EXPECT_TRUE(has(message_of<ShapeError>([&] { to_html(h); }), "part_weights must be f32, got f64"));
  h.part_weights = Tensor::of<float>({3}, {0, 0, std::numeric_limits<float>::infinity()});
  EXPECT_TRUE(has(message_of<NumericError>([&] { to_terminal(h); }), "part_weights[2] is inf"));
  EXPECT_THROW(check_figure(Highlight{.parts = {1}}), ShapeError);
}

TEST(CheckFigure, EveryCellHasItsTextOrNone) {
  HeatMap map = answers();
  map.cells.pop_back();
  EXPECT_TRUE(has(message_of<ShapeError>([&] { to_svg(map); }),
                  "3 gold and 3 predicted tokens need text in 9 cells or none, got 8"));
  EXPECT_NO_THROW(check_figure(with_totals(answers())));  // the totals have none
  map = answers();
  map.rows.name = "cells";
  EXPECT_TRUE(has(message_of<ShapeError>([&] { check_figure(map); }), "cannot be called 'cells'"));
  EXPECT_THROW(check_figure(HeatMap{.cells = {"a"}}), ShapeError);
}

TEST(ConfusionMap, HasTheSharesOfEachRow) {
  const HeatMap map = answers();
  EXPECT_EQ(map.rows.name + " " + map.columns.name, "gold predicted");
  EXPECT_EQ(map.rows.tokens, map.columns.tokens);
  EXPECT_EQ(map.cells, (std::vector<std::string>{"50", "3", "0", "12", "40", "1", "0", "0", "0"}));
  const auto w = map.weights.span<float>();
  EXPECT_FLOAT_EQ(w[0], 50.0f / 53);
  EXPECT_FLOAT_EQ(w[3], 12.0f / 53);
  EXPECT_EQ(w[8], 0);  // none of this class
  EXPECT_NO_THROW(check_figure(confusion_map({}, {}, "")));
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(confusion_map(std::vector<int64_t>(4, kMost), {"a", "b"}, "").weights.data<float>()[0], 0.5f);

  const auto of = [](std::vector<int64_t> counts) { return confusion_map(counts, {"a", "b\n"}, ""); };
  EXPECT_TRUE(has(message_of<ShapeError>([&] { of({1, 2, 3}); }), "2 names need 4 counts, got 3"));
  EXPECT_TRUE(has(message_of<NumericError>([&] { of({1, -2, 3, 4}); }), "'a' predicted as 'b␊' is -2"));
}

TEST(CheckFigure, NamesTheCellThatIsNotFinite) {
  HeatMap map = german_english();
  map.weights.data<float>()[3 * 12 + 2] = std::numeric_limits<float>::quiet_NaN();
  for (const auto& draw :
       std::vector<std::function<void()>>{[&] { to_terminal(map); }, [&] { to_svg(map); }, [&] { to_html(map); },
                                          [&] { to_json(map); }, [&] { merge_subwords(map); }}) {
    const std::string why = message_of<NumericError>(draw);
    EXPECT_TRUE(has(why, "weights[3,2] of '▁cat' looking at '▁Katze' is nan")) << why;
  }
  map.weights.data<float>()[3 * 12 + 2] = -std::numeric_limits<float>::infinity();
  EXPECT_TRUE(has(message_of<NumericError>([&] { check_figure(map); }), "-inf"));
  map = german_english();
  map.row_scores[1] = -std::numeric_limits<double>::infinity();
  EXPECT_TRUE(has(message_of<NumericError>([&] { check_figure(map); }), "row_scores[1] of '▁the'"));
}

TEST(CheckFigure, NamesWhatDoesNotFitInAChart) {
  for (const Chart& chart : all_charts()) EXPECT_NO_THROW(check_figure(chart));
  const auto why = [](auto&& change) {
    Chart chart = attention_chart();
    change(chart);
    return message_of<ShapeError>([&] { to_svg(chart); });
  };
  EXPECT_TRUE(has(message_of<ShapeError>([&] { to_json(Chart{}); }), "has no panel, no strip and no bar"));
  EXPECT_TRUE(has(why([](Chart& c) { c.x.tokens.clear(); }), "x axis has no positions"));
  EXPECT_TRUE(has(why([](Chart& c) { c.x.tokens.pop_back(); }),
                  "panels[0].lines[1] has 24 values from position 120 on, but the chart has 143 positions"));
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  for (const int64_t first : {int64_t{-1}, int64_t{121}, kMost, -kMost})
    EXPECT_TRUE(has(why([&](Chart& c) { c.panels[0].lines[1].first = first; }), "panels[0].lines[1] has 24 values"));
  EXPECT_TRUE(has(why([](Chart& c) { c.panels[0].lines[0].values.clear(); }), "panels[0].lines[0] has no values"));
  EXPECT_TRUE(has(why([](Chart& c) { c.panels.emplace_back(); }), "panels[1] has no line"));
  EXPECT_TRUE(has(why([](Chart& c) { c.panels[0].lines[1].bands[1].low.pop_back(); }),
                  "panels[0].lines[1].bands[1] '95 %' has 23 lower and 24 upper bounds for 24 values"));
  EXPECT_TRUE(has(why([](Chart& c) {
                    for (auto& line : c.panels[0].lines) {
                      line.bands.clear();
                      std::ranges::fill(line.values, std::numeric_limits<double>::quiet_NaN());
                    }
                  }),
                  "panels[0] has no number to draw"));
  EXPECT_TRUE(has(why([](Chart& c) { c.rules[0].position = 144; }), "rules[0] is at position 144"));
  EXPECT_TRUE(has(why([](Chart& c) { c.rules[0].position = -1; }), "rules[0] is at position -1"));
  EXPECT_TRUE(has(why([](Chart& c) { c.strips[2].first = 100; }), "strips[2] has 120 values from position 100 on"));

  const auto number = [](auto&& change) {
    Chart chart = attention_chart();
    change(chart);
    return message_of<NumericError>([&] { to_terminal(chart); });
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(has(number([](Chart& c) { c.panels[0].lines[0].values[7] = kInfinity; }),
                  "panels[0].lines[0].values[7] is inf; a gap is NaN"));
  EXPECT_TRUE(has(number([](Chart& c) { c.panels[0].lines[1].bands[0].high[3] = -kInfinity; }),
                  "panels[0].lines[1].bands[0].high[3] is -inf"));
  EXPECT_TRUE(has(number([](Chart& c) { c.strips[1].weights[2] = std::numeric_limits<double>::quiet_NaN(); }),
                  "strips[1].weights[2] is nan"));
  EXPECT_TRUE(has(number([](Chart& c) { c.bars[1].value = kInfinity; }), "bars[1] 'temperature' is inf"));
}

// What the eye without one kind of cone sees (Machado et al. 2009, severity 1), as light.
using Matrix = std::array<std::array<double, 3>, 3>;

std::array<double, 3> seen(Rgb c, const Matrix& m) {
  const auto light = [](uint8_t v) {
    const double x = v / 255.0;
    return x <= 0.04045 ? x / 12.92 : std::pow((x + 0.055) / 1.055, 2.4);
  };
  const std::array<double, 3> in{light(c.r), light(c.g), light(c.b)};
  std::array<double, 3> out{};
  for (size_t k = 0; k < 3; ++k) out[k] = m[k][0] * in[0] + m[k][1] * in[1] + m[k][2] * in[2];
  return out;
}

Rgb as_rgb(const std::array<double, 3>& light) {
  const auto byte = [](double x) {
    x = std::clamp(x, 0.0, 1.0);
    return static_cast<uint8_t>(std::lround(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1 / 2.4) - 0.055)));
  };
  return {byte(light[0]), byte(light[1]), byte(light[2])};
}

TEST(Color, SeriesAreToldApart) {
  constexpr Matrix kProtan = {
      {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}};
  constexpr Matrix kDeutan = {
      {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}};
  constexpr Matrix kTritan = {
      {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}};
  constexpr Matrix kAll = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  for (const Theme theme : {Theme::light, Theme::dark}) {
    const Palette& p = palette(theme);
    for (size_t a = 0; a < kSeriesColors; ++a) {
      EXPECT_GT(distance(series_color(p, a), p.background), 0.15) << a;
      for (size_t b = a + 1; b < kSeriesColors; ++b) {
        EXPECT_GT(std::abs(lightness(series_color(p, a)) - lightness(series_color(p, b))), 0.045) << a << " " << b;
        for (const Matrix& eye : {kAll, kProtan, kDeutan, kTritan})
          EXPECT_GT(distance(as_rgb(seen(series_color(p, a), eye)), as_rgb(seen(series_color(p, b), eye))), 0.06)
              << a << " " << b;
      }
    }
    EXPECT_EQ(series_color(p, kSeriesColors), p.text);
    EXPECT_EQ(blend(p.background, p.text, 0), p.background);
    EXPECT_EQ(blend(p.background, p.text, 1), p.text);
  }
  for (int index = 16; index < 256; index += 7)
    EXPECT_EQ(terminal_rgb(terminal_nearest(terminal_rgb(index))), terminal_rgb(index));
}

TEST(Color, EqualStepsOfLightness) {
  for (const Theme theme : {Theme::light, Theme::dark}) {
    const Palette& p = palette(theme);
    EXPECT_EQ(shade(p, 0), p.background);
    EXPECT_EQ(shade(p, 1), p.full);
    const double step = (lightness(p.full) - lightness(p.background)) / 10;
    for (int k = 0; k < 10; ++k)
      EXPECT_NEAR(lightness(shade(p, (k + 1) / 10.0)) - lightness(shade(p, k / 10.0)), step, 0.006);
    for (int k = 0; k <= 100; ++k) {
      const Rgb fill = shade(p, k / 100.0), ink = readable_on(p, fill);
      const double a = luminance(fill) + 0.05, b = luminance(ink) + 0.05;
      EXPECT_GE(std::max(a, b) / std::min(a, b), 3.9) << k;
    }
  }
}

TEST(Color, TerminalScaleOnlyGoesOneWay) {
  for (const Theme theme : {Theme::light, Theme::dark}) {
    EXPECT_EQ(terminal_color(theme, 0), -1);
    const double sign = theme == Theme::light ? -1 : 1;
    double before = lightness(palette(theme).background);
    int colors = 0, last = -1;
    for (int k = 0; k <= 100; ++k) {
      const int index = terminal_color(theme, k / 100.0);
      if (index == last) continue;
      EXPECT_GT(sign * (lightness(terminal_rgb(index)) - before), 0);
      before = lightness(terminal_rgb(index)), last = index, ++colors;
    }
    EXPECT_GE(colors, 6);
  }
}

TEST(Color, WordsFadeWithTheirPart) {
  Highlight h = sentences();
  EXPECT_EQ(scale_top(h, Scale::automatic), 0.64f);
  const auto near = [&](Scale scale, size_t k, double place) { EXPECT_NEAR(places(h, scale)[k], place, 1e-6) << k; };
  near(Scale::automatic, 7, 1);                  // the largest of the part that counts most
  near(Scale::automatic, 3, 0.5);                // sqrt(0.16 / 0.64)
  near(Scale::automatic, 1, 0.5 * 0.15 / 0.65);  // and its share, of the largest there
  near(Scale::unit, 7, 0.8 * 0.4);
  near(Scale::unit, 3, 0.4 * 0.65);
  EXPECT_EQ(part_number(h, 1), "0.64");

  h.parts.clear(), h.part_weights = Tensor();
  near(Scale::automatic, 3, 0.65 / 0.75);
  for (const double place : places(hostile_parts(), Scale::automatic)) EXPECT_TRUE(place >= 0 && place <= 1) << place;

  // Hops of one part share its scale.
  h = sentences();
  h.weights = Tensor::zeros({2, 14});
  h.weights.data<float>()[7] = 0.5f, h.weights.data<float>()[14 + 6] = 0.25f;
  near(Scale::automatic, 14 + 6, 0.5);
  h.part_weights = Tensor::of<float>({3}, {0.01f, 0.03f, 0.02f});
  EXPECT_EQ(part_number(h, 1), "0.030");
}

TEST(Color, PlacesOnTheScale) {
  HeatMap map = long_map(9);
  EXPECT_EQ(scale_top(map, Scale::unit), 1);
  const auto w = map.weights.span<float>();
  EXPECT_EQ(scale_top(map, Scale::automatic), 1);
  EXPECT_EQ(scale_top(map, Scale::peak), *std::max_element(w.begin(), w.end()));
  EXPECT_EQ(scale_top(with_totals(map), Scale::peak), scale_top(map, Scale::peak));
  EXPECT_EQ(scale_top(review(), Scale::automatic), 0.16f);
  EXPECT_EQ(scale_top(review(), Scale::unit), 1);
  map.weights.fill_zero();
  EXPECT_EQ(scale_top(map, Scale::peak), 1);
  EXPECT_EQ(place(-3, 1), 0);
  EXPECT_EQ(place(7, 1), 1);
  EXPECT_EQ(place(0.2f, 0.4f), 0.5);
  EXPECT_EQ(scale_end(1), "1");
  EXPECT_EQ(scale_end(0.38), "0.38");
  EXPECT_EQ(scale_end(0.0123), "0.012");
  EXPECT_EQ(scale_end(0.0001), "0.0001");
  EXPECT_EQ(scale_end(1e30), "1.00e+30");
}

}  // namespace
}  // namespace lookback::viz

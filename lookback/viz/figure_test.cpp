#include "lookback/viz/figure.h"

#include <gtest/gtest.h>

#include <limits>

#include "lookback/viz/color.h"
#include "lookback/viz/test_figures.h"

namespace lookback::viz {
namespace {

template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing thrown";
}

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
}

}  // namespace
}  // namespace lookback::viz

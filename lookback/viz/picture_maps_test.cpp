#include "lookback/viz/picture_maps.h"

#include <gtest/gtest.h>
#include <png.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "lookback/base/testing.h"
#include "lookback/viz/data_uri.h"
#include "lookback/viz/test_figures.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

bool has(const std::string& words, const std::string& part) { return words.find(part) != std::string::npos; }

int64_t count(const std::string& words, const std::string& part) {
  int64_t n = 0;
  for (size_t at = words.find(part); at != std::string::npos; at = words.find(part, at + part.size())) ++n;
  return n;
}

Pixels decode(const std::string& bytes) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size())) << image.message;
  image.format = PNG_FORMAT_RGB;
  Pixels out{image.height, image.width, std::vector<uint8_t>(PNG_IMAGE_SIZE(image))};
  EXPECT_TRUE(png_image_finish_read(&image, nullptr, out.rgb.data(), 0, nullptr)) << image.message;
  return out;
}

Rgb at(const Pixels& p, int64_t y, int64_t x) {
  const uint8_t* rgb = p.rgb.data() + (y * p.columns + x) * 3;
  return {rgb[0], rgb[1], rgb[2]};
}

// Base64 read by its definition.
std::string bytes_of(const std::string& base64) {
  std::string out;
  uint32_t bits = 0, n = 0;
  for (const char c : base64) {
    if (c == '=') break;
    const size_t digit = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
    EXPECT_NE(digit, std::string_view::npos) << c;
    bits = bits << 6 | static_cast<uint32_t>(digit), n += 6;
    if (n >= 8) n -= 8, out += static_cast<char>(bits >> n & 255);
  }
  return out;
}

// Four cells, the second of which has all the weight of "b"; a picture of one colour for each cell.
PictureMaps four_cells() {
  PictureMaps maps{.picture = Tensor({2, 2, 3}), .tokens = {"a", "b"}, .grid_height = 2, .grid_width = 2};
  const std::vector<float> colors{200, 0, 0, 0, 200, 0, 0, 0, 200, 120, 120, 120};
  std::ranges::copy(colors, maps.picture.data<float>());
  maps.weights = Tensor::of<float>({2, 4}, {0.25f, 0.25f, 0.25f, 0.25f, 0, 0.5f, 0, 0});
  return maps;
}

TEST(PictureMaps, AreNamedWhereTheyDoNotFit) {
  for (const PictureMaps& maps : all_picture_maps()) EXPECT_NO_THROW(check_figure(maps));
  const auto shape = [](auto&& change) {
    PictureMaps maps = four_cells();
    change(maps);
    return message_of<ShapeError>([&] { to_svg(maps); });
  };
  EXPECT_TRUE(has(message_of<ShapeError>([] { check_figure(PictureMaps{}); }), "must be [height,width,3]"));
  EXPECT_TRUE(has(shape([](auto& m) { m.picture = Tensor({2, 2}); }), "must be [height,width,3], got [2,2]"));
  EXPECT_TRUE(has(shape([](auto& m) { m.picture = Tensor({2, 2, 1}); }), "must be [height,width,3], got [2,2,1]"));
  EXPECT_TRUE(has(shape([](auto& m) { m.picture = m.picture.to(Dtype::f64); }), "picture must be f32, got f64"));
  EXPECT_TRUE(has(shape([](auto& m) { m.weights = m.weights.to(Dtype::f64); }), "weights must be f32, got f64"));
  EXPECT_TRUE(has(shape([](auto& m) { m.grid_width = 3; }),
                  "weights must be [2,2 * 3] for 2 tokens and a grid of 2 x 3, got [2,4]"));
  EXPECT_TRUE(has(shape([](auto& m) { m.tokens.pop_back(); }), "weights must be [1,2 * 2]"));
  EXPECT_TRUE(has(shape([](auto& m) { m.grid_height = 0; }), "the grid must have cells, got 0 x 2"));
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_TRUE(has(shape([](auto& m) { m.grid_height = m.grid_width = kMost; }), "weights must be [2,"));
  EXPECT_TRUE(has(shape([](auto& m) { m.elsewhere = {0.5}; }), "2 tokens need 2 elsewhere or none, got 1"));
  EXPECT_TRUE(has(shape([](auto& m) { m.row_scores = {0, 0, 0}; }), "2 tokens need 2 row_scores or none, got 3"));
  EXPECT_TRUE(has(shape([](auto& m) { m.weights = Tensor(); }), "weights must be"));

  const auto number = [](auto&& change) {
    PictureMaps maps = four_cells();
    change(maps);
    return message_of<NumericError>([&] { to_html(maps); });
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(has(number([](auto& m) { m.weights.template data<float>()[6] = kNan; }), "weights[1,2] of 'b' is nan"));
  EXPECT_TRUE(has(number([](auto& m) { m.weights.template data<float>()[1] = kInfinity; }), "weights[0,1] of 'a'"));
  EXPECT_TRUE(has(number([](auto& m) { m.weights.template data<float>()[1] = -0.5f; }), "is -0.5, not a finite"));
  EXPECT_TRUE(has(number([](auto& m) { m.picture.template data<float>()[10] = 256; }),
                  "picture[1,1,1] is 256; colours are 0 to 255"));
  EXPECT_TRUE(has(number([](auto& m) { m.picture.template data<float>()[0] = kNan; }), "picture[0,0,0] is nan"));
  EXPECT_TRUE(has(number([](auto& m) { m.elsewhere = {0.5, -1}; }), "elsewhere[1] of 'b' is -1"));
  EXPECT_TRUE(has(number([](auto& m) { m.row_scores = {kNan, -1}; }), "row_scores[0] of 'a' is nan"));
}

TEST(PictureMaps, WhereTheWeightLiesHasAName) {
  PictureMaps maps = four_cells();
  EXPECT_EQ(main_place(maps, 1), "top right");
  EXPECT_EQ(said_of(maps, 1), "b: mostly top right (up to 0.5000)");
  maps.weights.fill_zero();
  maps.elsewhere = {1, 0.43};
  EXPECT_EQ(said_of(maps, 1), "b: nowhere on the picture, 0.4300 off the picture");
  const PictureMaps bay = captioned_bay();
  EXPECT_EQ(main_place(bay, 1), "left");
  EXPECT_EQ(main_place(bay, 5), "bottom right");
  EXPECT_EQ(main_place(bay, 9), "top right");
  EXPECT_EQ(
      main_place({.tokens = {""}, .weights = Tensor::of<float>({1, 1}, {1}), .grid_height = 1, .grid_width = 1}, 0),
      "middle");
}

TEST(PictureMaps, EachWordHasAScaleUnlessAllShareOne) {
  const PictureMaps maps = four_cells();
  EXPECT_EQ(tops_of(maps, Scale::automatic), (std::vector<double>{0.25, 0.5}));
  EXPECT_EQ(tops_of(maps, Scale::peak), (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(tops_of(maps, Scale::unit), (std::vector<double>{1, 1}));
  EXPECT_EQ(shared_end(maps, Scale::automatic), "");
  EXPECT_EQ(shared_end(maps, Scale::peak), "0.50");
  EXPECT_TRUE(has(to_svg(maps), ">largest weight of the word</text>"));
  EXPECT_TRUE(has(to_svg(maps, {.scale = Scale::peak}), ">0.50</text>"));
  EXPECT_TRUE(has(to_html(maps, {.scale = Scale::unit}), "a weight of 1;"));
}

TEST(PictureMaps, ColoursStayWhereTheWeightIs) {
  const PictureMaps maps = four_cells();
  const CellSize size = cell_size(maps.picture);
  const LitPicture lit(maps, Scale::automatic, size.width, size.height);
  EXPECT_EQ(lit.whole().columns, 180);
  EXPECT_EQ(at(lit.whole(), 45, 45), (Rgb{200, 0, 0}));
  EXPECT_EQ(at(lit.whole(), 45, 135), (Rgb{0, 200, 0}));
  EXPECT_EQ(lit.lit(0).rgb, lit.whole().rgb);  // all weights are the largest
  const Pixels b = lit.lit(1);
  const Rgb grey = lit_color({200, 0, 0}, 0);
  EXPECT_TRUE(grey.r == grey.g && grey.g == grey.b && grey.r < 40);
  const Rgb there = at(b, 45, 135), beside = at(b, 45, 45), below = at(b, 135, 135);
  EXPECT_LT(distance(there, {0, 200, 0}), 0.02);
  EXPECT_LT(distance(beside, grey), 0.02);
  EXPECT_LT(distance(below, lit_color({120, 120, 120}, 0)), 0.02);
  int64_t line = 0;  // half way, where half of the largest weight is
  for (int64_t x = 1; x < 180; ++x)
    if (distance(at(b, 45, x), line_color()) < distance(at(b, 45, line), line_color())) line = x;
  EXPECT_NEAR(line, 90, 1);
  EXPECT_LT(distance(at(b, 45, line), line_color()), 0.15);

  // On a scale up to one, half of the picture's colour is left where it was all.
  const Pixels half = LitPicture(maps, Scale::unit, size.width, size.height).lit(0);
  EXPECT_EQ(at(half, 20, 20), lit_color({200, 0, 0}, 0.25));
}

TEST(PictureMaps, WeightsAreMetAtTheMiddleOfTheirCells) {
  PictureMaps maps{.picture = Tensor::zeros({90, 90, 3}), .tokens = {"a"}, .grid_height = 3, .grid_width = 3};
  for (float& v : maps.picture.span<float>()) v = 200;
  maps.weights = Tensor::of<float>({1, 9}, {0.1f, 0.8f, 0.3f, 0.05f, 0, 0.9f, 1, 0.2f, 0.7f});
  const Pixels lit = LitPicture(maps, Scale::unit, 90, 90).lit(0);
  ASSERT_EQ(lit.columns, 90);
  for (int64_t k = 0; k < 9; ++k) {
    const Rgb expected = lit_color({200, 200, 200}, maps.weights.data<float>()[k]);
    EXPECT_NEAR(at(lit, 15 + k / 3 * 30, 15 + k % 3 * 30).r, expected.r, 4) << k;
  }
}

TEST(PictureMaps, ASlopeGoesOnToTheEdge) {
  PictureMaps maps{.picture = Tensor::zeros({10, 180, 3}), .tokens = {"a"}, .grid_height = 1, .grid_width = 6};
  for (float& v : maps.picture.span<float>()) v = 255;
  maps.weights = Tensor::of<float>({1, 6}, {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f});
  const Pixels lit = LitPicture(maps, Scale::unit, 180, 10).lit(0);
  for (int64_t x = 0; x < 180; ++x) {
    const double place = 0.05 + (static_cast<double>(x) + 0.5) / 300;
    if (std::abs(place - kLineAt) <= 0.01) continue;
    EXPECT_EQ(at(lit, 5, x), lit_color({255, 255, 255}, place)) << x;
  }
}

TEST(PictureMaps, PicturesAreShrunkToTheirMeansAndEnlargedInBlocks) {
  PictureMaps maps = four_cells();
  EXPECT_EQ(mean_pixels(maps.picture, 1, 1).rgb, (std::vector<uint8_t>{80, 80, 80}));
  EXPECT_EQ(mean_pixels(maps.picture, 1, 2).rgb, (std::vector<uint8_t>{100, 0, 100, 60, 160, 60}));
  EXPECT_EQ(mean_pixels(maps.picture, 4, 4).rgb[3 * 3 + 1], 200);
  maps.picture = bay(900, 1200);
  const CellSize size = cell_size(maps.picture);
  EXPECT_EQ(size.width, 180);
  EXPECT_EQ(size.height, 135);
  const Pixels whole = LitPicture(maps, Scale::automatic, size.width, size.height).whole();
  EXPECT_EQ(whole.columns, 288);
  EXPECT_EQ(whole.rows, 216);
  EXPECT_EQ(cell_size(Tensor({400, 30, 3})).width, 24);
}

TEST(PictureMaps, PixelsWithinADocumentReadBack) {
  for (int64_t columns : {1, 2, 3, 50}) {
    const Pixels pixels = mean_pixels(bay(7, columns), 7, columns);
    const std::string uri = data_uri(pixels), begin = "data:image/png;base64,";
    ASSERT_TRUE(uri.starts_with(begin));
    EXPECT_EQ(bytes_of(uri.substr(begin.size())), png_of(pixels));
    EXPECT_EQ(uri.size() % 4, begin.size() % 4);
    const Pixels back = decode(png_of(pixels));
    EXPECT_EQ(back.rgb, pixels.rgb);
    EXPECT_EQ(back.columns, columns);
  }
}

TEST(PictureMaps, SvgHasAnImageForEachWord) {
  const PictureMaps maps = captioned_bay();
  const std::string svg = to_svg(maps);
  EXPECT_EQ(count(svg, "<image "), 13);
  EXPECT_EQ(count(svg, " xlink:href=\"data:image/png;base64,iVBOR"), 13);
  EXPECT_EQ(count(svg, "href"), 13);  // and nothing else is asked for
  EXPECT_TRUE(has(svg, "xmlns:xlink=\"http://www.w3.org/1999/xlink\""));
  EXPECT_FALSE(has(to_svg(german_english()), "xlink"));
  EXPECT_TRUE(has(svg, "<title>▁sun: mostly top right (up to 0.1"));
  EXPECT_TRUE(has(svg, ", 0.0300 off the picture</title>"));
  for (const char* words : {"lighthouse", "off the picture 0.81", "log p -1.24", "the picture", "half of that"})
    EXPECT_EQ(count(to_svg(merge_subwords(maps)), str_cat(">", words, "</text>")), 1) << words;
  EXPECT_TRUE(has(svg, ">sun</tspan>"));
  EXPECT_TRUE(has(svg, "a picture of") || has(svg, "A picture of 320 x 240 pixels"));
  EXPECT_LT(svg.size(), 900'000U);
  EXPECT_TRUE(is_drawing(svg.substr(0, 1024)));
  EXPECT_EQ(count(to_svg(all_picture_maps().back()), "<image "), 1);
}

TEST(PictureMaps, CellsOfTheFilmDoNotLieOverEachOther) {
  for (const PictureMaps& maps : all_picture_maps())
    for (const Theme theme : {Theme::light, Theme::dark}) {
      const Picture p = draw(maps, {.theme = theme});
      ASSERT_EQ(p.images.size(), maps.tokens.size() + 1);
      EXPECT_LE(p.width, 1230);
      for (const Image& a : p.images) {
        EXPECT_TRUE(a.x >= 0 && a.y >= 0 && a.x + a.width <= p.width && a.y + a.height <= p.height);
        EXPECT_EQ(std::ssize(a.pixels.rgb), a.pixels.rows * a.pixels.columns * 3);
        for (const Image& b : p.images)
          EXPECT_TRUE(&a == &b || a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y ||
                      b.y + b.height <= a.y);
        for (const Label& l : p.labels)
          EXPECT_TRUE(l.y < a.y || l.y > a.y + a.height || l.x >= a.x + a.width || l.x < a.x) << l.spans[0].text;
      }
    }
}

TEST(PictureMaps, PngHasThePixelsOfTheDrawing) {
  if (!can_draw_png()) GTEST_SKIP() << "built without Pango and Cairo";
  const PictureMaps maps = four_cells();
  for (const Theme theme : {Theme::light, Theme::dark}) {
    const Picture p = draw(maps, {.theme = theme});
    const Pixels image = decode(to_png(maps, {.theme = theme, .pixels = 2}));
    EXPECT_EQ(image.columns, static_cast<int64_t>(p.width) * 2);
    EXPECT_EQ(image.rows, static_cast<int64_t>(p.height) * 2);
    for (const Image& i : p.images)
      for (const auto& [y, x] : std::vector<std::pair<int64_t, int64_t>>{{20, 20}, {20, 160}, {160, 20}, {160, 160}})
        EXPECT_EQ(at(image, 2 * (static_cast<int64_t>(i.y) + y), 2 * (static_cast<int64_t>(i.x) + x)),
                  at(i.pixels, y, x));
  }
  for (const PictureMaps& any : all_picture_maps())
    EXPECT_GT(decode(to_png(any, {.theme = Theme::dark, .pixels = 1})).columns, 100);
  EXPECT_EQ(to_png(maps), to_png(maps));
}

TEST(PictureMaps, HtmlShowsTheMapOfTheWordPointedAt) {
  const PictureMaps maps = captioned_bay();
  const std::string html = to_html(std::vector<Figure>{german_english(), maps});
  EXPECT_EQ(count(html, "<section class=\"gaze\""), 1);
  EXPECT_EQ(count(html, "url(data:image/png;base64,"), 13);  // each picture once
  EXPECT_EQ(count(html, "class=\"shot p1-3\""), 2);          // in the film and over the large picture
  EXPECT_EQ(count(html, "<span class=\"word"), 12);
  EXPECT_EQ(count(html, "<figure>"), 12);
  EXPECT_TRUE(has(html, "aria-label=\"▁sun: mostly top right (up to 0.1"));
  EXPECT_TRUE(has(html, ".word:hover .over{visibility:visible"));
  EXPECT_TRUE(has(html, "style=\"width:81.00%\""));
  EXPECT_TRUE(has(html, "; img-src data:\">"));
  EXPECT_TRUE(has(html, "where the weight is the largest of the word"));
  EXPECT_EQ(count(html, "<script>"), 1);
  for (const char* reach : {"http://", "https://", "src=\"", "href", "@import", "<img"})
    EXPECT_FALSE(has(html, reach)) << reach;
  for (const char* part : {"img-src", ".film", "gaze"}) EXPECT_FALSE(has(to_html(german_english()), part)) << part;
  const std::string hostile = to_html(hostile_maps());
  EXPECT_FALSE(has(hostile, "<script>alert"));
  EXPECT_TRUE(has(hostile, "&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST(PictureMaps, JsonHasTheNumbersAndNoPixels) {
  const PictureMaps maps = captioned_bay(3, 4);
  const auto json = nlohmann::json::parse(to_json(maps));
  EXPECT_EQ(json["generator"], "lookback");
  EXPECT_EQ(json["title"], maps.title);
  EXPECT_EQ(json["picture"].dump(), R"({"height":240,"width":320})");
  EXPECT_EQ(json["grid"].dump(), R"({"height":3,"width":4})");
  EXPECT_EQ(json["tokens"].get<std::vector<std::string>>(), maps.tokens);
  ASSERT_EQ(json["weights"].size(), 12U);
  for (size_t u = 0; u < 12; ++u)
    for (size_t k = 0; k < 12; ++k)
      EXPECT_EQ(json["weights"][u].at(k).get<float>(), maps.weights.data<float>()[u * 12 + k]);
  EXPECT_EQ(json["elsewhere"].get<std::vector<double>>(), maps.elsewhere);
  EXPECT_EQ(json["scores"].get<std::vector<double>>(), maps.row_scores);
  EXPECT_TRUE(is_drawing(to_json(maps)));
  const auto plain = nlohmann::json::parse(to_json(four_cells()));
  EXPECT_TRUE(plain["elsewhere"].is_null() && plain["scores"].is_null());
  EXPECT_EQ(nlohmann::json::parse(to_json(all_picture_maps().back()))["weights"].dump(), "[]");
  EXPECT_EQ(nlohmann::json::parse(to_json(hostile_maps()))["tokens"][2], "<script>alert(1)</script>");
}

TEST(PictureMaps, OnATerminal) {
  PictureMaps maps = four_cells();
  maps.grid_height = 1, maps.grid_width = 4;
  maps.elsewhere = {0, 0.5}, maps.row_scores = {-0.25, -12.5};
  EXPECT_EQ(to_terminal(maps, {.width = 40, .color = false}),
            "a picture of 2 x 2, looked at in 4 x 1 …\n"
            "a            -0.25  b           -12.50\n"
            "left 0.25           middle 0.50\n"
            "elsewhere 0.00      elsewhere 0.50\n"
            "████████████████    ····████········\n"
            "████████████████    ····████········\n"
            "\n"
            "0 ··░░▒▒▓▓██ the largest weight of the …\n"
            "elsewhere: weight that is not on the pi…\n");
  const std::string out = to_terminal(captioned_bay());
  EXPECT_TRUE(has(out, "the picture") && has(out, "\u2580"));
  EXPECT_TRUE(has(to_terminal(captioned_bay(), {.scale = Scale::unit}), " 1\n") || has(out, "elsewhere: "));
  EXPECT_FALSE(has(to_terminal(captioned_bay(), {.color = false}), "\033"));
  EXPECT_TRUE(has(to_terminal(all_picture_maps().back(), {.color = false}), "Nothing to draw: no tokens."));
}

TEST(PictureMaps, PiecesBecomeWords) {
  PictureMaps maps = four_cells();
  maps.tokens = {"▁light", "house"};
  maps.elsewhere = {0.25, 0.75}, maps.row_scores = {-1, -2}, maps.title = "t";
  const PictureMaps words = merge_subwords(maps);
  EXPECT_EQ(words.tokens, std::vector<std::string>{"lighthouse"});
  ASSERT_EQ(words.weights.shape(), (Shape{1, 4}));
  const auto w = words.weights.span<float>();
  EXPECT_EQ(std::vector<float>(w.begin(), w.end()), (std::vector<float>{0.125f, 0.375f, 0.125f, 0.125f}));
  EXPECT_EQ(words.elsewhere, std::vector<double>{0.5});
  EXPECT_EQ(words.row_scores, std::vector<double>{-3});
  EXPECT_EQ(words.title, "t");
  const Figure figure = captioned_bay();
  EXPECT_EQ(
      std::get<PictureMaps>(merge_subwords(figure)).tokens,
      (std::vector<std::string>{"a", "lighthouse", "and", "a", "red", "boat", "under", "the", "sun", ".", "</s>"}));
  EXPECT_TRUE(merge_subwords(four_cells()).elsewhere.empty());
  for (const PictureMaps& any : all_picture_maps()) EXPECT_NO_THROW(check_figure(merge_subwords(any)));
}

}  // namespace
}  // namespace lookback::viz

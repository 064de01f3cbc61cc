// SVG and HTML: well-formed, complete, and nothing a token holds is markup.
#include <gtest/gtest.h>

#include "lookback/base/rng.h"
#include "lookback/base/utf8.h"
#include "lookback/viz/color.h"
#include "lookback/viz/picture.h"
#include "lookback/viz/test_figures.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

int64_t count(const std::string& words, const std::string& part) {
  int64_t n = 0;
  for (size_t at = words.find(part); at != std::string::npos; at = words.find(part, at + part.size())) ++n;
  return n;
}

bool has(const std::string& words, const std::string& part) { return words.find(part) != std::string::npos; }

struct Tag {
  std::string name;
  bool closing = false, alone = false;
  size_t end = 0;  // just past '>'; 0 when the tag is malformed
};

// The tag at `at`: a lower-case name, then attributes, each with a value in double quotes.
Tag tag_at(const std::string& doc, size_t at) {
  Tag tag;
  tag.closing = doc.compare(++at, 1, "/") == 0;
  at += tag.closing;
  const auto take = [&](const char* letters) {
    const size_t from = at;
    at = std::min(doc.find_first_not_of(letters, at), doc.size());
    return doc.substr(from, at - from);
  };
  tag.name = take("abcdefghijklmnopqrstuvwxyz0123456789");
  while (!tag.name.empty() && !take(" ").empty()) {
    const std::string attribute = take("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_-");
    if (attribute.empty()) break;
    if (doc.compare(at, 2, "=\"") != 0) return tag;
    at = doc.find_first_of("\"<", at + 2);
    if (at == std::string::npos || doc[at] == '<') return tag;
    ++at;
  }
  tag.alone = doc.compare(at, 1, "/") == 0;
  at += tag.alone;
  if (!tag.name.empty() && doc.compare(at, 1, ">") == 0) tag.end = at + 1;
  return tag;
}

// What is wrong with the nesting, quoting or escaping of a document, or "".
// HTML's void elements need no end; script and style are read as text.
std::string fault_of(const std::string& doc) {
  std::vector<std::string> open;
  for (size_t at = 0; at < doc.size();) {
    if (doc[at] == '&') {
      const auto starts = [&](std::string_view entity) { return doc.compare(at, entity.size(), entity) == 0; };
      if (!starts("&amp;") && !starts("&lt;") && !starts("&gt;") && !starts("&quot;") && !starts("&#39;"))
        return "raw & at " + doc.substr(at, 30);
    }
    if (static_cast<unsigned char>(doc[at]) < 0x20 && doc[at] != '\n') return str_cat("control character at ", at);
    if (doc[at] != '<') {
      ++at;
      continue;
    }
    if (doc.compare(at, 5, "<?xml") == 0 || doc.compare(at, 9, "<!doctype") == 0) {
      at = doc.find('>', at) + 1;
      continue;
    }
    const Tag tag = tag_at(doc, at);
    if (tag.end == 0) return "bad tag at " + doc.substr(at, 60);
    at = tag.end;
    if (tag.closing) {
      if (open.empty() || open.back() != tag.name) return "</" + tag.name + "> closes nothing";
      open.pop_back();
    } else if (!tag.alone && tag.name != "meta") {
      open.push_back(tag.name);
      if (tag.name == "script" || tag.name == "style") at = doc.find("</" + tag.name + ">", at);
    }
  }
  return open.empty() ? "" : open.back() + " is not closed";
}

HeatMap noise(uint64_t seed) {
  Rng rng(seed);
  HeatMap map;
  const auto bytes = [&] {
    std::string s;
    for (uint64_t n = rng.below(12); n > 0; --n)
      s += static_cast<char>(rng.below(4) ? rng.below(256) : "<>&\"'\n"[rng.below(6)]);
    return s;
  };
  const uint64_t T = rng.below(9), U = rng.below(9);
  for (uint64_t k = 0; k < T; ++k) map.columns.tokens.push_back(bytes());
  for (uint64_t k = 0; k < U; ++k) map.rows.tokens.push_back(bytes());
  map.weights = Tensor({static_cast<int64_t>(U), static_cast<int64_t>(T)});
  for (float& w : map.weights.span<float>()) w = rng.uniform() * 4 - 1.5f;
  map.title = bytes();
  return map;
}

std::vector<Figure> all_figures() {
  std::vector<Figure> figures{german_english(),       hostile(),    long_map(40),   HeatMap{},
                              question_and_context(), marked_map(), marked_review()};
  figures.emplace_back(HeatMap{.columns = {"source", {"a"}}, .title = "t"});
  for (const HeatMap& map : {german_english(), hostile(), long_map(40)}) figures.emplace_back(with_totals(map));
  for (const Highlight& h : {review(), two_hops(), right_to_left_text(), hostile_highlight(), long_text(5000)})
    figures.emplace_back(h);
  for (const Highlight& h : {sentences(), merge_subwords(sentences()), hostile_parts(), long_document(5000)})
    figures.emplace_back(h);
  HeatMap turned = hostile_table();
  std::swap(turned.columns, turned.rows);
  for (const HeatMap& map : {answers(), hostile_table(), turned, long_table(40), long_table(101)}) {
    figures.emplace_back(map);
    figures.emplace_back(with_totals(map));
  }
  figures.emplace_back(confusion_map({}, {}, "t"));
  figures.emplace_back(Highlight{.probabilities = {{"a", 0.5}}});
  for (const HeatMap& map : {rising_tone(), with_totals(rising_tone()), hostile_time_map()}) figures.emplace_back(map);
  for (const Chart& chart : all_charts()) figures.emplace_back(chart);
  for (const PictureMaps& maps : all_picture_maps()) figures.emplace_back(maps);
  for (uint64_t seed = 0; seed < 60; ++seed) figures.emplace_back(noise(seed));
  return figures;
}

const std::string& title_of(const Figure& figure) {
  return std::visit([](const auto& f) -> const std::string& { return f.title; }, figure);
}

TEST(Markup, FaultsAreFound) {
  EXPECT_EQ(fault_of("<a x=\"1\"><b/>&amp;</a>"), "");
  for (const char* bad : {"<a>", "<a></b>", "<a>&</a>", "<a x=1></a>", "<a><</a>", "<a x=\"<\"></a>", "<a>\x01</a>"})
    EXPECT_NE(fault_of(bad), "") << bad;
}

TEST(Svg, IsWellFormedWhateverTheTokens) {
  for (const Figure& figure : all_figures())
    for (const Theme theme : {Theme::light, Theme::dark}) {
      const std::string svg = to_svg(figure, {.theme = theme});
      EXPECT_EQ(fault_of(svg), "") << svg;
      EXPECT_EQ(with_replacements(svg), svg);
    }
}

TEST(Svg, HasEveryCellLabelAndTheLegend) {
  const HeatMap map = german_english();
  const std::string svg = to_svg(map);
  EXPECT_EQ(count(svg, " \u2192 "), 12 * 11);  // one tooltip each
  EXPECT_TRUE(has(svg, "<title>▁Katze \u2192 ▁cat: 0.5"));
  for (const std::string& token : map.columns.tokens)
    EXPECT_TRUE(has(svg, ">" + escape_markup(visible(token).body) + "<")) << token;
  for (const std::string& token : map.rows.tokens)
    EXPECT_TRUE(has(svg, ">" + escape_markup(visible(token).body) + "<")) << token;
  EXPECT_TRUE(has(svg, ">0</text>"));
  EXPECT_TRUE(has(svg, ">1</text>"));
  EXPECT_TRUE(has(svg, ">-1.72</text>"));
  EXPECT_TRUE(has(svg, ">.60</text>"));  // the weight in its cell
  EXPECT_TRUE(has(svg, "fill=\"" + hex(shade(palette(Theme::light), map.weights.data<float>()[3 * 12 + 2])) + "\""));
  EXPECT_FALSE(has(svg, "href"));
}

TEST(Svg, SmallCellsCarryNoDigits) {
  const std::string svg = to_svg(long_map(40));
  EXPECT_FALSE(has(svg, ">.3"));
  EXPECT_EQ(count(svg, "stroke-dasharray"), 2);  // the row that looks at nothing, and its legend
  EXPECT_TRUE(has(svg, "looks at nothing"));
}

TEST(Svg, LabelsStayInsideThePicture) {
  for (const Figure& figure : all_figures()) {
    const Picture p = draw(figure, {});
    for (const Box& b : p.boxes) {
      EXPECT_GE(b.x, 0);
      EXPECT_LE(b.x + b.width, p.width);
      EXPECT_LE(b.y + b.height, p.height);
    }
    for (const Label& l : p.labels) {
      std::string words;
      for (const Span& s : l.spans) words += s.text;
      const double width = text_ems(words) * l.size;
      if (l.angle != 0) {
        EXPECT_GE(l.y - (width + l.size) * 0.7, 0) << words;
        EXPECT_LE(l.x + width * 0.7, p.width) << words;
      } else {
        EXPECT_GE(l.x - (l.align == Align::start ? 0 : l.align == Align::end ? width : width / 2), 0) << words;
        EXPECT_LE(l.x + (l.align == Align::start ? width : l.align == Align::end ? 0 : width / 2), p.width) << words;
      }
    }
  }
}

TEST(Svg, PathsStayInsideThePicture) {
  for (const Chart& chart : all_charts()) {
    const Picture p = draw(chart, {});
    for (const Path& path : p.paths)
      for (const auto& run : path.runs) {
        EXPECT_FALSE(run.empty());
        for (const Point at : run) {
          EXPECT_TRUE(at.x >= 0 && at.x <= p.width) << at.x;
          EXPECT_TRUE(at.y >= 0 && at.y <= p.height) << at.y;
        }
      }
    for (const Line& l : p.lines) EXPECT_TRUE(l.x1 >= 0 && l.x2 <= p.width && l.y1 >= 0 && l.y2 <= p.height);
    for (const Hover& h : p.hovers) EXPECT_TRUE(h.x >= 0 && h.x + h.width <= p.width && h.y + h.height <= p.height);
  }
}

TEST(Svg, ChartHasLegendAxesAndTips) {
  const Chart chart = fan_chart();
  const std::string svg = to_svg(chart);
  for (const char* words : {"past", "forecast", "what came", "80 %", "95 %", "load in MW", "time", "origin", "40000",
                            "50000", "2024-06-03"})
    EXPECT_EQ(count(svg, str_cat(">", words, "</text>")), 1) << words;
  EXPECT_TRUE(has(svg, "<title>Load of the next day</title>"));
  EXPECT_TRUE(has(svg, "<desc>A chart of 144 positions (time): past, forecast, what came.</desc>"));
  EXPECT_EQ(count(svg, "<title>2024-06-"), 144);
  EXPECT_TRUE(has(svg, "<title>2024-06-01 00:00: past "));
  EXPECT_TRUE(has(svg, ", what came "));
  EXPECT_TRUE(has(svg, " (95 %: "));
  EXPECT_EQ(count(svg, "stroke-dasharray=\"4 4\""), 1);  // the rule
  EXPECT_TRUE(has(svg, "stroke=\"" + hex(series_color(palette(Theme::light), 1)) + "\""));
  EXPECT_TRUE(has(to_svg(Chart{.bars = {{"", "a", 1}}}), "<title>Chart</title>"));
  // A line alone with no name needs no legend.
  EXPECT_EQ(draw(Chart{.x = {"", {"a", "b"}}, .panels = {{"", {{.name = "", .values = {1, 2}}}}}}, {}).paths.size(),
            1U);
}

// The runs of the paths of one colour that are drawn as lines.
std::vector<std::vector<Point>> runs_of(const Picture& p, Rgb color, bool filled) {
  std::vector<std::vector<Point>> out;
  for (const Path& path : p.paths)
    if (path.color == color && (path.width == 0) == filled) out.insert(out.end(), path.runs.begin(), path.runs.end());
  return out;
}

TEST(Svg, GapsBreakLinesAndBands) {
  constexpr double kGap = std::numeric_limits<double>::quiet_NaN();
  Chart chart{.x = {"", {"a", "b", "c", "d", "e", "f"}},
              .panels = {{"",
                          {{.name = "",
                            .values = {1, 2, kGap, 4, kGap, 3},
                            .bands = {{"", {0, 1, 1, kGap, 1, 3}, {2, 3, 3, 5, kGap, 1}}}}}}}};
  const Picture p = draw(chart, {});
  std::vector<size_t> sizes;
  for (const auto& run : runs_of(p, palette(Theme::light).text, false)) sizes.push_back(run.size());
  EXPECT_EQ(sizes, (std::vector<size_t>{2, 1, 1}));
  const auto bands = runs_of(p, palette(Theme::light).text, true);
  ASSERT_EQ(bands.size(), 2U);
  EXPECT_EQ(bands[0].size(), 6U);
  EXPECT_EQ(bands[1].size(), 4U);  // one step alone is as wide as its cell
  EXPECT_NEAR(bands[1][1].x - bands[1][0].x, 680.0 / 6, 1e-9);
  EXPECT_LT(bands[1][0].y, bands[1][3].y);  // bounds that cross: the upper edge is above all the same
}

TEST(Svg, LinesAreWhereTheirNumbersAre) {
  Chart chart{.x = {"", {"a", "b", "c"}}, .panels = {{"", {{.name = "", .values = {0, 10, 5}}}}}};
  const Picture p = draw(chart, {});
  const auto run = runs_of(p, palette(Theme::light).text, false).at(0);
  ASSERT_EQ(run.size(), 3U);
  EXPECT_NEAR(run[2].y, (run[0].y + run[1].y) / 2, 1e-9);
  EXPECT_NEAR(run[1].x, (run[0].x + run[2].x) / 2, 1e-9);
  const auto zero = std::ranges::find_if(p.labels, [](const Label& l) { return l.spans[0].text == "0"; });
  ASSERT_NE(zero, p.labels.end());
  EXPECT_NEAR(zero->y, run[0].y, 5);  // its tick stands beside it
}

TEST(Svg, AHundredThousandPointsAreASmallPicture) {
  const Chart chart = long_series(100'000);
  const std::string svg = to_svg(chart);
  EXPECT_LT(svg.size(), 400'000U);
  EXPECT_LT(to_html(chart).size(), 450'000U);
  const Picture p = draw(chart, {});
  double top = p.height;
  for (const auto& run : runs_of(p, palette(Theme::light).text, false))
    for (const Point at : run) top = std::min(top, at.y);
  const auto blue = runs_of(p, series_color(palette(Theme::light), 1), false);
  EXPECT_LT(top, blue.back().front().y - 80);  // the outlier is there
  EXPECT_TRUE(has(svg, ", head: 0.7000</title>") || has(svg, "fill=\"" + hex(palette(Theme::light).full) + "\""));

  // Thousands of forecasts, each in one column of pixels or two.
  Chart many = long_series(50'000);
  many.panels[0].lines.resize(1);
  for (int64_t first = 0; first + 24 <= 50'000; first += 24)
    many.panels[0].lines.push_back(forecast_line(first, 24, 1));
  EXPECT_LT(to_svg(many).size(), 600'000U);
}

TEST(Svg, OverlappingBandsOfASeriesAreNoDarker) {
  Chart chart{.x = {"", {"a", "b", "c", "d"}}, .panels = {{"", {}}}};
  for (int64_t first : {0, 1, 2})
    chart.panels[0].lines.push_back(
        {.name = "f", .values = {1, 1}, .first = first, .bands = {{"80 %", {0, 0}, {2, 2}}}});
  const Picture p = draw(chart, {});
  EXPECT_EQ(std::ranges::count_if(p.paths, [](const Path& path) { return path.width == 0 && path.runs.size() == 3; }),
            1);
}

TEST(Svg, StripsStandUnderTheirPositions) {
  const Chart chart = attention_chart();
  const Picture p = draw(chart, {});
  double hover_x = -1;
  for (const Hover& h : p.hovers)
    if (h.tip.starts_with("2024-06-03 05:00:")) hover_x = h.x;
  int64_t found = 0;
  for (const Box& b : p.boxes)
    if (b.tip.starts_with("2024-06-03 05:00, head ")) {
      ++found;
      EXPECT_NEAR(b.x, hover_x, 1e-9);
    }
  EXPECT_EQ(found, 3);
  const std::string svg = to_svg(chart);
  EXPECT_TRUE(has(svg, "<title>1 hour ahead, temperature: 0.23</title>"));
  for (const char* words : {"head 2", "24 hours ahead", "holiday", "weight", "0.22"})
    EXPECT_TRUE(has(svg, str_cat(">", words, "</text>"))) << words;
}

TEST(Svg, NothingToDraw) {
  HeatMap map;
  map.columns.tokens = {"a"};
  EXPECT_TRUE(has(to_svg(map), "Nothing to draw: no rows tokens (1 columns)"));
  EXPECT_TRUE(has(to_svg(HeatMap{}), "no columns and no rows tokens"));
}

TEST(Html, IsWellFormedWhateverTheTokens) {
  const std::vector<Figure> figures = all_figures();
  for (const Figure& figure : figures) {
    const std::string html = to_html(figure, {.title = title_of(figure)});
    EXPECT_EQ(fault_of(html), "");
    EXPECT_EQ(with_replacements(html), html);
  }
  EXPECT_EQ(fault_of(to_html(figures)), "");
  EXPECT_EQ(fault_of(to_html(std::span<const Figure>{})), "");
}

TEST(Html, HoldsEveryMap) {
  const std::vector<Figure> maps{german_english(), merge_subwords(german_english()), HeatMap{}};
  const std::string html = to_html(maps, {.title = "Three & more"});
  EXPECT_TRUE(has(html, "<title>Three &amp; more</title>"));
  EXPECT_EQ(count(html, "<section"), 3);
  EXPECT_EQ(count(html, "data-w="), 12 * 11 + 10 * 9);
  EXPECT_EQ(count(html, "<h2"), 3);
  EXPECT_TRUE(has(html, ">Map 3</h2>"));
  EXPECT_TRUE(has(html, "Nothing to draw: 0 columns and 0 rows tokens."));
  EXPECT_TRUE(has(html, "<i>▁</i>Katze"));
  EXPECT_TRUE(has(html, ">Zeitungsboten<"));
}

TEST(Html, CellsHoldTheirWeight) {
  HeatMap map = german_english();
  map.weights.data<float>()[0] = 0.12345f;
  const std::string html = to_html(map);
  EXPECT_TRUE(has(html, "style=\"--w:0.123\" data-w=\"0.1235\">.12</td>"));
  EXPECT_TRUE(has(to_html(map, {.scale = Scale::peak}), "data-w=\"0.1235\">.12</td>"));
}

TEST(Html, NeedsNoNetworkAndRunsNoToken) {
  const std::string html = to_html(hostile(), {.title = "<img src=x onerror=alert(1)>"});
  EXPECT_TRUE(has(html, "default-src 'none'"));
  for (const char* reach : {"http://", "https://", "src=\"", "href", "@import", "url(", "innerHTML", "<img"})
    EXPECT_FALSE(has(html, reach)) << reach;
  EXPECT_EQ(count(html, "<script>"), 1);
  EXPECT_TRUE(has(html, "&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST(Markup, AxesHaveTheirNames) {
  const HeatMap map = question_and_context();
  const std::string svg = to_svg(map), html = to_html(map);
  EXPECT_TRUE(has(svg, "Attention of 11 the &lt;question&gt; tokens (rows) over 12 context tokens (columns)."));
  EXPECT_TRUE(has(html, ": rows are the &lt;question&gt; tokens, columns context tokens"));
  EXPECT_TRUE(has(html, "\">context</span>"));
  EXPECT_TRUE(has(html, "\">the &lt;question&gt;</span>"));
  EXPECT_FALSE(has(html, "target tokens"));
}

TEST(Svg, TotalsAreARowOfTheirOwn) {
  const HeatMap map = with_totals(german_english());
  const std::string svg = to_svg(map);
  EXPECT_TRUE(has(svg, "Attention of 11 target tokens"));
  EXPECT_TRUE(has(svg, "The last row is the sum of each column."));
  EXPECT_TRUE(has(svg, "<title>▁gekratzt \u2192 Σ: 1.4941</title>"));
  EXPECT_TRUE(has(svg, ">1.49</text>"));
  EXPECT_TRUE(has(svg, ">-3.22</text>"));
  EXPECT_TRUE(has(svg, "font-weight=\"bold\" fill=\"#1a202c\">Σ</text>"));
  EXPECT_TRUE(has(svg, ">Σ sum of the column"));
}

TEST(Html, TotalsAreAFootOfTheTable) {
  const std::string html = to_html(with_totals(german_english()));
  EXPECT_EQ(count(html, "<tfoot>"), 1);
  EXPECT_TRUE(has(html, "style=\"--w:1.000\" data-w=\"1.4941\" title=\"▁gekratzt: 1.4941\">1.49</td>"));
  EXPECT_EQ(count(html, "class=\"token"), 12 + 11);  // Σ is no word of the sentence
  EXPECT_FALSE(has(to_html(german_english()), "tfoot"));
}

TEST(Svg, HighlightHasEveryWordAndLabel) {
  const Highlight h = review();
  const std::string svg = to_svg(h);
  for (const std::string& token : h.words.tokens) EXPECT_TRUE(has(svg, ">" + visible(token).body + "</text>")) << token;
  EXPECT_TRUE(has(svg, "Weights of 22 words, the largest that of ful: 0.1600."));
  EXPECT_TRUE(has(svg, "fill=\"" + hex(shade(palette(Theme::light), 0.05f / 0.16)) + "\"><title>but: 0.0500</title>"));
  EXPECT_TRUE(has(svg, "<title>positive: 0.8312</title>"));
  EXPECT_TRUE(has(svg, ">0.83</text>"));
  EXPECT_TRUE(has(svg, ">0.16</text>"));  // the end of the scale
  EXPECT_TRUE(has(to_svg(h, {.scale = Scale::unit}), ">1</text>"));
  EXPECT_TRUE(has(to_svg(two_hops()), ">hop 2</text>"));
  EXPECT_TRUE(has(to_svg(Highlight{}), "Nothing to draw: no words"));
}

TEST(Svg, WhatIsMarkedStandsOut) {
  const std::string words = to_svg(marked_review()), rows = to_svg(marked_map());
  EXPECT_TRUE(has(words, "the largest that of ful: 0.1600. Marked: won der ful."));
  EXPECT_TRUE(has(rows, " Marked: little cat scratch."));
  const std::string ink = "fill=\"" + hex(palette(Theme::light).text) + "\"/>";
  EXPECT_EQ(count(words, ink) - count(to_svg(review()), ink), 3);         // a line under each piece
  EXPECT_EQ(count(rows, ink) - count(to_svg(german_english()), ink), 1);  // a bar beside all rows
  EXPECT_EQ(count(words, "bold") - count(to_svg(review()), "bold"), 3);
  EXPECT_EQ(count(rows, "bold") - count(to_svg(german_english()), "bold"), 3);
}

TEST(Html, WhatIsMarkedStandsOut) {
  const std::string words = to_html(marked_review()), rows = to_html(marked_map());
  EXPECT_EQ(count(words, " marked\" data-k"), 3);
  EXPECT_EQ(count(rows, " marked\" data-k"), 3);  // in the sentence
  EXPECT_EQ(count(rows, "<th scope=\"row\" class=\"marked\""), 3);
  EXPECT_FALSE(has(to_html(german_english()), "marked"));
}

TEST(Svg, EveryPartHasItsBox) {
  const Highlight h = sentences();
  const std::string svg = to_svg(h);
  EXPECT_TRUE(
      has(svg, "Weights of 14 words in 3 parts, the largest that of part 2: 0.6400, and in it that of not: 0.4000."));
  EXPECT_TRUE(
      has(svg, "fill=\"" + hex(shade(palette(Theme::light), 0.16f / 0.64f)) + "\"><title>part 1: 0.1600</title>"));
  EXPECT_TRUE(has(svg, "fill=\"" + hex(shade(palette(Theme::light), 0.5)) + "\"><title>good: 0.6500</title>"));
  for (const char* number : {"0.16", "0.64", "0.20"}) EXPECT_TRUE(has(svg, str_cat(">", number, "</text>"))) << number;
  EXPECT_TRUE(has(svg, kPartsMean));
  EXPECT_FALSE(has(to_svg(review()), kPartsMean));

  Highlight hops = h;
  hops.weights = Tensor::zeros({2, 14});
  hops.weights.data<float>()[14 + 6] = 0.3f;
  EXPECT_EQ(count(to_svg(hops), "<title>part "), 6);
  EXPECT_TRUE(
      has(to_svg(hops), "in 3 parts in 2 hops, the largest that of part 2: 0.6400, and in it that of did: 0.3000."));
  EXPECT_EQ(count(to_svg(long_document(900)), ">0.010</text>"), (std::ssize(long_document(900).parts) + 8) / 9 + 1);
}

TEST(Svg, TextInCells) {
  const std::string svg = to_svg(answers());
  EXPECT_TRUE(has(svg, "A table of 3 gold (rows) by 3 predicted (columns), shaded by share of the row."));
  EXPECT_TRUE(has(svg, "<title>gold good, predicted bad: 12 (0.2264)</title>"));
  for (const char* words : {"50", "12", "gold ↓", "predicted →", "share of the row", "good"})
    EXPECT_TRUE(has(svg, str_cat(">", words, "</text>"))) << words;
  EXPECT_FALSE(has(svg, "Attention of"));
  EXPECT_FALSE(has(svg, ">.23<"));
  EXPECT_FALSE(has(svg, "stroke-dasharray"));  // a class that never was
  EXPECT_TRUE(has(to_svg(long_table(100)), ">7 of 100</text>"));
  EXPECT_FALSE(has(to_svg(long_table(101)), ">7 of 101</text>"));
}

TEST(Svg, TextStaysInItsCell) {
  for (const HeatMap& map : {answers(), hostile_table(), long_table(40)}) {
    const Picture p = draw(map, {});
    const auto cell = std::ranges::find_if(p.boxes, [](const Box& b) { return !b.tip.empty(); });
    int64_t found = 0;
    for (const Label& l : p.labels) {
      if (l.align != Align::middle || l.y < cell->y || l.x < cell->x || l.y > cell->y + cell->height) continue;
      EXPECT_LE(text_ems(l.spans[0].text) * l.size, cell->width) << l.spans[0].text;
      ++found;
    }
    EXPECT_GE(found, 3);  // the first row
  }
}

TEST(Svg, WordsStandAsTheirScriptIsRead) {
  const Picture p = draw(right_to_left_text(), {});
  const auto x_of = [&](const std::string& word) {
    const auto found = std::ranges::find_if(p.labels, [&](const Label& l) { return l.spans[0].text == word; });
    return found == p.labels.end() ? -1 : found->x;
  };
  EXPECT_GT(x_of("كان"), x_of("الفيلم"));
  EXPECT_GT(x_of("رائعا"), x_of("،"));
  EXPECT_GT(x_of("،"), x_of("New"));
  EXPECT_LT(x_of("New"), x_of("York"));
  EXPECT_GT(x_of("New"), x_of("مدينة"));
  EXPECT_GT(x_of("مدينة"), x_of("."));
}

TEST(Html, HighlightsShareThePage) {
  const std::string html = to_html(std::vector<Figure>{german_english(), review(), two_hops()});
  EXPECT_EQ(count(html, "<section"), 3);
  EXPECT_EQ(count(html, "<section class=\"map highlight\""), 2);
  EXPECT_EQ(count(html, "<p class=\"words\""), 3);
  EXPECT_TRUE(has(html, "\" style=\"--w:0.313\" data-w=\"0.0500\"><i>▁</i>but</span>"));
  EXPECT_TRUE(has(html, "<bdi>positive</bdi><span class=\"track\"><span style=\"width:83.12%\"></span></span>"));
  EXPECT_TRUE(has(html, ">hop 2</span>"));
  EXPECT_EQ(count(html, "<script>"), 1);
  EXPECT_FALSE(has(to_html(german_english()), "highlight"));
}

TEST(Html, PartsTellTheirWeight) {
  const std::string html = to_html(std::vector<Figure>{sentences(), review()});
  EXPECT_EQ(count(html, "<div class=\"part\">"), 3);
  EXPECT_TRUE(
      has(html,
          "style=\"--w:0.250\" data-w=\"0.1600\" tabindex=\"0\" role=\"note\" aria-label=\"part 1 of 3\">0.16</span>"));
  EXPECT_TRUE(has(html, "style=\"--w:0.500\" data-w=\"0.6500 in a part of 0.1600\"><i>▁</i>good</span>"));
  EXPECT_TRUE(has(html, "[...p.querySelectorAll('.token')]"));
  EXPECT_TRUE(has(html, kPartsMean));
  const std::string plain = to_html(review());
  EXPECT_TRUE(has(plain, "[...p.children]"));
  for (const char* part : {".share", "aria-label=\"part", kPartsMean}) EXPECT_FALSE(has(plain, part)) << part;
}

TEST(Html, TextInCells) {
  const std::string html = to_html(std::vector<Figure>{answers(), german_english()});
  EXPECT_EQ(count(html, "<section class=\"table\""), 1);
  EXPECT_TRUE(has(html, "style=\"--w:0.226\" data-w=\"0.2264\">12</td>"));
  EXPECT_TRUE(has(html, "<td class=\"zero\" style=\"--w:0.000\" data-w=\"0.0000\">0</td>"));
  EXPECT_TRUE(has(html, "data-name=\"predicted\" colspan=\"3\">predicted →</td>"));
  EXPECT_TRUE(has(html, ": rows are gold, columns predicted\""));
  EXPECT_TRUE(has(html, "</span> share of the row</p>"));
  EXPECT_EQ(count(html, "class=\"nothing\""), 0);
  for (const char* part : {".table .flat", ".axis"}) EXPECT_FALSE(has(to_html(german_english()), part)) << part;
  const std::string hostile = to_html(hostile_table());
  EXPECT_TRUE(has(hostile, "&lt;script&gt;alert(1)&lt;/script&gt;</td>"));
  EXPECT_FALSE(has(hostile, "<script>alert"));
  EXPECT_TRUE(has(to_html(long_table(101)), " data-text=\"7 of 101\"></td>"));
}

TEST(Html, ChartsAreDrawnInBothThemes) {
  const std::string html = to_html(std::vector<Figure>{fan_chart(), german_english(), attention_chart()});
  EXPECT_EQ(count(html, "<section class=\"chart\""), 2);
  EXPECT_EQ(count(html, "<svg "), 2);
  EXPECT_TRUE(has(html, "id=\"chart0\"") && has(html, "id=\"chart2\""));
  EXPECT_EQ(count(html, "@media (prefers-color-scheme:dark){#chart"), 2);
  for (const Theme theme : {Theme::light, Theme::dark})
    EXPECT_TRUE(has(html, ":" + hex(series_color(palette(theme), 1)) + ";"));
  EXPECT_FALSE(has(html, "fill=\"#"));
  EXPECT_FALSE(has(html, "http:"));
  EXPECT_EQ(count(html, ">Load of the next day</h2>"), 1);
  EXPECT_TRUE(has(html, "<title>2024-06-01 00:00: past "));
  EXPECT_EQ(count(html, "<script>"), 1);
  EXPECT_FALSE(has(to_html(german_english()), "chart svg"));
  const std::string hostile = to_html(hostile_chart());
  EXPECT_FALSE(has(hostile, "<script>alert"));
  EXPECT_TRUE(has(hostile, "&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST(Html, TheTenBestLabelsAreDrawn) {
  Highlight h = two_hops();
  for (int k = 0; k < 12; ++k) h.probabilities.emplace_back("label" + std::to_string(k), 0.08);
  EXPECT_EQ(count(to_html(h), "<bdi>label"), 10);
  EXPECT_FALSE(has(to_svg(h), ">label10<"));
  EXPECT_TRUE(has(to_json(h), "label11"));
}

}  // namespace
}  // namespace lookback::viz

#include <gtest/gtest.h>

#include <sstream>

#include "lookback/viz/color.h"
#include "lookback/viz/test_figures.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

std::vector<std::string> lines_of(const std::string& out) {
  std::vector<std::string> lines;
  std::istringstream in(out);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string without_styles(const std::string& out) {
  std::string plain;
  for (size_t at = 0; at < out.size(); ++at)
    if (out.compare(at, 2, "\033[") == 0)
      at = out.find_first_not_of("0123456789;", at + 2);  // on to the closing m
    else
      plain += out[at];
  return plain;
}

bool has(const std::string& words, const std::string& part) { return words.find(part) != std::string::npos; }

HeatMap tiny() {
  HeatMap map{.columns = {"source", {}}, .rows = {"target", {}}};
  map.columns.tokens = {"▁ein", "▁Haus"}, map.rows.tokens = {"▁a", "▁house"};
  map.weights = Tensor::of<float>({2, 2}, {0.9f, 0.1f, 0.02f, 0.5f});
  return map;
}

std::vector<Figure> all_figures() {
  std::vector<Figure> figures{tiny(),    german_english(),       hostile(),    long_map(40),
                              HeatMap{}, question_and_context(), marked_map(), marked_review()};
  HeatMap turned = hostile();
  std::swap(turned.columns.tokens, turned.rows.tokens);
  figures.emplace_back(turned);
  for (const HeatMap& map : {tiny(), german_english(), long_map(40)}) figures.emplace_back(with_totals(map));
  for (const Highlight& h : {review(), two_hops(), right_to_left_text(), hostile_highlight(), long_text(300)})
    figures.emplace_back(h);
  for (const Highlight& h : {sentences(), hostile_parts(), long_document(300)}) figures.emplace_back(h);
  HeatMap table = hostile_table();
  for (const HeatMap& map : {answers(), with_totals(answers()), table, long_table(40)}) figures.emplace_back(map);
  std::swap(table.columns, table.rows);
  figures.emplace_back(table);
  for (const HeatMap& map : {rising_tone(), with_totals(rising_tone()), hostile_time_map()}) figures.emplace_back(map);
  for (const Chart& chart : all_charts()) figures.emplace_back(chart);
  for (const PictureMaps& maps : all_picture_maps()) figures.emplace_back(maps);
  figures.emplace_back(Highlight{.title = "t", .probabilities = {{"a", 0.5}}});
  return figures;
}

TEST(Terminal, DrawsWithShades) {
  EXPECT_EQ(to_terminal(tiny(), {.color = false}),
            "        ▁ein\n"
            "        │  ▁Haus\n"
            "    ▁a ███░░░\n"
            "▁house  · ▓▓▓\n"
            "\n"
            "       0 ··░░▒▒▓▓██ 1\n");
}

TEST(Terminal, VerticalLabels) {
  EXPECT_EQ(to_terminal(tiny(), {.color = false, .labels = ColumnLabels::vertical}).substr(0, 90),
            std::string("           ▁\n"
                        "        ▁  H\n"
                        "        e  a\n"
                        "        i  u\n"
                        "        n  s\n"
                        "    ▁a ███░░░\n"
                        "▁house  · ▓▓▓\n")
                .substr(0, 90));
}

TEST(Terminal, ColorSaysTheSame) {
  const std::string out = to_terminal(tiny());
  EXPECT_TRUE(has(out, "\033[48;5;" + std::to_string(terminal_color(Theme::dark, 0.9)) + "m   \033[0m"));
  EXPECT_NE(out, to_terminal(tiny(), {.theme = Theme::light}));
  EXPECT_EQ(without_styles(out).find('\033'), std::string::npos);
  // Every style is closed on its own line.
  for (const std::string& line : lines_of(out))
    if (has(line, "\033[")) {
      EXPECT_EQ(line.substr(line.rfind("\033[")).substr(0, 4), "\033[0m");
    }
}

TEST(Terminal, WithoutColorNoEscapes) {
  for (const Figure& figure : all_figures()) EXPECT_FALSE(has(to_terminal(figure, {.color = false}), "\033"));
}

TEST(Terminal, NeverWiderThanAsked) {
  for (const Figure& map : all_figures())
    for (const ColumnLabels labels : {ColumnLabels::automatic, ColumnLabels::staggered, ColumnLabels::vertical})
      for (int64_t width : map.index() >= 2 && labels != ColumnLabels::automatic
                               ? std::vector<int64_t>{}
                               : std::vector<int64_t>{-5, 1, 20, 21, 25, 34, 60, 80, 120, 200})
        for (const std::string& line : lines_of(without_styles(to_terminal(map, {.width = width, .labels = labels}))))
          EXPECT_LE(display_width(line), std::max<int64_t>(width, 20)) << line << "|" << width;
}

TEST(Terminal, PanelsHoldEveryColumnOnce) {
  const HeatMap map = long_map(40);
  const std::string out = to_terminal(map, {.width = 50, .color = false});
  EXPECT_TRUE(has(out, "source tokens 1 to "));
  EXPECT_TRUE(has(out, " to 40 of 40"));
  // Row 20 appears once per panel; together its panels have 40 cells.
  int64_t cells = 0, panels = 0;
  for (const std::string& line : lines_of(out))
    if (line.starts_with("▁word20 ")) {
      std::string rest = line.substr(line.find(' ') + 1);
      rest.erase(rest.find_last_not_of(' ') + 1);
      cells += (display_width(rest) + 2) / 3, ++panels;
    }
  EXPECT_GT(panels, 1);
  EXPECT_EQ(cells, 40);
  EXPECT_FALSE(has(to_terminal(map, {.width = 200, .color = false}), "source tokens"));
}

TEST(Terminal, RowThatLooksAtNothing) {
  HeatMap map = tiny();
  map.weights.data<float>()[0] = map.weights.data<float>()[1] = 0;
  EXPECT_TRUE(has(to_terminal(map, {.color = false}), "▁a ──────\n"));
}

TEST(Terminal, ScoresStandBesideTheirRow) {
  const auto lines = lines_of(to_terminal(german_english(), {.color = false}));
  int found = 0;
  for (const std::string& line : lines) {
    if (has(line, "▁carrier") && line.ends_with(" -1.72")) ++found;
    if (has(line, "▁little") && line.ends_with(" -0.22")) ++found;
  }
  EXPECT_EQ(found, 2);
}

TEST(Terminal, RightToLeftIsFenced) {
  HeatMap map = tiny();
  map.columns.tokens = {"قطة", "بيت"};
  const std::string out = to_terminal(map, {.color = false});
  EXPECT_TRUE(has(out, "\u200Eقطة\u200E"));
  EXPECT_TRUE(has(out, "\u200Eبيت\u200E"));
}

TEST(Terminal, PeakScaleNamesItsEnd) {
  HeatMap map = tiny();
  map.weights = Tensor::of<float>({2, 2}, {0.2f, 0.05f, 0, 0.1f});
  const std::string out = to_terminal(map, {.color = false, .scale = Scale::peak});
  EXPECT_TRUE(has(out, "▁a ███▒▒▒"));
  EXPECT_TRUE(has(out, "██ 0.20\n"));
}

TEST(Terminal, NothingToDraw) {
  HeatMap map;
  map.title = "t";
  map.columns.tokens = {"a"};
  EXPECT_EQ(to_terminal(map, {.color = false}), "t\nNothing to draw: 1 columns and 0 rows tokens.\n");
}

TEST(Terminal, PanelsHaveTheNameOfTheirAxis) {
  HeatMap map = long_map(40);
  map.columns.name = "context";
  EXPECT_TRUE(has(to_terminal(map, {.width = 50, .color = false}), "context tokens 1 to "));
}

TEST(Terminal, TotalsStandApart) {
  EXPECT_EQ(to_terminal(with_totals(tiny()), {.color = false, .scale = Scale::peak}),
            "        ▁ein\n"
            "        │  ▁Haus\n"
            "    ▁a ███░░░\n"
            "▁house  · ▓▓▓\n"
            "\n"
            "     Σ ███▓▓▓\n"
            "\n"
            "       0 ··░░▒▒▓▓██ 0.90\n"
            "Σ sum of the column, over 1 drawn as 1\n");
}

TEST(Terminal, HighlightWithShades) {
  EXPECT_EQ(to_terminal(review(), {.width = 44, .color = false}),
            "The ending is a letdown, but …\n"
            "The ending is a letdown, but the leads are\n"
            "░░░ ░░░░░░ ·  ░ ▒▒▒▓▓▓▓· ▒▒▒ ·   ░░░░░ ░░░\n"
            "wonderful and I would gladly watch it again.\n"
            "█████████ ░░░ ░ ░░░░░ ▓▓▓▓▓▓ ░░░░░ ░░ ▒▒▒▒▒·\n"
            "\n"
            "positive ████████████████████     0.83\n"
            "   mixed ███▍                     0.14\n"
            "negative ▋                        0.03\n"
            "\n"
            "0 ··░░▒▒▓▓██ 0.16\n");
}

TEST(Terminal, WhatIsMarkedStandsOut) {
  const std::string plain = to_terminal(marked_review(), {.width = 44, .color = false});
  EXPECT_TRUE(has(plain,
                  "\n[wonderful] and I would gladly watch it\n"
                  "███████████ "))
      << plain;
  const std::string color = to_terminal(marked_review());
  EXPECT_TRUE(has(color, ";1;4mwon\033[0m"));
  EXPECT_FALSE(has(color, "[won"));
  EXPECT_EQ(without_styles(color), without_styles(to_terminal(review())));

  const auto rows = lines_of(to_terminal(marked_map(), {.color = false}));
  const auto marks = std::ranges::count_if(rows, [](const std::string& row) { return has(row, "\u2590"); });
  EXPECT_EQ(marks, 3);
  for (const char* row : {"▁little▐", "▁cat▐", "▁scratch▐"})
    EXPECT_TRUE(std::ranges::any_of(rows, [&](const std::string& line) { return has(line, row); })) << row;
  EXPECT_TRUE(has(to_terminal(marked_map()), "\033[1m▁cat\033[0m▐"));

  // As wide as the terminal, brackets and all.
  Highlight h{.words = {"words", {std::string(30, 'w')}}, .weights = Tensor::of<float>({1}, {1})};
  h.words.mark = {0, 1};
  EXPECT_EQ(lines_of(to_terminal(h, {.width = 20, .color = false}))[0], "[" + std::string(17, 'w') + "…]");
}

TEST(Terminal, HighlightHasABlockForEachHop) {
  EXPECT_EQ(to_terminal(two_hops(), {.width = 24, .color = false}),
            "Where is the milk?\n"
            "hop 1\n"
            "Mary took the milk . She\n"
            "░░░░ ▒▒▒▒ ░░░ ████ · ·\n"
            "went home .\n"
            "·    ·    ·\n"
            "\n"
            "hop 2\n"
            "Mary took the milk . She\n"
            "░░░░ ·    ·   ·    ░ ░░░\n"
            "went home .\n"
            "▒▒▒▒ ████ ·\n"
            "\n"
            "0 ··░░▒▒▓▓██ 0.60\n");
}

TEST(Terminal, EveryPartBeginsALine) {
  const std::string expected =
      "It looks good. …\n"
      "0.16 It looks good.\n"
      "▒▒▒▒ ░░ ░░░░· ▓▓▓▓·\n"
      "0.64 It did not hold\n"
      "████ ░░ ▒▒▒ ███ ▒▒▒▒\n"
      "     water.\n"
      "████ ▒▒▒▒▒░\n"
      "0.20 Sad.\n"
      "▒▒▒▒ ▓▓▓░\n";
  EXPECT_EQ(to_terminal(sentences(), {.width = 20, .color = false}).substr(0, expected.size()), expected);
  const std::string out = to_terminal(sentences());
  EXPECT_TRUE(has(out, "\033[48;5;" + std::to_string(terminal_color(Theme::dark, 1)) + ";38;5;16m0.64\033[0m "));
  EXPECT_EQ(lines_of(without_styles(out))[2], "0.64 It did not hold water.");
  EXPECT_TRUE(has(out, "0.64\033[0m\n") && has(out, kPartsMean));
}

TEST(Terminal, TextInCells) {
  EXPECT_EQ(to_terminal(answers(), {.width = 40, .color = false}),
            "Right and wrong\n"
            "gold ↓ predicted →\n"
            "            good\n"
            "        bad │   none\n"
            "   bad  50  3   0\n"
            "       ████░░░░ ·\n"
            "  good  12  40  1\n"
            "       ░░░░████ ·\n"
            "  none  0   0   0\n"
            "        ·   ·   ·\n"
            "\n"
            "       0 ··░░▒▒▓▓██ 1 share of the row\n");
  EXPECT_TRUE(has(to_terminal(answers()), ";38;5;16m 50 \033[0m"));
  EXPECT_FALSE(has(to_terminal(answers(), {.width = 20, .color = false, .labels = ColumnLabels::vertical}), "─"));
  EXPECT_TRUE(has(to_terminal(long_table(8), {.width = 90}), " 3 of 8 "));
  EXPECT_FALSE(has(to_terminal(long_table(8), {.width = 60}), " 3 of 8 "));  // no room: shades alone
}

TEST(Terminal, HighlightInColor) {
  const std::string out = to_terminal(review());
  EXPECT_TRUE(has(out, "\033[48;5;" + std::to_string(terminal_color(Theme::dark, 1)) + ";38;5;16mful\033[0m"));
  EXPECT_EQ(without_styles(out).find('\033'), std::string::npos);
  EXPECT_EQ(lines_of(without_styles(out))[1],
            "The ending is a letdown, but the leads are wonderful and I would gladly watch it");
}

TEST(Terminal, HighlightFromRightToLeft) {
  const auto lines = lines_of(to_terminal(right_to_left_text(), {.width = 60, .color = false}));
  EXPECT_TRUE(lines[0].starts_with("       ")) << lines[0];
  EXPECT_LT(lines[0].find("الفيلم"), lines[0].find("كان"));
  EXPECT_LT(lines[0].find("New"), lines[0].find("York"));
  EXPECT_LT(lines[0].find("York"), lines[0].find("رائعا"));
}

// Ten steps of a past, three ahead.
Chart little_chart() {
  Chart chart{
      .panels = {{"load",
                  {{.name = "past", .values = {0, 1, 2, 3, 4, 5, 4, 3, 2, 1}},
                   {.name = "forecast", .values = {1, 2, 4}, .first = 10, .bands = {{"80 %", {0, 0, 1}, {2, 4, 7}}}}}}},
      .rules = {{9, "origin"}},
      .strips = {{"head", {0, 0, 0, 0, 0, 1, 0.5, 0, 0, 0.3}}},
      .bars = {{"variables", "load", 0.75}, {"variables", "wind", -0.25}},
      .title = "Next"};
  for (int k = 1; k <= 13; ++k) chart.x.tokens.push_back(std::to_string(k));
  return chart;
}

TEST(Terminal, ChartWithoutColor) {
  EXPECT_EQ(to_terminal(little_chart(), {.width = 42, .color = false}),
            "Next\n"
            "⠒⠒ past  o forecast  ░░ 80 %\n"
            "load                          origin\n"
            "   7 ┤                          ┊       ░\n"
            "     │                          ┊       ░\n"
            "   6 ┤                          ┊      ░░\n"
            "     │                          ┊      ░░\n"
            "   5 ┤              ⢀⢄          ┊     ░░░\n"
            "     │             ⡰⠁ ⠱⡀        ┊     ░░░\n"
            "   4 ┤           ⢠⠊    ⠈⢢       ┊    ░░░o\n"
            "     │          ⡠⠃       ⠱⡀     ┊   ░░░░░\n"
            "   3 ┤        ⢀⠔⠁         ⠑⢄    ┊   ░░░░░\n"
            "     │       ⡠⠃             ⠣⡀  ┊  ░░░░░░\n"
            "   2 ┤     ⢀⠎                ⠈⢆ ┊  ░░o░░░\n"
            "     │    ⢠⠊                   ⢣┊  ░░░░░░\n"
            "   1 ┤  ⢀⠔⠁                     ⠁  o░░░░░\n"
            "   0 ┤ ⡠⠊                       ┊  ░░░░░\n"
            "head  ··············███▓▓▓·····▒▒▒\n"
            "     └────────────┬─────────────┬─────────\n"
            "                  5             10\n"
            "                      time\n"
            "\n"
            "      0 ··░░▒▒▓▓██ 1\n"
            "\n"
            "variables\n"
            "load       ██████████████████ 0.75\n"
            "wind ██████                   -0.25\n");
}

TEST(Terminal, ChartInColor) {
  const std::string out = to_terminal(little_chart(), {.width = 60});
  const Palette& colors = palette(Theme::dark);
  const Rgb line = series_color(colors, 1);
  const int under = terminal_nearest(blend(colors.background, line, kBandOpacity));
  EXPECT_TRUE(has(out, str_cat("\033[48;5;", under, "m \033[0m")));
  EXPECT_TRUE(has(out, str_cat("\033[48;5;", under, ";38;5;", terminal_nearest(line), "m")));
  EXPECT_FALSE(has(without_styles(out), "o forecast\n"));  // a line of its own colour, no marks
  EXPECT_TRUE(has(without_styles(out), "⠒⠒ past  ⠒⠒ forecast"));
  EXPECT_TRUE(has(out, str_cat("\033[48;5;", terminal_color(Theme::dark, 1), "m \033[0m")));
  EXPECT_NE(out, to_terminal(little_chart(), {.width = 60, .theme = Theme::light}));
  EXPECT_TRUE(has(without_styles(to_terminal(fan_chart())), "\u2022 what came"));
}

TEST(Terminal, LongChartsKeepWhatStandsOut) {
  const std::string out = to_terminal(long_series(100'000), {.color = false});
  EXPECT_EQ(lines_of(out).size(), lines_of(to_terminal(long_series(3000), {.color = false})).size());
  EXPECT_TRUE(has(out, "head ") && has(out, "\u2588"));
  const std::string peak = lines_of(out)[4];  // where only the outlier is
  EXPECT_EQ(std::ranges::count_if(graphemes(peak), [](const std::string& g) { return g >= "\u2801" && g <= "\u28FF"; }),
            1)
      << peak;
}

}  // namespace
}  // namespace lookback::viz

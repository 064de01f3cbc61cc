#include <gtest/gtest.h>

#include <sstream>

#include "lookback/viz/color.h"
#include "lookback/viz/test_maps.h"
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

AttentionMap tiny() {
  AttentionMap map;
  map.source = {"▁ein", "▁Haus"}, map.target = {"▁a", "▁house"};
  map.weights = Tensor::of<float>({2, 2}, {0.9f, 0.1f, 0.02f, 0.5f});
  return map;
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
  for (const AttentionMap& map : {tiny(), german_english(), hostile(), long_map(40)})
    EXPECT_FALSE(has(to_terminal(map, {.color = false}), "\033"));
}

TEST(Terminal, NeverWiderThanAsked) {
  std::vector<AttentionMap> maps{tiny(), german_english(), hostile(), long_map(40), AttentionMap{}};
  maps.push_back(hostile());
  std::swap(maps.back().source, maps.back().target);
  for (const AttentionMap& map : maps)
    for (const ColumnLabels labels : {ColumnLabels::automatic, ColumnLabels::staggered, ColumnLabels::vertical})
      for (int64_t width : {-5, 1, 20, 21, 25, 34, 60, 80, 120, 200})
        for (const std::string& line : lines_of(without_styles(to_terminal(map, {.width = width, .labels = labels}))))
          EXPECT_LE(display_width(line), std::max<int64_t>(width, 20)) << line << "|" << width;
}

TEST(Terminal, PanelsHoldEveryColumnOnce) {
  const AttentionMap map = long_map(40);
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
  AttentionMap map = tiny();
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
  AttentionMap map = tiny();
  map.source = {"قطة", "بيت"};
  const std::string out = to_terminal(map, {.color = false});
  EXPECT_TRUE(has(out, "\u200Eقطة\u200E"));
  EXPECT_TRUE(has(out, "\u200Eبيت\u200E"));
}

TEST(Terminal, PeakScaleNamesItsEnd) {
  AttentionMap map = tiny();
  map.weights = Tensor::of<float>({2, 2}, {0.2f, 0.05f, 0, 0.1f});
  const std::string out = to_terminal(map, {.color = false, .scale = Scale::peak});
  EXPECT_TRUE(has(out, "▁a ███▒▒▒"));
  EXPECT_TRUE(has(out, "██ 0.20\n"));
}

TEST(Terminal, NothingToDraw) {
  AttentionMap map;
  map.title = "t";
  map.source = {"a"};
  EXPECT_EQ(to_terminal(map, {.color = false}), "t\nNothing to draw: 1 source and 0 target tokens.\n");
}

}  // namespace
}  // namespace lookback::viz

#include "lookback/viz/flow.h"

#include <gtest/gtest.h>

namespace lookback::viz {
namespace {

// The lines of a text whose tokens are as wide as they have letters of ASCII.
std::vector<std::string> lines_of(const std::vector<std::string>& tokens, double room) {
  std::vector<double> widths;
  for (const std::string& token : tokens) widths.push_back(static_cast<double>(token.size()));
  const Flow flow(tokens, widths, {.words = 1, .pieces = 0}, room);
  std::vector<std::string> out;
  for (const TextLine& line : flow.lines()) {
    std::string& words = out.emplace_back();
    flow.place(line, [&](size_t k, double x, double) {
      words.resize(static_cast<size_t>(x), ' ');
      words += tokens[k];
    });
    EXPECT_EQ(static_cast<double>(words.size()), flow.right_to_left() ? room : line.width);
  }
  return out;
}

TEST(Flow, BreaksBeforeWords) {
  EXPECT_EQ(lines_of({"one", "two", "six"}, 7), (std::vector<std::string>{"one two", "six"}));
  EXPECT_EQ(lines_of({"one", "two"}, 2), (std::vector<std::string>{"one", "two"}));
  EXPECT_TRUE(lines_of({}, 7).empty());
}

TEST(Flow, KeepsPiecesTogether) {
  EXPECT_EQ(lines_of({"a", "bcd@@", "ef", "g"}, 8), (std::vector<std::string>{"a", "bcd@@ef", "g"}));
  EXPECT_EQ(lines_of({"a", "bcd@@", "ef@@", "ghij", "k"}, 8),
            (std::vector<std::string>{"a", "bcd@@", "ef@@ghij", "k"}));
}

TEST(Flow, EveryPartBeginsALine) {
  const std::vector<std::string> tokens{"a@@", "b", "c", "d@@", "efgh@@", "ij", "k"};
  const std::vector<int64_t> parts{1, 3, 3};
  const Flow flow(tokens, {1, 1, 1, 1, 4, 2, 1}, {.words = 1, .pieces = 0}, 5, parts);
  std::vector<std::pair<size_t, size_t>> found;  // where a line begins, of which part
  for (const TextLine& line : flow.lines()) found.emplace_back(line.begin, line.part);
  EXPECT_EQ(found, (std::vector<std::pair<size_t, size_t>>{{0, 0}, {1, 1}, {4, 2}, {5, 2}}));
}

TEST(Flow, ALineIsAsWideInAnyOrder) {
  for (const char* base : {"a", "אב"})
    EXPECT_EQ(lines_of({base, base, "a@@", "א@@", "ב", "b@@", "c", "ג", base}, 60).size(), 1U) << base;
}

TEST(Flow, RunsAreReadAsTheirScript) {
  const std::vector<std::string> tokens{"a", "א", "ב", "1", "ג", "b", ".", "c"};
  const Flow flow(tokens, std::vector<double>(8, 1), {.words = 1, .pieces = 0}, 40);
  ASSERT_FALSE(flow.right_to_left());
  std::vector<size_t> order;
  flow.place(flow.lines()[0], [&](size_t k, double, double) { order.push_back(k); });
  EXPECT_EQ(order, (std::vector<size_t>{0, 4, 3, 2, 1, 5, 6, 7}));
}

}  // namespace
}  // namespace lookback::viz

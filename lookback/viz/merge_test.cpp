#include <gtest/gtest.h>

#include "lookback/viz/test_figures.h"

namespace lookback::viz {
namespace {

TEST(Merge, SumsColumnsAndAveragesRows) {
  const HeatMap map{.columns = {"source", {"▁a", "b", "▁c"}},
                    .rows = {"target", {"x@@", "y", "z"}},
                    .weights = Tensor::of<float>({3, 3}, {0.5f, 0.25f, 0.25f, 0, 0.5f, 0.5f, 0.125f, 0.125f, 0.75f}),
                    .title = "t",
                    .row_scores = {-1, -2, -4}};
  const HeatMap words = merge_subwords(map);
  EXPECT_EQ(words.columns.tokens, (std::vector<std::string>{"ab", "c"}));
  EXPECT_EQ(words.rows.tokens, (std::vector<std::string>{"xy", "z"}));
  ASSERT_EQ(words.weights.shape(), (Shape{2, 2}));
  const auto w = words.weights.span<float>();
  EXPECT_EQ(std::vector<float>(w.begin(), w.end()), (std::vector<float>{0.625f, 0.375f, 0.25f, 0.75f}));
  EXPECT_EQ(words.row_scores, (std::vector<double>{-3, -4}));
  EXPECT_EQ(words.title, "t");
  EXPECT_EQ(words.columns.name, "source");
  EXPECT_EQ(words.rows.name, "target");
}

std::vector<float> values(const Tensor& t) { return {t.span<float>().begin(), t.span<float>().end()}; }

TEST(Totals, AreTheSumsOfColumnsAndScores) {
  const HeatMap map{.columns = {"source", {"a", "b"}},
                    .rows = {"target", {"x", "y"}},
                    .weights = Tensor::of<float>({2, 2}, {0.75f, 0.25f, 0.5f, 0.5f}),
                    .row_scores = {-1, -2}};
  const HeatMap out = with_totals(map);
  EXPECT_EQ(out.rows.tokens, (std::vector<std::string>{"x", "y", "Σ"}));
  EXPECT_EQ(values(out.weights), (std::vector<float>{0.75f, 0.25f, 0.5f, 0.5f, 1.25f, 0.75f}));
  EXPECT_EQ(out.row_scores, (std::vector<double>{-1, -2, -3}));
  EXPECT_EQ(out.token_rows(), 2);
  EXPECT_EQ(values(with_totals(out).weights), values(out.weights));  // has them already
  EXPECT_EQ(map.weights.dim(0), 2);
}

TEST(Totals, OfAMapWithoutCells) {
  HeatMap map;
  map.columns.tokens = {"a"};
  EXPECT_TRUE(with_totals(map).rows.tokens.empty());
  map.totals = true;
  EXPECT_THROW(check_figure(map), ShapeError);
}

TEST(Totals, OfWordsAreThoseOfTheMergedMap) {
  const HeatMap late = merge_subwords(with_totals(german_english()));
  const HeatMap early = with_totals(merge_subwords(german_english()));
  EXPECT_EQ(late.rows.tokens, early.rows.tokens);
  EXPECT_EQ(late.rows.tokens.back(), "Σ");
  EXPECT_EQ(values(late.weights), values(early.weights));
  EXPECT_EQ(late.row_scores, early.row_scores);
}

TEST(Merge, AWordOfAHighlightHasTheSumOfItsPieces) {
  Highlight h;
  h.words.tokens = {"▁a", "b", "▁c", "."};
  h.weights = Tensor::of<float>({2, 4}, {0.5f, 0.25f, 0.125f, 0.125f, 0, 0.5f, 0.5f, 0});
  h.probabilities = {{"x", 1}};
  const Highlight words = merge_subwords(h);
  EXPECT_EQ(words.words.tokens, (std::vector<std::string>{"ab", "c", "."}));
  ASSERT_EQ(words.weights.shape(), (Shape{2, 3}));
  EXPECT_EQ(values(words.weights), (std::vector<float>{0.75f, 0.125f, 0.125f, 0.5f, 0.5f, 0}));
  EXPECT_EQ(words.probabilities, h.probabilities);

  h.weights = h.weights.rows(0, 1).reshape({4});
  EXPECT_EQ(merge_subwords(h).weights.shape(), Shape{3});
  const Figure figure = h;
  EXPECT_EQ(std::get<Highlight>(merge_subwords(figure)).words.tokens, words.words.tokens);
  EXPECT_TRUE(merge_subwords(Highlight{}).words.tokens.empty());
}

TEST(Merge, WordsStayInTheirPart) {
  const Highlight words = merge_subwords(sentences());
  EXPECT_EQ(words.words.tokens, (std::vector<std::string>{"It", "looks", "good", ".", "It", "did", "not", "hold",
                                                          "water", ".", "Sad", "."}));
  EXPECT_EQ(words.parts, (std::vector<int64_t>{4, 6, 2}));
  EXPECT_EQ(values(words.part_weights), values(sentences().part_weights));
  EXPECT_NO_THROW(check_figure(words));

  Highlight h;  // parts that cut words, one of them without marks, punctuation at their edges
  h.words.tokens = {"▁a", ".", "b", "▁c", "d", "e", "(", "f"};
  h.weights = Tensor::of<float>({8}, {0.75f, 0.25f, 0.5f, 0.25f, 0.25f, 0.5f, 0.25f, 0.25f});
  h.parts = {2, 3, 3};
  h.part_weights = Tensor::of<float>({3}, {0.5f, 0.25f, 0.25f});
  const Highlight cut = merge_subwords(h);
  EXPECT_EQ(cut.words.tokens, (std::vector<std::string>{"a", ".", "b", "cd", "e(f"}));
  EXPECT_EQ(cut.parts, (std::vector<int64_t>{2, 2, 1}));
  EXPECT_EQ(values(cut.weights), (std::vector<float>{0.75f, 0.25f, 0.5f, 0.5f, 1}));
  for (const Highlight& any : {hostile_parts(), long_document(300)}) EXPECT_NO_THROW(check_figure(merge_subwords(any)));
}

TEST(Merge, AWordIsMarkedIfAPieceIs) {
  Highlight h = marked_review();
  h.words.mark = {12, 15};
  const Axis words = merge_subwords(h).words;
  EXPECT_EQ(words.tokens[static_cast<size_t>(words.mark.begin)], "wonderful");
  EXPECT_EQ(words.tokens[static_cast<size_t>(words.mark.end)], "I");
  const Axis rows = merge_subwords(marked_map()).rows;
  EXPECT_EQ(rows.tokens[static_cast<size_t>(rows.mark.begin)], "little");
  EXPECT_EQ(rows.tokens[static_cast<size_t>(rows.mark.end - 1)], "scratched");
  EXPECT_TRUE(merge_subwords(review()).words.mark.empty());
}

TEST(Merge, LeavesTablesAlone) {
  HeatMap map = answers();
  map.rows.tokens = map.columns.tokens = {"▁a", "b", "▁c"};
  const HeatMap same = merge_subwords(map);
  EXPECT_EQ(same.rows.tokens, map.rows.tokens);
  EXPECT_EQ(same.cells, map.cells);
}

TEST(Merge, RowsStillSumToOne) {
  const HeatMap words = merge_subwords(german_english());
  EXPECT_EQ(words.columns.tokens[6], "Zeitungsboten");
  EXPECT_EQ(words.rows.tokens[4], "scratched");
  EXPECT_EQ(words.columns.tokens.back(), "</s>");
  ASSERT_EQ(words.weights.shape(), (Shape{9, 10}));
  for (int64_t u = 0; u < 9; ++u) {
    double sum = 0;
    for (const float x : words.weights.rows(u, u + 1).span<float>()) sum += x;
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST(Merge, LeavesWordsAlone) {
  HeatMap map;
  map.columns.tokens = {"a", ".", "b"}, map.rows.tokens = {"c"};
  map.weights = Tensor::of<float>({1, 3}, {0.25f, 0.25f, 0.5f});
  const HeatMap words = merge_subwords(map);
  EXPECT_EQ(words.columns.tokens, map.columns.tokens);
  EXPECT_TRUE(std::ranges::equal(words.weights.span<float>(), map.weights.span<float>()));
  EXPECT_TRUE(words.row_scores.empty());
}

TEST(Merge, EmptySides) {
  HeatMap map;
  map.columns.tokens = {"▁a", "b"};
  const HeatMap words = merge_subwords(map);
  EXPECT_EQ(words.columns.tokens.size(), 1U);
  EXPECT_NO_THROW(to_json(words));
}

}  // namespace
}  // namespace lookback::viz

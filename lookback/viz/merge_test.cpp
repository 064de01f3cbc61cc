#include <gtest/gtest.h>

#include "lookback/viz/test_maps.h"

namespace lookback::viz {
namespace {

TEST(Merge, SumsColumnsAndAveragesRows) {
  const AttentionMap map{
      .source = {"▁a", "b", "▁c"},
      .target = {"x@@", "y", "z"},
      .weights = Tensor::of<float>({3, 3}, {0.5f, 0.25f, 0.25f, 0, 0.5f, 0.5f, 0.125f, 0.125f, 0.75f}),
      .title = "t",
      .target_scores = {-1, -2, -4}};
  const AttentionMap words = merge_subwords(map);
  EXPECT_EQ(words.source, (std::vector<std::string>{"ab", "c"}));
  EXPECT_EQ(words.target, (std::vector<std::string>{"xy", "z"}));
  ASSERT_EQ(words.weights.shape(), (Shape{2, 2}));
  const auto w = words.weights.span<float>();
  EXPECT_EQ(std::vector<float>(w.begin(), w.end()), (std::vector<float>{0.625f, 0.375f, 0.25f, 0.75f}));
  EXPECT_EQ(words.target_scores, (std::vector<double>{-3, -4}));
  EXPECT_EQ(words.title, "t");
}

TEST(Merge, RowsStillSumToOne) {
  const AttentionMap words = merge_subwords(german_english());
  EXPECT_EQ(words.source[6], "Zeitungsboten");
  EXPECT_EQ(words.target[4], "scratched");
  EXPECT_EQ(words.source.back(), "</s>");
  ASSERT_EQ(words.weights.shape(), (Shape{9, 10}));
  for (int64_t u = 0; u < 9; ++u) {
    double sum = 0;
    for (const float x : words.weights.rows(u, u + 1).span<float>()) sum += x;
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST(Merge, LeavesWordsAlone) {
  AttentionMap map;
  map.source = {"a", ".", "b"}, map.target = {"c"};
  map.weights = Tensor::of<float>({1, 3}, {0.25f, 0.25f, 0.5f});
  const AttentionMap words = merge_subwords(map);
  EXPECT_EQ(words.source, map.source);
  EXPECT_TRUE(std::ranges::equal(words.weights.span<float>(), map.weights.span<float>()));
  EXPECT_TRUE(words.target_scores.empty());
}

TEST(Merge, EmptySides) {
  AttentionMap map;
  map.source = {"▁a", "b"};
  const AttentionMap words = merge_subwords(map);
  EXPECT_EQ(words.source.size(), 1U);
  EXPECT_NO_THROW(to_json(words));
}

}  // namespace
}  // namespace lookback::viz

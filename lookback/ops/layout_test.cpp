#include "lookback/ops/layout.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"
#include "lookback/ops/sequence.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

TEST(Steps, RowsOfARaggedBatch) {
  const std::vector<int64_t> lengths = {3, 2, 2, 0};
  const Steps s(lengths);
  EXPECT_EQ(s.T(), 3);
  EXPECT_EQ(s.B(), 4);
  EXPECT_EQ(s.N(), 7);
  EXPECT_EQ((std::vector<int64_t>{s.alive(0), s.alive(1), s.alive(2)}), (std::vector<int64_t>{3, 3, 1}));
  EXPECT_EQ(s.row(1, 2), 5);
  for (int64_t b = 0; b < 4; ++b) EXPECT_EQ(s.length(b), lengths[static_cast<size_t>(b)]);
  EXPECT_EQ(s.sequence_of_rows(), (std::vector<int32_t>{0, 1, 2, 0, 1, 2, 0}));
  EXPECT_EQ(s.rows_by_sequence(), (std::vector<int32_t>{0, 3, 6, 1, 4, 2, 5}));
}

TEST(Steps, DenseAndEmpty) {
  const Steps dense = Steps::dense(2, 3);
  EXPECT_EQ(dense.N(), 6);
  EXPECT_EQ(dense.alive(1), 3);
  const Steps none{std::vector<int64_t>{}}, empty{std::vector<int64_t>{0, 0}};
  EXPECT_EQ(none.N() + none.T() + none.B(), 0);
  EXPECT_EQ(empty.T(), 0);
  EXPECT_EQ(empty.B(), 2);
}

TEST(Steps, LengthsThatGrowOrAreNegativeAreRefused) {
  EXPECT_THROW(Steps(std::vector<int64_t>{2, 3}), ShapeError);
  EXPECT_THROW(Steps(std::vector<int64_t>{2, -1}), ShapeError);
}

TEST(MemoryLayout, SentencesOneAfterTheOther) {
  const MemoryLayout m(std::vector<int64_t>{2, 0, 5});
  EXPECT_EQ(m.sentences(), 3);
  EXPECT_EQ(m.rows(), 7);
  EXPECT_EQ(m.longest(), 5);
  EXPECT_EQ(m.begin(2), 2);
  EXPECT_EQ(m.length(1), 0);
  EXPECT_THROW(MemoryLayout(std::vector<int64_t>{1, -1}), ShapeError);
}

TEST(MemoryLayout, RowsKnowTheirSentenceAndPlace) {
  const MemoryLayout m(std::vector<int64_t>{2, 0, 3});
  EXPECT_EQ(m.sentence_of_rows(), (std::vector<int32_t>{0, 0, 2, 2, 2}));
  EXPECT_EQ(m.position_of_rows(), (std::vector<int32_t>{0, 1, 0, 1, 2}));
}

TEST(Ragged, RanksGoFromLongToShortAndEqualsStay) {
  const Ragged r(std::vector<int64_t>{2, 0, 3, 2});
  EXPECT_EQ(r.sequence_of_rank(), (std::vector<int32_t>{2, 0, 3, 1}));
  EXPECT_EQ(r.rank_of_sequence(), (std::vector<int32_t>{1, 3, 0, 2}));
  EXPECT_EQ(r.sequences(), 4);
  EXPECT_EQ(r.rows(), 7);
  EXPECT_EQ(r.steps().N(), 7);
  EXPECT_EQ(r.steps().alive(1), 3);
  EXPECT_EQ(r.memory().length(0), 3);
  EXPECT_EQ(Ragged(std::vector<int64_t>{}).rows(), 0);
  EXPECT_THROW(Ragged(std::vector<int64_t>{1, -1}), ShapeError);
  const Ragged half = r.shortened(2);
  EXPECT_EQ(half.sequence_of_rank(), r.sequence_of_rank());
  EXPECT_EQ(half.memory().length(0), 2);
  EXPECT_EQ(half.memory().length(1), 1);
  EXPECT_EQ(half.memory().length(3), 0);
  EXPECT_THROW(r.shortened(0), ShapeError);
}

TEST(Sequence, RowsInEitherOrderAndBack) {
  const Ragged shape(std::vector<int64_t>{1, 3, 2});  // ranks of 3, 2 and 1 rows
  const Sequence by_step{Var(Tensor::of<float>({6, 1}, {0, 10, 20, 1, 11, 2})), shape, RowOrder::by_step};
  EXPECT_EQ(rows_in(by_step, RowOrder::by_step).value().data<float>(), by_step.x.value().data<float>());
  const Sequence by_sequence{rows_in(by_step, RowOrder::by_sequence), shape, RowOrder::by_sequence};
  const auto rows = by_sequence.x.value().span<float>();
  EXPECT_EQ(std::vector<float>(rows.begin(), rows.end()), (std::vector<float>{0, 1, 2, 10, 11, 20}));
  const Tensor back = rows_in(by_sequence, RowOrder::by_step).value();
  EXPECT_TRUE(testing::same_bits(back, by_step.x.value()));
  const Sequence looked_up{Var(Tensor::of<float>({3, 1}, {7, 8, 9})), shape, RowOrder::by_step,
                           ops::row_ids({2, 0, 1, 1, 2, 0})};
  const Tensor words = rows_in(looked_up, RowOrder::by_sequence).value();
  EXPECT_EQ(std::vector<float>(words.span<float>().begin(), words.span<float>().end()),
            (std::vector<float>{9, 8, 7, 7, 9, 8}));
  EXPECT_EQ(*row_ids_in(looked_up, RowOrder::by_step), *looked_up.rows);
  EXPECT_EQ(row_ids_in(by_step, RowOrder::by_step), nullptr);
  EXPECT_THROW(rows_in({by_step.x, Ragged(std::vector<int64_t>{1}), RowOrder::by_step}, RowOrder::by_sequence),
               ShapeError);
}

}  // namespace
}  // namespace lookback

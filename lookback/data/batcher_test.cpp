#include "lookback/data/batcher.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

using Lengths = std::vector<int32_t>;
using Batches = std::vector<std::vector<int64_t>>;

Lengths random_lengths(size_t n, uint64_t most, uint64_t seed) {
  Rng rng(seed);
  Lengths out(n);
  for (auto& x : out) x = static_cast<int32_t>(1 + rng.below(most));
  return out;
}

// Each counts its target's tokens and an end mark.
Lengths costs(Lengths target) {
  for (auto& x : target) ++x;
  return target;
}

std::vector<int64_t> flat(const Batches& batches) {
  std::vector<int64_t> out;
  for (const auto& b : batches) out.insert(out.end(), b.begin(), b.end());
  return out;
}

int64_t tokens(const std::vector<int64_t>& batch, const Lengths& target) {
  int64_t n = 0;
  for (const int64_t i : batch) n += target[static_cast<size_t>(i)] + 1;
  return n;
}

// Over many sizes and options: every pair once, no batch too large or empty, the same again for the same seed.
TEST(Batcher, EveryPairExactlyOnceAnEpoch) {
  Rng rng(7);
  for (int trial = 0; trial < 200; ++trial) {
    const size_t n = 1 + rng.below(trial < 100 ? 40 : 2000);
    const Lengths source = random_lengths(n, 60, rng.next()), target = random_lengths(n, 60, rng.next());
    const BatchOptions options = {.batch = rng.below(2) ? static_cast<int64_t>(1 + rng.below(70)) : 0,
                                  .batch_tokens = static_cast<int64_t>(1 + rng.below(500)),
                                  .window = static_cast<int64_t>(1 + rng.below(20)),
                                  .shuffle = rng.below(4) > 0};
    const uint64_t seed = rng.next();
    const Batcher batcher(costs(target), {target, source}, options, seed);
    for (const int64_t epoch : {0, 1, 1000000}) {
      const Batches batches = batcher.epoch_batches(epoch);
      std::vector<int64_t> seen = flat(batches), all(n);
      std::iota(all.begin(), all.end(), 0);
      if (!options.shuffle) {
        EXPECT_EQ(seen, all);
      }
      std::sort(seen.begin(), seen.end());
      ASSERT_EQ(seen, all);
      for (const auto& b : batches) {
        ASSERT_FALSE(b.empty());
        if (options.batch > 0)
          ASSERT_LE(static_cast<int64_t>(b.size()), options.batch);
        else
          ASSERT_TRUE(b.size() == 1 || tokens(b, target) <= options.batch_tokens);
      }
      EXPECT_EQ(batches, Batcher(costs(target), {target, source}, options, seed).epoch_batches(epoch));
    }
  }
}

TEST(Batcher, EpochsAndSeedsDiffer) {
  const Lengths lengths = random_lengths(500, 30, 1);
  const Batcher a(costs(lengths), {lengths, lengths}, {.batch = 16}, 1),
      b(costs(lengths), {lengths, lengths}, {.batch = 16}, 2);
  EXPECT_NE(a.epoch_batches(0), a.epoch_batches(1));
  EXPECT_NE(a.epoch_batches(0), b.epoch_batches(0));
}

TEST(Batcher, EqualLengthsAreMixedToo) {
  const Lengths lengths(64, 5);
  const auto batches = Batcher(costs(lengths), {lengths, lengths}, {.batch = 8}, 1).epoch_batches(0);
  const std::set<int64_t> first(batches[0].begin(), batches[0].end());
  EXPECT_GT(*first.rbegin() - *first.begin(), 7) << "neighbours in the table stayed together";
}

// Random batches of lengths 1..60 spread over most of that range; sorted ones must not.
TEST(Batcher, BatchesHaveLikeLengths) {
  const Lengths source = random_lengths(5000, 60, 3), target = random_lengths(5000, 60, 4);
  const auto batches = Batcher(costs(target), {target, source}, {.batch = 20, .window = 50}, 9).epoch_batches(0);
  double spread = 0;
  for (const auto& b : batches) {
    int32_t lo = 1000, hi = 0;
    for (const int64_t i : b) lo = std::min(lo, target[i]), hi = std::max(hi, target[i]);
    spread += hi - lo;
  }
  EXPECT_LT(spread / static_cast<double>(batches.size()), 4);
  EXPECT_EQ(batches.size(), 250u);
}

TEST(Batcher, BatchesAreNotInOrderOfLength) {
  const Lengths lengths = random_lengths(2000, 60, 5);
  const auto batches = Batcher(costs(lengths), {lengths, lengths}, {.batch = 20}, 9).epoch_batches(0);
  int rises = 0;
  for (size_t k = 1; k < batches.size(); ++k) rises += lengths[batches[k][0]] >= lengths[batches[k - 1][0]];
  EXPECT_GT(rises, 30);
  EXPECT_LT(rises, 70);
}

TEST(Batcher, TokensCountTargetAndEndMark) {
  // Each pair counts 4 + 1: two fit in 10, three do not.
  const Lengths source(6, 100), target(6, 4);
  for (const auto& b : Batcher(costs(target), {target, source}, {.batch_tokens = 10}, 1).epoch_batches(0))
    EXPECT_EQ(b.size(), 2u);
  for (const auto& b : Batcher(costs(target), {target, source}, {.batch_tokens = 9}, 1).epoch_batches(0))
    EXPECT_EQ(b.size(), 1u);
}

TEST(Batcher, CursorIsAllTheState) {
  const Lengths lengths = random_lengths(100, 30, 1);
  Batcher whole(costs(lengths), {lengths, lengths}, {.batch_tokens = 200}, 5);
  Cursor cursor;
  Batches expected;
  std::vector<Cursor> at;
  for (int k = 0; k < 60; ++k) at.push_back(cursor), expected.push_back(whole.next(cursor));
  EXPECT_GT(cursor.epoch, 1);
  for (const size_t start : {0u, 1u, 17u, 59u}) {
    Batcher resumed(costs(lengths), {lengths, lengths}, {.batch_tokens = 200}, 5);
    Cursor c = at[start];
    for (size_t k = start; k < 60; ++k) ASSERT_EQ(resumed.next(c), expected[k]) << k;
    EXPECT_EQ(c, cursor);
  }
  int64_t n = 0;
  for (int64_t e = 0; e < 2; ++e) n += whole.batches_in(e);
  EXPECT_EQ(at[static_cast<size_t>(n)], (Cursor{2, 0}));
}

TEST(Batcher, CursorBeyondTheEndStartsTheNextEpoch) {
  const Lengths lengths(10, 3);
  Batcher batcher(costs(lengths), {lengths, lengths}, {.batch = 5}, 1);
  Cursor beyond{0, 99}, next{1, 0};
  EXPECT_EQ(batcher.next(beyond), batcher.next(next));
}

TEST(Batcher, RefusesWhatCannotWork) {
  EXPECT_THROW(Batcher({}, {}, {}, 1), ConfigError);
  EXPECT_THROW(Batcher({1}, {{1, 2}}, {}, 1), ShapeError);
  EXPECT_THROW(Batcher({1}, {{1}}, {.batch = -1}, 1), ConfigError);
  EXPECT_THROW(Batcher({1}, {{1}}, {.batch_tokens = 0}, 1), ConfigError);
  EXPECT_THROW(Batcher({1}, {{1}}, {.window = 0}, 1), ConfigError);
}

TEST(CostliestFirst, AllOnceInBatchesWithinTheLimit) {
  using Batches = std::vector<std::vector<int64_t>>;
  const Lengths costs_of = {3, 0, 7, 3, 20, 1};
  EXPECT_EQ(costliest_first(costs_of, 4), (Batches{{4, 2, 0, 3}, {5, 1}}));
  EXPECT_EQ(costliest_first(costs_of, 4, 10), (Batches{{4}, {2, 0}, {3, 5, 1}}));
  EXPECT_EQ(costliest_first({}, 4), Batches());
}

}  // namespace
}  // namespace lookback::data

#include "lookback/decode/row_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lookback/base/rng.h"
#include "lookback/decode/fast_math.h"

namespace lookback::decode {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_row(int64_t V, double scale, double offset, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> row(static_cast<size_t>(V));
  for (float& x : row) x = static_cast<float>(offset + scale * rng.normal());
  return row;
}

double reference(const std::vector<float>& row) {
  const double highest = static_cast<double>(*std::max_element(row.begin(), row.end()));
  double sum = 0;
  for (const float x : row) sum += std::exp(static_cast<double>(x) - highest);
  return highest + std::log(sum);
}

RowScan scan(const std::vector<float>& row, int64_t k = 0, const std::vector<int32_t>& excluded = {}) {
  RowScan out;
  scan_row(row, k, excluded, out);
  return out;
}

TEST(FastMath, ExpKeepsItsErrorBound) {
  double worst = 0;
  for (float x = 0; x > -87.5f; x -= 0.00037f) {
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(exp_clamped(clamp(x))) / exact - 1));
  }
  EXPECT_LT(worst, 1.5e-7);
  EXPECT_EQ(exp_clamped(clamp(0.0f)), 1.0f);
  EXPECT_EQ(exp_clamped(clamp(-87.8f)), 0.0f);
  EXPECT_EQ(exp_clamped(clamp(-1e30f)), 0.0f);
  EXPECT_EQ(exp_clamped(clamp(-kInfinity)), 0.0f);
  EXPECT_TRUE(std::isnan(exp_clamped(clamp(kNan))));
}

TEST(FastMath, LogKeepsItsErrorBound) {
  double worst = 0;
  for (float y = 1; y < 1e4f; y *= 1.00013f) {
    const double exact = std::log(static_cast<double>(y));
    worst = std::max(worst, std::abs(static_cast<double>(log_from_one(y)) - exact) / std::max(1.0, exact));
  }
  EXPECT_LT(worst, 1.5e-7);
  EXPECT_EQ(log_from_one(1.0f), 0.0f);
}

TEST(RowScan, LogSumExpAgreesWithDouble) {
  for (const int64_t V : {1, 2, 63, 1023, 1024, 1025, 5000, 40000})
    for (const double offset : {0.0, -300.0, 5000.0}) {
      auto row = random_row(V, 4, offset, static_cast<uint64_t>(V));
      if (V > 10) row[3] = row[static_cast<size_t>(V - 2)] = -kInfinity;
      EXPECT_NEAR(scan(row).log_sum_exp, reference(row), 3e-7) << V << " " << offset;
      EXPECT_EQ(scan(row).fault, RowFault::none);
    }
}

TEST(RowScan, TheBestAloneAreTheSame) {
  for (const int64_t V : {1, 2, 63, 1023, 1024, 1025, 5000}) {
    auto row = random_row(V, 4, -2, static_cast<uint64_t>(V));
    if (V > 10) row[3] = row[static_cast<size_t>(V - 2)] = -kInfinity;
    RowScan best;
    for (const int64_t k : {0, 1, 5}) {
      scan_row(row, k, {}, best, ScanFor::best);
      const auto want = scan(row, k);
      ASSERT_EQ(best.top.size(), want.top.size());
      for (size_t c = 0; c < best.top.size(); ++c) EXPECT_EQ(best.top[c].token, want.top[c].token);
      EXPECT_EQ(best.fault, RowFault::none);
      EXPECT_EQ(best.log_sum_exp, static_cast<double>(*std::max_element(row.begin(), row.end())));
    }
    for (const float odd : {kNan, kInfinity})
      for (const int64_t at : {int64_t{0}, V / 2, V - 1}) {
        auto bad = row;
        bad[static_cast<size_t>(at)] = odd;
        scan_row(bad, 1, {}, best, ScanFor::best);
        EXPECT_EQ(best.fault, RowFault::not_a_number) << V << ' ' << at;
      }
    std::fill(row.begin(), row.end(), -kInfinity);
    scan_row(row, 1, {}, best, ScanFor::best);
    EXPECT_EQ(best.fault, RowFault::all_impossible);
  }
}

TEST(RowScan, LogProbabilitiesAreNeverPositive) {
  // The largest logit alone far above the rest: log-sum-exp must not fall below it.
  for (uint64_t seed = 0; seed < 50; ++seed) {
    auto row = random_row(3000, 1, 0, seed);
    row[seed * 37] = 40;
    EXPECT_GE(scan(row).log_sum_exp, 40.0);
  }
}

TEST(RowScan, RisingMaximumRescalesTheSum) {
  std::vector<float> row(6000);
  for (size_t k = 0; k < row.size(); ++k) row[k] = static_cast<float>(k) * 0.01f;
  EXPECT_NEAR(scan(row).log_sum_exp, reference(row), 3e-7);
  std::reverse(row.begin(), row.end());
  EXPECT_NEAR(scan(row).log_sum_exp, reference(row), 3e-7);
}

TEST(RowScan, TopIsTheSortedBeginning) {
  for (const int64_t V : {5, 1024, 3001})
    for (const int64_t k : {1, 4, 50, 4000}) {
      auto row = random_row(V, 1, 0, static_cast<uint64_t>(V + k));
      for (float& x : row) x = std::round(x * 8) / 8;  // many ties
      row[2] = -kInfinity;
      const std::vector<int32_t> excluded = {0, 3, static_cast<int32_t>(V - 1)};
      std::vector<Candidate> all;
      for (int32_t token = 0; token < V; ++token)
        if (token != 2 && !std::count(excluded.begin(), excluded.end(), token))
          all.push_back({row[static_cast<size_t>(token)], token});
      std::sort(all.begin(), all.end(), ranks_before);
      const auto top = scan(row, k, excluded).top;
      ASSERT_EQ(top.size(), std::min(all.size(), static_cast<size_t>(k)));
      for (size_t j = 0; j < top.size(); ++j) {
        EXPECT_EQ(top[j].token, all[j].token) << V << " " << k << " " << j;
        EXPECT_EQ(top[j].logit, all[j].logit);
      }
    }
}

TEST(RowScan, TheBestOfAllMayBeExcluded) {
  Rng rng(9);
  std::vector<float> row(1500);
  for (float& x : row) x = static_cast<float>(rng.normal());
  std::vector<int32_t> order(row.size());
  for (size_t t = 0; t < order.size(); ++t) order[t] = static_cast<int32_t>(t);
  std::sort(order.begin(), order.end(),
            [&](int32_t a, int32_t b) { return row[static_cast<size_t>(a)] > row[static_cast<size_t>(b)]; });
  for (const size_t best : {1U, 4U, 11U, 12U, 40U}) {
    std::vector<int32_t> excluded(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(best));
    std::sort(excluded.begin(), excluded.end());
    for (const int64_t k : {1, 4, 5, 70}) {
      const auto top = scan(row, k, excluded).top;
      ASSERT_EQ(std::ssize(top), k);
      for (size_t i = 0; i < top.size(); ++i) EXPECT_EQ(top[i].token, order[best + i]) << best << ' ' << k;
    }
  }
}

TEST(RowScan, EqualLogitsGiveTheSmallestTokens) {
  const auto top = scan(std::vector<float>(5000, 0.25f), 3).top;
  ASSERT_EQ(top.size(), 3u);
  for (int32_t j = 0; j < 3; ++j) EXPECT_EQ(top[static_cast<size_t>(j)].token, j);
}

TEST(RowScan, FindsNotANumberWhereverItIs) {
  for (const int64_t V : {1, 70, 2500})
    for (const float bad : {kNan, kInfinity})
      for (int64_t at = 0; at<V; at += V> 100 ? 173 : 1) {
        auto row = random_row(V, 1, 0, 5);
        row[static_cast<size_t>(at)] = bad;
        EXPECT_EQ(scan(row, 2).fault, RowFault::not_a_number) << V << " " << at;
        std::fill(row.begin(), row.end(), -kInfinity);
        row[static_cast<size_t>(at)] = bad;
        EXPECT_EQ(scan(row, 2).fault, RowFault::not_a_number) << V << " " << at;
      }
}

TEST(RowScan, NothingPossible) {
  EXPECT_EQ(scan(std::vector<float>(1500, -kInfinity), 2).fault, RowFault::all_impossible);
  EXPECT_EQ(scan({}, 2).fault, RowFault::all_impossible);
  EXPECT_TRUE(scan(std::vector<float>(1500, -kInfinity), 2).top.empty());
}

}  // namespace
}  // namespace lookback::decode

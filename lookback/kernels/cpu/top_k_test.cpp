#include "lookback/kernels/cpu/top_k.h"

#include <numeric>

#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

struct Weights {
  int64_t n, k, ld;
  std::vector<float> w, bias;
  std::unique_ptr<Packed> sketch;

  Weights(int64_t rows, int64_t cols, uint64_t seed) : n(rows), k(cols), ld(cols + 3) {
    w = numbers(n * ld, seed), bias = numbers(n, seed + 1);
    // Rows of many sizes, as those of trained models are, and some twice.
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < ld; ++i) w[at(j, i)] *= std::ldexp(1.0f, static_cast<int>(j % 5) - 3);
    for (int64_t j = 0; j < n; j += 97) std::copy_n(w.begin() + (j + 4) % n * ld, ld, w.begin() + j * ld);
    make();
  }
  void make() { sketch = cpu().sketch(product(0, nullptr)); }
  size_t at(int64_t row, int64_t col) const { return static_cast<size_t>(row * ld + col); }
  Matmul<float> product(int64_t m, const float* a) const {
    return {.m = m, .n = n, .k = k, .a = a, .lda = k, .b = w.data(), .ldb = ld, .transpose_b = true};
  }
};

struct Found {
  bool done;
  std::vector<int64_t> kept;
  std::vector<std::vector<int32_t>> columns;
  std::vector<std::vector<float>> values;
};

Found top_k(const Weights& w, const std::vector<float>& a, int64_t count, int64_t capacity, bool with_bias = true) {
  const int64_t m = std::ssize(a) / w.k;
  std::vector<int32_t> columns(static_cast<size_t>(m * capacity));
  std::vector<float> values(columns.size());
  Found out{.kept = std::vector<int64_t>(static_cast<size_t>(m))};
  out.done = cpu().top_k({.m = m,
                          .n = w.n,
                          .k = w.k,
                          .a = a.data(),
                          .b = w.w.data(),
                          .ldb = w.ld,
                          .sketch = w.sketch.get(),
                          .bias = with_bias ? w.bias.data() : nullptr,
                          .count = count,
                          .capacity = capacity,
                          .columns = columns.data(),
                          .values = values.data(),
                          .kept = out.kept.data()});
  for (int64_t row = 0; out.done && row < m; ++row) {
    const auto first = row * capacity, last = first + out.kept[static_cast<size_t>(row)];
    out.columns.emplace_back(columns.begin() + first, columns.begin() + last);
    out.values.emplace_back(values.begin() + first, values.begin() + last);
  }
  return out;
}

// All of them, as a packed product of many rows gives them.
std::vector<float> all_values(const Weights& w, const std::vector<float>& a, bool with_bias = true) {
  const int64_t m = std::ssize(a) / w.k;
  std::vector<float> out(static_cast<size_t>(m * w.n));
  Matmul<float> p = w.product(m, a.data());
  const auto packed = cpu().pack(p, nullptr);
  p.packed_b = packed.get(), p.c = out.data(), p.ldc = w.n, p.bias = with_bias ? w.bias.data() : nullptr;
  cpu().matmul(p);
  return out;
}

void expect_largest(const Weights& w, const std::vector<float>& a, int64_t count, bool with_bias = true) {
  const Found found = top_k(w, a, count, w.n, with_bias);
  ASSERT_TRUE(found.done);
  const std::vector<float> all = all_values(w, a, with_bias);
  for (size_t row = 0; row < found.kept.size(); ++row) {
    const float* const want = all.data() + static_cast<int64_t>(row) * w.n;
    const auto& columns = found.columns[row];
    EXPECT_TRUE(std::is_sorted(columns.begin(), columns.end()));
    for (size_t c = 0; c < columns.size(); ++c)
      ASSERT_EQ(std::bit_cast<uint32_t>(found.values[row][c]), std::bit_cast<uint32_t>(want[columns[c]]))
          << "k " << w.k << ", row " << row << ", column " << columns[c];
    // Whatever was left out is less than `count` of what was kept.
    std::vector<float> sorted(want, want + w.n);
    std::nth_element(sorted.begin(), sorted.begin() + count - 1, sorted.end(), std::greater<>());
    const float least = sorted[static_cast<size_t>(count - 1)];
    for (int32_t j = 0; j < w.n; ++j)
      EXPECT_TRUE(want[j] < least || std::binary_search(columns.begin(), columns.end(), j))
          << "k " << w.k << ", column " << j;
  }
}

#define SKIP_WITHOUT_SKETCHES \
  if (!Weights(1024, 8, 1).sketch) GTEST_SKIP() << "no sketches on this processor"

TEST(TopK, HoldsTheLargestWithTheBitsOfTheProduct) {
  SKIP_WITHOUT_SKETCHES;
  for (const int64_t k : {1, 7, 64, 300, 512, 513, 640, 1000, 1024, 1500})
    for (const int64_t n : {1024, 1500, 8000}) {
      if (n * k > 4'000'000) continue;
      const Weights w(n, k, static_cast<uint64_t>(n + k));
      for (const int64_t m : {1, 2, 5, 64, 70}) {
        const auto a = numbers(m * k, static_cast<uint64_t>(m));
        expect_largest(w, a, 5);
        if (m == 2) expect_largest(w, a, 1), expect_largest(w, a, 64), expect_largest(w, a, 3, false);
      }
    }
}

TEST(TopK, IsTheSameForEveryInstructionSetThatHasIt) {
  SKIP_WITHOUT_SKETCHES;
  const auto a = numbers(3 * 200, 5);
  // The best of each row on a rung, what its sketch kept besides left out.
  const auto best_on = [&](std::string_view name) {
    const RungScope scope(name);
    const Weights w(3000, 200, 4);
    const Found found = top_k(w, a, 4, 3000);
    EXPECT_TRUE(found.done) << name;
    std::vector<std::vector<std::pair<float, int32_t>>> out(3);
    for (size_t row = 0; row < 3; ++row) {
      for (size_t c = 0; c < found.columns[row].size(); ++c)
        out[row].emplace_back(-found.values[row][c], found.columns[row][c]);
      std::sort(out[row].begin(), out[row].end());
      out[row].resize(4);
    }
    return out;
  };
  const auto want = best_on(name_of(Rung::avx2));
  EXPECT_EQ(best_on(name_in_use()), want);
  EXPECT_EQ(best_on("amx_emulated"), want);
}

TEST(TopK, KeepsFewOfRandomRows) {
  SKIP_WITHOUT_SKETCHES;
  const Weights w(8000, 512, 6);
  const Found found = top_k(w, numbers(8 * 512, 7), 5, 500);
  ASSERT_TRUE(found.done);
  EXPECT_LT(*std::max_element(found.kept.begin(), found.kept.end()), 100);
}

TEST(TopK, ATieIsKeptWhole) {
  SKIP_WITHOUT_SKETCHES;
  Weights w(2000, 64, 8);
  for (const int64_t j : {70, 900, 1999}) {
    for (int64_t i = 0; i < w.k; ++i) w.w[w.at(j, i)] = 3;
    w.bias[static_cast<size_t>(j)] = 1;
  }
  w.make();
  const Found found = top_k(w, std::vector<float>(64, 1.0f), 1, 100);
  ASSERT_TRUE(found.done);
  EXPECT_EQ(found.columns[0], (std::vector<int32_t>{70, 900, 1999}));
}

// Rounding moves every product of the largest sum down and every one of another up, so that the other looks larger.
TEST(TopK, RoundingMayTurnTheOrderRound) {
  SKIP_WITHOUT_SKETCHES;
  constexpr int64_t kHalf = 32;
  for (const auto& [where, size] : {std::pair{false, 1.0f}, {true, 1.0f}, {false, 1e-24f}, {true, 1e-24f}}) {
    const bool of_the_weight = where;  // which Clang 14 lets the function below see
    Weights w(1024, 2 * kHalf + 1, 1);
    std::fill(w.w.begin(), w.w.end(), 0.0f), std::fill(w.bias.begin(), w.bias.end(), -1000.0f);
    std::vector<float> x(static_cast<size_t>(w.k), 1.0f);
    const auto set = [&](int64_t column, int64_t k, float value) {
      w.w[w.at(column, k)] = of_the_weight ? value : 1;
      if (!of_the_weight) x[static_cast<size_t>(k)] = value;
    };
    for (int64_t k = 0; k < kHalf; ++k) set(300, k, 10.49f), set(700, kHalf + k, 9.52f);  // both round to 10
    const int64_t last = 2 * kHalf;  // what makes the scale 1, and counts for nothing
    x.back() = of_the_weight ? 0 : 127;
    if (of_the_weight) w.w[w.at(300, last)] = w.w[w.at(700, last)] = 127;
    w.bias[300] = 0, w.bias[700] = 0.3f * kHalf * size;
    for (float& v : of_the_weight ? w.w : x) v *= size;  // squares of the small ones are no floats any more
    w.make();
    const Found found = top_k(w, x, 1, 100);
    ASSERT_TRUE(found.done);
    EXPECT_EQ(found.columns[0], (std::vector<int32_t>{300, 700})) << of_the_weight << ' ' << size;
  }
}

TEST(TopK, GivesUpWhereTooManyMayBeAmongThem) {
  SKIP_WITHOUT_SKETCHES;
  const Weights w(2000, 64, 9);
  EXPECT_TRUE(top_k(w, numbers(64, 1), 40, 200).done);
  EXPECT_FALSE(top_k(w, numbers(64, 1), 40, 39).done);
  EXPECT_FALSE(top_k(w, numbers(64, 1), 65, 2000).done);  // more than are looked at
}

// Whoever reads the values finds what is no number, or everything has to be looked at.
TEST(TopK, HidesNothingThatIsNotFinite) {
  SKIP_WITHOUT_SKETCHES;
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  const auto a = numbers(2 * 64, 10);
  for (const float odd : {kNan, kInfinity, -kInfinity}) {
    Weights w(2000, 64, 9);
    w.w[w.at(1234, 5)] = odd;
    w.make();
    const Found found = top_k(w, a, 5, 200);
    for (size_t row = 0; found.done && row < 2; ++row) {
      const auto& columns = found.columns[row];
      const auto place = std::lower_bound(columns.begin(), columns.end(), 1234);
      ASSERT_TRUE(place != columns.end() && *place == 1234);
      EXPECT_FALSE(std::isfinite(found.values[row][static_cast<size_t>(place - columns.begin())]));
    }
    Weights biased(2000, 64, 9);
    biased.bias[77] = odd;
    const Found by_bias = top_k(biased, a, 5, 200);
    EXPECT_TRUE(!by_bias.done || odd == -kInfinity ||
                std::binary_search(by_bias.columns[0].begin(), by_bias.columns[0].end(), 77));
    std::vector<float> left = a;
    left[70] = odd;
    EXPECT_FALSE(top_k(Weights(2000, 64, 9), left, 5, 200).done);
  }
  auto huge = a;
  for (float& x : huge) x *= 1e30f;
  EXPECT_FALSE(top_k(Weights(2000, 64, 9), huge, 5, 200).done);
}

TEST(TopK, NeedsNoSketchOfWhatItCannotSpeedUp) {
  const auto w = numbers(100 * 64, 1);
  EXPECT_EQ(cpu().sketch({.n = 100, .k = 64, .b = w.data(), .ldb = 64, .transpose_b = true}), nullptr);
}

}  // namespace
}  // namespace lookback::kernels

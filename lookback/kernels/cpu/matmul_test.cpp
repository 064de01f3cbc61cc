// Products against the reference, and the promise that everything exact rests on:
// a row of x W^T does not depend on the other rows, and nothing depends on threads.
#include "lookback/kernels/cpu/matmul.h"

#include <bit>

#include "lookback/kernels/cpu/bf16_product.h"
#include "lookback/kernels/cpu/gemm.h"
#include "lookback/kernels/cpu/narrow_product.h"
#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

// What is tested: the table's products, and those in f32 and bf16 by themselves.
struct Maker {
  const char* name;
  std::unique_ptr<Packed> (*pack)(const Matmul<float>&, std::unique_ptr<Packed>);
  void (*matmul)(const Matmul<float>&);
  Precision precision = Precision::f32;
};
constexpr Maker kTable = {"table", &cpu_impl::pack, &cpu_impl::matmul};
constexpr Maker kTableBf16 = {"table bf16", &cpu_impl::pack, &cpu_impl::matmul, Precision::bf16};
constexpr Maker kTableInt8 = {"table int8", &cpu_impl::pack, &cpu_impl::matmul, Precision::int8};
constexpr Maker kFloats = {"f32", &cpu_impl::gemm_pack, &cpu_impl::gemm};
// By a plain loop, where the table has none.
constexpr Maker kBf16 = {"bf16", &cpu_impl::bf16_pack, &cpu_impl::bf16_product, Precision::bf16};

// The table in each precision that it has products of; another one would only be f32 once more.
std::vector<Maker> table_makers() {
  std::vector<Maker> out = {kTable};
  for (const Maker& maker : {kTableBf16, kTableInt8})
    if (cpu_impl::has_products(maker.precision)) out.push_back(maker);
  return out;
}

// Numbers that the maker's precision has, so that all sums are of the same products.
template <class R = float>
std::vector<R> factors(const Maker& maker, int64_t size, uint64_t seed) {
  auto out = numbers<R>(size, seed);
  if (maker.precision == Precision::int8)  // whatever the scale of a row turns out to be
    for (R& x : out) x = x > R{0.3} ? R{0.75} : x < R{-0.3} ? R{-0.75} : R{0};
  if (maker.precision == Precision::bf16)
    for (R& x : out)
      x = static_cast<R>(std::bit_cast<float>(std::bit_cast<uint32_t>(static_cast<float>(x)) >> 16 << 16));
  return out;
}

struct Case {
  int64_t m, n, k;
  bool transpose_a = false, transpose_b = false, packed = false, accumulate = false, bias = false;
  int64_t gap = 0;  // elements between the rows of each matrix

  std::string name(const Maker& maker) const {
    return str_cat(maker.name, " m ", m, ", n ", n, ", k ", k, transpose_a ? ", a^T" : "", transpose_b ? ", b^T" : "",
                   packed ? ", packed" : "", accumulate ? ", +=" : "", bias ? ", bias" : "", ", gap ", gap);
  }
};

// The product of c, and what lies between the rows of the result.
template <class R>
Outputs run(const Table<R>& table, const Maker& maker, const Case& c) {
  const int64_t lda = (c.transpose_a ? c.m : c.k) + c.gap, ldb = (c.transpose_b ? c.k : c.n) + 2 * c.gap;
  const int64_t ldc = c.n + 3 * c.gap;
  const auto a = factors<R>(maker, (c.transpose_a ? c.k : c.m) * lda, 1);
  const auto b = factors<R>(maker, (c.transpose_b ? c.n : c.k) * ldb, 2);
  const auto bias = numbers<R>(c.n, 4);
  auto out = numbers<R>(c.m * ldc, 3);
  Matmul<R> p{.m = c.m,
              .n = c.n,
              .k = c.k,
              .a = a.data(),
              .lda = lda,
              .transpose_a = c.transpose_a,
              .b = b.data(),
              .ldb = ldb,
              .transpose_b = c.transpose_b,
              .packed_b = nullptr,
              .c = out.data(),
              .ldc = ldc,
              .accumulate = c.accumulate,
              .bias = c.bias ? bias.data() : nullptr,
              .precision = maker.precision};
  if constexpr (std::is_same_v<R, float>) {
    if (&table == &cpu()) {
      const auto packed = c.packed ? maker.pack(p, nullptr) : nullptr;
      p.packed_b = packed.get();
      maker.matmul(p);
    } else {
      table.matmul(p);
    }
  } else {
    table.matmul(p);
  }
  Outputs result;
  put(result, "c", out);
  return result;
}

void expect_products_agree(const Maker& maker, const std::vector<std::array<int64_t, 3>>& sizes) {
  for (const auto& [m, n, k] : sizes)
    for (int flags = 0; flags < 32; ++flags)
      for (const int64_t gap : {0, 3}) {
        const Case c{
            m, n, k, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, (flags & 8) != 0, (flags & 16) != 0, gap};
        if (c.packed && (n == 0 || k == 0)) continue;
        expect_agreement([&]<class R>(const Table<R>& table) { return run(table, maker, c); }, c.name(maker),
                         maker.precision);
      }
}

TEST(MatmulKernels, TableAgrees) {
  for (const Maker& maker : table_makers())
    expect_products_agree(
        maker, {{1, 1, 1}, {0, 3, 2}, {3, 0, 2}, {3, 2, 0}, {5, 7, 3}, {13, 33, 20}, {64, 65, 100}, {150, 700, 40}});
}

TEST(MatmulKernels, FloatsAndBf16Agree) {
  for (const Maker& maker : {kFloats, kBf16}) {
    expect_products_agree(maker, {{1, 1, 1}, {5, 7, 3}, {12, 32, 16}, {13, 33, 20}, {25, 65, 100}});
    // Past the blocks of rows and of depth.
    expect_products_agree(maker, {{260, 9, 5}, {3, 40, 530}, {2, 5, 1100}});
  }
}

// Products in every form against sums of `terms` products each, added up one after another. sum_of(factors, begin, end)
// is one such sum, where factors(t) are the two of term t.
template <class SumOf>
void expect_chains(const Maker& maker, int64_t terms, const std::vector<std::array<int64_t, 3>>& sizes,
                   const SumOf& sum_of) {
  for (const auto& size : sizes)
    for (int flags = 0; flags < 32; ++flags) {
      const int64_t m = size[0], n = size[1], k = size[2];
      const bool transpose_a = flags & 1, transpose_b = flags & 2, packed = flags & 4;
      const auto a = numbers(m * k, 1), b = numbers(n * k, 2), before = numbers(m * n, 3), bias = numbers(n, 4);
      auto c = before;
      Matmul<float> p{.m = m,
                      .n = n,
                      .k = k,
                      .a = a.data(),
                      .lda = transpose_a ? m : k,
                      .transpose_a = transpose_a,
                      .b = b.data(),
                      .ldb = transpose_b ? k : n,
                      .transpose_b = transpose_b,
                      .c = c.data(),
                      .ldc = n,
                      .accumulate = (flags & 8) != 0,
                      .bias = flags & 16 ? bias.data() : nullptr,
                      .precision = maker.precision};
      const auto kept = packed ? maker.pack(p, nullptr) : nullptr;
      p.packed_b = kept.get();
      maker.matmul(p);
      for (int64_t i = 0; i < m * n; ++i) {
        const int64_t row = i / n, column = i % n;
        const auto factors = [&](int64_t t) {
          return std::pair{a[static_cast<size_t>(transpose_a ? t * m + row : row * k + t)],
                           b[static_cast<size_t>(transpose_b ? column * k + t : t * n + column)]};
        };
        float want = 0;
        for (int64_t first = 0; first < k; first += terms) {
          float sum = sum_of(factors, first, std::min(k, first + terms));
          if (first == 0 && p.bias) sum += bias[static_cast<size_t>(column)];
          if (first == 0) want = p.accumulate ? sum + before[static_cast<size_t>(i)] : sum;
          if (first > 0) want += sum;
        }
        ASSERT_EQ(std::bit_cast<uint32_t>(c[static_cast<size_t>(i)]), std::bit_cast<uint32_t>(want))
            << maker.name << " m " << m << ", n " << n << ", k " << k << ", flags " << flags << ", element " << i;
      }
    }
}

// The order of every sum is a promise: models give the same bits on every processor that multiplies and adds at once.
TEST(MatmulKernels, SumsOfFloatsAreTheChainTheyAreSaidToBe) {
  if (!has_fused_multiply_add(rung())) return;  // multiplies, rounds, adds
  const auto sum_of = [](const auto& factors, int64_t begin, int64_t end) {
    float sum = 0;
    for (int64_t t = begin; t < end; ++t) {
      const auto [x, y] = factors(t);
      sum = std::fma(x, y, sum);
    }
    return sum;
  };
  expect_chains(kFloats, cpu_impl::kGemmKC,
                {{1, 70, 3},
                 {7, 130, 512},
                 {13, 65, 513},
                 {260, 9, 1100},
                 {5, 200, 1536},
                 {7, 1100, 600},
                 {8, 90, 30},     // the last panel with two vectors of four
                 {13, 100, 40}},  // with three
                sum_of);
}

float in_bf16(float x) {  // as numbers() has them: finite
  const auto bits = std::bit_cast<uint32_t>(x);
  return as_float((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u);
}

// A promise too: what is trained by tiles has the same bits on every processor that has them, and on the emulation.
TEST(MatmulKernels, SumsOfTilesAreTheChainTheyAreSaidToBe) {
  if (tiles() == Tiles::none) GTEST_SKIP() << "no tiles in use";
  const auto sum_of = [](const auto& factors, int64_t begin, int64_t end) {
    float sum = 0;
    for (int64_t step = begin; step < end; step += 32) {
      float chains[2] = {0, 0};  // of even and odd terms
      for (int64_t t = step; t < std::min(end, step + 32); ++t) {
        const auto [x, y] = factors(t);
        chains[t % 2] = flushed(std::fma(in_bf16(x), in_bf16(y), chains[t % 2]));
      }
      sum = flushed(sum + flushed(chains[0] + chains[1]));
    }
    return sum;
  };
  expect_chains(kTableBf16, cpu_impl::kBf16Terms, {{1, 70, 3}, {17, 130, 32}, {33, 65, 1025}, {5, 20, 2100}}, sum_of);
}

TEST(MatmulKernels, Int8RowsPackLikeTheFloatsTheyAreMadeOf) {
  const int64_t m = 5, n = 40, k = 70;
  const auto a = numbers(m * k, 1), b = numbers(n * k, 2);
  std::vector<int8_t> q(b.size());
  std::vector<float> scales(static_cast<size_t>(n));
  cpu().quantise_rows({n, k, b.data(), q.data(), scales.data()});
  const auto product = [&](const Matmul<float>& from) {
    std::vector<float> c(static_cast<size_t>(m * n));
    const auto packed = cpu_impl::pack(from, nullptr);
    cpu_impl::matmul(
        {.m = m, .n = n, .k = k, .a = a.data(), .lda = k, .packed_b = packed.get(), .c = c.data(), .ldc = n});
    return c;
  };
  Matmul<float> floats{.n = n, .k = k, .b = b.data(), .ldb = k, .transpose_b = true, .precision = Precision::int8};
  Matmul<float> rows = floats;
  rows.b = nullptr, rows.b_int8 = q.data(), rows.b_scales = scales.data();
  EXPECT_EQ(product(floats), product(rows));
  // Rows of a wider matrix.
  std::vector<int8_t> wide(static_cast<size_t>(n * (k + 9)), 77);
  for (int64_t r = 0; r < n; ++r) std::copy_n(q.data() + r * k, k, wide.data() + r * (k + 9) + 4);
  rows.b_int8 = wide.data() + 4, rows.ldb = k + 9;
  EXPECT_EQ(product(floats), product(rows));
}

// Three products of different depth in one c, the first with a bias.
template <class R>
Outputs run_sum(const Table<R>& table, const Maker& maker, int64_t m, int64_t n, bool accumulate, bool packed) {
  auto c = numbers<R>(m * n, 3);
  const auto bias = numbers<R>(n, 4);
  std::vector<std::vector<R>> kept;
  std::vector<std::unique_ptr<Packed>> packs;
  std::vector<Matmul<R>> terms;
  for (const int64_t k : {40, 7, 130}) {
    kept.push_back(factors<R>(maker, m * k, static_cast<uint64_t>(k)));
    kept.push_back(factors<R>(maker, n * k, static_cast<uint64_t>(k) + 1));
    Matmul<R> p{.m = m, .n = n, .k = k, .a = kept[kept.size() - 2].data(), .lda = k, .b = kept.back().data(), .ldb = k};
    p.transpose_b = true, p.c = c.data(), p.ldc = n, p.precision = maker.precision;
    p.accumulate = accumulate || !terms.empty();
    if (terms.empty()) p.bias = bias.data();
    if constexpr (std::is_same_v<R, float>)
      if (packed && &table == &cpu()) packs.push_back(maker.pack(p, nullptr)), p.packed_b = packs.back().get();
    terms.push_back(p);
  }
  table.matmul_sum({terms});
  Outputs result;
  put(result, "c", c);
  return result;
}

TEST(MatmulKernels, SumsOfProductsAgree) {
  for (const Maker& maker : table_makers())
    for (const auto& [m, n] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {1, 300}, {5, 70}, {64, 33}, {300, 128}})
      for (int flags = 0; flags < 4; ++flags)
        expect_agreement(
            [&]<class R>(const Table<R>& table) {
              return run_sum(table, maker, m, n, (flags & 1) != 0, (flags & 2) != 0);
            },
            str_cat(maker.name, " sum, m ", m, ", n ", n, ", flags ", flags), maker.precision);
}

// Infinity and NaN pass through, also where an operand is zero.
TEST(MatmulKernels, NotANumberStays) {
  for (const Maker& maker : {kTable, kTableBf16, kTableInt8, kFloats, kBf16}) {
    std::vector<float> a(8 * 20, 1.0f), b(20 * 40, 0.0f), c(8 * 40);
    a[5 * 20 + 7] = std::numeric_limits<float>::quiet_NaN();
    maker.matmul({.m = 8,
                  .n = 40,
                  .k = 20,
                  .a = a.data(),
                  .lda = 20,
                  .b = b.data(),
                  .ldb = 40,
                  .c = c.data(),
                  .ldc = 40,
                  .precision = maker.precision});
    for (int64_t i = 0; i < 8 * 40; ++i) EXPECT_EQ(std::isnan(c[static_cast<size_t>(i)]), i / 40 == 5) << maker.name;
  }
}

// A weight is packed once and then meets every number of rows: all must be taken, and be right.
TEST(MatmulKernels, PackedWeightTakesAnyNumberOfRows) {
  std::vector<Maker> makers = table_makers();
  makers.push_back(kFloats), makers.push_back(kBf16);
  for (const Maker& maker : makers)
    for (const auto& [n, k] :
         std::vector<std::pair<int64_t, int64_t>>{{1, 7}, {7, 33}, {33, 1}, {65, 31}, {129, 1000}}) {
      const int64_t most = 1024;
      const auto a = factors(maker, most * k, 1), b = factors(maker, n * k, 2), before = numbers(most * n, 3);
      std::vector<float> want = before;
      Matmul<float> p{.m = most, .n = n, .k = k, .a = a.data(), .lda = k, .b = b.data(), .ldb = k, .transpose_b = true};
      p.ldc = n, p.accumulate = true, p.precision = maker.precision;
      p.c = want.data();
      ref<float>().matmul(p);
      const auto packed = maker.pack(p, nullptr);
      ASSERT_NE(packed, nullptr);
      p.packed_b = packed.get();
      std::vector<int64_t> rows = {100, 1024};
      for (int64_t m = 1; m <= 70; ++m) rows.push_back(m);
      for (const int64_t m : rows)
        for (const bool add : {true, false}) {
          std::vector<float> got = before;
          p.m = m, p.accumulate = add, p.c = got.data();
          maker.matmul(p);
          for (size_t i = 0; i < got.size(); ++i) {
            const bool inside = static_cast<int64_t>(i) < m * n;
            const float expected = !inside ? before[i] : add ? want[i] : want[i] - before[i];
            ASSERT_NEAR(got[i], expected, 1e-5 * std::max(10.0f, std::abs(expected)))
                << maker.name << " n " << n << ", k " << k << ", m " << m;
          }
        }
    }
}

struct Weights {
  int64_t n, k;
};
// Layers as they occur, their transposes, and sizes that fill no block.
constexpr Weights kWeights[] = {{1, 64},     {1, 1024},   {7, 10},     {10, 7},     {64, 1},     {7, 2048},
                                {64, 64},    {256, 10},   {256, 256},  {1000, 256}, {256, 1000}, {1024, 256},
                                {256, 1024}, {512, 1000}, {2048, 512}, {512, 2048}, {8000, 64},  {64, 8000}};

// Every row of a product with few rows must be the bits it has among the most rows.
void expect_rows_alone(const Maker& maker, const Weights& w, const std::vector<int64_t>& rows, int form) {
  const int64_t most = *std::max_element(rows.begin(), rows.end());
  const bool transposed = form != 1, packed = form >= 2;
  const auto a = numbers(most * w.k, 1), b = numbers(w.n * w.k, 2), before = numbers(most * w.n, 3);
  Matmul<float> p{.m = most,
                  .n = w.n,
                  .k = w.k,
                  .a = a.data(),
                  .lda = w.k,
                  .b = b.data(),
                  .ldb = transposed ? w.k : w.n,
                  .transpose_b = transposed,
                  .ldc = w.n,
                  .accumulate = form == 3,
                  .bias = form == 4 ? b.data() : nullptr,
                  .precision = maker.precision};
  const auto kept = packed ? maker.pack(p, nullptr) : nullptr;
  p.packed_b = kept.get();
  std::vector<float> together = before;
  p.c = together.data();
  {
    const ThreadScope one(1);
    maker.matmul(p);
  }
  for (const int threads : {1, 2, 5})
    for (const int64_t m : rows) {
      if (threads == 5 && m % 16 != 0) continue;
      const ThreadScope scope(threads);
      std::vector<float> got(before.begin(), before.begin() + m * w.n);
      p.m = m, p.c = got.data();
      maker.matmul(p);
      ASSERT_EQ(std::memcmp(got.data(), together.data(), got.size() * sizeof(float)), 0)
          << maker.name << " n " << w.n << ", k " << w.k << ", m " << m << " of " << most << ", form " << form << ", "
          << threads << " threads";
    }
}

TEST(MatmulExactness, RowsOfTheTableDependOnThemselvesAlone) {
  for (const Maker& maker : table_makers())
    for (const Weights& w : kWeights) {
      if (tiles() == Tiles::emulated && w.n * w.k > 70000) continue;  // which takes a minute
      for (int form = 0; form < 5; ++form)
        expect_rows_alone(
            maker, w, {1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 17, 31, 33, 48, 64, 100, w.n * w.k > 70000 ? 257 : 1024}, form);
    }
}

TEST(MatmulExactness, RowsOfFloatsAndBf16DependOnThemselvesAlone) {
  for (const Weights& w : kWeights)
    if (w.n * w.k < 30000)
      for (const Maker& maker : {kFloats, kBf16})
        for (int form = 0; form < 5; ++form) expect_rows_alone(maker, w, {1, 2, 5, 12, 13, 33, 64, 193}, form);
}

// Weight gradients sum over all rows of a batch. The sum may be cut anywhere, but always there.
void expect_threads_unseen(const Maker& maker, int64_t m, int64_t n, int64_t k) {
  const auto dy = numbers(k * m, 1), x = numbers(k * n, 2), before = numbers(m * n, 3);
  std::vector<float> one;
  for (const int threads : {1, 2, 3, 4, 8}) {
    const ThreadScope scope(threads);
    std::vector<float> got = before;
    maker.matmul({.m = m,
                  .n = n,
                  .k = k,
                  .a = dy.data(),
                  .lda = m,
                  .transpose_a = true,
                  .b = x.data(),
                  .ldb = n,
                  .c = got.data(),
                  .ldc = n,
                  .accumulate = true,
                  .precision = maker.precision});
    if (threads == 1) one = got;
    ASSERT_EQ(std::memcmp(got.data(), one.data(), got.size() * sizeof(float)), 0)
        << maker.name << " m " << m << ", n " << n << ", k " << k << ", " << threads << " threads";
  }
}

TEST(MatmulExactness, WeightGradientsDoNotSeeThreads) {
  // The first ones are long sums of few elements, which a library may cut by the number of threads.
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{{64, 10, 3200},
                                                                   {1, 7, 3200},
                                                                   {7, 64, 3200},
                                                                   {1024, 64, 2048},
                                                                   {300, 64, 2500},
                                                                   {64, 64, 640},
                                                                   {2048, 512, 320},
                                                                   {512, 1000, 1000},
                                                                   {8000, 64, 100},
                                                                   {64, 2048, 2048}}) {
    expect_threads_unseen(kTable, m, n, k);
    expect_threads_unseen(kTableBf16, m, n, k);
    expect_threads_unseen(kFloats, m, n, k);
  }
}

}  // namespace
}  // namespace lookback::kernels

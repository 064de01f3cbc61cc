#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/bf16.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/bf16.h"
#include "lookback/kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

using cpu_impl::Bf16Sums;
using cpu_impl::FloatMatrix;
using cpu_impl::kBlock;
using cpu_impl::kStep;
using cpu_impl::NarrowOrder;
using U = hn::RebindToUnsigned<D>;

// bf16 is the upper half of f32: half of the lower one is added, less one if the upper is even. In the lower halves.
HWY_INLINE hn::Vec<U> rounded(V x) {
  const U du;
  const auto bits = hn::BitCast(du, x), upper = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(upper, hn::Set(du, 1));
  const auto nearest = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF))));
  const auto quiet = hn::Or(upper, hn::Set(du, 0x40));
  return hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(x)), quiet, nearest);
}

HWY_INLINE hn::Vec<hn::Rebind<uint16_t, D>> round_to_bf16(V x) {
  return hn::DemoteTo(hn::Rebind<uint16_t, D>(), hn::BitCast(hn::RebindToSigned<D>(), rounded(x)));
}

constexpr int64_t kStepElements = 2 * kStep;

// Steps that lie `stride` words apart, the last one with zeros at its end.
void RowToBf16(const float* HWY_RESTRICT x, int64_t n, uint32_t* HWY_RESTRICT y, int64_t stride) {
  const hn::Rebind<uint16_t, D> narrow;
  for (; n > 0; n -= kStepElements, x += kStepElements, y += stride) {
    auto* const out = reinterpret_cast<uint16_t*>(y);
    for (int64_t k = 0; k < kStepElements; k += lanes()) hn::StoreU(round_to_bf16(load(x + k, n - k)), narrow, out + k);
  }
}

void RowFromBf16(const Bf16Sums& a, int64_t m, float* c, bool accumulate) {
  const float* const sums = a.sums + m * a.ld;
  finish_sums([&](int64_t k, int64_t left) HWY_ATTR { return load(sums + k, left); }, a.n, a.bias, c, accumulate);
}

// Row r of x from a column on, zeros past its ends.
HWY_INLINE V elements(const FloatMatrix& x, int64_t r, int64_t column) {
  return r < x.rows && column < x.cols ? load(x.data + r * x.ld + column, x.cols - column) : hn::Zero(D());
}

// The next elements of rows r and r + 1 of x, in pairs.
HWY_INLINE hn::Vec<U> pairs_of_rows(const FloatMatrix& x, int64_t r, int64_t column) {
  return hn::Or(rounded(elements(x, r, column)), hn::ShiftLeft<16>(rounded(elements(x, r + 1, column))));
}

// The same elements, needed soon: rows that lie in pages of their own are not foreseen by the processor.
HWY_INLINE void fetch_rows(const FloatMatrix& x, int64_t r, int64_t column) {
  __builtin_prefetch(x.data + r * x.ld + column);
  __builtin_prefetch(x.data + (r + 1) * x.ld + column);
}

// out[r / 2][c] = the pair of rows r and r + 1 of x in column c: [depth / 2, kBlock]
void PairsOfRows(const FloatMatrix& x, int64_t depth, uint32_t* HWY_RESTRICT out) {
  constexpr int64_t kAhead = 16;
  for (int64_t r = 0; r < depth; r += 2, out += kBlock)
    for (int64_t c = 0; c < kBlock; c += lanes()) {
      fetch_rows(x, r + kAhead, c);
      hn::StoreU(pairs_of_rows(x, r, c), U(), out + c);
    }
}

constexpr int64_t kSide = 4;  // of the squares that are transposed

#if HWY_TARGET == HWY_SCALAR

void PairsOfColumns(const FloatMatrix& x, int64_t depth, uint32_t* HWY_RESTRICT out) {
  for (int64_t c = 0; c < depth; c += 2, out += kBlock)
    for (int64_t r = 0; r < kBlock; ++r)
      out[r] = hn::GetLane(rounded(elements(x, r, c))) | hn::GetLane(rounded(elements(x, r, c + 1))) << 16;
}

void Transpose(const FloatMatrix& x, const NarrowOrder& order, uint32_t* HWY_RESTRICT out) {
  for (int64_t c = 0; c < x.cols; ++c)
    for (int64_t word = 0; word < order.words; ++word)
      out[order.start(c) + word / kStep * order.stride(c) + word % kStep] = hn::GetLane(pairs_of_rows(x, 2 * word, c));
}

#else

// Element i of v[j] becomes element j of row i: rows of kSide elements one behind the other.
HWY_INLINE void transpose(hn::Vec<U> (&v)[kSide], uint32_t* HWY_RESTRICT out) {
  transpose_squares(U(), v);
  HWY_ALIGN uint32_t squares[kSide][HWY_MAX_BYTES / sizeof(uint32_t)];
  HWY_UNROLL(4) for (int64_t i = 0; i < kSide; ++i) hn::Store(v[i], U(), squares[i]);
  for (int64_t first = 0; first < lanes(); first += kSide)
    HWY_UNROLL(4) for (int64_t i = 0; i < kSide; ++i, out += kSide) std::memcpy(out, squares[i] + first, 16);
}

// out[c / 2][r] = the pair of columns c and c + 1 of x in row r: [depth / 2, kBlock]
void PairsOfColumns(const FloatMatrix& x, int64_t depth, uint32_t* HWY_RESTRICT out) {
  const U d;
  const int64_t L = lanes();
  HWY_ALIGN uint32_t transposed[kSide * HWY_MAX_BYTES / sizeof(uint32_t)];
  for (int64_t c = 0; c < depth; c += 2 * L)
    for (int64_t r = 0; r < kBlock; r += kSide) {
      hn::Vec<U> v[kSide];
      HWY_UNROLL(4) for (int64_t i = 0; i < kSide; ++i) {
        const auto lower = rounded(elements(x, r + i, c)), upper = rounded(elements(x, r + i, c + L));
        v[i] = hn::Or(hn::ConcatEven(d, upper, lower), hn::ShiftLeft<16>(hn::ConcatOdd(d, upper, lower)));
      }
      transpose(v, transposed);
      for (int64_t i = 0; i < std::min(L, (depth - c) / 2); ++i)
        std::memcpy(out + (c / 2 + i) * kBlock + r, transposed + i * kSide, 16);
    }
}

// Row c of the order is column c of x.
void Transpose(const FloatMatrix& x, const NarrowOrder& order, uint32_t* HWY_RESTRICT out) {
  const int64_t L = lanes(), row = order.group == 1 ? order.words : kStep;  // words from row to row of L of a group
  HWY_ALIGN uint32_t transposed[kSide * HWY_MAX_BYTES / sizeof(uint32_t)];
  for (int64_t first = 0; first < order.words; first += kStep)
    for (int64_t c = 0; c < x.cols; c += L) {
      uint32_t* const step = out + order.start(c) + first / kStep * order.stride(c);
      for (int64_t word = 0; word < kStep; word += kSide) {
        hn::Vec<U> v[kSide];
        HWY_UNROLL(4) for (int64_t i = 0; i < kSide; ++i) {
          const int64_t r = 2 * (first + word + i);
          fetch_rows(x, r + kStepElements, c);
          v[i] = pairs_of_rows(x, r, c);
        }
        transpose(v, transposed);
        for (int64_t i = 0; i < std::min(L, x.cols - c); ++i)
          std::memcpy(step + i * row + word, transposed + i * kSide, 16);
      }
    }
}

#endif

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "lookback/base/parallel.h"

namespace lookback::kernels {
HWY_EXPORT(RowToBf16);
HWY_EXPORT(RowFromBf16);
HWY_EXPORT(PairsOfRows);
HWY_EXPORT(PairsOfColumns);
HWY_EXPORT(Transpose);

namespace cpu_impl {

constexpr int64_t kGrain = 16384;  // elements that are worth a thread's turn

void to_bf16(const FloatMatrix& x, const NarrowOrder& order, uint32_t* out) {
  const auto run = &LOOKBACK_BEST(RowToBf16);
  parallel_for(x.rows, kGrain / x.cols, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      run(x.data + row * x.ld, x.cols, out + order.start(row), order.stride(row));
  });
}

void to_bf16_transposed(const FloatMatrix& x, const NarrowOrder& order, uint32_t* out) {
  LOOKBACK_BEST(Transpose)(x, order, out);
}

void to_bf16_blocks(const FloatMatrix& x, bool transposed, const NarrowBlocks& out) {
  const auto run = transposed ? &LOOKBACK_BEST(PairsOfColumns) : &LOOKBACK_BEST(PairsOfRows);
  const int64_t rows = transposed ? x.cols : x.rows, cols = transposed ? x.rows : x.cols, made = 2 * out.words;
  constexpr int64_t kRows = 256;  // of a piece of work
  const int64_t across = ceil_div(cols, kBlock), down = ceil_div(made, kRows);
  parallel_for(across * down, kGrain / (kBlock * kRows) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t block = piece / down, column = block * kBlock, row = piece % down * kRows;
      FloatMatrix rest{.data = x.data + row * x.ld + column, .rows = rows - row, .cols = cols - column, .ld = x.ld};
      if (transposed) rest.data = x.data + column * x.ld + row, std::swap(rest.rows, rest.cols);
      run(rest, std::min(kRows, made - row), out.block(block) + row / 2 * kBlock);
    }
  });
}

void from_bf16(const Bf16Sums& sums, float* c, int64_t ldc, bool accumulate) {
  const auto run = &LOOKBACK_BEST(RowFromBf16);
  for (int64_t row = 0; row < sums.m; ++row) run(sums, row, c + row * ldc, accumulate);
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE

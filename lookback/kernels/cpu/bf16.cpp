#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/bf16.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/bf16.h"
#include "lookback/kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

using cpu_impl::FloatMatrix;
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

void RowToBf16(const float* HWY_RESTRICT x, int64_t n, uint16_t* HWY_RESTRICT y) {
  const hn::Rebind<uint16_t, D> narrow;
  int64_t k = 0;
  for (; k + lanes() <= n; k += lanes()) hn::StoreU(round_to_bf16(hn::LoadU(D(), x + k)), narrow, y + k);
  if (k == n) return;
  HWY_ALIGN uint16_t tail[HWY_MAX_BYTES / sizeof(uint16_t)];
  hn::StoreU(round_to_bf16(load(x + k, n - k)), narrow, tail);
  std::copy_n(tail, n - k, y + k);
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

// out[r / 2][c] = the pair of rows r and r + 1 of x in column c: [depth / 2, width]
void PairsOfRows(const FloatMatrix& x, int64_t depth, int64_t width, uint32_t* HWY_RESTRICT out) {
  constexpr int64_t kAhead = 16;
  for (int64_t r = 0; r < depth; r += 2, out += width)
    for (int64_t c = 0; c < width; c += lanes()) {
      fetch_rows(x, r + kAhead, c);
      hn::StoreU(pairs_of_rows(x, r, c), U(), out + c);
    }
}

constexpr int64_t kSide = 4;  // of the squares that are transposed

#if HWY_TARGET == HWY_SCALAR

void PairsOfColumns(const FloatMatrix& x, int64_t depth, int64_t width, uint32_t* HWY_RESTRICT out) {
  for (int64_t c = 0; c < depth; c += 2, out += width)
    for (int64_t r = 0; r < width; ++r)
      out[r] = hn::GetLane(rounded(elements(x, r, c))) | hn::GetLane(rounded(elements(x, r, c + 1))) << 16;
}

void Transpose(const FloatMatrix& x, int64_t rows, uint16_t* HWY_RESTRICT out) {
  for (int64_t c = 0; c < x.cols; ++c)
    for (int64_t r = 0; r < rows; ++r) out[c * rows + r] = hn::GetLane(round_to_bf16(elements(x, r, c)));
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

// out[c / 2][r] = the pair of columns c and c + 1 of x in row r: [depth / 2, width]
void PairsOfColumns(const FloatMatrix& x, int64_t depth, int64_t width, uint32_t* HWY_RESTRICT out) {
  const U d;
  const int64_t L = lanes();
  HWY_ALIGN uint32_t transposed[kSide * HWY_MAX_BYTES / sizeof(uint32_t)];
  for (int64_t c = 0; c < depth; c += 2 * L)
    for (int64_t r = 0; r < width; r += kSide) {
      hn::Vec<U> v[kSide];
      HWY_UNROLL(4) for (int64_t i = 0; i < kSide; ++i) {
        const auto lower = rounded(elements(x, r + i, c)), upper = rounded(elements(x, r + i, c + L));
        v[i] = hn::Or(hn::ConcatEven(d, upper, lower), hn::ShiftLeft<16>(hn::ConcatOdd(d, upper, lower)));
      }
      transpose(v, transposed);
      for (int64_t i = 0; i < std::min(L, (depth - c) / 2); ++i)
        std::memcpy(out + (c / 2 + i) * width + r, transposed + i * kSide, 16);
    }
}

// out[c][r] = x[r][c]: [x.cols, rows]
void Transpose(const FloatMatrix& x, int64_t rows, uint16_t* HWY_RESTRICT out) {
  constexpr int64_t kTogether = 32;  // of a cache line of the result
  const int64_t L = lanes();
  HWY_ALIGN uint32_t transposed[kSide * HWY_MAX_BYTES / sizeof(uint32_t)];
  for (int64_t first = 0; first < rows; first += kTogether)
    for (int64_t c = 0; c < x.cols; c += L)
      for (int64_t r = first; r < std::min(rows, first + kTogether); r += 2 * kSide) {
        hn::Vec<U> v[kSide];
        HWY_UNROLL(4) for (int64_t i = 0; i < kSide; ++i) {
          fetch_rows(x, r + kTogether + 2 * i, c);
          v[i] = pairs_of_rows(x, r + 2 * i, c);
        }
        transpose(v, transposed);
        for (int64_t i = 0; i < std::min(L, x.cols - c); ++i)
          std::memcpy(out + (c + i) * rows + r, transposed + i * kSide, 16);
      }
}

#endif

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/scratch.h"

namespace lookback::kernels {
HWY_EXPORT(RowToBf16);
HWY_EXPORT(PairsOfRows);
HWY_EXPORT(PairsOfColumns);
HWY_EXPORT(Transpose);

namespace cpu_impl {

constexpr int64_t kGrain = 16384;  // elements that are worth a thread's turn

const uint16_t* to_bf16(const FloatMatrix& x, int64_t rows_made, std::vector<uint16_t>& buffer) {
  const int64_t size = rows_made * x.cols;
  grow(buffer, size);
  uint16_t* out = buffer.data();
  const auto run = &LOOKBACK_BEST(RowToBf16);
  if (x.ld == x.cols) {  // one long row
    parallel_for(x.rows * x.cols, kGrain,
                 [&](int64_t begin, int64_t end) { run(x.data + begin, end - begin, out + begin); });
  } else {
    parallel_for(x.rows, kGrain / x.cols, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) run(x.data + row * x.ld, x.cols, out + row * x.cols);
    });
  }
  std::fill(out + x.rows * x.cols, out + size, uint16_t{0});
  return out;
}

const uint16_t* to_bf16_transposed(const FloatMatrix& x, int64_t rows_made, std::vector<uint16_t>& buffer) {
  grow(buffer, x.cols * rows_made);
  LOOKBACK_BEST(Transpose)(x, rows_made, buffer.data());
  return buffer.data();
}

void to_bf16_pairs(const FloatMatrix& x, bool transposed, const Bf16Blocks& to) {
  const auto run = transposed ? &LOOKBACK_BEST(PairsOfColumns) : &LOOKBACK_BEST(PairsOfRows);
  const int64_t rows = transposed ? x.cols : x.rows, cols = transposed ? x.rows : x.cols;
  constexpr int64_t kRows = 256;  // of a piece of work
  const int64_t across = (cols + to.width - 1) / to.width, down = (to.rows + kRows - 1) / kRows;
  parallel_for(across * down, kGrain / (to.width * kRows) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t column = piece / down * to.width, row = piece % down * kRows;
      FloatMatrix rest{.data = x.data + row * x.ld + column, .rows = rows - row, .cols = cols - column, .ld = x.ld};
      if (transposed) rest.data = x.data + column * x.ld + row, std::swap(rest.rows, rest.cols);
      run(rest, std::min(kRows, to.rows - row), to.width, to.data + (column * to.rows + row * to.width) / 2);
    }
  });
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE

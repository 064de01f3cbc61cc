// Goto and van de Geijn (2008), "Anatomy of high-performance matrix multiplication":
// a panel of b stays in the first cache while the rows of a block of a pass by.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/gemm.cpp"
#include "lookback/kernels/cpu/targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/simd-inl.h"
#include "lookback/kernels/kernels.h"

#ifndef LOOKBACK_GEMM_BLOCK_
#define LOOKBACK_GEMM_BLOCK_
namespace lookback::kernels {

// The part of c that one thread computes; columns start at a panel's border.
struct GemmBlock {
  int64_t row, row_end, panel, panel_end;
};

constexpr int64_t kGemmRows = 192;   // of a, in the second cache
constexpr int64_t kGemmDepth = 256;  // of k; also where partial sums are added to c

}  // namespace lookback::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

// A tile is as many rows by two vectors as the registers hold.
#if HWY_TARGET <= HWY_AVX3
constexpr int kTileRows = 12;
#else
constexpr int kTileRows = 6;
#endif

HWY_INLINE int64_t panel_width() { return 2 * lanes(); }

// c[rows, 2 vectors] (+)= a b over `depth` terms. a: [depth, rows]; b: [depth, panel].
template <int kRows>
void tile(int64_t depth, const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, const Matmul<float>& p, float* c,
          int64_t columns, bool add) {
  const D d;
  const int64_t L = lanes();
  V left[kRows], right[kRows];
  HWY_UNROLL(16) for (int r = 0; r < kRows; ++r) left[r] = right[r] = hn::Zero(d);
  for (int64_t k = 0; k < depth; ++k, a += kRows, b += 2 * L) {
    const V b0 = hn::LoadU(d, b), b1 = hn::LoadU(d, b + L);
    HWY_UNROLL(16) for (int r = 0; r < kRows; ++r) {
      const V ar = hn::Set(d, a[r]);
      left[r] = hn::MulAdd(ar, b0, left[r]);
      right[r] = hn::MulAdd(ar, b1, right[r]);
    }
  }
  HWY_UNROLL(16) for (int r = 0; r < kRows; ++r) {
    float* out = c + r * p.ldc;
    store(add ? hn::Add(load(out, columns), left[r]) : left[r], out, columns);
    if (columns <= L) continue;
    store(add ? hn::Add(load(out + L, columns - L), right[r]) : right[r], out + L, columns - L);
  }
}

// The tile of exactly `rows` rows.
template <int kRows = kTileRows>
HWY_INLINE void any_tile(int64_t rows, int64_t depth, const float* a, const float* b, const Matmul<float>& p, float* c,
                         int64_t columns, bool add) {
  if (rows == kRows) return tile<kRows>(depth, a, b, p, c, columns, add);
  if constexpr (kRows > 1) any_tile<kRows - 1>(rows, depth, a, b, p, c, columns, add);
}

// [depth, rows] of a, from (row, k). A whole tile has a constant number of rows, which compiles better.
template <class Rows>
HWY_INLINE void pack_a_rows(const Matmul<float>& p, int64_t row, Rows rows, int64_t k, int64_t depth, float* out) {
  const int64_t step = p.transpose_a ? p.lda : 1, next = p.transpose_a ? 1 : p.lda;
  const float* from = p.a + row * next + k * step;
  for (int64_t i = 0; i < depth; ++i, from += step, out += rows)
    for (int64_t r = 0; r < rows; ++r) out[r] = from[r * next];
}

void pack_a(const Matmul<float>& p, int64_t row, int64_t rows, int64_t k, int64_t depth, float* out) {
  if (rows == kTileRows)
    pack_a_rows(p, row, std::integral_constant<int64_t, kTileRows>(), k, depth, out);
  else
    pack_a_rows(p, row, rows, k, depth, out);
}

// [depth, panel] of b, from k; columns past the end are zero.
void pack_b(const Matmul<float>& p, int64_t panel, int64_t k, int64_t depth, float* out) {
  const D d;
  const int64_t L = lanes(), W = 2 * L, column = panel * W, columns = std::min(W, p.n - column);
  if (!p.transpose_b) {
    const float* from = p.b + k * p.ldb + column;
    for (int64_t i = 0; i < depth; ++i, from += p.ldb, out += W) {
      hn::StoreU(load(from, columns), d, out);
      hn::StoreU(columns > L ? load(from + L, columns - L) : hn::Zero(d), d, out + L);
    }
    return;
  }
  if (columns < W) std::fill_n(out, depth * W, 0.0f);
  for (int64_t c = 0; c < columns; ++c) {
    const float* from = p.b + (column + c) * p.ldb + k;
    for (int64_t i = 0; i < depth; ++i) out[i * W + c] = from[i];
  }
}

int64_t GemmPanelWidth() { return panel_width(); }

// Packed b: for each stretch of kGemmDepth, its panels one after another.
void GemmPack(const Matmul<float>& p, float* out) {
  const int64_t W = panel_width(), panels = (p.n + W - 1) / W;
  for (int64_t k = 0; k < p.k; k += kGemmDepth) {
    const int64_t depth = std::min(kGemmDepth, p.k - k);
    for (int64_t panel = 0; panel < panels; ++panel, out += depth * W) pack_b(p, panel, k, depth, out);
  }
}

// packed: what GemmPack wrote, or null.
void GemmRun(const Matmul<float>& p, const float* packed, const GemmBlock& block) {
  HWY_ALIGN float a[kGemmRows * kGemmDepth];
  HWY_ALIGN float b[kGemmDepth * 2 * HWY_MAX_BYTES / sizeof(float)];
  const int64_t W = panel_width(), panels = (p.n + W - 1) / W, rows = block.row_end - block.row;
  for (int64_t k = 0; k < p.k; k += kGemmDepth) {
    const int64_t depth = std::min(kGemmDepth, p.k - k);
    const bool add = p.accumulate || k > 0;
    for (int64_t r = 0; r < rows; r += kTileRows)
      pack_a(p, block.row + r, std::min<int64_t>(kTileRows, rows - r), k, depth, a + r * depth);
    for (int64_t panel = block.panel; panel < block.panel_end; ++panel) {
      const float* bp = packed ? packed + k * panels * W + panel * depth * W : b;
      if (!packed) pack_b(p, panel, k, depth, b);
      float* c = p.c + block.row * p.ldc + panel * W;
      for (int64_t r = 0; r < rows; r += kTileRows)
        any_tile(std::min<int64_t>(kTileRows, rows - r), depth, a + r * depth, bp, p, c + r * p.ldc, p.n - panel * W,
                 add);
    }
  }
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/gemm.h"

namespace lookback::kernels {
HWY_EXPORT(GemmPanelWidth);
HWY_EXPORT(GemmPack);
HWY_EXPORT(GemmRun);

namespace cpu_impl {
namespace {

struct Panels final : Packed {
  std::vector<float> data;
};

int64_t up(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }

}  // namespace

std::unique_ptr<Packed> gemm_pack(const Matmul<float>& p, std::unique_ptr<Packed> old) {
  const int64_t W = HWY_DYNAMIC_DISPATCH(GemmPanelWidth)();
  if (!old) old = std::make_unique<Panels>();
  auto& data = static_cast<Panels&>(*old).data;
  data.resize(static_cast<size_t>(up(p.n, W) * W * p.k));
  HWY_DYNAMIC_DISPATCH(GemmPack)(p, data.data());
  return old;
}

void gemm(const Matmul<float>& whole) {
  Matmul<float> p = whole;
  if (p.bias) {
    for (int64_t m = 0; m < p.m; ++m)
      for (int64_t n = 0; n < p.n; ++n) p.c[m * p.ldc + n] = p.bias[n] + (p.accumulate ? p.c[m * p.ldc + n] : 0);
    p.accumulate = true;
  }
  const auto run = &HWY_DYNAMIC_DISPATCH(GemmRun);
  const float* packed = p.packed_b ? static_cast<const Panels*>(p.packed_b)->data.data() : nullptr;
  const int64_t panels = up(p.n, HWY_DYNAMIC_DISPATCH(GemmPanelWidth)()), bands = up(p.m, kGemmRows);
  // A few pieces per thread, each worth one; how c is cut changes no bit of it.
  const int64_t worth = std::max<int64_t>(1, p.m * p.n * p.k / (1 << 17));
  const int64_t pieces = std::min<int64_t>(worth, thread_count() == 1 ? 1 : 3 * thread_count());
  const int64_t wide = up(panels, std::clamp<int64_t>(pieces / bands, 1, panels)), across = up(panels, wide);
  parallel_for(bands * across, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t row = k / across * kGemmRows, panel = k % across * wide;
      run(p, packed, {row, std::min(row + kGemmRows, p.m), panel, std::min(panel + wide, panels)});
    }
  });
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE

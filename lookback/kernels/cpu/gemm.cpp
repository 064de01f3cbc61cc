// Goto and van de Geijn (2008), "Anatomy of high-performance matrix multiplication": a stretch of a panel of b comes
// from L2 while the rows of a band of a pass by, and the next one is fetched there meanwhile. Rows of a
// are read where they lie; only a transposed a, and a b that was not packed, are copied first.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/gemm.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/gemm.h"
#include "lookback/kernels/cpu/simd-inl.h"

#ifndef LOOKBACK_GEMM_BLOCK_
#define LOOKBACK_GEMM_BLOCK_
namespace lookback::kernels {

using cpu_impl::kGemmKC;

constexpr int64_t kGemmMR = 6;
constexpr int64_t kGemmMC = 42 * kGemmMR;  // of a, in L2
constexpr int64_t kGemmNC = 512;           // of a b that is packed on the way, in L2

// A part of c, whose columns are whole panels, and the terms [k, k_end) of its sums.
struct GemmBlock {
  int64_t row, row_end, panel, panel_end, k, k_end;
  const float* b;     // the first panel: [terms, columns of a panel]
  int64_t stride;     // floats from one panel to the next
  const float* next;  // what will be read after it, or null
};

}  // namespace lookback::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

// A tile is as many rows by vectors as the registers hold.
constexpr int kTileRows = kGemmMR;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kTileVectors = 4;
#else
constexpr int kTileVectors = 2;
#endif
constexpr int64_t kAhead = 8;  // terms of a panel that are fetched before their turn
constexpr int64_t kLine = 16;  // floats of a cache line

HWY_INLINE int64_t panel_width() { return kTileVectors * lanes(); }

// What L2 shall hold soon: `lines` lines from `from`.
struct Fetch {
  const float* from = nullptr;
  int64_t lines = 0;
};

// sums[rows, panel] = a b over `depth` terms, in the first kVectors vectors of the panel. b: [depth, panel]. a: [depth,
// kTileRows] side by side, or rows that lie lda apart. It only writes to memory: the compiler keeps all sums in
// registers if nothing else happens around them.
template <int kRows, int kVectors, bool kSideBySide>
HWY_NOINLINE void tile(int64_t depth, const float* HWY_RESTRICT a, int64_t lda, const float* HWY_RESTRICT b,
                       float* HWY_RESTRICT sums, Fetch fetch) {
  const D d;
  const int64_t L = lanes();
  V sum[kRows][kVectors];
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) HWY_UNROLL(4)
  for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  const auto add_term = [&](int64_t k) HWY_ATTR {
    V column[kVectors];
    HWY_UNROLL(4) for (int v = 0; v < kVectors; ++v) {
      column[v] = hn::LoadU(d, b + (k * kTileVectors + v) * L);
      if (v * L % kLine == 0) __builtin_prefetch(b + ((k + kAhead) * kTileVectors + v) * L);
    }
    HWY_UNROLL(8) for (int r = 0; r < kRows; ++r) {
      const V x = hn::Set(d, kSideBySide ? a[k * kTileRows + r] : a[r * lda + k]);
      HWY_UNROLL(4) for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(x, column[v], sum[r][v]);
    }
  };
  int64_t k = 0;
  for (; k < fetch.lines; ++k) {
    __builtin_prefetch(fetch.from + k * kLine, 0, 2);
    add_term(k);
  }
  for (; k < depth; ++k) add_term(k);
  HWY_UNROLL(8)
  for (int r = 0; r < kRows; ++r) HWY_UNROLL(4)
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[r][v], d, sums + (r * kTileVectors + v) * L);
}

// The tile of exactly `rows` rows and, of the panel, the first `vectors`: the last panel may have fewer columns.
template <bool kSideBySide, int kRows = kTileRows, int kVectors = kTileVectors>
HWY_INLINE void any_tile(int64_t rows, int64_t vectors, int64_t depth, const float* a, int64_t lda, const float* b,
                         float* sums, Fetch fetch) {
  if constexpr (kVectors > 1)
    if (vectors < kVectors)
      return any_tile<kSideBySide, kRows, kVectors - 1>(rows, vectors, depth, a, lda, b, sums, fetch);
  if (rows == kRows) return tile<kRows, kVectors, kSideBySide>(depth, a, lda, b, sums, fetch);
  if constexpr (kRows > 1) any_tile<kSideBySide, kRows - 1, kVectors>(rows, vectors, depth, a, lda, b, sums, fetch);
}

// Whatever c holds at a tile is about to be read and written.
HWY_INLINE void fetch_tile(const Matmul<float>& p, int64_t row, int64_t rows, int64_t column) {
  const int64_t columns = std::min(panel_width(), p.n - column);
  for (int64_t r = row; r < row + rows; ++r)
    for (int64_t n = 0; n < columns; n += kLine) __builtin_prefetch(p.c + r * p.ldc + column + n, 1);
}

// c (+)= sums (+ bias) for `columns` of a row. Nothing is asked twice of a whole panel.
template <bool kBias, bool kAdd>
HWY_INLINE void finish_row(const float* HWY_RESTRICT sums, const float* bias, float* HWY_RESTRICT c, int64_t columns) {
  const D d;
  const int64_t L = lanes();
  if (columns == panel_width()) {
    HWY_UNROLL(4) for (int v = 0; v < kTileVectors; ++v) {
      V sum = hn::LoadU(d, sums + v * L);
      if constexpr (kBias) sum = hn::Add(sum, hn::LoadU(d, bias + v * L));
      if constexpr (kAdd) sum = hn::Add(sum, hn::LoadU(d, c + v * L));
      hn::StoreU(sum, d, c + v * L);
    }
    return;
  }
  for (int64_t v = 0; v < columns; v += L) {
    V sum = hn::LoadU(d, sums + v);
    if constexpr (kBias) sum = hn::Add(sum, load(bias + v, columns - v));
    if constexpr (kAdd) sum = hn::Add(sum, load(c + v, columns - v));
    store(sum, c + v, columns - v);
  }
}

// Sums of a tile become part of c.
HWY_INLINE void finish_tile(const Matmul<float>& p, const float* sums, int64_t row, int64_t rows, int64_t column,
                            bool first) {
  const int64_t columns = std::min(panel_width(), p.n - column);
  const bool add = !first || p.accumulate;
  const float* const bias = first && p.bias ? p.bias + column : nullptr;
  const auto finish = bias ? (add ? &finish_row<true, true> : &finish_row<true, false>)
                           : (add ? &finish_row<false, true> : &finish_row<false, false>);
  for (int64_t r = 0; r < rows; ++r) finish(sums + r * panel_width(), bias, p.c + (row + r) * p.ldc + column, columns);
}

// Rows [row, row_end) of a transposed a as tiles one behind the other, each [depth, kTileRows].
void GemmPackA(const Matmul<float>& p, int64_t row, int64_t row_end, int64_t k, int64_t depth,
               float* HWY_RESTRICT out) {
  const hn::CappedTag<float, 8> d8;  // two more than a tile has, which the next term writes over
  const int64_t L8 = static_cast<int64_t>(hn::Lanes(d8));
  constexpr int64_t kTogether = 8;  // terms: few enough for lines that lie a power of two apart to stay
  for (int64_t first = 0; first < depth; first += kTogether) {
    const int64_t end = std::min(depth, first + kTogether);
    for (int64_t r = row; r < row_end; r += kTileRows) {
      float* const to = out + (r - row) * depth;
      // Not the last term, behind which the next tile begins.
      const bool wide = r + 8 <= row_end && end < depth;
      for (int64_t i = first; i < end; ++i) {
        const float* const from = p.a + (k + i) * p.lda + r;
        __builtin_prefetch(from + kTogether * p.lda);  // its line may lie in another page
        if (wide)
          for (int64_t j = 0; j < kTileRows; j += L8) hn::StoreU(hn::LoadU(d8, from + j), d8, to + i * kTileRows + j);
        else
          for (int64_t j = 0; j < std::min<int64_t>(kTileRows, row_end - r); ++j) to[i * kTileRows + j] = from[j];
      }
    }
  }
}

// 4 x 4 of `from`, transposed.
HWY_INLINE void transpose(const float* from, int64_t ld, float* out, int64_t ld_out) {
#if HWY_TARGET == HWY_SCALAR
  for (int64_t i = 0; i < 16; ++i) out[i / 4 * ld_out + i % 4] = from[i % 4 * ld + i / 4];
#else
  const hn::Full128<float> d;
  hn::Vec<hn::Full128<float>> v[4];
  HWY_UNROLL(4) for (int64_t i = 0; i < 4; ++i) v[i] = hn::LoadU(d, from + i * ld);
  transpose_squares(d, v);
  HWY_UNROLL(4) for (int64_t i = 0; i < 4; ++i) hn::StoreU(v[i], d, out + i * ld_out);
#endif
}

int64_t GemmPanelWidth() { return panel_width(); }

// Panels [panel, panel_end) of b, `depth` terms from k on, one behind the other: [depth, panel], zero in columns past
// the end. b is read in the order in which it lies in memory.
void GemmPack(const Matmul<float>& p, int64_t panel, int64_t panel_end, int64_t k, int64_t depth,
              float* HWY_RESTRICT out) {
  const D d;
  const int64_t L = lanes(), W = panel_width(), size = depth * W;
  const int64_t column = panel * W, columns = std::min(panel_end * W, p.n) - column;
  if (!p.transpose_b) {
    const float* from = p.b + k * p.ldb + column;
    for (int64_t i = 0; i < depth; ++i, from += p.ldb) {
      float* to = out + i * W;
      for (int64_t c = 0; c < columns; c += W, to += size)
        for (int64_t v = 0; v < W; v += L)
          hn::StoreU(c + v < columns ? load(from + c + v, columns - c - v) : hn::Zero(d), d, to + v);
    }
    return;
  }
  if (columns % W != 0) std::fill_n(out + columns / W * size, size, 0.0f);
  constexpr int64_t kSide = 4;
  const int64_t whole_depth = depth / kSide * kSide;
  for (int64_t c = 0; c < columns; c += W) {
    const float* const from = p.b + (column + c) * p.ldb + k;
    float* const to = out + c / W * size;
    const int64_t some = std::min(W, columns - c), whole = some / kSide * kSide;
    for (int64_t first = 0; first < whole; first += kLine)
      for (int64_t i = 0; i < whole_depth; i += kSide)
        for (int64_t j = first; j < std::min(first + kLine, whole); j += kSide)
          transpose(from + j * p.ldb + i, p.ldb, to + i * W + j, W);
    for (int64_t j = 0; j < some; ++j)
      for (int64_t i = j < whole ? whole_depth : 0; i < depth; ++i) to[i * W + j] = from[j * p.ldb + i];
  }
}

// copied_a: the block's rows of a transposed a as GemmPackA leaves them, at most kGemmKC terms; else null.
void GemmRun(const Matmul<float>& p, const GemmBlock& block, const float* copied_a) {
  HWY_ALIGN float sums[kTileRows * kTileVectors * HWY_MAX_BYTES / sizeof(float)];
  const int64_t W = panel_width(), rows = block.row_end - block.row, tiles = (rows + kTileRows - 1) / kTileRows;
  for (int64_t k = block.k; k < block.k_end; k += kGemmKC) {
    const int64_t depth = std::min(kGemmKC, block.k_end - k);
    const float* b = block.b + (k - block.k) * W;
    for (int64_t panel = block.panel; panel < block.panel_end; ++panel, b += block.stride) {
      const float* next = block.next;
      if (panel + 1 < block.panel_end)
        next = b + block.stride;
      else if (k + depth < block.k_end)
        next = block.b + (k + depth - block.k) * W;
      const int64_t vectors = std::min<int64_t>(kTileVectors, (p.n - panel * W + lanes() - 1) / lanes());
      int64_t lines = next && tiles > 1 ? depth * W / kLine : 0;  // a single tile is there as soon
      const int64_t lines_of_tile = std::min(depth, (lines + tiles - 1) / tiles);
      for (int64_t r = 0; r < rows; r += kTileRows) {
        const int64_t row = block.row + r, some = std::min<int64_t>(kTileRows, rows - r);
        fetch_tile(p, row, some, panel * W);
        const Fetch fetch{next, std::min(lines_of_tile, lines)};
        next += fetch.lines * kLine, lines -= fetch.lines;
        if (copied_a)
          any_tile<true>(some, vectors, depth, copied_a + r * depth, 0, b, sums, fetch);
        else
          any_tile<false>(some, vectors, depth, p.a + row * p.lda + k, p.lda, b, sums, fetch);
        finish_tile(p, sums, row, some, panel * W, k == 0);
      }
    }
  }
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

#include "lookback/base/ceil_div.h"
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/pages.h"
#include "lookback/kernels/cpu/work_split.h"

namespace lookback::kernels {
HWY_EXPORT(GemmPanelWidth);
HWY_EXPORT(GemmPack);
HWY_EXPORT(GemmPackA);
HWY_EXPORT(GemmRun);

namespace cpu_impl {
namespace {

struct Panels final : Packed {
  std::unique_ptr<Pages> pages;
};

// Products that are worth waking another thread.
constexpr int64_t kWorth = 1 << 16;

// Columns times terms of a piece that is worth being taken by itself: a few microseconds.
constexpr int64_t kPiece = 64 * kGemmKC;

float* grown(std::unique_ptr<Pages>& buffer, int64_t floats) {
  grow(buffer, static_cast<size_t>(floats) * sizeof(float));
  return buffer->as<float>();
}

// All panels of b, `depth` terms from k on.
void pack_panels(const Matmul<float>& p, int64_t k, int64_t depth, float* out) {
  const int64_t W = LOOKBACK_BEST(GemmPanelWidth)();
  const auto pack = &LOOKBACK_BEST(GemmPack);
  const int64_t panels = ceil_div(p.n, W);
  const int64_t parts = panels * W * depth < kWorth ? 1 : std::min<int64_t>(panels, thread_count());
  parallel_for(parts, 1, [&](int64_t part, int64_t) {
    const int64_t begin = panels * part / parts, end = panels * (part + 1) / parts;
    pack(p, begin, end, k, depth, out + begin * depth * W);
  });
}

// The terms [k, k_end) of the sums of a product, and b from k on: panels [terms, columns of a panel], `stride` floats
// from one to the next.
struct PackedTerm {
  Matmul<float> p;
  const float* panels;
  int64_t stride, k, k_end;
};

// How c is cut, which changes no bit of it: into units, bands of rows by groups of panels; and those into pieces, one
// tile high. All units have as many pieces, the last ones perhaps beyond the end of c.
struct Blocking {
  int64_t panels, group, groups, bands, unit;  // panels of a group, pieces of a unit

  // parts: threads; terms: of a sum
  Blocking(const Matmul<float>& p, int64_t parts, int64_t terms) {
    const int64_t W = LOOKBACK_BEST(GemmPanelWidth)();
    panels = ceil_div(p.n, W);
    group = parts == 1 ? panels : std::clamp<int64_t>(kPiece / (W * terms), 1, panels);
    groups = ceil_div(panels, group);
    bands = ceil_div(p.m, kGemmMC);
    unit = ceil_div(ceil_div(p.m, kGemmMR), bands);
  }
};

// What a thread works on, together with another one or alone.
struct Worker {
  WorkSplit& split;
  WorkSplit::End from;
  Pieces all;     // of both
  int64_t least;  // pieces to take
  float* copy_a;  // [kGemmMC, kGemmKC] for a transposed a, else null
};

void run_worker(std::span<const PackedTerm> products, const Blocking& blocking, const Worker& worker) {
  const auto run = &LOOKBACK_BEST(GemmRun);
  const auto pack_a = &LOOKBACK_BEST(GemmPackA);
  const PackedTerm& first = products[0];
  const int64_t m = first.p.m, depth = first.k_end - first.k;
  int64_t copied_band = -1;
  while (true) {
    const Pieces mine = worker.split.take(worker.from, blocking.unit, worker.least);
    if (mine.empty()) return;
    const int64_t unit = mine.begin / blocking.unit, band = unit / blocking.groups,
                  panel = unit % blocking.groups * blocking.group;
    const int64_t top = band * blocking.unit * kGemmMR, begin = top + mine.begin % blocking.unit * kGemmMR;
    const int64_t end = std::min(m, begin + (mine.end - mine.begin) * kGemmMR);
    if (begin >= end) continue;
    if (worker.copy_a && copied_band != band) {
      pack_a(first.p, top, std::min(m, top + blocking.unit * kGemmMR), first.k, depth, worker.copy_a);
      copied_band = band;
    }
    const int64_t next_piece = worker.from == WorkSplit::End::lower ? mine.end : mine.begin - 1;
    const bool goes_on =
        worker.all.begin <= next_piece && next_piece < worker.all.end && next_piece / blocking.unit != unit;
    for (auto s = products.begin(); s != products.end(); ++s) {
      const float* next = nullptr;
      if (s + 1 != products.end())
        next = s[1].panels + panel * s[1].stride;
      else if (goes_on)
        next = first.panels + next_piece / blocking.unit % blocking.groups * blocking.group * first.stride;
      run(s->p,
          {.row = begin,
           .row_end = end,
           .panel = panel,
           .panel_end = std::min(panel + blocking.group, blocking.panels),
           .k = s->k,
           .k_end = s->k_end,
           .b = s->panels + panel * s->stride,
           .stride = s->stride,
           .next = next},
          worker.copy_a ? worker.copy_a + (begin - top) * depth : nullptr);
    }
  }
}

// Products with one c. Threads share it in pairs.
void run_blocks(std::span<const PackedTerm> products) {
  const Matmul<float>& p = products[0].p;
  int64_t terms = 0;
  for (const PackedTerm& s : products) terms += s.k_end - s.k;
  const int64_t worth = ceil_div(p.m, kGemmMR) * p.n * terms / kWorth;
  const int64_t parts = std::clamp<int64_t>(worth, 1, thread_count()), pairs = ceil_div(parts, 2);
  const Blocking blocking(p, parts, terms);
  constexpr int64_t kCopy = kGemmMC * kGemmKC;
  thread_local std::unique_ptr<Pages> copies;
  float* const copy_a = p.transpose_a ? grown(copies, parts * kCopy) : nullptr;
  thread_local std::vector<WorkSplit> kept_splits;
  if (std::ssize(kept_splits) < pairs) kept_splits = std::vector<WorkSplit>(static_cast<size_t>(pairs));
  WorkSplit* const splits = kept_splits.data();
  const auto begin_of = [&](int64_t pair) {
    return blocking.bands * blocking.groups * std::min(2 * pair, parts) / parts * blocking.unit;
  };
  for (int64_t pair = 0; pair < pairs; ++pair) splits[pair].reset({begin_of(pair), begin_of(pair + 1)});
  parallel_for(parts, 1, [&](int64_t part, int64_t) {
    const int64_t pair = part / 2;
    const bool alone = part % 2 == 0 && part + 1 == parts;
    run_worker(products, blocking,
               {.split = splits[pair],
                .from = part % 2 ? WorkSplit::End::upper : WorkSplit::End::lower,
                .all = {begin_of(pair), begin_of(pair + 1)},
                .least = alone ? blocking.unit : 1,
                .copy_a = copy_a ? copy_a + part * kCopy : nullptr});
  });
}

PackedTerm whole(const Matmul<float>& p) {
  const float* const panels = static_cast<const Panels*>(p.packed_b)->pages->as<float>();
  return {p, panels, p.k * LOOKBACK_BEST(GemmPanelWidth)(), 0, p.k};
}

}  // namespace

std::unique_ptr<Packed> gemm_pack(const Matmul<float>& p, std::unique_ptr<Packed> old) {
  const int64_t W = LOOKBACK_BEST(GemmPanelWidth)();
  if (!old) old = std::make_unique<Panels>();
  auto& pages = static_cast<Panels&>(*old).pages;
  pack_panels(p, 0, p.k, grown(pages, ceil_div(p.n, W) * W * p.k));
  return old;
}

void gemm(const Matmul<float>& p) {
  if (p.packed_b && !p.transpose_a) return gemm_sum({&p, 1});
  const int64_t W = LOOKBACK_BEST(GemmPanelWidth)();
  // A transposed a is copied for every block of b, so there is one block of columns.
  const int64_t columns = p.transpose_a ? p.n : kGemmNC;
  thread_local std::unique_ptr<Pages> buffer;
  for (int64_t column = 0; column < p.n; column += columns) {
    Matmul<float> some = p;
    some.n = std::min(columns, p.n - column);
    some.b += p.transpose_b ? column * p.ldb : column, some.c += column;
    if (p.bias) some.bias += column;
    for (int64_t k = 0; k < p.k; k += kGemmKC) {
      const int64_t depth = std::min(kGemmKC, p.k - k);
      float* const panels = grown(buffer, ceil_div(some.n, W) * W * depth);
      pack_panels(some, k, depth, panels);
      const PackedTerm term{some, panels, depth * W, k, k + depth};
      run_blocks({&term, 1});
    }
  }
}

void gemm_sum(std::span<const Matmul<float>> products) {
  thread_local std::vector<PackedTerm> all;
  all.clear();
  for (const Matmul<float>& p : products) all.push_back(whole(p));
  run_blocks(all);
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE

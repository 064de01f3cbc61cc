#include "lookback/kernels/cpu/narrow_product.h"

#include <atomic>
#include <cstddef>

#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/bf16.h"
#include "lookback/kernels/cpu/int8.h"
#include "lookback/kernels/cpu/narrow_kernels.h"

namespace lookback::kernels::cpu_impl {
namespace {

constexpr int64_t kLine = 16;        // words of a cache line
constexpr int64_t kBandRows = 192;   // of the left factor, of which kBf16Terms stay in L2
constexpr int64_t kWorth = 1 << 16;  // words that are worth waking the other threads, for each tile of rows
constexpr int64_t kTurns = 8;        // of a thread in a product, so that the faster one takes more of them
// So many words of few rows only pass through the caches. Memory serves no two threads alike, so they share what there
// is to do as they go.
constexpr int64_t kPassing = 1 << 19;

// How c is cut, which changes no bit of it: into bands of rows by blocks of columns.
struct Cut {
  int64_t tiles, blocks, band, bands;  // rows of a band

  Cut(int64_t m, int64_t n, int64_t tile_rows, bool shared)
      : tiles(ceil_div(m, tile_rows)), blocks(ceil_div(n, kBlock)) {
    int64_t wanted = ceil_div(m, kBandRows);
    if (shared) wanted = std::max(wanted, ceil_div(2 * int64_t{thread_count()}, blocks));  // a narrow c
    band = ceil_div(tiles, std::min(tiles, wanted)) * tile_rows;
    bands = ceil_div(m, band);
  }
  int64_t pieces() const { return bands * blocks; }
};

// Words of a column whose sums are made from zero.
int64_t stretch_of(const NarrowProduct& p) {
  return p.b->precision == Precision::int8 ? p.b->words : words_of(Precision::bf16, kBf16Terms);
}

// Sums of a tile, of the first stretch or a later one, become part of c.
void finish(const NarrowProduct& p, const void* sums, int64_t row, int64_t rows, int64_t block, bool first) {
  const int64_t column = block * kBlock, columns = std::min(kBlock, p.n - column);
  const float* const bias = first && p.bias ? p.bias + column : nullptr;
  float* const c = p.c + row * p.ldc + column;
  if (p.b->precision == Precision::bf16)
    return from_bf16({.sums = static_cast<const float*>(sums), .m = rows, .n = columns, .ld = kBlock, .bias = bias}, c,
                     p.ldc, p.accumulate || !first);
  const auto* const whole = static_cast<const int32_t*>(sums);
  if (p.sums) {
    for (int64_t r = 0; r < rows; ++r) std::copy_n(whole + r * kBlock, columns, p.sums + (row + r) * p.n + column);
    return;
  }
  from_int8({.sums = whole,
             .m = rows,
             .n = columns,
             .ld = kBlock,
             .a_scales = p.a_scales + row,
             .b_scales = p.b->scales.data() + column,
             .bias = bias},
            c, p.ldc, p.accumulate);
}

// Whatever c holds at a tile is about to be read and written.
void fetch_c(const NarrowProduct& p, int64_t row, int64_t rows, int64_t block) {
  if (p.sums) return;
  for (int64_t r = row; r < row + rows; ++r)
    for (int64_t c = block * kBlock; c < std::min(p.n, (block + 1) * kBlock); c += kLine)
      __builtin_prefetch(p.c + r * p.ldc + c, 1);
}

// Rows [begin, end) of a block of c, and meanwhile block `after` of the right factor is fetched, if there is one.
void run_piece(const NarrowProduct& p, const NarrowKernel& kernel, int64_t begin, int64_t end, int64_t block,
               int64_t after) {
  alignas(64) std::byte sums[kMostTileRows * kBlock * sizeof(float)];
  const NarrowBlocks& b = *p.b;
  const NarrowOrder order{.rows = p.m, .words = b.words, .group = kernel.group};
  const int64_t words = words_of(b.precision, p.k), stretch = stretch_of(p), tiles = ceil_div(end - begin, kernel.rows);
  const int64_t blocks = ceil_div(p.n, kBlock);
  NarrowTile tile{.row = kernel.group == 1 ? order.words : kStep, .sums = sums};
  if (!b.compensation.empty()) tile.compensation = b.compensation.data() + block * kBlock;
  for (int64_t at = 0; at < words; at += stretch) {
    const bool last = at + stretch >= words;
    tile.words = std::min(stretch, words - at);
    tile.b = b.block(block) + at * kBlock;
    tile.next = last ? b.block(after) : tile.b + stretch * kBlock;
    int64_t lines =
        last && after >= blocks ? 0 : std::min(stretch, last ? words : words - at - stretch) * kBlock / kLine;
    const int64_t lines_of_tile = ceil_div(lines, tiles);
    for (int64_t row = begin; row < end; row += kernel.rows) {
      const int64_t rows = std::min(kernel.rows, end - row);
      tile.step = order.stride(row);
      tile.a = p.a + order.start(row) + at / kStep * tile.step;
      tile.lines = std::min(lines, lines_of_tile);
      fetch_c(p, row, rows, block);
      kernel.run(rows, tile);
      finish(p, sums, row, rows, block, at == 0);
      tile.next += tile.lines * kLine, lines -= tile.lines;
    }
  }
}

}  // namespace

NarrowOrder narrow_order(Precision p, int64_t rows, int64_t k) {
  return {.rows = rows, .words = whole_steps(words_of(p, k)), .group = narrow_kernel(p).group};
}

int64_t narrow_rows(Precision p, int64_t most) {
  const int64_t rows = narrow_kernel(p).rows;
  return std::max<int64_t>(1, most / rows) * rows;
}

void narrow_product(std::span<const NarrowProduct> products) {
  const NarrowProduct& first = products[0];
  const NarrowKernel& kernel = narrow_kernel(first.b->precision);
  const int64_t blocks = ceil_div(first.n, kBlock), tiles = ceil_div(first.m, kernel.rows);
  int64_t words = 0;
  for (const NarrowProduct& p : products) words += blocks * p.b->words * kBlock;
  const bool shared = words * tiles >= kWorth && thread_count() > 1;
  const Cut cut(first.m, first.n, kernel.rows, shared);
  const auto run = [&](int64_t piece, int64_t after) {
    const int64_t begin = piece / blocks * cut.band, end = std::min(first.m, begin + cut.band), block = piece % blocks;
    const int64_t next = after < cut.pieces() ? after % blocks : blocks;
    for (const NarrowProduct& p : products) run_piece(p, kernel, begin, end, block, next);
  };
  const auto done = [&] {
    if (kernel.done) kernel.done();
  };
  if (tiles > 1 || words < kPassing) {  // a thread's blocks lie one behind the other, perhaps still in its cache
    const int64_t turn = shared ? ceil_div(cut.pieces(), kTurns * thread_count()) : cut.pieces();
    parallel_for(cut.pieces(), turn, [&](int64_t begin, int64_t end) {
      for (int64_t piece = begin; piece < end; ++piece) run(piece, piece + 1);
      done();
    });
    return;
  }
  std::atomic<int64_t> taken = 0;
  parallel_for(std::min<int64_t>(cut.pieces(), thread_count()), 1, [&](int64_t, int64_t) {
    for (int64_t piece = taken++, after; piece < cut.pieces(); piece = after) after = taken++, run(piece, after);
    done();
  });
}

}  // namespace lookback::kernels::cpu_impl

// Skip-gram with negative sampling. Rows are cut into slices of columns: of every slice the parts of the dot products,
// then, with these added up, the updates. So a thread meets the same columns of both tables again and again, and no
// two threads write to one line of memory.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/skip_gram.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/simd-inl.h"
#include "lookback/kernels/kernels.h"

#ifndef LOOKBACK_SKIP_GRAM_ONCE
#define LOOKBACK_SKIP_GRAM_ONCE
namespace lookback::kernels {

// Columns whose products are added up before those of the next ones come.
constexpr int64_t kSlice = 64;

struct SkipGramColumns {
  int64_t begin, end;  // multiples of 16
};

// Where the sums of a window begin in those of a slice: a place for each pair of its inputs and outputs, and some that
// are written with the last of them.
inline int64_t sums_begin(const SkipGram<float>& a, int64_t n) { return (a.begin[n] - a.begin[0]) * a.T + n * 16; }

}  // namespace lookback::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

constexpr int kTileOutputs = 3, kTileInputs = kParts == 1 ? 2 : 1;

// The products of I inputs and J outputs over columns [0, n), a multiple of sixteen: four sums each, at quads + 4 k for
// output k of the first input, and `next` numbers further for the second.
template <int I, int J>
HWY_INLINE void product_tile(const float* const* x, const float* const* y, int64_t n, float* quads, int64_t next) {
  const D d;
  Wide sum[I][J];
  for (int64_t k = 0; k < n; k += kWide)
    each_part([&](int p, int64_t at) HWY_ATTR {
      V left[I], right[J];
      HWY_UNROLL(2) for (int i = 0; i < I; ++i) left[i] = hn::LoadU(d, x[i] + k + at);
      HWY_UNROLL(3) for (int j = 0; j < J; ++j) right[j] = hn::LoadU(d, y[j] + k + at);
      HWY_UNROLL(2)
      for (int i = 0; i < I; ++i)
        HWY_UNROLL(3) for (int j = 0; j < J; ++j) sum[i][j].part[p] = hn::MulAdd(left[i], right[j], sum[i][j].part[p]);
    });
  HWY_UNROLL(2)
  for (int i = 0; i < I; ++i) HWY_UNROLL(3) for (int j = 0; j < J; ++j) store_four(sum[i][j], quads + i * next + 4 * j);
}

template <int I>
HWY_INLINE void products_of(const float* const* x, const float* const* y, int64_t T, int64_t n, float* quads) {
  int64_t k = 0;
  for (; k + kTileOutputs <= T; k += kTileOutputs) product_tile<I, 3>(x, y + k, n, quads + 4 * k, 4 * T);
  if (T - k == 2) product_tile<I, 2>(x, y + k, n, quads + 4 * k, 4 * T);
  if (T - k == 1) product_tile<I, 1>(x, y + k, n, quads + 4 * k, 4 * T);
}

// Of window n the sums over some columns; quads has room for four numbers a pair and 64 more.
void SkipGramSums(const SkipGram<float>& a, int64_t n, SkipGramColumns columns, float* quads, float* sums) {
  const D d;
  const int32_t *inputs = a.inputs + a.begin[n], *outputs = a.outputs + n * a.T;
  const int64_t C = a.begin[n + 1] - a.begin[n], T = a.T, w = columns.begin, size = columns.end - w;
  const float* y[SkipGram<float>::kMostTargets];
  for (int64_t k = 0; k < T; ++k) y[k] = a.out + outputs[k] * a.W + w;
  int64_t c = 0;
  for (; c + kTileInputs <= C; c += kTileInputs) {
    const float* x[kTileInputs];
    for (int i = 0; i < kTileInputs; ++i) x[i] = a.in + inputs[c + i] * a.W + w;
    products_of<kTileInputs>(x, y, T, size, quads + 4 * c * T);
  }
  for (; c < C; ++c) {
    const float* const x = a.in + inputs[c] * a.W + w;
    products_of<1>(&x, y, T, size, quads + 4 * c * T);
  }
  for (int64_t k = 0; k < C * T; k += lanes()) {
    V s0, s1, s2, s3;
    hn::LoadInterleaved4(d, quads + 4 * k, s0, s1, s2, s3);
    hn::StoreU(hn::Add(hn::Add(s0, s2), hn::Add(s1, s3)), d, sums + k);
  }
}

// The errors of a window's C inputs from the sums of its slices, which are `next` apart.
void SkipGramErrors(const SkipGram<float>& a, int64_t C, const float* sums, int64_t next, float* errors) {
  const D d;
  const int64_t slices = (a.W + kSlice - 1) / kSlice, pairs = C * a.T;
  const V rate = hn::Set(d, -a.rate);
  for (int64_t k = 0; k < pairs; k += lanes()) {
    V dot = hn::LoadU(d, sums + k);
    for (int64_t s = 1; s < slices; ++s) dot = hn::Add(dot, hn::LoadU(d, sums + s * next + k));
    store(hn::Mul(rate, sigmoid(dot)), errors + k, pairs - k);
  }
  for (int64_t c = 0; c < C; ++c) errors[c * a.T] += a.rate;
}

// One vector of columns of what a window does to both tables.
struct ColumnUpdate {
  const SkipGram<float>& a;
  const int32_t *inputs, *outputs;
  int64_t C, w;
  const float* errors;
  V *dx, *dy;  // what its inputs and outputs get

  // What outputs k to k + J get, and what the inputs get from them, on top of what they have from those before.
  template <int J>
  HWY_INLINE void add_outputs(int64_t k) {
    const D d;
    V y[J], sum[J];
    HWY_UNROLL(6)
    for (int j = 0; j < J; ++j) y[j] = hn::LoadU(d, a.out + outputs[k + j] * a.W + w), sum[j] = hn::Zero(d);
    for (int64_t c = 0; c < C; ++c) {
      const V x = hn::LoadU(d, a.in + inputs[c] * a.W + w);
      V of_input = k == 0 ? hn::Zero(d) : dx[c];
      HWY_UNROLL(6)
      for (int j = 0; j < J; ++j) {
        const V e = hn::Set(d, errors[c * a.T + k + j]);
        of_input = hn::MulAdd(e, y[j], of_input);
        sum[j] = hn::MulAdd(e, x, sum[j]);
      }
      dx[c] = of_input;
    }
    HWY_UNROLL(6) for (int j = 0; j < J; ++j) dy[k + j] = sum[j];
  }
};

HWY_INLINE void add_to_rows(const V* gains, const int32_t* ids, int64_t n, float* table, int64_t W) {
  for (int64_t k = 0; k < n; ++k) {
    float* const row = table + ids[k] * W;
    hn::StoreU(hn::Add(hn::LoadU(D(), row), gains[k]), D(), row);
  }
}

void SkipGramUpdate(const SkipGram<float>& a, int64_t n, SkipGramColumns columns, const float* errors) {
  V dx[SkipGram<float>::kMostInputs], dy[SkipGram<float>::kMostTargets];
  ColumnUpdate u{a, a.inputs + a.begin[n], a.outputs + n * a.T, a.begin[n + 1] - a.begin[n], 0, errors, dx, dy};
  for (u.w = columns.begin; u.w < columns.end; u.w += lanes()) {
    int64_t k = 0;
    for (; k + 6 <= a.T; k += 6) u.add_outputs<6>(k);
    for (; k + 2 <= a.T; k += 2) u.add_outputs<2>(k);
    if (k < a.T) u.add_outputs<1>(k);
    add_to_rows(dx, u.inputs, u.C, a.in + u.w, a.W);
    add_to_rows(dy, u.outputs, a.T, a.out + u.w, a.W);
  }
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/cpu.h"
#include "lookback/kernels/cpu/scratch.h"

namespace lookback::kernels {
HWY_EXPORT(SkipGramSums);
HWY_EXPORT(SkipGramErrors);
HWY_EXPORT(SkipGramUpdate);

namespace cpu_impl {

void skip_gram(const SkipGram<float>& a) {
  if (a.N == 0) return;
  constexpr int64_t kChunk = 16;  // windows that a thread takes at a time
  const auto sums_of = &LOOKBACK_BEST(SkipGramSums);
  const auto errors_of = &LOOKBACK_BEST(SkipGramErrors);
  const auto update = &LOOKBACK_BEST(SkipGramUpdate);
  const int64_t slices = (a.W + kSlice - 1) / kSlice, chunks = (a.N + kChunk - 1) / kChunk, next = sums_begin(a, a.N);
  thread_local std::vector<float> all_sums;
  grow(all_sums, slices * next);
  float* const sums = all_sums.data();
  parallel_for(slices * chunks, 1, [&](int64_t task, int64_t) {
    const int64_t slice = task / chunks, chunk = task % chunks, w = slice * kSlice;
    thread_local std::vector<float> quads;
    for (int64_t n = chunk * kChunk; n < std::min(a.N, (chunk + 1) * kChunk); ++n) {
      grow(quads, 4 * (a.begin[n + 1] - a.begin[n]) * a.T + 64);
      sums_of(a, n, {w, std::min(a.W, w + kSlice)}, quads.data(), sums + slice * next + sums_begin(a, n));
    }
  });
  // An element is updated the same way wherever the columns are cut.
  const int64_t groups = a.W / 16, parts = std::min<int64_t>(groups, thread_count());
  parallel_for(parts, 1, [&](int64_t part, int64_t) {
    thread_local std::vector<float> own;
    const SkipGramColumns columns{groups * part / parts * 16, groups * (part + 1) / parts * 16};
    for (int64_t n = 0; n < a.N; ++n) {
      const int64_t C = a.begin[n + 1] - a.begin[n];
      grow(own, C * a.T);
      float* const errors = part == 0 ? a.errors + (a.begin[n] - a.begin[0]) * a.T : own.data();
      errors_of(a, C, sums + sums_begin(a, n), next, errors);
      update(a, n, columns, errors);
    }
  });
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif

// Losses, activations and the moving of rows.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/elementwise.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/simd-inl.h"
#include "lookback/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

void SoftmaxXentRow(const SoftmaxXent<float>& a, int64_t n) {
  const D d;
  float* x = a.logits + n * a.V;
  const int64_t y = a.targets[n];
  V top_lanes = hn::Set(d, x[0]);
  for (int64_t v = 0; v + lanes() <= a.V; v += lanes()) top_lanes = hn::Max(top_lanes, hn::LoadU(d, x + v));
  float top = hn::GetLane(hn::MaxOfLanes(d, top_lanes));
  for (int64_t v = a.V / lanes() * lanes(); v < a.V; ++v) top = std::max(top, x[v]);
  a.correct[n] = std::find(x, x + a.V, top) - x == y;
  const float target = x[y] - top;
  Wide sums, shifted_sums;
  each_of_row(0, a.V, [&](int p, int64_t v, int64_t left) HWY_ATTR {
    const V s = hn::Sub(load(x + v, left), hn::Set(d, top)), e = exp(s);
    if (a.want_grad) store(e, x + v, left);
    sums.part[p] = hn::Add(sums.part[p], first_of(e, left));
    shifted_sums.part[p] = hn::Add(shifted_sums.part[p], first_of(s, left));
  });
  const double sum = sum_of(sums), shifted = sum_of(shifted_sums);
  const double lse = elementary::log(sum), classes = static_cast<double>(a.V);
  a.nlls[n] = lse - target;
  a.losses[n] = (1 - a.smoothing) * a.nlls[n] + a.smoothing * (lse - shifted / classes);
  if (!a.want_grad) return;
  // forward: loss = lse - (1-e) x[y] - e/V sum_v x[v]
  const V factor = hn::Set(d, static_cast<float>(a.scale / sum));
  const V flat = hn::Set(d, static_cast<float>(a.scale * a.smoothing / classes));
  for (int64_t v = 0; v < a.V; v += lanes()) store(hn::MulSub(load(x + v, a.V - v), factor, flat), x + v, a.V - v);
  x[y] -= static_cast<float>(a.scale * (1 - a.smoothing));
}

// e^x - 1 below 0: absolute error below 1e-7.
HWY_INLINE V elu(V x) {
  const V zero = hn::Zero(D());
  const V below = hn::Sub(exp_of_number(hn::Min(x, zero)), hn::Set(D(), 1.0f));
  return keep_nan(x, hn::IfThenElse(hn::Gt(x, zero), x, below));
}

void UnaryBlock(const UnaryForward<float>& a, int64_t begin, int64_t end) {
  for (int64_t k = begin; k < end; k += lanes()) {
    const V x = load(a.x + k, end - k);
    const V y = a.kind == Unary::tanh      ? tanh(x)
                : a.kind == Unary::sigmoid ? sigmoid(x)
                : a.kind == Unary::relu    ? keep_nan(x, hn::Max(x, hn::Zero(D())))
                                           : elu(x);
    store(y, a.y + k, end - k);
  }
}

void GluRow(const Glu<float>& a, int64_t n) {
  const float *value = a.x + n * 2 * a.C, *gate = value + a.C;
  for (int64_t c = 0; c < a.C; c += lanes()) {
    const int64_t left = a.C - c;
    const V addend = a.addend ? load(a.addend + n * a.C + c, left) : hn::Zero(D());
    store(hn::MulAdd(load(value + c, left), sigmoid(load(gate + c, left)), addend), a.y + n * a.C + c, left);
  }
}

void GluRowBackward(const GluBackward<float>& a, int64_t n) {
  const int64_t C = a.f.C;
  const float *value = a.f.x + n * 2 * C, *gate = value + C;
  float *dvalue = a.dx + n * 2 * C, *dgate = dvalue + C;
  for (int64_t c = 0; c < C; c += lanes()) {
    const int64_t left = C - c;
    // forward: y = addend + value * sigmoid(gate)
    const V dy = load(a.dy + n * C + c, left), s = sigmoid(load(gate + c, left));
    const V rest = hn::Sub(hn::Set(D(), 1.0f), s);
    V dv = hn::Mul(dy, s), dg = hn::Mul(hn::Mul(dv, rest), load(value + c, left));
    if (a.accumulate) dv = hn::Add(load(dvalue + c, left), dv), dg = hn::Add(load(dgate + c, left), dg);
    store(dv, dvalue + c, left);
    store(dg, dgate + c, left);
  }
}

void AxpyBlock(const Axpy<float>& a, int64_t begin, int64_t end) {
  axpy_row(a.alpha, a.x + begin, a.y + begin, end - begin);
}

// sums[c] += x[n,c] for rows n to n_end, one after another, of columns c to c_end.
void AddRows(const ColumnSums<float>& a, int64_t n, int64_t n_end, int64_t c, int64_t c_end) {
  for (; c < c_end; c += lanes()) {
    const int64_t left = c_end - c;
    V sum = load(a.sums + c, left);
    for (int64_t row = n; row < n_end; ++row) sum = hn::Add(sum, load(a.x + row * a.ldx + c, left));
    store(sum, a.sums + c, left);
  }
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "lookback/base/elementary.h"
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/cpu.h"

namespace lookback::kernels {
HWY_EXPORT(SoftmaxXentRow);
HWY_EXPORT(UnaryBlock);
HWY_EXPORT(GluRow);
HWY_EXPORT(GluRowBackward);
HWY_EXPORT(AxpyBlock);
HWY_EXPORT(AddRows);

namespace cpu_impl {
namespace {

constexpr int64_t kBlock = 8192;    // elements a thread takes at a time
constexpr int64_t kRowsAtOnce = 8;  // that are added up while the sums stay in registers

int64_t rows_per_block(int64_t width) { return std::max<int64_t>(1, kBlock / std::max<int64_t>(1, width)); }

}  // namespace

void softmax_xent(const SoftmaxXent<float>& a) {
  const auto row = &LOOKBACK_BEST(SoftmaxXentRow);
  parallel_for(a.N, rows_per_block(a.V), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) row(a, n);
  });
}

void unary(const UnaryForward<float>& a) {
  const auto block = &LOOKBACK_BEST(UnaryBlock);
  parallel_for(a.size, kBlock, [&](int64_t begin, int64_t end) { block(a, begin, end); });
}

void unary_backward(const UnaryBackward<float>& a) {
  parallel_for(a.f.size, kBlock, [&](int64_t begin, int64_t end) {
    const float *y = a.f.y, *dy = a.dy;
    float* dx = a.dx;
    switch (a.f.kind) {
      case Unary::tanh:
        for (int64_t k = begin; k < end; ++k) dx[k] += dy[k] * (1 - y[k] * y[k]);
        break;
      case Unary::sigmoid:
        for (int64_t k = begin; k < end; ++k) dx[k] += dy[k] * (y[k] * (1 - y[k]));
        break;
      case Unary::relu:
        for (int64_t k = begin; k < end; ++k) dx[k] += y[k] > 0 ? dy[k] : 0.0f;
        break;
      case Unary::elu:
        for (int64_t k = begin; k < end; ++k) dx[k] += dy[k] * (y[k] > 0 ? 1.0f : 1.0f + y[k]);
        break;
    }
  });
}

void glu(const Glu<float>& a) {
  const auto row = &LOOKBACK_BEST(GluRow);
  parallel_for(a.N, rows_per_block(2 * a.C), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) row(a, n);
  });
}

void glu_backward(const GluBackward<float>& a) {
  const auto row = &LOOKBACK_BEST(GluRowBackward);
  parallel_for(a.f.N, rows_per_block(2 * a.f.C), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) row(a, n);
  });
}

void gather_rows(const GatherRows<float>& a) {
  parallel_for(a.N, rows_per_block(a.C), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      if (a.ids[n] < 0)
        std::fill_n(a.out + n * a.C, a.C, 0.0f);
      else
        std::copy_n(a.table + a.ids[n] * a.C, a.C, a.out + n * a.C);
    }
  });
}

// Columns are dealt out, not rows: two rows may add to one row of the table.
void scatter_rows(const ScatterRows<float>& a) {
  parallel_for(a.C, 64, [&](int64_t begin, int64_t end) {
    for (int64_t n = 0; n < a.N; ++n) {
      if (a.ids[n] < 0) continue;
      float* out = a.table + a.ids[n] * a.C;
      const float* row = a.rows + n * a.C;
      for (int64_t k = begin; k < end; ++k) out[k] += row[k];
    }
  });
}

void axpy(const Axpy<float>& a) {
  const auto block = &LOOKBACK_BEST(AxpyBlock);
  parallel_for(a.size, kBlock, [&](int64_t begin, int64_t end) { block(a, begin, end); });
}

void column_sums(const ColumnSums<float>& a) {
  const auto add = &LOOKBACK_BEST(AddRows);
  parallel_for(a.C, 512, [&](int64_t begin, int64_t end) {
    for (int64_t n = 0; n < a.N; n += kRowsAtOnce) add(a, n, std::min(a.N, n + kRowsAtOnce), begin, end);
  });
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE

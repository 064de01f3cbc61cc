// Layer normalisation. Rows run side by side; the gradients of gamma and beta sum
// over rows, so there columns run side by side and rows come in their order.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/layer_norm.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/simd-inl.h"
#include "lookback/kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

void LayerNormRow(const LayerNorm<float>& a, int64_t n) {
  const D d;
  const int64_t C = a.C;
  const float* x = a.x + n * C;
  Wide sum, squares;
  each_of_row(0, C,
              [&](int p, int64_t k, int64_t left) HWY_ATTR { sum.part[p] = hn::Add(sum.part[p], load(x + k, left)); });
  const float mean = sum_of(sum) / static_cast<float>(C);
  const V middle = hn::Set(d, mean);
  each_of_row(0, C, [&](int p, int64_t k, int64_t left) HWY_ATTR {
    const V off = first_of(hn::Sub(load(x + k, left), middle), left);
    squares.part[p] = hn::MulAdd(off, off, squares.part[p]);
  });
  const float inverse_std = 1 / std::sqrt(sum_of(squares) / static_cast<float>(C) + a.epsilon);
  a.mean[n] = mean;
  a.inverse_std[n] = inverse_std;
  const V scale = hn::Set(d, inverse_std);
  for (int64_t k = 0; k < C; k += lanes()) {
    const int64_t left = C - k;
    const V normal = hn::Mul(hn::Sub(load(x + k, left), middle), scale);
    store(hn::MulAdd(load(a.gamma + k, left), normal, load(a.beta + k, left)), a.y + n * C + k, left);
  }
}

void LayerNormRowBackward(const LayerNormBackward<float>& a, int64_t n) {
  const D d;
  const int64_t C = a.f.C;
  const float *x = a.f.x + n * C, *dy = a.dy + n * C;
  const V mean = hn::Set(d, a.f.mean[n]), inverse_std = hn::Set(d, a.f.inverse_std[n]);
  Wide sum, projected;
  each_of_row(0, C, [&](int p, int64_t k, int64_t left) HWY_ATTR {
    const V normal = hn::Mul(hn::Sub(load(x + k, left), mean), inverse_std);
    const V dn = hn::Mul(load(dy + k, left), load(a.f.gamma + k, left));
    sum.part[p] = hn::Add(sum.part[p], dn);
    projected.part[p] = hn::MulAdd(dn, normal, projected.part[p]);
  });
  const V flat = hn::Set(d, sum_of(sum) / static_cast<float>(C));
  const V tilt = hn::Set(d, sum_of(projected) / static_cast<float>(C));
  // forward: y = gamma * (x - mean) * inverse_std + beta; mean and std depend on every x of the row
  for (int64_t k = 0; k < C; k += lanes()) {
    const int64_t left = C - k;
    const V normal = hn::Mul(hn::Sub(load(x + k, left), mean), inverse_std);
    const V dn = hn::Mul(load(dy + k, left), load(a.f.gamma + k, left));
    float* dx = a.dx + n * C + k;
    store(hn::MulAdd(inverse_std, hn::Sub(dn, hn::MulAdd(normal, tilt, flat)), load(dx, left)), dx, left);
  }
}

void LayerNormColumnsBackward(const LayerNormBackward<float>& a, int64_t begin, int64_t end) {
  const D d;
  for (int64_t n = 0; n < a.f.N; ++n) {
    const float *x = a.f.x + n * a.f.C, *dy = a.dy + n * a.f.C;
    const V mean = hn::Set(d, a.f.mean[n]), inverse_std = hn::Set(d, a.f.inverse_std[n]);
    for (int64_t k = begin; k < end; k += lanes()) {
      const int64_t left = end - k;
      const V g = load(dy + k, left), normal = hn::Mul(hn::Sub(load(x + k, left), mean), inverse_std);
      if (a.dgamma) store(hn::MulAdd(g, normal, load(a.dgamma + k, left)), a.dgamma + k, left);
      if (a.dbeta) store(hn::Add(g, load(a.dbeta + k, left)), a.dbeta + k, left);
    }
  }
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/cpu.h"

namespace lookback::kernels {
HWY_EXPORT(LayerNormRow);
HWY_EXPORT(LayerNormRowBackward);
HWY_EXPORT(LayerNormColumnsBackward);

namespace cpu_impl {
namespace {

// Elements that make a piece of work worth a thread.
int64_t rows_per_block(int64_t C) { return std::max<int64_t>(1, 4096 / std::max<int64_t>(1, C)); }

}  // namespace

void layer_norm(const LayerNorm<float>& a) {
  const auto row = &LOOKBACK_BEST(LayerNormRow);
  parallel_for(a.N, rows_per_block(a.C), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) row(a, n);
  });
}

void layer_norm_backward(const LayerNormBackward<float>& a) {
  if (a.dx) {
    const auto row = &LOOKBACK_BEST(LayerNormRowBackward);
    parallel_for(a.f.N, rows_per_block(a.f.C), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) row(a, n);
    });
  }
  if (!a.dgamma && !a.dbeta) return;
  const auto columns = &LOOKBACK_BEST(LayerNormColumnsBackward);
  parallel_for(a.f.C, 64, [&](int64_t begin, int64_t end) { columns(a, begin, end); });
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE

// LSTM and GRU: one packed product a step for the rows still alive, then one
// SIMD pass for the gates. Input products and weight gradients are not here: they
// need no time loop, so the ops do them for all steps at once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lookback/kernels/cpu/recurrent.cpp"
#include "lookback/base/rung_targets.h"
// The above must come first.
#include "hwy/foreach_target.h"
#include "lookback/kernels/cpu/row_grads.h"
#include "lookback/kernels/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lookback::kernels::HWY_NAMESPACE {

// One row of an LSTM step. c0 may be null for zeros, and `kept`, the gates that a backward reads, if there is none.
void LstmRow(int64_t H, const float* g, const float* c0, float* h, float* c, float* kept) {
  for (int64_t k = 0; k < H; k += lanes()) {
    const int64_t left = H - k;
    const V i = sigmoid(load(g + k, left)), f = sigmoid(load(g + H + k, left));
    const V u = tanh(load(g + 2 * H + k, left)), o = sigmoid(load(g + 3 * H + k, left));
    const V before = c0 ? load(c0 + k, left) : hn::Zero(D());
    const V now = hn::MulAdd(f, before, hn::Mul(i, u));
    if (kept) {
      store(i, kept + k, left), store(f, kept + H + k, left);
      store(u, kept + 2 * H + k, left), store(o, kept + 3 * H + k, left);
    }
    store(now, c + k, left);
    store(hn::Mul(o, tanh(now)), h + k, left);
  }
}

// One row of its backward.
void LstmRowBackward(int64_t H, const LstmRowGrad& a) {
  const V one = hn::Set(D(), 1.0f);
  for (int64_t k = 0; k < H; k += lanes()) {
    const int64_t left = H - k;
    const V i = load(a.gates + k, left), f = load(a.gates + H + k, left);
    const V u = load(a.gates + 2 * H + k, left), o = load(a.gates + 3 * H + k, left);
    V dh = a.dh ? load(a.dh + k, left) : hn::Zero(D());
    if (a.dh_more) dh = hn::Add(dh, load(a.dh_more + k, left));
    const V tc = tanh(load(a.c_next + k, left));
    const V before = a.c ? load(a.c + k, left) : hn::Zero(D());
    // forward: h' = o * tanh(c')
    V dc = hn::Mul(hn::Mul(dh, o), hn::NegMulAdd(tc, tc, one));
    if (a.dc) dc = hn::Add(dc, load(a.dc + k, left));
    const V go = hn::Mul(hn::Mul(dh, tc), hn::Mul(o, hn::Sub(one, o)));
    // forward: c' = f * c + i * u
    const V gi = hn::Mul(hn::Mul(dc, u), hn::Mul(i, hn::Sub(one, i)));
    const V gf = hn::Mul(hn::Mul(dc, before), hn::Mul(f, hn::Sub(one, f)));
    const V gu = hn::Mul(hn::Mul(dc, i), hn::NegMulAdd(u, u, one));
    store(gi, a.dgates + k, left), store(gf, a.dgates + H + k, left);
    store(gu, a.dgates + 2 * H + k, left), store(go, a.dgates + 3 * H + k, left);
    if (a.dc_out) store(hn::Mul(dc, f), a.dc_out + k, left);
  }
}

// One row of a GRU step: g holds the input part, gh the recurrent part. h0 may be null; hn may be null.
void GruRow(int64_t H, float* g, const float* gh, const float* h0, float* h) {
  const V one = hn::Set(D(), 1.0f);
  for (int64_t k = 0; k < H; k += lanes()) {
    const int64_t left = H - k;
    const V r = sigmoid(hn::Add(load(g + k, left), load(gh + k, left)));
    const V z = sigmoid(hn::Add(load(g + H + k, left), load(gh + H + k, left)));
    const V n = tanh(hn::MulAdd(r, load(gh + 2 * H + k, left), load(g + 2 * H + k, left)));
    const V before = h0 ? load(h0 + k, left) : hn::Zero(D());
    store(r, g + k, left), store(z, g + H + k, left), store(n, g + 2 * H + k, left);
    store(hn::MulAdd(z, before, hn::Mul(hn::Sub(one, z), n)), h + k, left);
  }
}

void GruRowBackward(int64_t H, const GruRowGrad& a) {
  const V one = hn::Set(D(), 1.0f);
  for (int64_t k = 0; k < H; k += lanes()) {
    const int64_t left = H - k;
    const V r = load(a.gates + k, left), z = load(a.gates + H + k, left), n = load(a.gates + 2 * H + k, left);
    V dh = load(a.dh + k, left);
    if (a.dh_more) dh = hn::Add(dh, load(a.dh_more + k, left));
    const V before = a.h ? load(a.h + k, left) : hn::Zero(D());
    // forward: h' = (1 - z) n + z h
    const V dz = hn::Mul(hn::Mul(dh, hn::Sub(before, n)), hn::Mul(z, hn::Sub(one, z)));
    const V dn = hn::Mul(hn::Mul(dh, hn::Sub(one, z)), hn::NegMulAdd(n, n, one));
    // forward: n = tanh(xn + r * hn)
    const V dr = hn::Mul(hn::Mul(dn, load(a.hn + k, left)), hn::Mul(r, hn::Sub(one, r)));
    store(dr, a.dgates_x + k, left), store(dr, a.dgates_h + k, left);
    store(dz, a.dgates_x + H + k, left), store(dz, a.dgates_h + H + k, left);
    store(dn, a.dgates_x + 2 * H + k, left), store(hn::Mul(dn, r), a.dgates_h + 2 * H + k, left);
    if (a.dh_out) store(hn::Mul(dh, z), a.dh_out + k, left);
  }
}

}  // namespace lookback::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/cpu.h"
#include "lookback/kernels/cpu/matmul.h"

namespace lookback::kernels {
HWY_EXPORT(LstmRow);
HWY_EXPORT(LstmRowBackward);
HWY_EXPORT(GruRow);
HWY_EXPORT(GruRowBackward);

namespace cpu_impl {
namespace {

// Rows of one step per block: enough work to be worth a thread.
int64_t rows_per_block(int64_t H) { return std::max<int64_t>(1, 4096 / std::max<int64_t>(1, H)); }

// Where a step's rows come from: `going` of them ran at the step before; and those of the step after it.
struct Step {
  int64_t begin, rows, next_begin, next_rows, before_begin, going;
};

Step step_at(const PackedSteps& steps, bool reverse, int64_t s) {
  const int64_t t = reverse ? steps.T - 1 - s : s, before = reverse ? t + 1 : t - 1, next = reverse ? t - 1 : t + 1;
  const bool last = s + 1 == steps.T;
  const int64_t rows = steps.alive(t), next_begin = last ? 0 : steps.begin[next],
                next_rows = last ? 0 : steps.alive(next);
  if (s == 0) return {steps.begin[t], rows, next_begin, next_rows, 0, 0};
  return {steps.begin[t], rows, next_begin, next_rows, steps.begin[before], std::min(rows, steps.alive(before))};
}

// Rows whose gradient goes on to the state they started from, as it is one of another step or an initial one.
int64_t rows_with_state(const Step& step, const float* h0) { return h0 ? step.rows : step.going; }

// The state that row n of a step starts from, or null for zeros.
const float* state_before(const Step& step, int64_t n, int64_t H, const float* states, const float* initial) {
  if (n < step.going) return states + (step.before_begin + n) * H;
  return initial ? initial + n * H : nullptr;
}

// The rows of a step's gates, with what the input adds to them.
float* gates_of(const Step& step, int64_t width, const Parts<float>& parts, float* gates) {
  if (!parts.rows) return gates + step.begin * width;
  gather_rows({step.rows, width, parts.of_row + step.begin, parts.rows, gates});
  return gates;
}

// Fetches what row n of the step after `step` starts from, which may come from far away, while this one is computed.
void fetch_part(const Step& step, int64_t n, int64_t width, const Parts<float>& parts) {
  if (!parts.rows || n >= step.next_rows) return;
  const float* const row = parts.rows + parts.of_row[step.next_begin + n] * width;
  for (int64_t k = 0; k < width; k += 16) __builtin_prefetch(row + k, 0, 2);
}

}  // namespace

void lstm_cell(const LstmCell<float>& a) {
  const auto row = &LOOKBACK_BEST(LstmRow);
  const int64_t H = a.H;
  parallel_for(a.N, rows_per_block(H), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      float* const gates = a.gates + n * 4 * H;
      row(H, gates, a.c + n * H, a.h_next + n * H, a.c_next + n * H, gates);
    }
  });
}

void lstm_cell_backward(const LstmCellBackward<float>& a) {
  const auto row = &LOOKBACK_BEST(LstmRowBackward);
  const int64_t H = a.f.H;
  parallel_for(a.f.N, rows_per_block(H), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      row(H, {.gates = a.f.gates + n * 4 * H,
              .c = a.f.c + n * H,
              .c_next = a.f.c_next + n * H,
              .dh = a.dh_next ? a.dh_next + n * H : nullptr,
              .dc = a.dc_next ? a.dc_next + n * H : nullptr,
              .dgates = a.dgates + n * 4 * H,
              .dc_out = a.dc ? a.dc + n * H : nullptr});
  });
}

void lstm_forward(const LstmForward<float>& a) {
  const auto row = &LOOKBACK_BEST(LstmRow);
  const int64_t H = a.H;
  for (int64_t s = 0; s < a.steps.T; ++s) {
    const Step step = step_at(a.steps, a.reverse, s);
    float* const gates = gates_of(step, 4 * H, a.parts, a.gates);
    matmul(product_of(step.going, a.h + step.before_begin * H, a.wh, gates, true));
    if (a.h0) matmul(product_of(step.rows - step.going, a.h0 + step.going * H, a.wh, gates + step.going * 4 * H, true));
    parallel_for(step.rows, rows_per_block(H), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        fetch_part(step, n, 4 * H, a.parts);
        float *const g = gates + n * 4 * H, *const h = a.h + (step.begin + n) * H;
        if (a.parts.rows)
          row(H, g, a.c + n * H, h, a.c + n * H, nullptr);
        else
          row(H, g, state_before(step, n, H, a.c, a.c0), h, a.c + (step.begin + n) * H, g);
      }
    });
  }
}

void lstm_backward(const LstmBackward<float>& a) {
  const auto row = &LOOKBACK_BEST(LstmRowBackward);
  const PackedSteps& steps = a.f.steps;
  const int64_t H = a.f.H, carry = steps.B() * H;
  // Until the walk reaches a row, the carries hold what flows into its last state.
  a.dh_last ? std::copy_n(a.dh_last, carry, a.dh_carry) : std::fill_n(a.dh_carry, carry, 0.0f);
  a.dc_last ? std::copy_n(a.dc_last, carry, a.dc_carry) : std::fill_n(a.dc_carry, carry, 0.0f);
  for (int64_t s = steps.T - 1; s >= 0; --s) {
    const Step step = step_at(steps, a.f.reverse, s);
    parallel_for(step.rows, rows_per_block(H), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        row(H, {.gates = a.f.gates + (step.begin + n) * 4 * H,
                .c = state_before(step, n, H, a.f.c, a.f.c0),
                .c_next = a.f.c + (step.begin + n) * H,
                .dh = a.dh_carry + n * H,
                .dh_more = a.dh ? a.dh + (step.begin + n) * H : nullptr,
                .dc = a.dc_carry + n * H,
                .dgates = a.dgates + (step.begin + n) * 4 * H,
                .dc_out = a.dc_carry + n * H});
    });
    matmul(
        transposed_product_of(rows_with_state(step, a.f.h0), a.dgates + step.begin * 4 * H, a.f.wh, a.dh_carry, false));
  }
}

void gru_cell(const GruCell<float>& a) {
  const auto row = &LOOKBACK_BEST(GruRow);
  const int64_t H = a.H;
  parallel_for(a.N, rows_per_block(H), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      row(H, a.gates + n * 3 * H, a.gates_h + n * 3 * H, a.h + n * H, a.h_next + n * H);
  });
}

void gru_cell_backward(const GruCellBackward<float>& a) {
  const auto row = &LOOKBACK_BEST(GruRowBackward);
  const int64_t H = a.f.H;
  parallel_for(a.f.N, rows_per_block(H), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      row(H, {.gates = a.f.gates + n * 3 * H,
              .hn = a.f.gates_h + n * 3 * H + 2 * H,
              .h = a.f.h + n * H,
              .dh = a.dh_next + n * H,
              .dgates_x = a.dgates_x + n * 3 * H,
              .dgates_h = a.dgates_h + n * 3 * H,
              .dh_out = a.dh ? a.dh + n * H : nullptr});
  });
}

// scratch: [B, 3H] for h Wh^T + bh.
void gru_forward(const GruForward<float>& a) {
  const auto row = &LOOKBACK_BEST(GruRow);
  const int64_t H = a.H;
  float* gh = a.scratch;
  for (int64_t s = 0; s < a.steps.T; ++s) {
    const Step step = step_at(a.steps, a.reverse, s);
    float* const gates = gates_of(step, 3 * H, a.parts, a.gates);
    for (int64_t n = 0; n < step.rows; ++n) std::copy_n(a.bh, 3 * H, gh + n * 3 * H);
    matmul(product_of(step.going, a.h + step.before_begin * H, a.wh, gh, true));
    if (a.h0) matmul(product_of(step.rows - step.going, a.h0 + step.going * H, a.wh, gh + step.going * 3 * H, true));
    parallel_for(step.rows, rows_per_block(H), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        fetch_part(step, n, 3 * H, a.parts);
        row(H, gates + n * 3 * H, gh + n * 3 * H, state_before(step, n, H, a.h, a.h0), a.h + (step.begin + n) * H);
        if (!a.parts.rows) std::copy_n(gh + n * 3 * H + 2 * H, H, a.hn + (step.begin + n) * H);
      }
    });
  }
}

void gru_backward(const GruBackward<float>& a) {
  const auto row = &LOOKBACK_BEST(GruRowBackward);
  const PackedSteps& steps = a.f.steps;
  const int64_t H = a.f.H, carry = steps.B() * H;
  a.dh_last ? std::copy_n(a.dh_last, carry, a.dh_carry) : std::fill_n(a.dh_carry, carry, 0.0f);
  for (int64_t s = steps.T - 1; s >= 0; --s) {
    const Step step = step_at(steps, a.f.reverse, s);
    parallel_for(step.rows, rows_per_block(H), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const int64_t at = step.begin + n;
        row(H, {.gates = a.f.gates + at * 3 * H,
                .hn = a.f.hn + at * H,
                .h = state_before(step, n, H, a.f.h, a.f.h0),
                .dh = a.dh_carry + n * H,
                .dh_more = a.dh + at * H,
                .dgates_x = a.dgates_x + at * 3 * H,
                .dgates_h = a.dgates_h + at * 3 * H,
                .dh_out = a.dh_carry + n * H});
      }
    });
    matmul(transposed_product_of(rows_with_state(step, a.f.h0), a.dgates_h + step.begin * 3 * H, a.f.wh, a.dh_carry,
                                 true));
  }
}

}  // namespace cpu_impl
}  // namespace lookback::kernels
#endif  // HWY_ONCE

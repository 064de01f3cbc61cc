#include "lookback/ops/recurrent.h"

#include <algorithm>
#include <cstring>

#include "lookback/ops/internal.h"
#include "lookback/ops/states.h"
#include "lookback/ops/windows.h"

namespace lookback::ops {
namespace {

struct LayerKind {
  const char* name;
  int64_t gates;
};
constexpr LayerKind kLstm{"lstm", 4}, kGru{"gru", 3};

void check_weights(const LayerKind& kind, int64_t I, const RecurrentWeights& w) {
  const auto [name, gates] = kind;
  check(w.w_hh.shape().rank() == 2 && w.w_hh.dim(0) == gates * w.w_hh.dim(1), name, ": w_hh must be [", gates,
        "H,H], got ", w.w_hh.shape());
  const int64_t H = w.w_hh.dim(1);
  check(w.w_ih.shape() == Shape{gates * H, I}, name, ": w_ih must be ", Shape{gates * H, I}, ", got ", w.w_ih.shape());
  check(w.b_ih.shape() == Shape{gates * H}, name, ": b_ih must be ", Shape{gates * H}, ", got ", w.b_ih.shape());
  check(w.b_hh.shape() == Shape{gates * H}, name, ": b_hh must be ", Shape{gates * H}, ", got ", w.b_hh.shape());
}

void check_state(const LayerKind& kind, const Steps& steps, const RecurrentWeights& w, const RecurrentState& initial) {
  for (const Var& s : {initial.h, initial.c})
    check(!s || s.shape() == Shape{steps.B(), w.w_hh.dim(1)}, kind.name, ": an initial state must be ",
          Shape{steps.B(), w.w_hh.dim(1)});
  check(kind.gates == kLstm.gates || !initial.c, kind.name, ": there is no cell state");
}

void check_inputs(const LayerKind& kind, const Var& x, const Steps& steps, const RecurrentWeights& w,
                  const RecurrentState& initial) {
  check(x.shape().rank() == 2 && x.dim(0) == steps.N(), kind.name, ": x must be [", steps.N(), ",I], got ", x.shape());
  check_weights(kind, x.dim(1), w);
  check_state(kind, steps, w, initial);
}

void check_inputs(const LayerKind& kind, const InputParts& x, const Steps& steps, const RecurrentWeights& w,
                  const RecurrentState& initial) {
  check_weights(kind, w.w_ih.dim(1), w);
  check_state(kind, steps, w, initial);
  const int64_t G = w.w_ih.dim(0);
  check(x.part.shape().rank() == 2 && x.part.dim(1) == G && std::ssize(*x.rows) == steps.N(), kind.name,
        ": parts must be [R,", G, "] for ", steps.N(), " rows, got ", x.part.shape(), " for ", x.rows->size());
  for (const int32_t row : *x.rows)
    check(0 <= row && row < x.part.dim(0), kind.name, ": no row ", row, " in parts ", x.part.shape());
}

// out = x W^T + bias, or out += x W^T without one, in every row.
template <class R>
void product(const Tensor& x, const Var& w, const R* bias, const Tensor& out) {
  const Write write = bias ? Write::overwrite : Write::accumulate;
  ops::product(x.dim(0), x.data<R>(), weight<R>(w, {0, w.dim(1)}, Packing::forward, x.dim(0)), out.data<R>(), write,
               bias);
}

void input_part_backward(const Var& x, const Var& w_ih, const Tensor& dgates) {
  const int64_t N = dgates.dim(0);
  with_float(dgates.dtype(), [&]<class R>() {
    // forward: gates = x Wx^T
    if (const auto dx = grad_target<R>(x); dx.data)
      transposed_product(N, dgates.data<R>(), weight<R>(w_ih, {0, w_ih.dim(1)}, Packing::backward, N), dx.data,
                         dx.write);
  });
  add_weight_grad(w_ih, {0, w_ih.dim(1)}, x.value(), dgates);
}

template <class R>
std::vector<R> sum_of(const Var& a, const Var& b) {
  std::vector<R> out(a.value().data<R>(), a.value().data<R>() + a.value().size());
  for (size_t k = 0; k < out.size(); ++k) out[k] += b.value().data<R>()[k];
  return out;
}

// The biases that stand with the input's product.
template <class R>
std::vector<R> input_bias(const LayerKind& kind, const RecurrentWeights& w) {
  if (kind.gates == kLstm.gates) return sum_of<R>(w.b_ih, w.b_hh);
  const auto b = w.b_ih.value().template span<R>();
  return {b.begin(), b.end()};
}

// Writes what the input adds to the gates of a window.
template <class R>
void write_input_part(const LayerKind& kind, const Var& x, const Window& at, const RecurrentWeights& w,
                      const Tensor& gates) {
  product<R>(at.of(x.value()), w.w_ih, input_bias<R>(kind, w).data(), gates);
}

template <class R>
void write_input_part(const LayerKind&, const InputParts& x, const Window& at, const RecurrentWeights&,
                      const Tensor& gates) {
  kernels::best<R>().gather_rows(
      {at.N(), gates.dim(1), x.rows->data() + at.first_row, x.part.value().data<R>(), gates.data<R>()});
}

Var input_part(const LayerKind& kind, const Var& x, const RecurrentWeights& w) {
  check(x.shape().rank() == 2, kind.name, ": x must be [R,I], got ", x.shape());
  check_weights(kind, x.dim(1), w);
  const Tensor out({x.dim(0), w.w_ih.dim(0)}, x.dtype());
  with_float(x.dtype(), [&]<class R>() { product<R>(x.value(), w.w_ih, input_bias<R>(kind, w).data(), out); });
  return Var(out);
}

// What a window keeps for backward. With checkpointing gates, c and hn are computed again.
struct Kept {
  Window at;
  Tensor h0, c0;  // [B, H] states it starts from; empty for zeros
  Tensor gates;   // [N, G*H] activations
  Tensor c;       // [N, H] LSTM
  Tensor hn;      // [N, H] GRU
};

template <class R>
kernels::LstmForward<R> lstm_args(const Kept& k, Direction direction, const Tensor& h, const Tensor& scratch) {
  return {.steps = k.at.view(),
          .H = h.dim(1),
          .reverse = direction == Direction::reverse,
          .h0 = data_or_null<R>(k.h0),
          .c0 = data_or_null<R>(k.c0),
          .gates = k.gates.data<R>(),
          .h = k.at.of(h).data<R>(),
          .c = k.c.data<R>(),
          .scratch = scratch.data<R>()};
}

template <class R>
kernels::GruForward<R> gru_args(const Kept& k, Direction direction, const Tensor& h, const Tensor& scratch) {
  return {.steps = k.at.view(),
          .H = h.dim(1),
          .reverse = direction == Direction::reverse,
          .h0 = data_or_null<R>(k.h0),
          .gates = k.gates.data<R>(),
          .hn = k.hn.data<R>(),
          .h = k.at.of(h).data<R>(),
          .scratch = scratch.data<R>()};
}

// The window with its gates and cells again. Its states are known, so all steps meet the recurrent weights in one
// product: a row of it is what the step alone gave. x [N, I]; before [N, H]: the state every row started from.
template <class R>
Kept recomputed_lstm(Kept k, Direction direction, const Tensor& x, const Tensor& before, const RecurrentWeights& w) {
  const int64_t N = k.at.N(), H = before.dim(1), T = k.at.T();
  k.gates = Tensor({N, 4 * H}, x.dtype()), k.c = Tensor({N, H}, x.dtype());
  product<R>(x, w.w_ih, sum_of<R>(w.b_ih, w.b_hh).data(), k.gates);
  product<R>(before, w.w_hh, nullptr, k.gates);
  const Tensor h({N, H}, x.dtype()), c0 = k.c0.empty() ? Tensor::zeros({k.at.B(), H}, x.dtype()) : k.c0;
  const auto cell = [&](int64_t row, int64_t rows, const R* c) {
    kernels::best<R>().lstm_cell(
        {rows, H, k.gates.data<R>() + row * 4 * H, c, h.data<R>() + row * H, k.c.data<R>() + row * H});
  };
  const kernels::PackedSteps steps = k.at.view();
  const bool reverse = direction == Direction::reverse;
  for (int64_t s = 0; s < T; ++s) {
    const int64_t t = reverse ? T - 1 - s : s, last = reverse ? t + 1 : t - 1;
    const int64_t rows = steps.alive(t), going = s ? std::min(rows, steps.alive(last)) : 0;
    if (going) cell(steps.begin[t], going, k.c.data<R>() + steps.begin[last] * H);
    cell(steps.begin[t] + going, rows - going, c0.data<R>() + going * H);
  }
  return k;
}

template <class R>
Kept recomputed_gru(Kept k, const Tensor& x, const Tensor& before, const RecurrentWeights& w) {
  const int64_t N = k.at.N(), H = before.dim(1);
  const Tensor gates_h({N, 3 * H}, x.dtype()), h({N, H}, x.dtype());
  k.gates = Tensor({N, 3 * H}, x.dtype()), k.hn = Tensor({N, H}, x.dtype());
  product<R>(x, w.w_ih, w.b_ih.value().data<R>(), k.gates);
  for (int64_t n = 0; n < N; ++n) std::copy_n(w.b_hh.value().data<R>(), 3 * H, gates_h.data<R>() + n * 3 * H);
  product<R>(before, w.w_hh, nullptr, gates_h);
  kernels::best<R>().gru_cell({N, H, k.gates.data<R>(), gates_h.data<R>(), before.data<R>(), h.data<R>()});
  for (int64_t n = 0; n < N; ++n) std::copy_n(gates_h.data<R>() + n * 3 * H + 2 * H, H, k.hn.data<R>() + n * H);
  return k;
}

struct Run {
  Tensor h;               // [N, H]
  Tensor last_h, last_c;  // [B, H]
  std::vector<Kept> kept;
};

template <class Input>
Run run_lstm(const Input& x, Dtype d, const Steps& steps, const RecurrentWeights& w, const RecurrentOptions& options,
             const RecurrentState& initial) {
  check_inputs(kLstm, x, steps, w, initial);
  const int64_t B = steps.B(), H = w.w_hh.dim(1);
  Run out{Tensor({steps.N(), H}, d), states_at_start(initial.h, {B, H}, d), states_at_start(initial.c, {B, H}, d), {}};
  with_float(d, [&]<class R>() {
    for (Window& at : windows_of(steps, options)) {
      Kept k{.at = std::move(at)};
      k.h0 = start_of(k.at, out.last_h, initial.h), k.c0 = start_of(k.at, out.last_c, initial.c);
      k.gates = Tensor({k.at.N(), 4 * H}, d), k.c = Tensor({k.at.N(), H}, d);
      write_input_part<R>(kLstm, x, k.at, w, k.gates);
      const Tensor scratch({k.at.B(), H}, d);
      auto args = lstm_args<R>(k, options.direction, out.h, scratch);
      args.wh = weight<R>(w.w_hh, {0, H}, Packing::forward);
      kernels::best<R>().lstm_forward(args);
      reach(k.at, options.direction, k.at.of(out.h), out.last_h), reach(k.at, options.direction, k.c, out.last_c);
      if (options.checkpoint) k.gates = k.c = Tensor();
      out.kept.push_back(std::move(k));
    }
  });
  return out;
}

template <class Input>
Run run_gru(const Input& x, Dtype d, const Steps& steps, const RecurrentWeights& w, const RecurrentOptions& options,
            const RecurrentState& initial) {
  check_inputs(kGru, x, steps, w, initial);
  const int64_t B = steps.B(), H = w.w_hh.dim(1);
  Run out{Tensor({steps.N(), H}, d), states_at_start(initial.h, {B, H}, d), {}, {}};
  with_float(d, [&]<class R>() {
    for (Window& at : windows_of(steps, options)) {
      Kept k{.at = std::move(at)};
      k.h0 = start_of(k.at, out.last_h, initial.h);
      k.gates = Tensor({k.at.N(), 3 * H}, d), k.hn = Tensor({k.at.N(), H}, d);
      write_input_part<R>(kGru, x, k.at, w, k.gates);
      const Tensor scratch({k.at.B(), 4 * H}, d);
      auto args = gru_args<R>(k, options.direction, out.h, scratch);
      args.wh = weight<R>(w.w_hh, {0, H}, Packing::forward), args.bh = w.b_hh.value().data<R>();
      kernels::best<R>().gru_forward(args);
      reach(k.at, options.direction, k.at.of(out.h), out.last_h);
      if (options.checkpoint) k.gates = k.hn = Tensor();
      out.kept.push_back(std::move(k));
    }
  });
  return out;
}

}  // namespace

Var lstm_input_part(const Var& x, const RecurrentWeights& w) { return input_part(kLstm, x, w); }
Var gru_input_part(const Var& x, const RecurrentWeights& w) { return input_part(kGru, x, w); }

RecurrentOut lstm_from_parts(const InputParts& x, const Steps& steps, const RecurrentWeights& w,
                             const RecurrentOptions& options, const RecurrentState& initial) {
  const Run out = run_lstm(x, x.part.dtype(), steps, w, options, initial);
  return {Var(out.h), Var(out.last_h), Var(out.last_c)};
}

RecurrentOut gru_from_parts(const InputParts& x, const Steps& steps, const RecurrentWeights& w,
                            const RecurrentOptions& options, const RecurrentState& initial) {
  const Run out = run_gru(x, x.part.dtype(), steps, w, options, initial);
  return {Var(out.h), Var(out.last_h), Var()};
}

RecurrentOut lstm(const Var& x, const Steps& steps, const RecurrentWeights& w, const RecurrentOptions& options,
                  const RecurrentState& initial) {
  const Dtype d = x.dtype();
  Run run = run_lstm(x, d, steps, w, options, initial);
  const int64_t N = steps.N(), B = steps.B(), H = w.w_hh.dim(1);
  const Direction direction = options.direction;
  const auto out = record(
      {run.h, run.last_h, run.last_c}, {x, w.w_ih, w.w_hh, w.b_ih, w.b_hh, initial.h, initial.c}, [=](Node& node) {
        const auto& in = node.inputs;
        const Tensor dgates({N, 4 * H}, d), dh = node.grads[0];
        const Tensor dh_carry = carry_at_end(node.grads[1], {B, H}, d),
                     dc_carry = carry_at_end(node.grads[2], {B, H}, d);
        with_float(d, [&]<class R>() {
          const Tensor before = states_before<R>(steps, direction, run.h, in[5] ? in[5].value() : Tensor());
          for (auto w = run.kept.rbegin(); w != run.kept.rend(); ++w) {
            const Kept k = options.checkpoint ? recomputed_lstm<R>(*w, direction, w->at.of(in[0].value()),
                                                                   w->at.of(before), {in[1], in[2], in[3], in[4]})
                                              : *w;
            const Tensor scratch({k.at.B(), H}, d), dh0({k.at.B(), H}, d), dc0({k.at.B(), H}, d);
            auto args = lstm_args<R>(k, direction, run.h, scratch);
            args.wh = weight<R>(in[2], {0, H}, Packing::backward);
            kernels::best<R>().lstm_backward({.f = args,
                                              .dh = dh.empty() ? nullptr : k.at.of(dh).data<R>(),
                                              .dh_last = dh_carry.data<R>(),
                                              .dc_last = dc_carry.data<R>(),
                                              .dgates = k.at.of(dgates).data<R>(),
                                              .dh_carry = dh0.data<R>(),
                                              .dc_carry = dc0.data<R>()});
            hand_back(k.at, dh0, dh_carry), hand_back(k.at, dc0, dc_carry);
          }
          add_recurrent_grad(in[2], {0, H}, steps, direction, before, !in[5], dgates);
        });
        input_part_backward(in[0], in[1], dgates);
        add_bias_grad({in[3], in[4]}, dgates);
        if (in[5]) give_grad(in[5], dh_carry);
        if (in[6]) give_grad(in[6], dc_carry);
      });
  return {out[0], out[1], out[2]};
}

RecurrentOut gru(const Var& x, const Steps& steps, const RecurrentWeights& w, const RecurrentOptions& options,
                 const RecurrentState& initial) {
  const Dtype d = x.dtype();
  Run run = run_gru(x, d, steps, w, options, initial);
  const int64_t N = steps.N(), B = steps.B(), H = w.w_hh.dim(1);
  const Direction direction = options.direction;
  const auto out = record({run.h, run.last_h}, {x, w.w_ih, w.w_hh, w.b_ih, w.b_hh, initial.h}, [=](Node& node) {
    const auto& in = node.inputs;
    const Tensor dgates_x({N, 3 * H}, d), dgates_h({N, 3 * H}, d), dh_carry = carry_at_end(node.grads[1], {B, H}, d);
    const Tensor dh = node.grads[0].empty() ? Tensor::zeros({N, H}, d) : node.grads[0];
    with_float(d, [&]<class R>() {
      const Tensor before = states_before<R>(steps, direction, run.h, in[5] ? in[5].value() : Tensor());
      for (auto w = run.kept.rbegin(); w != run.kept.rend(); ++w) {
        const Kept k = options.checkpoint ? recomputed_gru<R>(*w, w->at.of(in[0].value()), w->at.of(before),
                                                              {in[1], in[2], in[3], in[4]})
                                          : *w;
        const Tensor scratch({k.at.B(), 4 * H}, d), dh0({k.at.B(), H}, d);
        auto args = gru_args<R>(k, direction, run.h, scratch);
        args.wh = weight<R>(in[2], {0, H}, Packing::backward), args.bh = in[4].value().data<R>();
        kernels::best<R>().gru_backward({.f = args,
                                         .dh = k.at.of(dh).data<R>(),
                                         .dh_last = dh_carry.data<R>(),
                                         .dgates_x = k.at.of(dgates_x).data<R>(),
                                         .dgates_h = k.at.of(dgates_h).data<R>(),
                                         .dh_carry = dh0.data<R>()});
        hand_back(k.at, dh0, dh_carry);
      }
      add_recurrent_grad(in[2], {0, H}, steps, direction, before, !in[5], dgates_h);
    });
    input_part_backward(in[0], in[1], dgates_x);
    add_bias_grad({in[3]}, dgates_x);
    add_bias_grad({in[4]}, dgates_h);
    if (in[5]) give_grad(in[5], dh_carry);
  });
  return {out[0], out[1], Var()};
}

}  // namespace lookback::ops

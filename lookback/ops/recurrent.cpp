#include "lookback/ops/recurrent.h"

#include <algorithm>
#include <cstring>

#include "lookback/autograd/side_by_side.h"
#include "lookback/ops/internal.h"
#include "lookback/ops/recurrent_layers.h"
#include "lookback/ops/states.h"
#include "lookback/ops/windows.h"

namespace lookback::ops {
namespace {

void check_inputs(const LayerKind& kind, const Var& x, const Steps& steps, const RecurrentWeights& w,
                  const RecurrentState& initial) {
  check(x.shape().rank() == 2 && x.dim(0) == steps.N(), kind.name, ": x must be [", steps.N(), ",I], got ", x.shape());
  check_weights(kind, x.dim(1), w);
  check_state(kind, steps, w, initial);
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

Run run_lstm(const Var& x, const Steps& steps, const RecurrentLayer& layer) {
  const RecurrentWeights& w = layer.w;
  const RecurrentOptions& options = layer.options;
  const RecurrentState& initial = layer.initial;
  const Dtype d = x.dtype();
  const int64_t B = steps.B(), H = w.w_hh.dim(1);
  Run out{Tensor({steps.N(), H}, d), states_at_start(initial.h, {B, H}, d), states_at_start(initial.c, {B, H}, d), {}};
  with_float(d, [&]<class R>() {
    for (Window& at : windows_of(steps, options)) {
      Kept k{.at = std::move(at)};
      k.h0 = start_of(k.at, out.last_h, initial.h), k.c0 = start_of(k.at, out.last_c, initial.c);
      k.gates = Tensor({k.at.N(), 4 * H}, d), k.c = Tensor({k.at.N(), H}, d);
      product<R>(k.at.of(x.value()), w.w_ih, input_bias<R>(kLstm, w).data(), k.gates);
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

Run run_gru(const Var& x, const Steps& steps, const RecurrentLayer& layer) {
  const RecurrentWeights& w = layer.w;
  const RecurrentOptions& options = layer.options;
  const RecurrentState& initial = layer.initial;
  const Dtype d = x.dtype();
  const int64_t B = steps.B(), H = w.w_hh.dim(1);
  Run out{Tensor({steps.N(), H}, d), states_at_start(initial.h, {B, H}, d), {}, {}};
  with_float(d, [&]<class R>() {
    for (Window& at : windows_of(steps, options)) {
      Kept k{.at = std::move(at)};
      k.h0 = start_of(k.at, out.last_h, initial.h);
      k.gates = Tensor({k.at.N(), 3 * H}, d), k.hn = Tensor({k.at.N(), H}, d);
      product<R>(k.at.of(x.value()), w.w_ih, input_bias<R>(kGru, w).data(), k.gates);
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

// What goes back through a layer: what its outputs got, on its way to the state it started from, and what comes of it.
struct Back {
  Tensor dh, dh_carry, dc_carry;  // [N, H], empty for none; [B, H]; [B, H] LSTM
  Tensor before;                  // [N, H] the state every row started from
  Tensor dgates_x, dgates_h;      // [N, G*H] by input and by state; one tensor for the LSTM
};

// Back through one window, to the state it started from.
template <class R>
void lstm_back(const Var& x, const RecurrentLayer& layer, const Run& run, const Kept& kept, Back& b) {
  const int64_t H = run.h.dim(1);
  const Dtype d = x.dtype();
  const Kept k = layer.options.checkpoint ? recomputed_lstm<R>(kept, layer.options.direction, kept.at.of(x.value()),
                                                               kept.at.of(b.before), layer.w)
                                          : kept;
  const Tensor scratch({k.at.B(), H}, d), dh0({k.at.B(), H}, d), dc0({k.at.B(), H}, d);
  auto args = lstm_args<R>(k, layer.options.direction, run.h, scratch);
  args.wh = weight<R>(layer.w.w_hh, {0, H}, Packing::backward);
  kernels::best<R>().lstm_backward({.f = args,
                                    .dh = b.dh.empty() ? nullptr : k.at.of(b.dh).data<R>(),
                                    .dh_last = b.dh_carry.data<R>(),
                                    .dc_last = b.dc_carry.data<R>(),
                                    .dgates = k.at.of(b.dgates_x).data<R>(),
                                    .dh_carry = dh0.data<R>(),
                                    .dc_carry = dc0.data<R>()});
  hand_back(k.at, dh0, b.dh_carry), hand_back(k.at, dc0, b.dc_carry);
}

template <class R>
void gru_back(const Var& x, const RecurrentLayer& layer, const Run& run, const Kept& kept, Back& b) {
  const int64_t H = run.h.dim(1);
  const Kept k =
      layer.options.checkpoint ? recomputed_gru<R>(kept, kept.at.of(x.value()), kept.at.of(b.before), layer.w) : kept;
  const Tensor scratch({k.at.B(), 4 * H}, x.dtype()), dh0({k.at.B(), H}, x.dtype());
  auto args = gru_args<R>(k, layer.options.direction, run.h, scratch);
  args.wh = weight<R>(layer.w.w_hh, {0, H}, Packing::backward), args.bh = layer.w.b_hh.value().data<R>();
  kernels::best<R>().gru_backward({.f = args,
                                   .dh = k.at.of(b.dh).data<R>(),
                                   .dh_last = b.dh_carry.data<R>(),
                                   .dgates_x = k.at.of(b.dgates_x).data<R>(),
                                   .dgates_h = k.at.of(b.dgates_h).data<R>(),
                                   .dh_carry = dh0.data<R>()});
  hand_back(k.at, dh0, b.dh_carry);
}

// Back through a layer, from what its outputs got.
void back_through(const LayerKind& kind, const Var& x, const Steps& steps, const RecurrentLayer& layer, const Run& run,
                  Back& b) {
  const bool lstm = kind.gates == kLstm.gates;
  const Shape gates{steps.N(), kind.gates * run.h.dim(1)};
  b.dgates_x = Tensor(gates, x.dtype()), b.dgates_h = lstm ? b.dgates_x : Tensor(gates, x.dtype());
  if (b.dh.empty() && !lstm) b.dh = Tensor::zeros(run.h.shape(), x.dtype());
  with_float(x.dtype(), [&]<class R>() {
    const Var& first = layer.initial.h;
    b.before = states_before<R>(steps, layer.options.direction, run.h, first ? first.value() : Tensor());
    for (auto kept = run.kept.rbegin(); kept != run.kept.rend(); ++kept)
      lstm ? lstm_back<R>(x, layer, run, *kept, b) : gru_back<R>(x, layer, run, *kept, b);
  });
}

void give_grads(const LayerKind& kind, const Var& x, const Steps& steps, const RecurrentLayer& layer, const Back& b) {
  const auto& [w, options, initial] = layer;
  add_recurrent_grad(w.w_hh, {0, w.w_hh.dim(1)}, steps, options.direction, b.before, !initial.h, b.dgates_h);
  input_part_backward(x, w.w_ih, b.dgates_x);
  if (kind.gates == kLstm.gates)
    add_bias_grad({w.b_ih, w.b_hh}, b.dgates_x);
  else
    add_bias_grad({w.b_ih}, b.dgates_x), add_bias_grad({w.b_hh}, b.dgates_h);
  if (initial.h) give_grad(initial.h, b.dh_carry);
  if (initial.c) give_grad(initial.c, b.dc_carry);
}

std::vector<RecurrentOut> run_layers(const LayerKind& kind, const Var& x, const Steps& steps,
                                     const std::vector<RecurrentLayer>& layers) {
  constexpr size_t kInputs = 6;  // of a layer, beside x
  const size_t outputs = kind.gates == kLstm.gates ? 3 : 2;
  for (const RecurrentLayer& layer : layers) check_inputs(kind, x, steps, layer.w, layer.initial);
  std::vector<Run> runs(layers.size());
  each_piece(layers.size(), [&](size_t k) { runs[k] = (outputs == 3 ? run_lstm : run_gru)(x, steps, layers[k]); });
  std::vector<Tensor> written;
  std::vector<Var> in{x};
  std::vector<RecurrentOptions> options;
  for (size_t k = 0; k < layers.size(); ++k) {
    const auto& [w, layer_options, initial] = layers[k];
    written.insert(written.end(), {runs[k].h, runs[k].last_h});
    if (outputs == 3) written.push_back(runs[k].last_c);
    in.insert(in.end(), {w.w_ih, w.w_hh, w.b_ih, w.b_hh, initial.h, initial.c});
    options.push_back(layer_options);
  }
  const auto vars = record(std::move(written), std::move(in), [=, runs = std::move(runs)](Node& node) mutable {
    const auto layer_of = [&](size_t k) {
      const Var* const v = &node.inputs[1 + k * kInputs];
      return RecurrentLayer{{v[0], v[1], v[2], v[3]}, options[k], {v[4], v[5]}};
    };
    std::vector<Back> backs(runs.size());
    const auto back = [&](size_t k) {
      const Tensor* const got = &node.grads[k * outputs];
      const Shape carry{steps.B(), runs[k].h.dim(1)};
      const Dtype d = runs[k].h.dtype();
      backs[k].dh = got[0], backs[k].dh_carry = carry_at_end(got[1], carry, d);
      if (outputs == 3) backs[k].dc_carry = carry_at_end(got[2], carry, d);
      back_through(kind, node.inputs[0], steps, layer_of(k), runs[k], backs[k]);
      runs[k] = {};
    };
    const bool all = side_by_side(runs.size());
    if (all) each_piece(runs.size(), back);
    for (size_t k = runs.size(); k-- > 0;) {
      if (!all) back(k);
      give_grads(kind, node.inputs[0], steps, layer_of(k), backs[k]);
      backs[k] = {};
    }
  });
  std::vector<RecurrentOut> out;
  for (size_t k = 0; k < vars.size(); k += outputs)
    out.push_back({vars[k], vars[k + 1], outputs == 3 ? vars[k + 2] : Var()});
  return out;
}

}  // namespace

Var lstm_input_part(const Var& x, const RecurrentWeights& w) { return input_part(kLstm, x, w); }
Var gru_input_part(const Var& x, const RecurrentWeights& w) { return input_part(kGru, x, w); }

std::vector<RecurrentOut> lstm_layers(const Var& x, const Steps& steps, const std::vector<RecurrentLayer>& layers) {
  return run_layers(kLstm, x, steps, layers);
}

std::vector<RecurrentOut> gru_layers(const Var& x, const Steps& steps, const std::vector<RecurrentLayer>& layers) {
  return run_layers(kGru, x, steps, layers);
}

RecurrentOut lstm(const Var& x, const Steps& steps, const RecurrentWeights& w, const RecurrentOptions& options,
                  const RecurrentState& initial) {
  return lstm_layers(x, steps, {{w, options, initial}})[0];
}

RecurrentOut gru(const Var& x, const Steps& steps, const RecurrentWeights& w, const RecurrentOptions& options,
                 const RecurrentState& initial) {
  return gru_layers(x, steps, {{w, options, initial}})[0];
}

}  // namespace lookback::ops

#include "lookback/ops/recurrent.h"

#include <algorithm>
#include <cstring>

#include "lookback/ops/internal.h"
#include "lookback/ops/states.h"

namespace lookback::ops {
namespace {

kernels::Steps view(const Steps& s) { return {s.T(), s.data()}; }

void check_inputs(const char* name, int64_t gates, const Var& x, const Steps& steps, const RecurrentWeights& w,
                  const RecurrentState& initial) {
  check(x.shape().rank() == 2 && x.dim(0) == steps.N(), name, ": x must be [", steps.N(), ",I], got ", x.shape());
  check(w.w_hh.shape().rank() == 2 && w.w_hh.dim(0) == gates * w.w_hh.dim(1), name, ": w_hh must be [", gates,
        "H,H], got ", w.w_hh.shape());
  const int64_t I = x.dim(1), H = w.w_hh.dim(1), B = steps.B();
  check(w.w_ih.shape() == Shape{gates * H, I}, name, ": w_ih must be ", Shape{gates * H, I}, ", got ", w.w_ih.shape());
  check(w.b_ih.shape() == Shape{gates * H}, name, ": b_ih must be ", Shape{gates * H}, ", got ", w.b_ih.shape());
  check(w.b_hh.shape() == Shape{gates * H}, name, ": b_hh must be ", Shape{gates * H}, ", got ", w.b_hh.shape());
  for (const Var& s : {initial.h, initial.c})
    check(!s || s.shape() == Shape{B, H}, name, ": an initial state must be ", Shape{B, H});
}

// x Wx^T + bias in every row.
template <class R>
Tensor input_part(const Var& x, const Var& w_ih, const R* bias) {
  const int64_t N = x.dim(0), G = w_ih.dim(0);
  Tensor out({N, G}, x.dtype());
  product(N, x.value().data<R>(), weight<R>(w_ih, Packing::forward), out.data<R>(), Write::over, bias);
  return out;
}

void input_part_backward(const Var& x, const Var& w_ih, const Tensor& dgates) {
  with_float(dgates.dtype(), [&]<class R>() {
    // forward: gates = x Wx^T
    if (const auto dx = grad_target<R>(x); dx.data)
      transposed_product(dgates.dim(0), dgates.data<R>(), weight<R>(w_ih, Packing::backward), dx.data, dx.write);
  });
  add_weight_grad(w_ih, {0, w_ih.dim(1)}, x.value(), dgates);
}

// The last state of each sequence; an empty sequence ends where it started.
Tensor last_states(const Steps& steps, Direction direction, const Tensor& states, const Var& initial) {
  const int64_t B = steps.B(), H = states.dim(1);
  Tensor out({B, H}, states.dtype());
  with_float(states.dtype(), [&]<class R>() {
    for (int64_t b = 0; b < B; ++b) {
      const int64_t length = steps.length(b);
      R* row = out.data<R>() + b * H;
      if (length)
        std::copy_n(states.data<R>() + steps.row(direction == Direction::reverse ? 0 : length - 1, b) * H, H, row);
      else if (initial)
        std::copy_n(initial.value().data<R>() + b * H, H, row);
      else
        std::fill_n(row, H, R{0});
    }
  });
  return out;
}

template <class R>
const R* data_or_null(const Tensor& t) {
  return t.empty() ? nullptr : t.data<R>();
}

// What the kernels left in the carry is the gradient of the initial state. They do not see
// empty sequences, which pass the gradient of their last state on as it is.
void give_carry(const Steps& steps, const Var& initial, const Tensor& carry, const Tensor& dlast) {
  if (!initial || !initial.needs_grad()) return;
  const int64_t alive = steps.T() ? steps.alive(0) : 0;
  const Tensor empty = carry.rows(alive, steps.B());
  if (dlast.empty())
    empty.fill_zero();
  else
    std::memcpy(empty.bytes(), dlast.rows(alive, steps.B()).bytes(), static_cast<size_t>(empty.byte_size()));
  give_grad(initial, carry);
}

template <class R>
std::vector<R> sum_of(const Var& a, const Var& b) {
  std::vector<R> out(a.value().data<R>(), a.value().data<R>() + a.value().size());
  for (size_t k = 0; k < out.size(); ++k) out[k] += b.value().data<R>()[k];
  return out;
}

}  // namespace

RecurrentOut lstm(const Var& x, const Steps& steps, const RecurrentWeights& w, Direction direction,
                  const RecurrentState& initial) {
  check_inputs("lstm", 4, x, steps, w, initial);
  const int64_t N = steps.N(), B = steps.B(), H = w.w_hh.dim(1);
  const Dtype d = x.dtype();
  Tensor h({N, H}, d), c({N, H}, d), gates;
  auto forward_args = [=]<class R>(const Tensor& scratch, const Var& h0, const Var& c0) {
    return kernels::LstmForward<R>{.steps = view(steps),
                                   .H = H,
                                   .reverse = direction == Direction::reverse,
                                   .h0 = data_or_null<R>(h0),
                                   .c0 = data_or_null<R>(c0),
                                   .h = h.data<R>(),
                                   .c = c.data<R>(),
                                   .scratch = scratch.data<R>()};
  };
  with_float(d, [&]<class R>() {
    gates = input_part<R>(x, w.w_ih, sum_of<R>(w.b_ih, w.b_hh).data());
    const Tensor scratch({B, H}, d);
    auto args = forward_args.template operator()<R>(scratch, initial.h, initial.c);
    args.wh = weight<R>(w.w_hh, Packing::forward);
    args.gates = gates.data<R>();
    kernels::best<R>().lstm_forward(args);
  });
  const Tensor last_h = last_states(steps, direction, h, initial.h),
               last_c = last_states(steps, direction, c, initial.c);
  const auto out =
      record({h, last_h, last_c}, {x, w.w_ih, w.w_hh, w.b_ih, w.b_hh, initial.h, initial.c}, [=](Node& node) {
        const auto& in = node.inputs;
        Tensor dgates({N, 4 * H}, d), dh_carry({B, H}, d), dc_carry({B, H}, d);
        const Tensor dh = node.grads[0].empty() ? Tensor::zeros({N, H}, d) : node.grads[0];
        with_float(d, [&]<class R>() {
          const Tensor scratch({B, H}, d);
          auto args = forward_args.template operator()<R>(scratch, in[5], in[6]);
          args.wh = weight<R>(in[2], Packing::backward);
          args.gates = gates.data<R>();
          kernels::best<R>().lstm_backward({.f = args,
                                            .dh = dh.data<R>(),
                                            .dh_last = data_or_null<R>(node.grads[1]),
                                            .dc_last = data_or_null<R>(node.grads[2]),
                                            .dgates = dgates.data<R>(),
                                            .dh_carry = dh_carry.data<R>(),
                                            .dc_carry = dc_carry.data<R>()});
          add_weight_grad(in[2], {0, H}, states_before<R>(steps, direction, h, in[5] ? in[5].value() : Tensor()),
                          dgates);
        });
        input_part_backward(in[0], in[1], dgates);
        add_bias_grad(in[3], dgates);
        add_bias_grad(in[4], dgates);
        give_carry(steps, in[5], dh_carry, node.grads[1]);
        give_carry(steps, in[6], dc_carry, node.grads[2]);
      });
  return {out[0], out[1], out[2]};
}

RecurrentOut gru(const Var& x, const Steps& steps, const RecurrentWeights& w, Direction direction,
                 const RecurrentState& initial) {
  check_inputs("gru", 3, x, steps, w, initial);
  check(!initial.c, "gru: there is no cell state");
  const int64_t N = steps.N(), B = steps.B(), H = w.w_hh.dim(1);
  const Dtype d = x.dtype();
  Tensor h({N, H}, d), hn({N, H}, d), gates;
  auto forward_args = [=]<class R>(const Tensor& scratch, const Var& b_hh, const Var& h0) {
    return kernels::GruForward<R>{.steps = view(steps),
                                  .H = H,
                                  .reverse = direction == Direction::reverse,
                                  .bh = b_hh.value().data<R>(),
                                  .h0 = data_or_null<R>(h0),
                                  .hn = hn.data<R>(),
                                  .h = h.data<R>(),
                                  .scratch = scratch.data<R>()};
  };
  with_float(d, [&]<class R>() {
    gates = input_part<R>(x, w.w_ih, w.b_ih.value().data<R>());
    const Tensor scratch({B, 4 * H}, d);
    auto args = forward_args.template operator()<R>(scratch, w.b_hh, initial.h);
    args.wh = weight<R>(w.w_hh, Packing::forward);
    args.gates = gates.data<R>();
    kernels::best<R>().gru_forward(args);
  });
  const Tensor last_h = last_states(steps, direction, h, initial.h);
  const auto out = record({h, last_h}, {x, w.w_ih, w.w_hh, w.b_ih, w.b_hh, initial.h}, [=](Node& node) {
    const auto& in = node.inputs;
    Tensor dgates_x({N, 3 * H}, d), dgates_h({N, 3 * H}, d), dh_carry({B, H}, d);
    const Tensor dh = node.grads[0].empty() ? Tensor::zeros({N, H}, d) : node.grads[0];
    with_float(d, [&]<class R>() {
      const Tensor scratch({B, 4 * H}, d);
      auto args = forward_args.template operator()<R>(scratch, in[4], in[5]);
      args.wh = weight<R>(in[2], Packing::backward);
      args.gates = gates.data<R>();
      kernels::best<R>().gru_backward({.f = args,
                                       .dh = dh.data<R>(),
                                       .dh_last = data_or_null<R>(node.grads[1]),
                                       .dgates_x = dgates_x.data<R>(),
                                       .dgates_h = dgates_h.data<R>(),
                                       .dh_carry = dh_carry.data<R>()});
      add_weight_grad(in[2], {0, H}, states_before<R>(steps, direction, h, in[5] ? in[5].value() : Tensor()), dgates_h);
    });
    input_part_backward(in[0], in[1], dgates_x);
    add_bias_grad(in[3], dgates_x);
    add_bias_grad(in[4], dgates_h);
    give_carry(steps, in[5], dh_carry, node.grads[1]);
  });
  return {out[0], out[1], Var()};
}

LstmCellOut lstm_cell(const Var& gates, const Var& c) {
  check(c.shape().rank() == 2 && gates.shape() == Shape{c.dim(0), 4 * c.dim(1)}, "lstm_cell: gates ", gates.shape(),
        " do not fit c ", c.shape());
  const int64_t N = c.dim(0), H = c.dim(1);
  const Dtype d = c.dtype();
  // The kernel turns the gates into activations in place.
  Tensor activations = gates.value().clone(), h({N, H}, d), c_next({N, H}, d);
  auto args = [=]<class R>(const Var& before) {
    return kernels::LstmCell<R>{N, H, activations.data<R>(), before.value().data<R>(), h.data<R>(), c_next.data<R>()};
  };
  with_float(d, [&]<class R>() { kernels::best<R>().lstm_cell(args.template operator()<R>(c)); });
  const auto out = record({h, c_next}, {gates, c}, [=](Node& node) {
    const auto& in = node.inputs;
    Tensor dgates({N, 4 * H}, d);
    with_float(d, [&]<class R>() {
      kernels::best<R>().lstm_cell_backward({.f = args.template operator()<R>(in[1]),
                                             .dh_next = data_or_null<R>(node.grads[0]),
                                             .dc_next = data_or_null<R>(node.grads[1]),
                                             .dgates = dgates.data<R>(),
                                             .dc = grad_or_null<R>(in[1])});
    });
    give_grad(in[0], dgates);
  });
  return {out[0], out[1]};
}

Var gru_cell(const Var& gates_x, const Var& gates_h, const Var& h) {
  check(h.shape().rank() == 2 && gates_x.shape() == Shape{h.dim(0), 3 * h.dim(1)} && gates_h.shape() == gates_x.shape(),
        "gru_cell: gates ", gates_x.shape(), " and ", gates_h.shape(), " do not fit h ", h.shape());
  const int64_t N = h.dim(0), H = h.dim(1);
  const Dtype d = h.dtype();
  Tensor activations = gates_x.value().clone(), h_next({N, H}, d);
  auto args = [=]<class R>(const Var& recurrent, const Var& before) {
    return kernels::GruCell<R>{
        N, H, activations.data<R>(), recurrent.value().data<R>(), before.value().data<R>(), h_next.data<R>()};
  };
  with_float(d, [&]<class R>() { kernels::best<R>().gru_cell(args.template operator()<R>(gates_h, h)); });
  return record({h_next}, {gates_x, gates_h, h}, [=](Node& node) {
    const auto& in = node.inputs;
    Tensor dx({N, 3 * H}, d), dh({N, 3 * H}, d);
    with_float(d, [&]<class R>() {
      kernels::best<R>().gru_cell_backward({.f = args.template operator()<R>(in[1], in[2]),
                                            .dh_next = node.grads[0].data<R>(),
                                            .dgates_x = dx.data<R>(),
                                            .dgates_h = dh.data<R>(),
                                            .dh = grad_or_null<R>(in[2])});
    });
    give_grad(in[0], dx);
    give_grad(in[1], dh);
  })[0];
}

}  // namespace lookback::ops

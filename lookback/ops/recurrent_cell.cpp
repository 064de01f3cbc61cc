#include "lookback/ops/internal.h"
#include "lookback/ops/recurrent.h"

namespace lookback::ops {
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
    const Tensor dgates({N, 4 * H}, d), dc({N, H}, d);
    with_float(d, [&]<class R>() {
      kernels::best<R>().lstm_cell_backward({.f = args.template operator()<R>(in[1]),
                                             .dh_next = data_or_null<R>(node.grads[0]),
                                             .dc_next = data_or_null<R>(node.grads[1]),
                                             .dgates = dgates.data<R>(),
                                             .dc = dc.data<R>()});
    });
    give_grad(in[0], dgates);
    give_grad(in[1], dc);
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
    const Tensor dx({N, 3 * H}, d), dgates_h({N, 3 * H}, d), dh({N, H}, d);
    with_float(d, [&]<class R>() {
      kernels::best<R>().gru_cell_backward({.f = args.template operator()<R>(in[1], in[2]),
                                            .dh_next = node.grads[0].data<R>(),
                                            .dgates_x = dx.data<R>(),
                                            .dgates_h = dgates_h.data<R>(),
                                            .dh = dh.data<R>()});
    });
    give_grad(in[0], dx);
    give_grad(in[1], dgates_h);
    give_grad(in[2], dh);
  })[0];
}

}  // namespace lookback::ops

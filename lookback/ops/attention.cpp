#include "lookback/ops/attention.h"

#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

kernels::Memory view(const Visible& visible) {
  return {.sentences = visible.memory.sentences(),
          .begin = visible.memory.data(),
          .N = visible.N(),
          .sentence_of_row = visible.sentence_of_row->data(),
          .T = visible.T()};
}

void check_layout(const char* name, const Visible& visible, const Var& rows, const char* what) {
  check(rows.shape().rank() == 2 && rows.dim(0) == visible.memory.rows(), name, ": ", what, " must be [",
        visible.memory.rows(), ",*], got ", rows.shape());
  for (const int32_t s : *visible.sentence_of_row)
    check(0 <= s && s < visible.memory.sentences(), name, ": no sentence ", s, " among ", visible.memory.sentences());
}

}  // namespace

Var score_dot(const Var& query, const Var& keys, const Visible& visible, double scale) {
  check_layout("score_dot", visible, keys, "keys");
  const int64_t A = keys.dim(1);
  check(query.shape() == Shape{visible.N(), A}, "score_dot: query must be ", Shape{visible.N(), A}, ", got ",
        query.shape());
  Tensor energies({visible.N(), visible.T()}, query.dtype());
  auto args = [=]<class R>(const Var& q, const Var& k) {
    return kernels::ScoreDot<R>{view(visible),     A, static_cast<R>(scale), q.value().data<R>(), k.value().data<R>(),
                                energies.data<R>()};
  };
  with_float(query.dtype(), [&]<class R>() { kernels::best<R>().score_dot(args.template operator()<R>(query, keys)); });
  return record({energies}, {query, keys}, [=](Node& node) {
    const auto& in = node.inputs;
    with_float(energies.dtype(), [&]<class R>() {
      kernels::best<R>().score_dot_backward({.f = args.template operator()<R>(in[0], in[1]),
                                             .denergies = node.grads[0].data<R>(),
                                             .dquery = grad_or_null<R>(in[0]),
                                             .dkeys = grad_or_null<R>(in[1])});
    });
  })[0];
}

Var score_additive(const Var& query, const Var& keys, const Var& v, const Visible& visible) {
  check_layout("score_additive", visible, keys, "keys");
  const int64_t A = keys.dim(1);
  check(query.shape() == Shape{visible.N(), A}, "score_additive: query must be ", Shape{visible.N(), A}, ", got ",
        query.shape());
  check(v.shape() == Shape{A}, "score_additive: v must be ", Shape{A}, ", got ", v.shape());
  Tensor energies({visible.N(), visible.T()}, query.dtype());
  auto args = [=]<class R>(const Var& q, const Var& k, const Var& u) {
    return kernels::ScoreAdditive<R>{
        view(visible), A, q.value().data<R>(), k.value().data<R>(), u.value().data<R>(), energies.data<R>()};
  };
  with_float(query.dtype(),
             [&]<class R>() { kernels::best<R>().score_additive(args.template operator()<R>(query, keys, v)); });
  return record({energies}, {query, keys, v}, [=](Node& node) {
    const auto& in = node.inputs;
    const Tensor scratch({visible.memory.sentences(), A}, energies.dtype());
    with_float(energies.dtype(), [&]<class R>() {
      kernels::best<R>().score_additive_backward({.f = args.template operator()<R>(in[0], in[1], in[2]),
                                                  .denergies = node.grads[0].data<R>(),
                                                  .dquery = grad_or_null<R>(in[0]),
                                                  .dkeys = grad_or_null<R>(in[1]),
                                                  .dv = grad_or_null<R>(in[2]),
                                                  .dv_scratch = scratch.data<R>()});
    });
  })[0];
}

Attended attend(const Var& energies, const Var& values, const Visible& visible) {
  check_layout("attend", visible, values, "values");
  const int64_t M = values.dim(1);
  check(energies.shape() == Shape{visible.N(), visible.T()}, "attend: energies must be ",
        Shape{visible.N(), visible.T()}, ", got ", energies.shape());
  Tensor context({visible.N(), M}, values.dtype()), weights({visible.N(), visible.T()}, values.dtype());
  auto args = [=]<class R>(const Var& e, const Var& v) {
    return kernels::Attend<R>{view(visible),    M, e.value().data<R>(), v.value().data<R>(), weights.data<R>(),
                              context.data<R>()};
  };
  with_float(values.dtype(),
             [&]<class R>() { kernels::best<R>().attend(args.template operator()<R>(energies, values)); });
  const auto out = record({context, weights}, {energies, values}, [=](Node& node) {
    const auto& in = node.inputs;
    with_float(context.dtype(), [&]<class R>() {
      kernels::best<R>().attend_backward({.f = args.template operator()<R>(in[0], in[1]),
                                          .dcontext = node.grads[0].empty() ? nullptr : node.grads[0].data<R>(),
                                          .dweights = node.grads[1].empty() ? nullptr : node.grads[1].data<R>(),
                                          .denergies = grad_or_null<R>(in[0]),
                                          .dvalues = grad_or_null<R>(in[1])});
    });
  });
  return {out[0], out[1]};
}

}  // namespace lookback::ops

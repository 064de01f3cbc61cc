#include "lookback/ops/attention.h"

#include <algorithm>
#include <limits>

#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

void check_bound_counts(const char* name, const Visible& visible) {
  check(visible.begin && visible.end && std::ssize(*visible.begin) == visible.N() &&
            std::ssize(*visible.end) == visible.N(),
        name, ": each of ", visible.N(), " rows needs a begin and an end");
}

void check_layout(const char* name, const Visible& visible, const Var& rows, const char* what) {
  check(rows.shape().rank() == 2 && rows.dim(0) == visible.memory.rows(), name, ": ", what, " must be [",
        visible.memory.rows(), ",*], got ", rows.shape());
  check_rows(name, visible);
}

Tensor transposed(const Tensor& x) {
  const int64_t rows = x.dim(0), cols = x.dim(1);
  Tensor out({cols, rows}, x.dtype());
  with_float(x.dtype(), [&]<class R>() {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) out.data<R>()[c * rows + r] = x.data<R>()[r * cols + c];
  });
  return out;
}

}  // namespace

kernels::Memory view(const Visible& visible) {
  return {.sentences = visible.memory.sentences(),
          .begin = visible.memory.data(),
          .N = visible.N(),
          .sentence_of_row = visible.sentence_of_row->data(),
          .T = visible.T(),
          .begin_of_row = visible.begin ? visible.begin->data() : nullptr,
          .end_of_row = visible.end ? visible.end->data() : nullptr};
}

void check_rows(const char* name, const Visible& visible) {
  const int64_t S = visible.memory.sentences();
  for (const int32_t s : *visible.sentence_of_row) check(0 <= s && s < S, name, ": no sentence ", s, " among ", S);
  if (!visible.begin && !visible.end) return;
  check_bound_counts(name, visible);
  for (size_t n = 0; n < visible.sentence_of_row->size(); ++n) {
    const int32_t begin = (*visible.begin)[n], end = (*visible.end)[n];
    const int64_t length = visible.memory.length((*visible.sentence_of_row)[n]);
    check(0 <= begin && begin <= end && end <= length, name, ": row ", n, " cannot see positions ", begin, " to ", end,
          " of a sentence of ", length);
  }
}

int64_t Visible::longest_span() const {
  check_bound_counts("visible", *this);
  int64_t longest = 0;
  for (size_t n = 0; n < begin->size(); ++n) longest = std::max<int64_t>(longest, int64_t{(*end)[n]} - (*begin)[n]);
  return longest;
}

Visible Visible::within(const RowIds& centre, int64_t half_width) const {
  check_rows("within", *this);
  check(half_width >= 0, "within: a window cannot reach ", half_width, " positions to each side");
  check(std::ssize(*centre) == N(), "within: one centre for each of ", N(), " rows, got ", centre->size());
  // No centre is further than this from any position.
  const int64_t reach = std::min<int64_t>(half_width, std::numeric_limits<uint32_t>::max());
  std::vector<int32_t> first(centre->size()), last(centre->size());
  for (size_t n = 0; n < centre->size(); ++n) {
    const int64_t from = begin ? (*begin)[n] : 0, to = end ? (*end)[n] : memory.length((*sentence_of_row)[n]);
    first[n] = static_cast<int32_t>(std::clamp((*centre)[n] - reach, from, to));
    last[n] = static_cast<int32_t>(std::clamp((*centre)[n] + reach + 1, from, to));
  }
  return {memory, sentence_of_row, row_ids(std::move(first)), row_ids(std::move(last))};
}

Visible Visible::each_other(const MemoryLayout& memory) { return {memory, row_ids(memory.sentence_of_rows())}; }

Visible Visible::causal(const MemoryLayout& memory) {
  std::vector<int32_t> end = memory.position_of_rows();
  for (int32_t& position : end) ++position;
  return {memory, row_ids(memory.sentence_of_rows()), row_ids(std::vector<int32_t>(end.size())),
          row_ids(std::move(end))};
}

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

Var score_additive(const Var& query, const Var& keys, const Var& v, const Visible& visible,
                   const ScoreFeatures& features) {
  check_layout("score_additive", visible, keys, "keys");
  const int64_t A = keys.dim(1);
  check(query.shape() == Shape{visible.N(), A}, "score_additive: query must be ", Shape{visible.N(), A}, ", got ",
        query.shape());
  check(v.shape() == Shape{A}, "score_additive: v must be ", Shape{A}, ", got ", v.shape());
  const int64_t F = features.weight ? features.weight.dim(1) : 0;
  if (features.x) {
    const Shape x{visible.N(), visible.T() * F};
    check(features.weight.shape() == Shape{A, F}, "score_additive: the weight of features must be ", Shape{A, F},
          ", got ", features.weight.shape());
    check(features.x.shape() == x, "score_additive: features must be ", x, ", got ", features.x.shape());
  }
  const Dtype d = query.dtype();
  Tensor energies({visible.N(), visible.T()}, d);
  const Tensor weight = features.x ? transposed(features.weight.value()) : Tensor();
  const Tensor factors = features.x ? Tensor() : tanh_factors(keys);
  auto args = [=]<class R>(const std::vector<Var>& in) {
    return kernels::ScoreAdditive<R>{.memory = view(visible),
                                     .A = A,
                                     .query = in[0].value().data<R>(),
                                     .keys = in[1].value().data<R>(),
                                     .v = in[2].value().data<R>(),
                                     .energies = energies.data<R>(),
                                     .F = F,
                                     .features = data_or_null<R>(in[3]),
                                     .feature_weight = data_or_null<R>(weight),
                                     .key_factors = data_or_null<R>(factors)};
  };
  const std::vector<Var> inputs{query, keys, v, features.x, features.weight};
  with_float(d, [&]<class R>() { kernels::best<R>().score_additive(args.template operator()<R>(inputs)); });
  return record({energies}, inputs, [=](Node& node) {
    const auto& in = node.inputs;
    const int64_t B = visible.memory.sentences();
    const Tensor scratch({B, A}, d);
    const bool wanted = in[3] && (in[3].needs_grad() || in[4].needs_grad());
    const Tensor dweight = wanted ? Tensor::zeros({F, A}, d) : Tensor(),
                 feature_scratch = wanted ? Tensor({B, F * A}, d) : Tensor(),
                 unread = wanted && !in[3].needs_grad() ? Tensor::zeros(in[3].shape(), d) : Tensor();
    with_float(d, [&]<class R>() {
      R* const dfeatures = !wanted ? nullptr : in[3].needs_grad() ? grad_or_null<R>(in[3]) : unread.data<R>();
      kernels::best<R>().score_additive_backward({.f = args.template operator()<R>(in),
                                                  .denergies = node.grads[0].data<R>(),
                                                  .dquery = grad_or_null<R>(in[0]),
                                                  .dkeys = grad_or_null<R>(in[1]),
                                                  .dv = grad_or_null<R>(in[2]),
                                                  .dv_scratch = scratch.data<R>(),
                                                  .dfeatures = dfeatures,
                                                  .dfeature_weight = wanted ? dweight.data<R>() : nullptr,
                                                  .feature_scratch = wanted ? feature_scratch.data<R>() : nullptr});
    });
    if (wanted && in[4].needs_grad()) give_grad(in[4], transposed(dweight));
  })[0];
}

Var convolve_weights(const Var& weights, const Var& filters, const Visible& visible) {
  check_rows("convolve_weights", visible);
  const Shape expected{visible.N(), visible.T()};
  check(weights.shape() == expected, "convolve_weights: weights must be ", expected, ", got ", weights.shape());
  check(filters.shape().rank() == 2 && filters.dim(1) > 0, "convolve_weights: filters must be [F, width], got ",
        filters.shape());
  const int64_t F = filters.dim(0);
  Tensor features({visible.N(), visible.T() * F}, weights.dtype());
  auto args = [=]<class R>(const Var& w, const Var& f) {
    return kernels::ConvolveWeights<R>{view(visible),     F, f.dim(1), w.value().data<R>(), f.value().data<R>(),
                                       features.data<R>()};
  };
  with_float(features.dtype(),
             [&]<class R>() { kernels::best<R>().convolve_weights(args.template operator()<R>(weights, filters)); });
  return record({features}, {weights, filters}, [=](Node& node) {
    const auto& in = node.inputs;
    with_float(features.dtype(), [&]<class R>() {
      kernels::best<R>().convolve_weights_backward({.f = args.template operator()<R>(in[0], in[1]),
                                                    .dfeatures = node.grads[0].data<R>(),
                                                    .dweights = grad_or_null<R>(in[0]),
                                                    .dfilters = grad_or_null<R>(in[1])});
    });
  })[0];
}

Var coverage_loss(const Var& weights, const Var& coverage) {
  check(weights.shape() == coverage.shape(), "coverage_loss: weights ", weights.shape(), " and coverage ",
        coverage.shape(), " must be alike");
  Tensor sum({1}, weights.dtype());
  with_float(sum.dtype(), [&]<class R>() {
    const R *w = weights.value().data<R>(), *c = coverage.value().data<R>();
    double total = 0;
    for (int64_t k = 0; k < weights.value().size(); ++k) total += std::min(w[k], c[k]);
    sum.data<R>()[0] = static_cast<R>(total);
  });
  return record({sum}, {weights, coverage}, [=](Node& node) {
    with_float(sum.dtype(), [&]<class R>() {
      const R *w = node.inputs[0].value().data<R>(), *c = node.inputs[1].value().data<R>();
      R *dw = grad_or_null<R>(node.inputs[0]), *dc = grad_or_null<R>(node.inputs[1]);
      const R g = node.grads[0].data<R>()[0];
      for (int64_t k = 0; k < node.inputs[0].value().size(); ++k)
        if (R* const d = w[k] <= c[k] ? dw : dc) d[k] += g;
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
  return {out[0], out[1], energies};
}

Var weigh(const Var& weights, const Var& values, const Visible& visible) {
  check_layout("weigh", visible, values, "values");
  const int64_t M = values.dim(1);
  check(weights.shape() == Shape{visible.N(), visible.T()}, "weigh: weights must be ", Shape{visible.N(), visible.T()},
        ", got ", weights.shape());
  Tensor context({visible.N(), M}, values.dtype());
  auto args = [=]<class R>(const Var& w, const Var& v) {
    return kernels::Attend<R>{.memory = view(visible),
                              .M = M,
                              .energies = nullptr,
                              .values = v.value().data<R>(),
                              .weights = w.value().data<R>(),
                              .context = context.data<R>(),
                              .softmax = false};
  };
  with_float(values.dtype(),
             [&]<class R>() { kernels::best<R>().attend(args.template operator()<R>(weights, values)); });
  return record({context}, {weights, values}, [=](Node& node) {
    const auto& in = node.inputs;
    with_float(context.dtype(), [&]<class R>() {
      kernels::best<R>().attend_backward({.f = args.template operator()<R>(in[0], in[1]),
                                          .dcontext = node.grads[0].data<R>(),
                                          .dweights = nullptr,
                                          .denergies = grad_or_null<R>(in[0]),
                                          .dvalues = grad_or_null<R>(in[1])});
    });
  })[0];
}

}  // namespace lookback::ops

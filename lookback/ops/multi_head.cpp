#include "lookback/ops/multi_head.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "lookback/base/elementary.h"
#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

void check_inputs(const char* name, std::initializer_list<Var> inputs, const Var& bias, const MemoryLayout& memory,
                  const MultiHeadOptions& o) {
  const Shape& shape = inputs.begin()->shape();
  check(shape.rank() == 2 && shape[0] == memory.rows(), name, ": query must be [", memory.rows(), ",*], got ", shape);
  for (const Var& in : inputs)
    check(in.shape() == shape, name, ": query, key and value must be alike, got ", shape, " and ", in.shape());
  check(o.heads > 0 && shape[1] > 0 && shape[1] % o.heads == 0, name, ": ", shape[1], " columns cannot be shared by ",
        o.heads, " heads");
  check(o.window >= 0, name, ": a window cannot reach ", o.window, " positions to each side");
  check(o.relative >= 0, name, ": a bias cannot reach ", o.relative, " positions to each side");
  check(static_cast<bool>(bias) == (o.relative > 0), name, ": a bias for ", o.relative, " positions to each side is ",
        bias ? "given" : "missing");
  const Shape expected{o.heads, 2 * o.relative + 1};
  check(!bias || bias.shape() == expected, name, ": the bias must be ", expected, ", got ",
        bias ? bias.shape() : Shape{});
}

// What a forward is told apart from its tensors.
template <class R>
kernels::MultiHead<R> view(const Var& query, const MemoryLayout& memory, const MultiHeadOptions& o) {
  const int64_t width = query.dim(1) / o.heads;
  return {.sentences = memory.sentences(),
          .begin = memory.data(),
          .N = memory.rows(),
          .heads = o.heads,
          .width = width,
          .scale = static_cast<R>(1 / std::sqrt(static_cast<double>(width))),
          .causal = o.causal,
          // No position is further away than this.
          .window = o.window ? std::min(o.window, memory.longest() + 1) : 0,
          .reach = o.relative};
}

}  // namespace

Var multi_head_attention(const Var& query, const Var& key, const Var& value, const Var& relative_bias,
                         const MemoryLayout& memory, const MultiHeadOptions& options) {
  check_inputs("multi_head_attention", {query, key, value}, relative_bias, memory, options);
  const Dtype d = query.dtype();
  const Tensor out(query.shape(), d), top({options.heads, memory.rows()}, d), inverse(top.shape(), d);
  auto args = [=]<class R>(const std::vector<Var>& in) {
    kernels::MultiHead<R> a = view<R>(in[0], memory, options);
    a.query = in[0].value().data<R>(), a.key = in[1].value().data<R>(), a.value = in[2].value().data<R>();
    a.bias = data_or_null<R>(in[3]);
    a.out = out.data<R>(), a.top = top.data<R>(), a.inverse = inverse.data<R>();
    return a;
  };
  const std::vector<Var> inputs{query, key, value, relative_bias};
  with_float(d, [&]<class R>() { kernels::best<R>().multi_head(args.template operator()<R>(inputs)); });
  return record({out}, inputs, [=](Node& node) {
    const auto& in = node.inputs;
    const bool wanted = in[3] && in[3].needs_grad();
    const Tensor scratch = wanted ? Tensor({memory.sentences(), options.heads, 2 * options.relative + 1}, d) : Tensor();
    with_float(d, [&]<class R>() {
      const GradTarget<R> dquery = grad_target<R>(in[0]), dkey = grad_target<R>(in[1]), dvalue = grad_target<R>(in[2]);
      kernels::best<R>().multi_head_backward({.f = args.template operator()<R>(in),
                                              .dout = node.grads[0].data<R>(),
                                              .dquery = dquery.data,
                                              .dkey = dkey.data,
                                              .dvalue = dvalue.data,
                                              .dbias = wanted ? grad_or_null<R>(in[3]) : nullptr,
                                              .replace_dquery = dquery.write == Write::overwrite,
                                              .replace_dkey = dkey.write == Write::overwrite,
                                              .replace_dvalue = dvalue.write == Write::overwrite,
                                              .dbias_scratch = wanted ? scratch.data<R>() : nullptr});
    });
  })[0];
}

Tensor attention_weights(const Var& query, const Var& key, const Var& relative_bias, const MemoryLayout& memory,
                         const MultiHeadOptions& options, HeadOfSentence which) {
  check_inputs("attention_weights", {query, key}, relative_bias, memory, options);
  const int64_t s = which.sentence, h = which.head;
  check(0 <= s && s < memory.sentences() && 0 <= h && h < options.heads, "attention_weights: no head ", h,
        " of sentence ", s, " among ", options.heads, " of ", memory.sentences());
  const int64_t T = memory.length(s);
  const Tensor weights = Tensor::zeros({T, T}, query.dtype());
  with_float(query.dtype(), [&]<class R>() {
    const kernels::MultiHead<R> a = view<R>(query, memory, options);
    const R* const bias = relative_bias ? relative_bias.value().data<R>() + h * (2 * a.reach + 1) : nullptr;
    const auto at = [&](const Var& x, int64_t t) {
      return x.value().data<R>() + ((memory.begin(s) + t) * a.heads + h) * a.width;
    };
    std::vector<double> scores(static_cast<size_t>(T));
    for (int64_t t = 0; t < T; ++t) {
      const auto first = scores.begin() + a.first_seen(t), end = scores.begin() + a.end_seen(t, T);
      for (auto e = first; e != end; ++e) {
        const int64_t u = e - scores.begin();
        double sum = 0;
        for (int64_t k = 0; k < a.width; ++k) sum += static_cast<double>(at(query, t)[k]) * at(key, u)[k];
        *e = a.scale * sum + (bias ? bias[a.column(t - u)] : 0);
      }
      const double top = *std::max_element(first, end);
      double total = 0;
      for (auto e = first; e != end; ++e) total += * e = elementary::exp(*e - top);
      for (auto e = first; e != end; ++e) weights.data<R>()[t * T + (e - scores.begin())] = static_cast<R>(*e / total);
    }
  });
  return weights;
}

}  // namespace lookback::ops

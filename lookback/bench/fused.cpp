// Every fusion against what it stands for: both sides give the same values and gradients, and are measured in turn.
#include "lookback/bench/parts.h"
#include "lookback/nn/decoder.h"
#include "lookback/ops/attention.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/linear.h"
#include "lookback/ops/loss.h"
#include "lookback/ops/multi_head.h"
#include "lookback/ops/top_k.h"

namespace lookback::bench {
namespace {

using Vars = std::vector<Var>;

// Inputs of both sides, from the same seed. Weights stay packed from run to run.
struct Inputs {
  int64_t H, V, B, T, U, N;  // N: rows of all target steps
  Precision precision;
  mutable Rng rng;
  explicit Inputs(const Options& o)
      : H(o.model.decoder.hidden),
        V(o.vocabulary),
        B(o.batch),
        T(o.source),
        U(o.target),
        N(o.batch * o.target),
        precision(demanded_of_training(o)),
        rng(static_cast<uint64_t>(o.seed)) {}
  Var draw(const Shape& shape) const { return Var(random_tensor(shape, rng)); }
  Var parameter(const Shape& shape) const { return Var::parameter(random_tensor(shape, rng)); }

  // Queries of a sentence are neighbours.
  ops::Visible attention() const {
    std::vector<int32_t> sentence_of_row;
    for (int64_t n = 0; n < N; ++n) sentence_of_row.push_back(static_cast<int32_t>(n / U));
    return {MemoryLayout(std::vector<int64_t>(static_cast<size_t>(B), T)), ops::row_ids(std::move(sentence_of_row))};
  }
};

using Side = std::unique_ptr<Work> (*)(const Inputs&);

Case against(const Options& o, std::string name, Side fused, Side composed) {
  return {.name = std::move(name),
          .precision = o.precision,
          .make = [=] { return fused(Inputs(o)); },
          .composed = [=] { return composed(Inputs(o)); }};
}

// Work that computes something of this shape from parameters, and sends gradients back to them.
std::unique_ptr<Work> both_ways(const Inputs& in, const Shape& shape, Vars params, std::function<Var()> forward) {
  const Tensor dy = Tensor::full(shape, 0.01);
  return std::make_unique<Call>(in.precision, Cost{}, [dy, params = std::move(params), forward = std::move(forward)] {
    backward(ops::weighted_sum(forward(), dy));
    for (const Var& v : params) v.clear_grad();
  });
}

Vars vars_of(const ops::RecurrentWeights& w, const Var& x) { return {w.w_ih, w.w_hh, w.b_ih, w.b_hh, x}; }

template <CellKind kind>
std::unique_ptr<Work> layer(const Inputs& in) {
  const auto w = random_recurrent(kind, in.H, in.H, in.rng);
  const Var x = in.parameter({in.T * in.B, in.H});
  return both_ways(in, x.shape(), vars_of(w, x), [w, x, steps = Steps::dense(in.T, in.B)] {
    return (kind == CellKind::lstm ? ops::lstm : ops::gru)(x, steps, w, {}, {}).h;
  });
}

template <CellKind kind>
std::unique_ptr<Work> cells(const Inputs& in) {
  const auto w = random_recurrent(kind, in.H, in.H, in.rng);
  const Var x = in.parameter({in.T * in.B, in.H});
  return both_ways(in, x.shape(), vars_of(w, x), [w, x, T = in.T, B = in.B, H = in.H] {
    CellState state{Var(Tensor::zeros({B, H})), kind == CellKind::lstm ? Var(Tensor::zeros({B, H})) : Var()};
    Vars hs;
    for (int64_t t = 0; t < T; ++t) {
      const Var x_t = ops::slice_rows(x, t * B, (t + 1) * B);
      state = cell_step(kind, w, ops::linear(x_t, w.w_ih, {.bias = w.b_ih}), state);
      hs.push_back(state.h);
    }
    return ops::concat_rows(hs);
  });
}

std::unique_ptr<Work> all_rows(const Inputs& in) {
  const Var x = in.parameter({in.T * in.B, in.H}), w = in.parameter({4 * in.H, in.H}), b = in.parameter({4 * in.H});
  return both_ways(in, {in.T * in.B, 4 * in.H}, {x, w, b}, [=] { return ops::linear(x, w, {.bias = b}); });
}

std::unique_ptr<Work> rows_by_step(const Inputs& in) {
  const Var x = in.parameter({in.T * in.B, in.H}), w = in.parameter({4 * in.H, in.H}), b = in.parameter({4 * in.H});
  return both_ways(in, {in.T * in.B, 4 * in.H}, {x, w, b}, [=, T = in.T, B = in.B] {
    Vars ys;
    for (int64_t t = 0; t < T; ++t) ys.push_back(ops::linear(ops::slice_rows(x, t * B, (t + 1) * B), w, {.bias = b}));
    return ops::concat_rows(ys);
  });
}

// The products of all steps with one weight, and its gradient: after the last step, or after each.
template <bool each>
std::unique_ptr<Work> weight_gradient(const Inputs& in) {
  const Var w = in.parameter({4 * in.H, in.H});
  Vars xs;
  for (int64_t t = 0; t < in.T; ++t) xs.push_back(in.draw({in.B, in.H}));
  const Tensor dy = Tensor::full({in.B, 4 * in.H}, 0.01);
  return std::make_unique<Call>(in.precision, Cost{}, [=] {
    Var sum;
    for (const Var& x : xs) {
      const Var loss = ops::weighted_sum(ops::linear(x, w), dy);
      if (each)
        backward(loss);
      else
        sum = sum ? ops::add(sum, loss) : loss;
    }
    if (!each) backward(sum);
    w.clear_grad();
  });
}

// All steps of a decoder with attention and input feeding, as one op or step by step: truncated BPTT, here with a
// stretch that is never full, is what makes it run by steps.
template <bool by_step>
std::unique_ptr<Work> attentive_decoder(const Inputs& in) {
  DecoderOptions o{.hidden = in.H, .bridge = "zeros"};
  if (by_step) o.time.bptt = in.U + 1;
  const auto decoder = std::make_shared<Decoder>(o, std::vector{in.H}, "general", DecoderSizes{in.H, in.H, in.H, in.H});
  const Ragged shape(std::vector<int64_t>(static_cast<size_t>(in.B), in.T));
  const Encoded source{{in.parameter({in.B * in.T, in.H}), shape, RowOrder::by_sequence},
                       {{in.parameter({in.B, in.H}), in.parameter({in.B, in.H})}}};
  const Var embedded = in.parameter({in.U * in.B, in.H});
  Vars params = {source.memory.x, embedded};
  for (const NamedVar& p : params_of(*decoder)) {
    p.var.set_value(random_tensor(p.var.shape(), in.rng));
    params.push_back(p.var);
  }
  std::vector<int32_t> sentence_of_row;
  for (int32_t b = 0; b < in.B; ++b) sentence_of_row.push_back(b);
  return both_ways(in, embedded.shape(), params, [=, steps = Steps::dense(in.U, in.B)] {
    const DecoderPass pass(*decoder, source, {}, nullptr);
    return pass.teacher_force(embedded, steps, pass.start(source), sentence_of_row).readouts;
  });
}

struct Output {
  Var hidden, w, b;
  std::vector<int32_t> targets;
  explicit Output(const Inputs& in)
      : hidden(in.parameter({in.N, in.H})), w(in.parameter({in.V, in.H})), b(in.parameter({in.V})) {
    for (int64_t n = 0; n < in.N; ++n) targets.push_back(static_cast<int32_t>(n * 31 % in.V));
  }
};

std::unique_ptr<Work> loss_at_once(const Inputs& in) {
  const Output o(in);
  return both_ways(in, {1}, {o.hidden, o.w, o.b},
                   [o] { return ops::projected_xent(o.hidden, o.w, o.b, o.targets).loss; });
}

// -log p[n,y[n]], summed. p [N, V]
Var picked_nll(const Var& p, const std::vector<int32_t>& y) {
  const int64_t V = p.dim(1);
  const auto at = [=](size_t n) { return static_cast<int64_t>(n) * V + y[n]; };
  double sum = 0;
  for (size_t n = 0; n < y.size(); ++n) sum -= elementary::log(p.value().data<float>()[at(n)]);
  return record({Tensor::full({1}, sum)}, {p}, [=](Node& node) {
    const Var& in = node.inputs[0];
    float* dp = in.grad_buffer().data<float>();
    // forward: sum -= log p
    for (size_t n = 0; n < y.size(); ++n) dp[at(n)] -= node.grads[0].data<float>()[0] / in.value().data<float>()[at(n)];
  })[0];
}

// Output layer, softmax, and the logarithm of what the target got, each on its own. The softmax is that of `attend`,
// over "sentences" of V positions; there are several so that its threads have work.
std::unique_ptr<Work> loss_in_parts(const Inputs& in) {
  constexpr int64_t kSentences = 16;
  const Output o(in);
  std::vector<int32_t> sentence_of_row;
  for (int64_t n = 0; n < in.N; ++n) sentence_of_row.push_back(static_cast<int32_t>(n % kSentences));
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>(kSentences, in.V)),
                             ops::row_ids(std::move(sentence_of_row))};
  const Var nothing(Tensor::zeros({kSentences * in.V, 1}));
  return both_ways(in, {1}, {o.hidden, o.w, o.b}, [=] {
    const Var logits = ops::linear(o.hidden, o.w, {.bias = o.b});
    return picked_nll(ops::attend(logits, nothing, visible).weights, o.targets);
  });
}

// Of every query and position, the query's row and the position's: what plain ops need side by side.
struct Pairs {
  ops::RowIds query, key;
  explicit Pairs(const ops::Visible& visible) {
    std::vector<int32_t> q, k;
    for (int64_t n = 0; n < visible.N(); ++n)
      for (int64_t t = 0; t < visible.T(); ++t) {
        q.push_back(static_cast<int32_t>(n));
        k.push_back(static_cast<int32_t>(visible.memory.begin((*visible.sentence_of_row)[static_cast<size_t>(n)]) + t));
      }
    query = ops::row_ids(std::move(q)), key = ops::row_ids(std::move(k));
  }
};

std::unique_ptr<Work> dot_score(const Inputs& in) {
  const Var q = in.parameter({in.N, in.H}), k = in.parameter({in.B * in.T, in.H});
  return both_ways(in, {in.N, in.T}, {q, k}, [=, visible = in.attention()] { return ops::score_dot(q, k, visible); });
}

std::unique_ptr<Work> dot_of_pairs(const Inputs& in) {
  const Var q = in.parameter({in.N, in.H}), k = in.parameter({in.B * in.T, in.H}), ones(Tensor::full({1, in.H}, 1));
  return both_ways(in, {in.N * in.T, 1}, {q, k}, [=, pairs = Pairs(in.attention())] {
    return ops::linear(ops::mul(ops::gather_rows(q, pairs.query), ops::gather_rows(k, pairs.key)), ones);
  });
}

std::unique_ptr<Work> additive_score(const Inputs& in) {
  const Var q = in.parameter({in.N, in.H}), k = in.parameter({in.B * in.T, in.H}), v = in.parameter({in.H});
  return both_ways(in, {in.N, in.T}, {q, k, v},
                   [=, visible = in.attention()] { return ops::score_additive(q, k, v, visible); });
}

std::unique_ptr<Work> tanh_of_pairs(const Inputs& in) {
  const Var q = in.parameter({in.N, in.H}), k = in.parameter({in.B * in.T, in.H}), v = in.parameter({1, in.H});
  return both_ways(in, {in.N * in.T, 1}, {q, k, v}, [=, pairs = Pairs(in.attention())] {
    const Var sum = ops::add(ops::gather_rows(q, pairs.query), ops::gather_rows(k, pairs.key));
    return ops::linear(ops::tanh(sum), v);
  });
}

std::unique_ptr<Work> attended(const Inputs& in) {
  const Var e = in.draw({in.N, in.T}), values = in.draw({in.B * in.T, in.H});
  return std::make_unique<Call>(in.precision, Cost{},
                                [=, visible = in.attention()] { ops::attend(e, values, visible); });
}

// The softmax alone, then one product for each sentence with its values, which lie ready the way a product likes them
// (and are drawn anew for that: here only the work is the same).
std::unique_ptr<Work> softmax_then_products(const Inputs& in) {
  const Var e = in.draw({in.N, in.T}), nothing(Tensor::zeros({in.B * in.T, 1}));
  Vars values;
  for (int64_t s = 0; s < in.B; ++s) values.push_back(in.draw({in.H, in.T}));
  return std::make_unique<Call>(in.precision, Cost{}, [=, visible = in.attention(), U = in.U] {
    const Var weights = ops::attend(e, nothing, visible).weights;
    Vars contexts;
    for (int64_t s = 0; s < std::ssize(values); ++s)
      contexts.push_back(ops::linear(ops::slice_rows(weights, s * U, (s + 1) * U), values[static_cast<size_t>(s)]));
    ops::concat_rows(contexts);
  });
}

constexpr int64_t kHeads = 8;

MemoryLayout sentences_of(const Inputs& in) {
  return MemoryLayout(std::vector<int64_t>(static_cast<size_t>(in.B), in.T));
}

std::unique_ptr<Work> heads_at_once(const Inputs& in) {
  const Shape shape{in.B * in.T, in.H};
  const Var q = in.parameter(shape), k = in.parameter(shape), v = in.parameter(shape);
  return both_ways(in, shape, {q, k, v}, [=, memory = sentences_of(in)] {
    return ops::multi_head_attention(q, k, v, {}, memory, {.heads = kHeads});
  });
}

// Scores, softmax and sums of each head, whose columns lie by themselves here.
std::unique_ptr<Work> head_by_head(const Inputs& in) {
  const Shape shape{in.B * in.T, in.H / kHeads};
  Vars params;
  for (int64_t k = 0; k < 3 * kHeads; ++k) params.push_back(in.parameter(shape));
  return both_ways(in, {in.B * in.T, in.H}, params, [=, visible = ops::Visible::each_other(sentences_of(in))] {
    Vars heads;
    for (size_t h = 0; h < params.size(); h += 3)
      heads.push_back(
          ops::attend(ops::score_dot(params[h], params[h + 1], visible, 0.125), params[h + 2], visible).context);
    return ops::concat_columns(heads);
  });
}

std::unique_ptr<Work> dropout(const Inputs& in) {
  const Var x = in.parameter({in.N, in.H});
  return both_ways(in, x.shape(), {x}, [=] { return ops::dropout(x, 0.3, {1, 2}); });
}

// The mask as a tensor, kept for the way back.
std::unique_ptr<Work> mask_and_product(const Inputs& in) {
  const Var x = in.parameter({in.N, in.H}), ones(Tensor::full(x.shape(), 1));
  return both_ways(in, x.shape(), {x}, [=] { return ops::mul(x, ops::dropout(ones, 0.3, {1, 2})); });
}

std::unique_ptr<Work> linear(const Inputs& in) {
  const Var x = in.parameter({in.B, in.H}), w = in.parameter({4 * in.H, in.H}), b = in.parameter({4 * in.H}),
            addend = in.parameter({in.B, 4 * in.H});
  return both_ways(in, addend.shape(), {x, w, b, addend},
                   [=] { return ops::linear(x, w, {.bias = b, .addend = addend}); });
}

std::unique_ptr<Work> product_and_sums(const Inputs& in) {
  const Var x = in.parameter({in.B, in.H}), w = in.parameter({4 * in.H, in.H}), b = in.parameter({1, 4 * in.H}),
            addend = in.parameter({in.B, 4 * in.H});
  const auto every_row = ops::row_ids(std::vector<int32_t>(static_cast<size_t>(in.B), 0));
  return both_ways(in, addend.shape(), {x, w, b, addend},
                   [=] { return ops::add(ops::add(ops::linear(x, w), addend), ops::gather_rows(b, every_row)); });
}

constexpr int64_t kBest = 5;  // tokens a greedy search asks for

std::unique_ptr<Work> best_by_bounds(const Inputs& in) {
  const Var x = in.draw({1, in.H}), w = in.parameter({in.V, in.H}), b = in.parameter({in.V});
  return std::make_unique<Call>(in.precision, Cost{}, [=] {
    const NoGrad off;
    check<ConfigError>(ops::top_k(x, w, b, kBest).has_value(), "bench fused: this processor has no such kernel");
  });
}

std::unique_ptr<Work> all_logits(const Inputs& in) {
  const Var x = in.draw({1, in.H}), w = in.parameter({in.V, in.H}), b = in.parameter({in.V});
  return std::make_unique<Call>(in.precision, Cost{}, [=] {
    const NoGrad off;
    ops::linear(x, w, {.bias = b});
  });
}

// Whether `top_k` is there for a weight of this size.
bool has_bounds(const Inputs& in) {
  const PrecisionScope scope(in.precision);
  return ops::top_k(in.draw({1, in.H}), in.parameter({in.V, in.H}), {}, kBest).has_value();
}

}  // namespace

std::vector<Case> fused(const Options& o) {
  std::vector<Case> out = {
      against(o, "LSTM layer / cells", &layer<CellKind::lstm>, &cells<CellKind::lstm>),
      against(o, "GRU layer / cells", &layer<CellKind::gru>, &cells<CellKind::gru>),
      against(o, "inputs of all steps / of each", &all_rows, &rows_by_step),
      against(o, "weight gradient after all steps / each", &weight_gradient<false>, &weight_gradient<true>),
      against(o, "output and loss / three ops", &loss_at_once, &loss_in_parts),
      against(o, "dot score / rows side by side", &dot_score, &dot_of_pairs),
      against(o, "additive score / rows side by side", &additive_score, &tanh_of_pairs),
      against(o, "attend / softmax and products, forward", &attended, &softmax_then_products),
      against(o, "multi_head / head by head", &heads_at_once, &head_by_head),
      against(o, "dropout / mask and product", &dropout, &mask_and_product),
      against(o, "linear with sums / sums after it", &linear, &product_and_sums),
      against(o, "attentive decoder / its steps", &attentive_decoder<false>, &attentive_decoder<true>)};
  if (has_bounds(Inputs(o)))
    out.push_back(against(o, "best tokens of a row / all logits, forward", &best_by_bounds, &all_logits));
  return out;
}

}  // namespace lookback::bench

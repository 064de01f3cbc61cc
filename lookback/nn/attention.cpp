#include "lookback/nn/attention.h"

#include <algorithm>
#include <cmath>

#include "lookback/nn/linear.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/monotonic.h"

namespace lookback {
namespace {

// Those that compare the query with each position and take the softmax of the energies.
struct SoftmaxAttention : Attention {
  // memory [S, M] -> keys [S, A]
  virtual Var keys(const Var& memory) const = 0;
  // query [N, Q] -> energies [N, T]
  virtual Var energies(const Var& query, const Var& keys, const ops::Visible& visible,
                       const AttentionState& before) const = 0;

  Prepared prepare(const Var& memory) const final { return {keys(memory), memory}; }
  ops::Attended attend(const Var& query, const Prepared& source, const ops::Visible& visible,
                       const AttentionState& before, Noise*) const final {
    return ops::attend(energies(query, source.keys, visible, before), source.values, visible);
  }
};

// q . k   (Luong et al. 2015, "dot")
struct Dot : SoftmaxAttention {
  double scale = 1;
  explicit Dot(const AttentionSizes& n) {
    check<ConfigError>(n.query == n.memory, "model.score = 'dot' needs decoder states as wide as encoder outputs, got ",
                       n.query, " and ", n.memory, "; use 'general'");
  }
  Var keys(const Var& memory) const override { return memory; }
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible, const AttentionState&) const override {
    return ops::score_dot(query, keys, visible, scale);
  }
  std::optional<ops::ScoreForm> form() const override { return ops::ScoreForm{.scale = scale}; }
};

// q . k / sqrt(A)   (Vaswani et al. 2017)
struct ScaledDot final : Dot {
  explicit ScaledDot(const AttentionSizes& n) : Dot(n) { scale = 1 / std::sqrt(static_cast<double>(n.query)); }
};

// q^T W k   (Luong et al. 2015, "general")
struct General final : SoftmaxAttention {
  Linear memory_weight;  // [Q, M]
  explicit General(const AttentionSizes& n) : memory_weight(n.memory, n.query, Linear::Bias::no, Role::score_weight) {}
  Var keys(const Var& memory) const override { return memory_weight(memory); }
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible, const AttentionState&) const override {
    return ops::score_dot(query, keys, visible);
  }
  std::optional<ops::ScoreForm> form() const override { return ops::ScoreForm{}; }
  void params(ParamVisitor& v) override { v("memory", memory_weight); }
};

// v^T tanh(W [q; k])   (Luong et al. 2015, "concat"): one weight over both, without bias
struct Concat final : SoftmaxAttention {
  int64_t query_width;
  Linear both;  // [A, Q + M]
  Var v;        // [A]
  explicit Concat(const AttentionSizes& n)
      : query_width(n.query),
        both(n.query + n.memory, n.attention, Linear::Bias::no, Role::score_weight),
        v(Var::parameter(Tensor::zeros({n.attention}))) {}
  Var keys(const Var& memory) const override { return both(memory, query_width); }
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible, const AttentionState&) const override {
    return ops::score_additive(both(query, 0), keys, v, visible);
  }
  std::optional<ops::ScoreForm> form() const override { return ops::ScoreForm{.w_query = both.weight, .v = v}; }
  void params(ParamVisitor& p) override { p("both", both), p("v", v, Role::score_vector); }
};

// v^T tanh(W q + U k + b)   (Bahdanau et al. 2015)
struct Additive : SoftmaxAttention {
  Linear query_weight, memory_weight;  // [A, Q], [A, M]
  Var v;                               // [A]
  explicit Additive(const AttentionSizes& n)
      : query_weight(n.query, n.attention, Linear::Bias::no, Role::score_weight),
        memory_weight(n.memory, n.attention, Linear::Bias::yes, Role::score_weight),
        v(Var::parameter(Tensor::zeros({n.attention}))) {}
  Var keys(const Var& memory) const override { return memory_weight(memory); }
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible, const AttentionState&) const override {
    return ops::score_additive(query_weight(query), keys, v, visible);
  }
  std::optional<ops::ScoreForm> form() const override { return ops::ScoreForm{.w_query = query_weight.weight, .v = v}; }
  void params(ParamVisitor& p) override {
    p("query", query_weight), p("memory", memory_weight), p("v", v, Role::score_vector);
  }
};

// v^T tanh(W q + U k + V f + b), f = F * weights of the step before   (Chorowski et al. 2015)
struct Location final : Additive {
  Var filters;       // F: [filters, width]
  Linear projected;  // V: [A, filters]
  explicit Location(const AttentionSizes& n)
      : Additive(n),
        filters(Var::parameter(Tensor::zeros({n.location.filters, n.location.width}))),
        projected(n.location.filters, n.attention, Linear::Bias::no, Role::score_filter) {}
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible,
               const AttentionState& before) const override {
    return ops::score_additive(query_weight(query), keys, v, visible,
                               {ops::convolve_weights(before.weights, filters, visible), projected.weight});
  }
  Remembers remembers() const override { return {.weights = true}; }
  std::optional<ops::ScoreForm> form() const override { return {}; }
  void params(ParamVisitor& p) override {
    Additive::params(p);
    p("location.filters", filters, Role::score_filter), p("location", projected);
  }
};

// v^T tanh(W q + U k + w c + b), c = sum of all weights before   (See et al. 2017; Tu et al. 2016)
struct Coverage final : Additive {
  Linear covered;  // w: [A, 1]
  explicit Coverage(const AttentionSizes& n)
      : Additive(n), covered(1, n.attention, Linear::Bias::no, Role::score_filter) {}
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible,
               const AttentionState& before) const override {
    return ops::score_additive(query_weight(query), keys, v, visible, {before.coverage, covered.weight});
  }
  Remembers remembers() const override { return {.coverage = true}; }
  std::optional<ops::ScoreForm> form() const override { return {}; }
  void params(ParamVisitor& p) override {
    Additive::params(p);
    p("coverage", covered);
  }
};

// e = g v / |v| . tanh(W q + U k + b) + r, then no softmax: a walk along the source   (Raffel et al. 2017)
struct Monotonic final : Attention {
  MonotonicOptions options;
  Linear query_weight, memory_weight;  // [A, Q], [A, M]
  Var v;                               // [A]
  Var gain, bias;                      // g, r: [1]
  explicit Monotonic(const AttentionSizes& n)
      : options(n.monotonic),
        query_weight(n.query, n.attention, Linear::Bias::no, Role::score_weight),
        memory_weight(n.memory, n.attention, Linear::Bias::yes, Role::score_weight),
        v(Var::parameter(Tensor::zeros({n.attention}))),
        gain(Var::parameter(Tensor::full({1}, 1 / std::sqrt(static_cast<double>(n.attention))))),
        bias(Var::parameter(Tensor::full({1}, n.monotonic.bias))) {}

  Prepared prepare(const Var& memory) const override { return {memory_weight(memory), memory}; }
  ops::Attended attend(const Var& query, const Prepared& source, const ops::Visible& visible,
                       const AttentionState& before, Noise* noise) const override {
    const Var e = ops::score_additive(query_weight(query), source.keys, ops::weight_norm(v, gain), visible);
    const ops::Alignment found =
        noise ? ops::expected_alignment(e, bias, before.weights, visible, {options.noise, noise->next()})
              : ops::hard_alignment(e, bias, before.weights, visible);
    return {ops::weigh(found.weights, source.values, visible), found.weights, Var(found.energies)};
  }
  Remembers remembers() const override { return {.weights = true, .starts_at_first = true}; }
  void params(ParamVisitor& p) override {
    p("query", query_weight), p("memory", memory_weight);
    // Only its direction counts: with zeros there would be none.
    p("v", v, Role::score_filter);
    p("gain", gain, Role::preset), p("bias", bias, Role::preset);
  }
};

template <class A>
std::unique_ptr<Attention> make(const AttentionSizes& n) {
  return std::make_unique<A>(n);
}

struct Kind {
  const char* name;
  std::unique_ptr<Attention> (*make)(const AttentionSizes&);
};

// A new attention is a struct above and a line here.
constexpr Kind kKinds[] = {
    {"dot", &make<Dot>},           {"scaled_dot", &make<ScaledDot>}, {"general", &make<General>},
    {"concat", &make<Concat>},     {"additive", &make<Additive>},    {"location", &make<Location>},
    {"coverage", &make<Coverage>}, {"monotonic", &make<Monotonic>},
};

}  // namespace

AttentionState first_state(const Remembers& remembers, const MemoryLayout& memory, Dtype dtype) {
  const int64_t N = memory.sentences(), T = memory.longest();
  const auto zeros = [&](bool wanted) { return wanted ? Var(Tensor::zeros({N, T}, dtype)) : Var(); };
  const AttentionState out{.weights = zeros(remembers.weights), .coverage = zeros(remembers.coverage)};
  if (remembers.weights && remembers.starts_at_first)
    with_float(dtype, [&]<class R>() {
      for (int64_t n = 0; n < N; ++n)
        if (memory.length(n) > 0) out.weights.value().data<R>()[n * T] = 1;
    });
  return out;
}

AttentionState next_state(const Remembers& remembers, const AttentionState& before, const Var& weights) {
  return {.weights = remembers.weights ? weights : Var(),
          .coverage = remembers.coverage ? ops::add(before.coverage, weights) : Var()};
}

AttentionState with_columns(AttentionState state, int64_t T) {
  state.rows([&](Var& x) {
    if (!x || x.dim(1) == T) return;
    check(!x.needs_grad(), "attention: the source may not change while gradients are kept");
    Tensor out = Tensor::zeros({x.dim(0), T});
    const int64_t from = x.dim(1), kept = std::min(from, T);
    for (int64_t n = 0; n < x.dim(0); ++n)
      std::copy_n(x.value().data<float>() + n * from, kept, out.data<float>() + n * T);
    x = Var(out);
  });
  return state;
}

StringList attention_names() {
  StringList out;
  for (const Kind& k : kKinds) out.push_back(k.name);
  return out;
}

std::unique_ptr<Attention> make_attention(const std::string& name, const AttentionSizes& sizes) {
  for (const Kind& k : kKinds)
    if (name == k.name) return k.make(sizes);
  throw ConfigError(str_cat("unknown score '", name, "'", nearest_match(name, attention_names())));
}

}  // namespace lookback

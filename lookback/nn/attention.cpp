#include "lookback/nn/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lookback/nn/linear.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/monotonic.h"
#include "lookback/ops/spans.h"

namespace lookback {
namespace {

// Those that compare the query with each position and take the softmax of the energies.
struct SoftmaxAttention : Attention {
  // memory [S, M] -> keys [S, A]
  virtual Var keys(const Var& memory) const = 0;
  // query [N, Q] -> energies [N, T]
  virtual Var energies(const Var& query, const Var& keys, const ops::Visible& visible,
                       const AttentionState& before) const = 0;

  bool has_energies() const final { return true; }
  Prepared prepare(const Var& memory, const MemoryLayout&) const final { return {keys(memory), memory}; }
  ops::Attended attend(const Var& query, const Prepared& source, const ops::Visible& visible,
                       const AttentionState& before, Noise*) const override {
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

// v^T tanh(W q + U k + V f + b), f = F * weights of the step before, with a window only around their median
// (Chorowski et al. 2015)
struct Location final : Additive {
  int64_t window;
  Var filters;       // F: [filters, width]
  Linear projected;  // V: [A, filters]
  explicit Location(const AttentionSizes& n)
      : Additive(n),
        window(n.location.window),
        filters(Var::parameter(Tensor::zeros({n.location.filters, n.location.width}))),
        projected(n.location.filters, n.attention, Linear::Bias::no, Role::score_filter) {}
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible,
               const AttentionState& before) const override {
    return score(query, keys, visible, ops::convolve_weights(before.weights, filters, visible));
  }
  ops::Attended attend(const Var& query, const Prepared& source, const ops::Visible& visible,
                       const AttentionState& before, Noise* noise) const override {
    if (window == 0) return SoftmaxAttention::attend(query, source, visible, before, noise);
    const ops::Visible near = visible.within(ops::median_positions(before.weights, visible), window);
    const Var features = ops::convolve_weights(before.weights, filters, visible);
    const Var e = score(query, source.keys, near, ops::respan(features, visible, near, filters.dim(0)));
    const ops::Attended found = ops::attend(e, source.values, near);
    return {found.context, ops::respan(found.weights, near, visible),
            ops::respan(found.energies, near, visible, 1, -std::numeric_limits<double>::infinity())};
  }
  Remembers remembers() const override { return {.weights = true}; }
  std::optional<ops::ScoreForm> form() const override { return {}; }
  void params(ParamVisitor& p) override {
    Additive::params(p);
    p("location.filters", filters, Role::score_filter), p("location", projected);
  }

 private:
  Var score(const Var& query, const Var& keys, const ops::Visible& visible, const Var& features) const {
    return ops::score_additive(query_weight(query), keys, v, visible, {features, projected.weight});
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

  Prepared prepare(const Var& memory, const MemoryLayout&) const override { return {memory_weight(memory), memory}; }
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

// Several heads side by side, each a scaled dot product of its own part of A:
//   context = O [c_1; ..; c_H], c_h = sum_t softmax_t((Q q)_h . (K m_t)_h / sqrt(A/H)) (V m_t)_h   (Vaswani et al.
//   2017)
// The weights are the mean over the heads.
struct MultiHead final : Attention {
  int64_t heads;
  Linear query_weight, key_weight, value_weight;  // [A, Q], [A, M], [A, M]
  Linear output;                                  // [M, A]
  explicit MultiHead(const AttentionSizes& n)
      : heads(n.heads),
        query_weight(n.query, n.attention, Linear::Bias::no),
        key_weight(n.memory, n.attention, Linear::Bias::no),
        value_weight(n.memory, n.attention, Linear::Bias::no),
        output(n.attention, n.memory, Linear::Bias::no) {
    check<ConfigError>(heads > 0 && n.attention % heads == 0, "model.heads = ", heads,
                       " does not divide the width of the attention, ", n.attention, " (model.attention)");
  }

  // Each head of a sentence is a sentence of its own, behind the heads before it.
  Prepared prepare(const Var& memory, const MemoryLayout& layout) const override {
    std::vector<int32_t> rows;
    rows.reserve(static_cast<size_t>(layout.rows() * heads));
    for (int64_t s = 0; s < layout.sentences(); ++s)
      for (int64_t h = 0; h < heads; ++h)
        for (int64_t t = layout.begin(s); t < layout.begin(s + 1); ++t)
          rows.push_back(static_cast<int32_t>(t * heads + h));
    const auto ids = ops::row_ids(std::move(rows));
    const auto by_head = [&](const Linear& w) { return ops::gather_rows(parts(w(memory)), ids); };
    return {by_head(key_weight), by_head(value_weight)};
  }
  ops::Attended attend(const Var& query, const Prepared& source, const ops::Visible& visible, const AttentionState&,
                       Noise*) const override {
    const int64_t N = query.dim(0), width = query_weight.weight.dim(0) / heads;
    const Var energies = ops::score_dot(parts(query_weight(query)), source.keys, of_heads(visible),
                                        1 / std::sqrt(static_cast<double>(width)));
    const ops::Attended found = ops::attend(energies, source.values, of_heads(visible));
    return {output(ops::reshape(found.context, {N, width * heads})), mean(found.weights, N)};
  }
  const char* context_formula() const override { return "W [of each head the sum of its weight times its values]"; }
  void params(ParamVisitor& p) override {
    p("query", query_weight), p("key", key_weight), p("value", value_weight), p("output", output);
  }

 private:
  // [N, A] -> [N * heads, A / heads]
  Var parts(const Var& x) const { return ops::reshape(x, {x.dim(0) * heads, x.dim(1) / heads}); }
  ops::Visible of_heads(const ops::Visible& visible) const {
    const auto each = [&](const ops::RowIds& ids, bool sentences) {
      std::vector<int32_t> out;
      out.reserve(ids->size() * static_cast<size_t>(heads));
      for (const int32_t id : *ids)
        for (int64_t h = 0; h < heads; ++h) out.push_back(sentences ? static_cast<int32_t>(id * heads + h) : id);
      return ops::row_ids(std::move(out));
    };
    std::vector<int64_t> lengths;
    for (int64_t s = 0; s < visible.memory.sentences(); ++s)
      lengths.insert(lengths.end(), static_cast<size_t>(heads), visible.memory.length(s));
    ops::Visible out{MemoryLayout(lengths), each(visible.sentence_of_row, true)};
    if (visible.begin) out.begin = each(visible.begin, false), out.end = each(visible.end, false);
    return out;
  }
  // [N * heads, T] -> [N, T]
  Var mean(const Var& weights, int64_t N) const {
    if (heads == 1) return weights;
    Var sum;
    for (int64_t h = 0; h < heads; ++h) {
      std::vector<int32_t> rows(static_cast<size_t>(N));
      for (size_t n = 0; n < rows.size(); ++n) rows[n] = static_cast<int32_t>(static_cast<int64_t>(n) * heads + h);
      const Var of_head = ops::gather_rows(weights, ops::row_ids(std::move(rows)));
      sum = sum ? ops::add(sum, of_head) : of_head;
    }
    return ops::scale(sum, 1 / static_cast<double>(heads));
  }
};

// 0: every position has the same weight. What attention is worth is seen beside it.
struct Uniform final : SoftmaxAttention {
  explicit Uniform(const AttentionSizes&) {}
  Var keys(const Var& memory) const override { return memory; }
  Var energies(const Var& query, const Var&, const ops::Visible& visible, const AttentionState&) const override {
    return Var(Tensor::zeros({visible.N(), visible.T()}, query.dtype()));
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
    {"coverage", &make<Coverage>}, {"monotonic", &make<Monotonic>},  {"multi_head", &make<MultiHead>},
    {"uniform", &make<Uniform>},
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

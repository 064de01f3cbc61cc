#include "lookback/nn/score.h"

#include <cmath>

#include "lookback/nn/linear.h"

namespace lookback {
namespace {

// q . k   (Luong et al. 2015, "dot")
struct DotScore : Score {
  double scale = 1;
  explicit DotScore(const ScoreSizes& n) {
    check<ConfigError>(n.query == n.memory, "model.score = 'dot' needs decoder states as wide as encoder outputs, got ",
                       n.query, " and ", n.memory, "; use 'general'");
  }
  Var keys(const Var& memory) const override { return memory; }
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible) const override {
    return ops::score_dot(query, keys, visible, scale);
  }
  std::optional<ops::ScoreForm> form() const override { return ops::ScoreForm{.scale = scale}; }
};

// q . k / sqrt(A)   (Vaswani et al. 2017)
struct ScaledDotScore final : DotScore {
  explicit ScaledDotScore(const ScoreSizes& n) : DotScore(n) { scale = 1 / std::sqrt(static_cast<double>(n.query)); }
};

// q^T W k   (Luong et al. 2015, "general")
struct GeneralScore final : Score {
  Linear memory_weight;  // [Q, M]
  explicit GeneralScore(const ScoreSizes& n) : memory_weight(n.memory, n.query, Linear::Bias::no) {}
  Var keys(const Var& memory) const override { return memory_weight(memory); }
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible) const override {
    return ops::score_dot(query, keys, visible);
  }
  std::optional<ops::ScoreForm> form() const override { return ops::ScoreForm{}; }
  void params(ParamVisitor& v) override { v("memory", memory_weight); }
};

// v^T tanh(W [q; k])   (Luong et al. 2015, "concat"): one weight over both, without bias
struct ConcatScore final : Score {
  int64_t query_width;
  Linear both;  // [A, Q + M]
  Var v;        // [A]
  explicit ConcatScore(const ScoreSizes& n)
      : query_width(n.query),
        both(n.query + n.memory, n.attention, Linear::Bias::no),
        v(Var::parameter(Tensor::zeros({n.attention}))) {}
  Var keys(const Var& memory) const override { return both(memory, query_width); }
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible) const override {
    return ops::score_additive(both(query, 0), keys, v, visible);
  }
  std::optional<ops::ScoreForm> form() const override { return ops::ScoreForm{.w_query = both.weight, .v = v}; }
  void params(ParamVisitor& p) override { p("both", both), p("v", v); }
};

// v^T tanh(W q + U k + b)   (Bahdanau et al. 2015)
struct AdditiveScore final : Score {
  Linear query_weight, memory_weight;  // [A, Q], [A, M]
  Var v;                               // [A]
  explicit AdditiveScore(const ScoreSizes& n)
      : query_weight(n.query, n.attention, Linear::Bias::no),
        memory_weight(n.memory, n.attention, Linear::Bias::yes),
        v(Var::parameter(Tensor::zeros({n.attention}))) {}
  Var keys(const Var& memory) const override { return memory_weight(memory); }
  Var energies(const Var& query, const Var& keys, const ops::Visible& visible) const override {
    return ops::score_additive(query_weight(query), keys, v, visible);
  }
  std::optional<ops::ScoreForm> form() const override { return ops::ScoreForm{.w_query = query_weight.weight, .v = v}; }
  void params(ParamVisitor& p) override { p("query", query_weight), p("memory", memory_weight), p("v", v); }
};

template <class S>
std::unique_ptr<Score> make(const ScoreSizes& n) {
  return std::make_unique<S>(n);
}

struct ScoreKind {
  const char* name;
  std::unique_ptr<Score> (*make)(const ScoreSizes&);
};

// A new score is a struct above and a line here.
constexpr ScoreKind kScores[] = {
    {"dot", &make<DotScore>},       {"scaled_dot", &make<ScaledDotScore>}, {"general", &make<GeneralScore>},
    {"concat", &make<ConcatScore>}, {"additive", &make<AdditiveScore>},
};

}  // namespace

StringList score_names() {
  StringList out;
  for (const ScoreKind& k : kScores) out.push_back(k.name);
  return out;
}

std::unique_ptr<Score> make_score(const std::string& name, const ScoreSizes& sizes) {
  for (const ScoreKind& k : kScores)
    if (name == k.name) return k.make(sizes);
  throw ConfigError(str_cat("unknown score '", name, "'", nearest_match(name, score_names())));
}

}  // namespace lookback

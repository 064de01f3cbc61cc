#include "lookback/nn/score.h"

#include <map>

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::distance;
using testing::random_tensor;

// A score with random parameters.
std::unique_ptr<Score> drawn(const std::string& name, const ScoreSizes& sizes) {
  auto score = make_score(name, sizes);
  uint64_t seed = 50;
  for (const NamedVar& p : params_of(*score)) p.var.set_value(random_tensor(p.var.shape(), seed++).to(Dtype::f32));
  return score;
}

// What the paper's formula gives for one query and one position; w by name.
double formula(const std::string& name, Score& score, const float* q, const float* m, const ScoreSizes& n) {
  std::map<std::string, Tensor> w;
  for (const NamedVar& p : params_of(score)) w[p.name] = p.var.value();
  const auto row = [&](const std::string& weight, int64_t r, int64_t first, const float* x, int64_t width) {
    double sum = 0;
    for (int64_t k = 0; k < width; ++k) sum += double{w[weight].data<float>()[r * w[weight].dim(1) + first + k]} * x[k];
    return sum;
  };
  double out = 0;
  if (name == "dot" || name == "scaled_dot") {
    for (int64_t k = 0; k < n.query; ++k) out += double{q[k]} * m[k];
    return name == "dot" ? out : out / std::sqrt(static_cast<double>(n.query));
  }
  if (name == "general") {
    for (int64_t k = 0; k < n.query; ++k) out += q[k] * row("memory.weight", k, 0, m, n.memory);
    return out;
  }
  for (int64_t a = 0; a < n.attention; ++a) {
    const double inner = name == "concat"
                             ? row("both.weight", a, 0, q, n.query) + row("both.weight", a, n.query, m, n.memory)
                             : row("query.weight", a, 0, q, n.query) + row("memory.weight", a, 0, m, n.memory) +
                                   w["memory.bias"].data<float>()[a];
    out += w["v"].data<float>()[a] * std::tanh(inner);
  }
  return out;
}

TEST(Score, EveryScoreIsItsFormula) {
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>{3, 0, 2}), ops::row_ids({0, 2, 1, 2})};
  for (const std::string& name : score_names()) {
    const bool same = name.ends_with("dot");
    const ScoreSizes n{.query = 4, .memory = same ? 4 : 6, .attention = 5};
    const auto score = drawn(name, n);
    const Var q(random_tensor({4, n.query}, 1).to(Dtype::f32)), m(random_tensor({5, n.memory}, 2).to(Dtype::f32));
    const Tensor e = score->energies(q, score->keys(m), visible).value();
    ASSERT_EQ(e.shape(), (Shape{4, 3}));
    for (int64_t row = 0; row < 4; ++row)
      for (int64_t t = 0; t < 3; ++t) {
        const int64_t s = (*visible.sentence_of_row)[static_cast<size_t>(row)];
        const double want = t < visible.memory.length(s)
                                ? formula(name, *score, q.value().data<float>() + row * n.query,
                                          m.value().data<float>() + (visible.memory.begin(s) + t) * n.memory, n)
                                : 0;
        EXPECT_NEAR(e.data<float>()[row * 3 + t], want, 1e-5) << name << ' ' << row << ' ' << t;
      }
  }
}

TEST(Score, EveryParameterGetsAGradient) {
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>{3, 2}), ops::row_ids({0, 1})};
  for (const std::string& name : score_names()) {
    const auto score = drawn(name, {.query = 4, .memory = 4, .attention = 5});
    const Var q(random_tensor({2, 4}, 1).to(Dtype::f32)), m(random_tensor({5, 4}, 2).to(Dtype::f32));
    backward(testing::uneven(score->energies(q, score->keys(m), visible)));
    for (const NamedVar& p : params_of(*score)) EXPECT_FALSE(p.var.grad().empty()) << name << ' ' << p.name;
  }
}

TEST(Score, DotNeedsEqualWidths) {
  for (const char* name : {"dot", "scaled_dot"})
    EXPECT_THROW(make_score(name, {.query = 4, .memory = 6, .attention = 5}), ConfigError);
}

TEST(Score, UnknownNamesGetTheNearestMatch) {
  try {
    make_score("generl", {.query = 4, .memory = 6, .attention = 5});
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("general"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace lookback

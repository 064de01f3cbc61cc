#include "lookback/nn/attention.h"

#include <limits>
#include <map>

#include "lookback/autograd/grad_check.h"
#include "lookback/nn/init.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::distance;
using testing::random_tensor;

// An attention with random parameters.
std::unique_ptr<Attention> drawn(const std::string& name, const AttentionSizes& sizes) {
  auto attention = make_attention(name, sizes);
  uint64_t seed = 50;
  for (const NamedVar& p : params_of(*attention)) p.var.set_value(random_tensor(p.var.shape(), seed++).to(Dtype::f32));
  return attention;
}

// Weights and coverage that could be those of a step before, positive and of T columns.
AttentionState before(int64_t N, int64_t T) {
  AttentionState out{.weights = Var(random_tensor({N, T}, 8).to(Dtype::f32)),
                     .coverage = Var(random_tensor({N, T}, 9).to(Dtype::f32))};
  out.rows([](Var& x) {
    for (float& value : x.value().span<float>()) value = std::abs(value);
  });
  return out;
}

// What the paper's formula gives for one query and one position; w by name.
struct Formula {
  std::string name;
  AttentionSizes n;
  std::map<std::string, Tensor> w;

  double row(const std::string& weight, int64_t r, int64_t first, const float* x, int64_t width) const {
    double sum = 0;
    const Tensor& m = w.at(weight);
    for (int64_t k = 0; k < width; ++k) sum += double{m.data<float>()[r * m.dim(1) + first + k]} * x[k];
    return sum;
  }
  // The features of position t of a sentence, from its weights and its coverage.
  std::vector<float> features(int64_t t, int64_t length, const float* weights, const float* coverage) const {
    if (name == "coverage") return {coverage[t]};
    std::vector<float> out;
    for (int64_t f = 0; name == "location" && f < n.location.filters; ++f) {
      double sum = 0;
      for (int64_t j = 0; j < n.location.width; ++j) {
        const int64_t from = t + j - n.location.width / 2;
        if (0 <= from && from < length)
          sum += double{w.at("location.filters").data<float>()[f * n.location.width + j]} * weights[from];
      }
      out.push_back(static_cast<float>(sum));
    }
    return out;
  }
  double energy(const float* q, const float* m, const std::vector<float>& f) const {
    double out = 0;
    if (name == "uniform") return out;
    if (name == "dot" || name == "scaled_dot") {
      for (int64_t k = 0; k < n.query; ++k) out += double{q[k]} * m[k];
      return name == "dot" ? out : out / std::sqrt(static_cast<double>(n.query));
    }
    if (name == "general") {
      for (int64_t k = 0; k < n.query; ++k) out += q[k] * row("memory.weight", k, 0, m, n.memory);
      return out;
    }
    for (int64_t a = 0; a < n.attention; ++a) {
      double inner = name == "concat"
                         ? row("both.weight", a, 0, q, n.query) + row("both.weight", a, n.query, m, n.memory)
                         : row("query.weight", a, 0, q, n.query) + row("memory.weight", a, 0, m, n.memory) +
                               w.at("memory.bias").data<float>()[a];
      if (!f.empty()) inner += row(name + ".weight", a, 0, f.data(), std::ssize(f));
      out += w.at("v").data<float>()[a] * std::tanh(inner);
    }
    return out;
  }
};

// Those of one softmax.
StringList of_a_softmax() {
  StringList out = attention_names();
  std::erase_if(out, [](const std::string& name) { return name == "monotonic" || name == "multi_head"; });
  return out;
}

TEST(Attention, EveryKindIsItsFormula) {
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>{3, 0, 2}), ops::row_ids({0, 2, 1, 2})};
  const AttentionState state = before(4, 3);
  for (const std::string& name : of_a_softmax()) {
    const bool same = name.ends_with("dot");
    const AttentionSizes n{.query = 4, .memory = same ? 4 : 6, .attention = 5, .location = {.filters = 2, .width = 3}};
    const auto attention = drawn(name, n);
    Formula formula{name, n, {}};
    for (const NamedVar& p : params_of(*attention)) formula.w[p.name] = p.var.value();
    const Var q(random_tensor({4, n.query}, 1).to(Dtype::f32)), m(random_tensor({5, n.memory}, 2).to(Dtype::f32));
    const auto got = attention->attend(q, attention->prepare(m, visible.memory), visible, state, nullptr);
    ASSERT_EQ(got.weights.shape(), (Shape{4, 3}));
    ASSERT_EQ(got.context.shape(), (Shape{4, n.memory}));
    for (int64_t row = 0; row < 4; ++row) {
      const int64_t s = (*visible.sentence_of_row)[static_cast<size_t>(row)], length = visible.memory.length(s);
      std::vector<double> e;
      double sum = 0;
      for (int64_t t = 0; t < length; ++t) {
        const auto f = formula.features(t, length, state.weights.value().data<float>() + row * 3,
                                        state.coverage.value().data<float>() + row * 3);
        e.push_back(std::exp(formula.energy(q.value().data<float>() + row * n.query,
                                            m.value().data<float>() + (visible.memory.begin(s) + t) * n.memory, f)));
        sum += e.back();
      }
      for (int64_t t = 0; t < 3; ++t)
        EXPECT_NEAR(got.weights.value().data<float>()[row * 3 + t], t < length ? e[static_cast<size_t>(t)] / sum : 0,
                    1e-5)
            << name << ' ' << row << ' ' << t;
    }
  }
}

TEST(Attention, EveryParameterGetsAGradient) {
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>{3, 2}), ops::row_ids({0, 1})};
  for (const std::string& name : attention_names()) {
    const auto attention = drawn(name, {.query = 4, .memory = 4, .attention = 6, .heads = 3});
    const Var q(random_tensor({2, 4}, 1).to(Dtype::f32)), m(random_tensor({5, 4}, 2).to(Dtype::f32));
    Noise noise{1, 1};
    const auto got = attention->attend(q, attention->prepare(m, visible.memory), visible, before(2, 3), &noise);
    backward(ops::add(testing::uneven(got.weights), testing::uneven(got.context)));
    for (const NamedVar& p : params_of(*attention)) EXPECT_FALSE(p.var.grad().empty()) << name << ' ' << p.name;
  }
}

// A window as wide as the sentence changes nothing; a narrow one leaves the positions around the middle of the weights
// before, with the energies that they have without it.
TEST(Attention, LocationSeesAWindow) {
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>{6, 0, 2}), ops::row_ids({0, 2, 1, 0})};
  const Var q(random_tensor({4, 4}, 1).to(Dtype::f32)), m(random_tensor({8, 4}, 2).to(Dtype::f32));
  AttentionState state = before(4, 6);
  state.weights = Var(Tensor::of<float>({4, 6}, {0, 0, 0, 0, 0.25F, 0.75F, 0.5F, 0.5F, 0, 0, 0, 0,  //
                                                 0, 0, 0, 0, 0,     0,     0,    0,    0, 0, 0, 0}));
  const auto attended = [&](int64_t window) {
    const auto attention =
        drawn("location",
              {.query = 4, .memory = 4, .attention = 5, .location = {.filters = 2, .width = 3, .window = window}});
    return attention->attend(q, attention->prepare(m, visible.memory), visible, state, nullptr);
  };
  const ops::Attended all = attended(0), wide = attended(6), near = attended(1);
  EXPECT_TRUE(testing::same_bits(all.weights.value(), wide.weights.value()));
  EXPECT_TRUE(testing::same_bits(all.context.value(), wide.context.value()));
  const std::vector<std::pair<int64_t, int64_t>> seen{{4, 6}, {0, 2}, {0, 0}, {0, 2}};
  const std::vector<int64_t> lengths{6, 2, 0, 6};
  for (int64_t n = 0; n < 4; ++n) {
    const auto [first, last] = seen[static_cast<size_t>(n)];
    const float *e = all.energies.value().data<float>() + n * 6, *w = near.weights.value().data<float>() + n * 6,
                *of_window = near.energies.value().data<float>() + n * 6;
    double sum = 0;
    for (int64_t t = first; t < last; ++t) sum += std::exp(double{e[t]});
    for (int64_t t = 0; t < lengths[static_cast<size_t>(n)]; ++t) {
      const bool in = first <= t && t < last;
      EXPECT_NEAR(w[t], in ? std::exp(double{e[t]}) / sum : 0, 1e-6) << n << ' ' << t;
      EXPECT_EQ(of_window[t], in ? e[t] : -std::numeric_limits<float>::infinity()) << n << ' ' << t;
    }
  }
}

TEST(Attention, StateHoldsTheLastWeightsAndTheirSum) {
  const Remembers both{.weights = true, .coverage = true};
  const AttentionState zeros = first_state(both, MemoryLayout(std::vector<int64_t>{2}));
  const Var a(Tensor::of<float>({1, 2}, {0.25F, 0.75F})), b(Tensor::of<float>({1, 2}, {0.5F, 0.5F}));
  const AttentionState one = next_state(both, zeros, a), two = next_state(both, one, b);
  EXPECT_TRUE(testing::same_bits(one.coverage.value(), a.value()));
  EXPECT_TRUE(testing::same_bits(two.weights.value(), b.value()));
  EXPECT_TRUE(testing::same_bits(two.coverage.value(), Tensor::of<float>({1, 2}, {0.75F, 1.25F})));
  EXPECT_FALSE(next_state({.weights = true}, one, b).coverage);
  EXPECT_TRUE(testing::same_bits(with_columns(two, 3).coverage.value(), Tensor::of<float>({1, 3}, {0.75F, 1.25F, 0})));
  EXPECT_TRUE(testing::same_bits(with_columns(two, 1).coverage.value(), Tensor::of<float>({1, 1}, {0.75F})));
}

// Energies are the paper's formula; without noise they lead to one position, with noise to several.
TEST(Attention, MonotonicWalksInPredictionAndIsSpreadInTraining) {
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>{3, 0, 2}), ops::row_ids({0, 1, 2})};
  const AttentionSizes n{.query = 4, .memory = 6, .attention = 5, .monotonic = {.bias = -0.5, .noise = 0}};
  const auto fresh = make_attention("monotonic", n);
  const auto params = params_of(*fresh);
  initialise(params, {.kind = "bahdanau"}, 1);
  std::map<std::string, Tensor> w;
  for (const NamedVar& p : params) w[p.name] = p.var.value();
  EXPECT_EQ(w.at("bias").data<float>()[0], -0.5F);
  EXPECT_NEAR(w.at("gain").data<float>()[0], 1 / std::sqrt(5.0), 1e-7);

  const auto attention = drawn("monotonic", n);
  for (const NamedVar& p : params_of(*attention)) w[p.name] = p.var.value();
  const Var q(random_tensor({3, 4}, 1).to(Dtype::f32)), m(random_tensor({5, 6}, 2).to(Dtype::f32));
  const AttentionState start = first_state(attention->remembers(), visible.memory);
  EXPECT_TRUE(testing::same_bits(start.weights.value(), Tensor::of<float>({3, 3}, {1, 0, 0, 0, 0, 0, 1, 0, 0})));
  const auto hard = attention->attend(q, attention->prepare(m, visible.memory), visible, start, nullptr);
  Noise noise{1, 1};
  const auto soft = attention->attend(q, attention->prepare(m, visible.memory), visible, start, &noise);
  double length = 0;
  for (const float x : w.at("v").span<float>()) length += double{x} * x;
  Formula formula{"additive", n, w};
  for (int64_t row = 0; row < 3; ++row) {
    double left = 1;  // of the weight
    bool walks = true;
    for (int64_t t = 0; t < visible.memory.length(row); ++t) {
      const double e = w.at("gain").data<float>()[0] / std::sqrt(length) *
                           formula.energy(q.value().data<float>() + row * 4,
                                          m.value().data<float>() + (visible.memory.begin(row) + t) * 6, {}) +
                       w.at("bias").data<float>()[0];
      const double p = 1 / (1 + std::exp(-e));
      EXPECT_NEAR(hard.energies.value().data<float>()[row * 3 + t], e, 1e-5);
      EXPECT_NEAR(soft.weights.value().data<float>()[row * 3 + t], left * p, 1e-5);
      EXPECT_EQ(hard.weights.value().data<float>()[row * 3 + t], walks && p >= 0.5 ? 1 : 0);
      left *= 1 - p, walks = walks && p < 0.5;
    }
  }
  EXPECT_LT(distance(hard.context.value(), ops::weigh(hard.weights, m, visible).value()), 1e-6);
  EXPECT_LT(distance(soft.context.value(), ops::weigh(soft.weights, m, visible).value()), 1e-6);
}

// Vaswani et al. 2017, head by head, for rows that see all of their sentence or a part of it.
TEST(Attention, MultiHeadIsItsFormula) {
  const ops::Visible whole{MemoryLayout(std::vector<int64_t>{3, 0, 2}), ops::row_ids({0, 2, 1, 2})};
  const ops::Visible part = whole.within(ops::row_ids({2, 0, 0, 1}), 1);
  const int64_t Q = 4, M = 6, A = 12;
  const Var q(random_tensor({4, Q}, 1).to(Dtype::f32)), m(random_tensor({5, M}, 2).to(Dtype::f32));
  for (const int64_t heads : {1, 2, 4, 12})
    for (const ops::Visible& visible : {whole, part}) {
      const auto attention = drawn("multi_head", {.query = Q, .memory = M, .attention = A, .heads = heads});
      std::map<std::string, Tensor> w;
      for (const NamedVar& p : params_of(*attention)) w[p.name] = p.var.value();
      const auto product = [&](const std::string& name, int64_t row, const float* x) {
        const Tensor& weight = w.at(name + ".weight");
        double sum = 0;
        for (int64_t k = 0; k < weight.dim(1); ++k) sum += double{weight.data<float>()[row * weight.dim(1) + k]} * x[k];
        return sum;
      };
      const auto got = attention->attend(q, attention->prepare(m, visible.memory), visible, {}, nullptr);
      ASSERT_EQ(got.weights.shape(), (Shape{4, visible.T()}));
      ASSERT_EQ(got.context.shape(), (Shape{4, M}));
      for (int64_t row = 0; row < 4; ++row) {
        const auto n = static_cast<size_t>(row);
        const int64_t s = (*visible.sentence_of_row)[n], first = visible.begin ? (*visible.begin)[n] : 0;
        const int64_t end = visible.end ? (*visible.end)[n] : visible.memory.length(s);
        const auto memory = [&](int64_t t) { return m.value().data<float>() + (visible.memory.begin(s) + t) * M; };
        std::vector<double> weights(static_cast<size_t>(visible.T())), joined(static_cast<size_t>(A));
        for (int64_t h = 0; h < heads; ++h) {
          std::vector<double> e;
          double sum = 0;
          for (int64_t t = first; t < end; ++t) {
            double energy = 0;
            for (int64_t k = h * A / heads; k < (h + 1) * A / heads; ++k)
              energy += product("query", k, q.value().data<float>() + row * Q) * product("key", k, memory(t));
            e.push_back(std::exp(energy / std::sqrt(static_cast<double>(A / heads))));
            sum += e.back();
          }
          for (int64_t t = first; t < end; ++t) {
            const double weight = e[static_cast<size_t>(t - first)] / sum;
            weights[static_cast<size_t>(t - first)] += weight / static_cast<double>(heads);
            for (int64_t k = h * A / heads; k < (h + 1) * A / heads; ++k)
              joined[static_cast<size_t>(k)] += weight * product("value", k, memory(t));
          }
        }
        const std::vector<float> context(joined.begin(), joined.end());
        for (int64_t t = 0; t < visible.T(); ++t)
          EXPECT_NEAR(got.weights.value().data<float>()[row * visible.T() + t], weights[static_cast<size_t>(t)], 1e-5);
        for (int64_t k = 0; k < M; ++k)
          EXPECT_NEAR(got.context.value().data<float>()[row * M + k], product("output", k, context.data()), 1e-4);
      }
    }
}

// Central differences in double, of every parameter, the query and the memory.
TEST(Attention, MultiHeadGradients) {
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>{3, 0, 2}), ops::row_ids({0, 2, 1, 2})};
  const auto attention = drawn("multi_head", {.query = 3, .memory = 5, .attention = 6, .heads = 2});
  std::vector<Var> inputs{testing::random_param({4, 3}, 1), testing::random_param({5, 5}, 2)};
  uint64_t seed = 3;
  for (const NamedVar& p : params_of(*attention)) {
    // In double, which set_value would refuse.
    p.var.node().outputs[static_cast<size_t>(p.var.output())] = random_tensor(p.var.shape(), seed++);
    inputs.push_back(p.var);
  }
  EXPECT_LT(grad_error(inputs,
                       [&] {
                         const auto got = attention->attend(inputs[0], attention->prepare(inputs[1], visible.memory),
                                                            visible, {}, nullptr);
                         return ops::add(testing::uneven(got.weights), testing::uneven(got.context));
                       }),
            1e-6);
}

TEST(Attention, HeadsDivideTheWidth) {
  for (const int64_t heads : {0, 4}) try {
      make_attention("multi_head", {.query = 4, .memory = 6, .attention = 6, .heads = heads});
      ADD_FAILURE() << heads;
    } catch (const ConfigError& e) {
      EXPECT_EQ(std::string(e.what()), str_cat("model.heads = ", heads,
                                               " does not divide the width of the attention, 6 "
                                               "(model.attention)"));
    }
  EXPECT_NO_THROW(make_attention("multi_head", {.query = 4, .memory = 6, .attention = 6, .heads = 3}));
}

TEST(Attention, DotNeedsEqualWidths) {
  for (const char* name : {"dot", "scaled_dot"})
    EXPECT_THROW(make_attention(name, {.query = 4, .memory = 6, .attention = 5}), ConfigError);
}

TEST(Attention, UnknownNamesGetTheNearestMatch) {
  try {
    make_attention("generl", {.query = 4, .memory = 6, .attention = 5});
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("general"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace lookback

#include "lookback/ops/multi_head.h"

#include <cmath>

#include "lookback/base/parallel.h"
#include "lookback/ops/attention.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using ops::MultiHeadOptions;
using ops::Visible;
using testing::gradients_of;
using testing::Inputs;
using testing::random_param;
using testing::random_tensor;
using testing::same_bits;
using testing::uneven;
using Lengths = std::vector<int64_t>;

// Query, key, value and, with R > 0, the bias.
Inputs inputs_of(const MemoryLayout& memory, int64_t C, const MultiHeadOptions& o) {
  const Shape x{memory.rows(), C};
  Inputs out{random_param(x, 1), random_param(x, 2), random_param(x, 3)};
  if (o.relative) out.push_back(random_param({o.heads, 2 * o.relative + 1}, 4));
  return out;
}

Var attention(const Inputs& in, const MemoryLayout& memory, const MultiHeadOptions& o) {
  return ops::multi_head_attention(in[0], in[1], in[2], in.size() > 3 ? in[3] : Var(), memory, o);
}

Visible visible_of(const MemoryLayout& memory, const MultiHeadOptions& o) {
  const Visible all = o.causal ? Visible::causal(memory) : Visible::each_other(memory);
  return o.window ? all.within(ops::row_ids(memory.position_of_rows()), o.window) : all;
}

// Columns [begin, end) of x.
Var columns(const Var& x, int64_t begin, int64_t end) {
  const int64_t C = x.dim(1);
  Tensor out({x.dim(0), end - begin}, x.dtype());
  const auto copy = [=](const Tensor& from, const Tensor& to, bool back) {
    with_float(from.dtype(), [&]<class R>() {
      for (int64_t n = 0; n < x.dim(0); ++n)
        for (int64_t c = begin; c < end; ++c) {
          R &whole = (back ? to : from).data<R>()[n * C + c],
            &part = (back ? from : to).data<R>()[n * (end - begin) + c - begin];
          if (back)
            whole += part;
          else
            part = whole;
        }
    });
  };
  copy(x.value(), out, false);
  return record({out}, {x}, [=](Node& node) { copy(node.grads[0], node.inputs[0].grad_buffer(), true); })[0];
}

// The same by an op for each head and step of the way.
Var composed(const Inputs& in, const MemoryLayout& memory, const MultiHeadOptions& o) {
  const int64_t width = in[0].dim(1) / o.heads;
  const Visible visible = visible_of(memory, o);
  std::vector<Var> heads;
  for (int64_t h = 0; h < o.heads; ++h) {
    const auto part = [&](int k) { return columns(in[static_cast<size_t>(k)], h * width, (h + 1) * width); };
    const Var energies = ops::score_dot(part(0), part(1), visible, 1 / std::sqrt(static_cast<double>(width)));
    heads.push_back(ops::attend(energies, part(2), visible).context);
  }
  return ops::concat_columns(heads);
}

std::vector<MultiHeadOptions> all_options() {
  std::vector<MultiHeadOptions> out;
  for (const int64_t heads : {1, 4})
    for (const bool causal : {false, true})
      for (const int64_t window : {0, 1, 3})
        for (const int64_t relative : {0, 2}) out.push_back({heads, causal, window, relative});
  return out;
}

TEST(MultiHead, IsItsComposition) {
  const MemoryLayout memory(Lengths{5, 0, 1, 9, 70});
  for (const MultiHeadOptions& o : all_options()) {
    if (o.relative) continue;
    const Inputs in = inputs_of(memory, 12, o);
    EXPECT_LT(testing::distance(attention(in, memory, o).value(), composed(in, memory, o).value()), 1e-12);
    const auto got = gradients_of(in, [&](const Inputs& x) { return uneven(attention(x, memory, o)); });
    const auto want = gradients_of(in, [&](const Inputs& x) { return uneven(composed(x, memory, o)); });
    for (size_t k = 0; k < want.size(); ++k) EXPECT_LT(testing::distance(got[k], want[k]), 1e-12) << k;
  }
}

TEST(MultiHead, IsThePlainLoop) {
  const MemoryLayout memory(Lengths{5, 0, 1, 9});
  for (const MultiHeadOptions& o : all_options()) {
    const Inputs in = inputs_of(memory, 12, o);
    const Tensor got = attention(in, memory, o).value();
    const int64_t width = 12 / o.heads, R = o.relative;
    for (int64_t s = 0; s < memory.sentences(); ++s)
      for (int64_t t = 0; t < memory.length(s); ++t)
        for (int64_t h = 0; h < o.heads; ++h) {
          const auto at = [&](const Tensor& x, int64_t u, int64_t k) {
            return x.data<double>()[(memory.begin(s) + u) * 12 + h * width + k];
          };
          std::vector<double> out(static_cast<size_t>(width));
          double total = 0;
          for (int64_t u = 0; u < memory.length(s); ++u) {
            if ((o.causal && u > t) || (o.window && std::abs(t - u) > o.window)) continue;
            double score = 0;
            for (int64_t k = 0; k < width; ++k) score += at(in[0].value(), t, k) * at(in[1].value(), u, k);
            score /= std::sqrt(static_cast<double>(width));
            if (R) score += in[3].value().data<double>()[h * (2 * R + 1) + std::clamp(t - u, -R, R) + R];
            total += std::exp(score);
            for (int64_t k = 0; k < width; ++k)
              out[static_cast<size_t>(k)] += std::exp(score) * at(in[2].value(), u, k);
          }
          for (int64_t k = 0; k < width; ++k)
            EXPECT_NEAR(at(got, t, k), out[static_cast<size_t>(k)] / total, 1e-12) << s << ' ' << t << ' ' << h;
        }
  }
}

TEST(MultiHead, Gradients) {
  for (const MultiHeadOptions& o : all_options())
    for (const Lengths& lengths : {Lengths{1}, Lengths{4, 0, 1, 2}}) {
      const MemoryLayout memory(lengths);
      for (const int64_t C : {o.heads, 2 * o.heads})
        testing::check_op(inputs_of(memory, C, o), [&](const Inputs& in) { return uneven(attention(in, memory, o)); });
    }
}

TEST(MultiHead, GradientsOfRowsThatAreAllThree) {
  const MemoryLayout memory(Lengths{4, 2});
  testing::check_op({random_param({6, 4}, 1)}, [&](const Inputs& in) {
    return uneven(ops::multi_head_attention(in[0], in[0], in[0], {}, memory, {.heads = 2, .causal = true}));
  });
}

TEST(MultiHead, ASentenceDoesNotDependOnItsCompany) {
  const MemoryLayout memory(Lengths{7, 0, 130, 1, 64});
  for (const MultiHeadOptions& o : all_options())
    for (const Dtype d : {Dtype::f32, Dtype::f64}) {
      Inputs in = inputs_of(memory, 12, o);
      if (d == Dtype::f32) in = testing::as_f32(in);
      const Tensor upstream = random_tensor({memory.rows(), 12}, 8).to(d);
      const ThreadScope threads(3);
      const Tensor out = attention(in, memory, o).value();
      const auto grads =
          gradients_of(in, [&](const Inputs& x) { return ops::weighted_sum(attention(x, memory, o), upstream); });
      Tensor dbias;
      for (int64_t s = 0; s < memory.sentences(); ++s) {
        const ThreadScope single(1);
        const int64_t first = memory.begin(s), end = memory.begin(s + 1);
        const MemoryLayout alone(Lengths{end - first});
        Inputs own = in;
        for (size_t k = 0; k < 3; ++k) own[k] = Var::parameter(in[k].value().rows(first, end).clone());
        EXPECT_TRUE(same_bits(attention(own, alone, o).value(), out.rows(first, end))) << s;
        const auto own_grads = gradients_of(own, [&](const Inputs& x) {
          return ops::weighted_sum(attention(x, alone, o), upstream.rows(first, end).clone());
        });
        for (size_t k = 0; k < 3; ++k) EXPECT_TRUE(same_bits(own_grads[k], grads[k].rows(first, end))) << s << k;
        if (!o.relative || d == Dtype::f64) continue;
        // Sentence after sentence.
        if (dbias.empty()) dbias = Tensor::zeros(own_grads[3].shape(), d);
        for (int64_t k = 0; k < dbias.size(); ++k) dbias.data<float>()[k] += own_grads[3].data<float>()[k];
      }
      EXPECT_TRUE(dbias.empty() || same_bits(dbias, grads[3]));
    }
}

TEST(MultiHead, WeightsOfAHeadAreThoseOfItsContext) {
  const MemoryLayout memory(Lengths{6, 0, 11});
  for (const MultiHeadOptions& o : all_options()) {
    const Inputs in = inputs_of(memory, 4 * o.heads, o);
    const Tensor out = attention(in, memory, o).value();
    for (int64_t s = 0; s < 3; ++s)
      for (int64_t h = 0; h < o.heads; ++h) {
        const int64_t T = memory.length(s);
        const Tensor weights = ops::attention_weights(in[0], in[1], o.relative ? in[3] : Var(), memory, o, {s, h});
        ASSERT_EQ(weights.shape(), (Shape{T, T}));
        const auto at = [&](const Tensor& x, int64_t t) {
          return x.data<double>() + ((memory.begin(s) + t) * o.heads + h) * 4;
        };
        for (int64_t t = 0; t < T; ++t)
          for (int64_t k = 0; k < 4; ++k) {
            double sum = 0;
            for (int64_t u = 0; u < T; ++u) sum += weights.data<double>()[t * T + u] * at(in[2].value(), u)[k];
            EXPECT_NEAR(sum, at(out, t)[k], 1e-12);
          }
      }
  }
}

// What is kept for backward: the output, and two numbers a row and head.
TEST(MultiHead, MemoryIsLinearInTheSteps) {
  for (const int64_t T : {64, 1024}) {
    const MemoryLayout memory(Lengths{T});
    const MultiHeadOptions o{.heads = 2, .causal = true, .relative = 3};
    const Inputs in = testing::as_f32(inputs_of(memory, 16, o));
    const int64_t before = pool_stats().bytes_in_use;
    const Var out = attention(in, memory, o);
    EXPECT_LE(pool_stats().bytes_in_use - before, 2 * T * (16 + 2 * 2) * 4) << T;
  }
}

TEST(MultiHead, WhatDoesNotFitIsRefused) {
  const MemoryLayout memory(Lengths{3, 2});
  const Var x = random_param({5, 6}, 1), bias = random_param({2, 3}, 2);
  const auto run = [&](const Var& q, const Var& k, const Var& v, const Var& b, const MultiHeadOptions& o) {
    return ops::multi_head_attention(q, k, v, b, memory, o);
  };
  EXPECT_NO_THROW(run(x, x, x, bias, {.heads = 2, .relative = 1}));
  EXPECT_THROW(run(random_param({4, 6}, 1), x, x, {}, {.heads = 2}), ShapeError);
  EXPECT_THROW(run(x, random_param({5, 4}, 1), x, {}, {.heads = 2}), ShapeError);
  EXPECT_THROW(run(x, x, random_param({4, 6}, 1), {}, {.heads = 2}), ShapeError);
  EXPECT_THROW(run(x, x, x, {}, {.heads = 4}), ShapeError);
  EXPECT_THROW(run(x, x, x, {}, {.heads = 0}), ShapeError);
  EXPECT_THROW(run(x, x, x, {}, {.heads = 2, .window = -1}), ShapeError);
  EXPECT_THROW(run(x, x, x, {}, {.heads = 2, .relative = 1}), ShapeError);
  EXPECT_THROW(run(x, x, x, bias, {.heads = 2}), ShapeError);
  EXPECT_THROW(run(x, x, x, bias, {.heads = 2, .relative = 2}), ShapeError);
  EXPECT_THROW(ops::attention_weights(x, x, {}, memory, {.heads = 2}, {2, 0}), ShapeError);
  EXPECT_THROW(ops::attention_weights(x, x, {}, memory, {.heads = 2}, {0, 2}), ShapeError);
  try {
    run(x, x, x, {}, {.heads = 4});
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(), "multi_head_attention: 6 columns cannot be shared by 4 heads");
  }
}

}  // namespace
}  // namespace lookback

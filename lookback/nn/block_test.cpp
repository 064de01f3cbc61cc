// Blocks alone and in stacks: values, gradients, and that a sequence does not depend on its company.
#include "lookback/nn/block.h"

#include <map>

#include "lookback/autograd/grad_check.h"
#include "lookback/base/precision.h"
#include "lookback/nn/encoder.h"
#include "lookback/nn/pooling.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::random_tensor;
using testing::same_bits;

constexpr int64_t kE = 6;
const std::vector<int64_t> kLengths = {2, 5, 0, 3};
const std::deque<BlockOptions> kMixed = {
    {.kind = "convolution", .hidden = 6, .kernel = 3, .residual = true},
    {.kind = "bilstm", .hidden = 3, .residual = true, .layer_norm = true},
    {.kind = "self_attention", .heads = 2, .feed_forward = 5, .relative = 1},
    {.kind = "pyramid", .factor = 2},
    {.kind = "self_attention", .heads = 3, .norm = "after", .causal = true, .window = 1},
    {.kind = "gru", .hidden = 4},
    {.kind = "convolution", .hidden = 5, .kernel = 2, .stride = 2}};

template <class Module>
void draw(Module& m, Dtype dtype) {
  uint64_t seed = 100;
  for (const NamedVar& p : params_of(m)) p.var.set_value(random_tensor(p.var.shape(), seed++).to(dtype));
}

Sequence batch(const std::vector<int64_t>& lengths, const Tensor& rows, Dtype dtype = Dtype::f32) {
  return {Var::parameter(rows.to(dtype)), Ragged(lengths), RowOrder::by_sequence};
}

template <class E>
std::string refused(const std::deque<BlockOptions>& blocks, EncoderOptions options = {}) {
  options.blocks = blocks;
  try {
    Encoder(options, kE);
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

TEST(Blocks, AConvolutionIsTheSumOfItsNeighbours) {
  const auto block = make_block({.kind = "convolution", .hidden = 1, .kernel = 3, .stride = 2}, 1, "b");
  for (const NamedVar& p : params_of(*block))
    p.var.set_value(p.name.ends_with("bias") ? Tensor::of<float>({1}, {0.5f})
                                             : Tensor::of<float>({1, 3}, {1, 10, 100}));
  const Tensor x = Tensor::of<float>({5, 1}, {1, 2, 3, 4, 5});  // ranks: of 3 and 2 rows
  const Encoded out = (*block)(batch({2, 3}, x), {RowOrder::by_sequence, {}, nullptr, false});
  const auto y = out.memory.x.value().span<float>();
  EXPECT_EQ(std::vector<float>(y.begin(), y.end()),
            (std::vector<float>{210.5f /* 0 1 2 */, 32.5f /* 2 3 0 */, 540.5f /* 0 4 5 */}));
  EXPECT_EQ(out.memory.shape.memory().length(0), 2);
  EXPECT_EQ(out.memory.shape.sequence_of_rank(), (std::vector<int32_t>{1, 0}));
}

TEST(Blocks, APyramidPutsRowsSideBySide) {
  const auto block = make_block({.kind = "pyramid", .factor = 2}, 1, "b");
  const Tensor x = Tensor::of<float>({5, 1}, {1, 2, 3, 4, 5});
  const auto y = (*block)(batch({3, 2}, x), {RowOrder::by_step, {}, nullptr, false}).memory.x.value();
  const auto rows = y.span<float>();
  EXPECT_EQ(std::vector<float>(rows.begin(), rows.end()), (std::vector<float>{1, 2, 4, 5, 3, 0}));
}

// One bilstm block is one layer of the common stack, whatever the order of rows it gets.
TEST(Blocks, ABlockOfItsKindIsTheStack) {
  Encoder stack({.hidden = 3}, kE), block({.blocks = {{.kind = "bilstm", .hidden = 3}}}, kE);
  draw(stack, Dtype::f32), draw(block, Dtype::f32);
  EXPECT_EQ(params_of(block)[0].name, "blocks.0." + params_of(stack)[0].name);
  const Sequence by_sequence = batch(kLengths, random_tensor({10, kE}, 1));
  const Sequence by_step{rows_in(by_sequence, RowOrder::by_step), by_sequence.shape, RowOrder::by_step};
  const Encoded a = stack(by_step, {}, nullptr), b = block(by_sequence, {}, nullptr);
  EXPECT_TRUE(same_bits(a.memory.x.value(), b.memory.x.value()));
  EXPECT_TRUE(same_bits(a.final[0].c.value(), b.final[0].c.value()));
}

// Words that are looked up late, and by a recurrent block met once each, give the bits of their vectors.
TEST(Blocks, WordsAreWhatTheirVectorsAre) {
  const Var table(random_tensor({6, kE}, 3).to(Dtype::f32));
  const auto ids = ops::row_ids({0, 5, 5, 1, 0, 2, 2, 2, 5, 0});
  std::vector<EncoderOptions> kinds = {{.layers = 2, .hidden = 3},
                                       {.cell = "gru", .hidden = 2, .bidirectional = false, .time = {.checkpoint = 2}},
                                       {.hidden = kE, .bidirectional = false, .residual = true},
                                       {.cell = "gru", .layers = 2, .hidden = 3, .residual = true, .layer_norm = true}};
  for (const BlockOptions& b : kMixed) kinds.push_back({.blocks = {b}});
  for (const EncoderOptions& o : kinds)
    for (const Precision precision : {Precision::f32, Precision::bf16, Precision::int8}) {
      const PrecisionScope scope(precision);
      Encoder e(o, kE);
      draw(e, Dtype::f32);
      Sequence words = batch(kLengths, Tensor());
      words.x = table, words.rows = ids;
      const NoGrad off;
      const Sequence vectors{ops::gather_rows(table, ids), words.shape, words.order};
      for (int again = 0; again < 2; ++again) {
        const Encoded a = e(words, {}, nullptr), b = e(vectors, {}, nullptr);
        EXPECT_TRUE(same_bits(a.memory.x.value(), b.memory.x.value()));
        ASSERT_EQ(a.final.size(), b.final.size());
        for (size_t k = 0; k < a.final.size(); ++k) EXPECT_TRUE(same_bits(a.final[k].h.value(), b.final[k].h.value()));
      }
    }
}

TEST(Blocks, ASequenceDoesNotDependOnItsCompany) {
  Encoder e({.blocks = kMixed}, kE);
  draw(e, Dtype::f32);
  EXPECT_EQ(e.shortening(), 4);
  EXPECT_EQ(e.final_widths(), (std::vector<int64_t>{6, 4}));
  const Sequence x = batch(kLengths, random_tensor({10, kE}, 1));
  const Encoded all = e(x, {}, nullptr);
  ASSERT_EQ(all.memory.x.shape(), (Shape{4, 5}));
  const MemoryLayout &from = x.shape.memory(), &to = all.memory.shape.memory();
  for (int64_t s = 0; s < 4; ++s) {
    const Tensor rows = x.x.value().rows(from.begin(s), from.begin(s) + from.length(s));
    const Encoded alone = e(batch({from.length(s)}, rows), {}, nullptr);
    EXPECT_TRUE(same_bits(alone.memory.x.value(), all.memory.x.value().rows(to.begin(s), to.begin(s) + to.length(s))));
    for (size_t k = 0; k < 2; ++k)
      EXPECT_TRUE(same_bits(alone.final[k].h.value(), all.final[k].h.value().rows(s, s + 1)));
  }
}

// Central differences in double, of every parameter and the input, through blocks, pooling and penalty.
TEST(Blocks, Gradients) {
  for (const PoolingOptions& pooling : {PoolingOptions{.kind = "last"},
                                        {.kind = "mean"},
                                        {.kind = "max"},
                                        {.kind = "additive", .attention = 3, .hops = 2},
                                        {.kind = "dot"}}) {
    Encoder e({.blocks = kMixed}, kE);
    Pooling pool(pooling, e, "p");
    std::vector<NamedVar> named = params_of(e);
    for (const NamedVar& p : params_of(pool)) named.push_back(p);
    uint64_t seed = 1;
    std::vector<Var> inputs;
    for (const NamedVar& p : named) {
      // In double, which set_value would refuse.
      p.var.node().outputs[static_cast<size_t>(p.var.output())] = random_tensor(p.var.shape(), seed++);
      inputs.push_back(p.var);
    }
    const Sequence x = batch(kLengths, random_tensor({10, kE}, 99), Dtype::f64);
    inputs.push_back(x.x);
    const auto loss = [&] {
      const Encoded encoded = e(x, {}, nullptr);
      return testing::uneven(pool(encoded).x);
    };
    EXPECT_LT(grad_error(inputs, loss), 1e-6) << pooling.kind;
  }
}

TEST(Blocks, DropoutIsOffWithoutNoiseAndAFunctionOfIt) {
  Encoder e({.blocks = kMixed}, kE);
  draw(e, Dtype::f32);
  const Sequence x = batch(kLengths, random_tensor({10, kE}, 1));
  for (const bool locked : {false, true}) {
    const DropoutOptions heavy{.rate = 0.5, .locked = locked, .recurrent_weights = 0.3};
    Noise noise{1, 1}, again{1, 1}, later{1, 2};
    const Tensor a = e(x, heavy, &noise).memory.x.value();
    EXPECT_TRUE(same_bits(a, e(x, heavy, &again).memory.x.value()));
    EXPECT_FALSE(same_bits(a, e(x, heavy, &later).memory.x.value()));
    EXPECT_TRUE(same_bits(e(x, {}, nullptr).memory.x.value(), e(x, heavy, nullptr).memory.x.value()));
  }
}

TEST(Blocks, WhatDoesNotGoTogetherIsNamed) {
  EXPECT_EQ(refused<ConfigError>({{.kind = "pyramid", .hidden = 3}}),
            "model.encoder.blocks.0.hidden = 3: a block of kind 'pyramid' has no such option");
  EXPECT_EQ(refused<ConfigError>({{.kind = "bilstm"}, {.kind = "lstm", .kernel = 5}}),
            "model.encoder.blocks.1.kernel = 5: a block of kind 'lstm' has no such option");
  EXPECT_EQ(refused<ConfigError>({{.kind = "self_attention", .heads = 4}}),
            "model.encoder.blocks.0.heads = 4 does not divide the input's width of 6");
  EXPECT_NE(refused<ConfigError>({{.kind = "lsm"}}).find("did you mean 'lstm'"), std::string::npos);
  EXPECT_NE(refused<ConfigError>({{.kind = "convolution", .hidden = 5, .residual = true}}).find("hidden = 6"),
            std::string::npos);
  EXPECT_NE(refused<ConfigError>({{.kind = "lstm"}}, {.layers = 2}).find("model.encoder.layers = 2 does not go with"),
            std::string::npos);
  EXPECT_EQ(refused<ConfigError>({{.kind = "convolution", .hidden = 6, .residual = true}}), "");
}

TEST(Pooling, ValuesOfEachKind) {
  const Encoder e({.blocks = {{.kind = "pyramid", .factor = 2}}}, 1);
  const Encoded encoded{batch({2, 3, 0}, Tensor::of<float>({5, 2}, {1, -1, 2, -2, 6, -6, 4, -4, 8, -8})),
                        {{Var(random_tensor({3, 2}, 1).to(Dtype::f32)), Var()}}};
  const auto pooled = [&](const PoolingOptions& o) {
    const Tensor x = Pooling(o, e, "p")(encoded).x.value();
    return std::vector<float>(x.span<float>().begin(), x.span<float>().end());
  };
  EXPECT_EQ(pooled({.kind = "mean"}), (std::vector<float>{3, -3, 6, -6, 0, 0}));
  EXPECT_EQ(pooled({.kind = "max"}), (std::vector<float>{6, -1, 8, -4, 0, 0}));
  // A query of zeros looks everywhere alike.
  EXPECT_EQ(pooled({.kind = "dot", .hops = 2}), (std::vector<float>{3, -3, 3, -3, 6, -6, 6, -6, 0, 0, 0, 0}));
  EXPECT_EQ(pooled({.kind = "additive", .attention = 5}), (std::vector<float>{3, -3, 6, -6, 0, 0}));
  EXPECT_EQ(pooled({.kind = "last"}).size(), 6U);
  EXPECT_THROW(Pooling({.kind = "mean", .hops = 2}, e, "p"), ConfigError);
  EXPECT_THROW(Pooling({.kind = "dot", .attention = 2}, e, "p"), ConfigError);
}

}  // namespace
}  // namespace lookback

#include "lookback/nn/encoder.h"

#include <map>

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::distance;
using testing::random_tensor;
using testing::same_bits;

constexpr int64_t kE = 6;
const std::vector<int64_t> kLengths = {5, 3, 3, 0};

Encoder drawn(const EncoderOptions& o) {
  Encoder out(o, kE);
  uint64_t seed = 100;
  for (const NamedVar& p : params_of(out)) p.var.set_value(random_tensor(p.var.shape(), seed++).to(Dtype::f32));
  return out;
}

Sequence embedded() { return {Var(random_tensor({11, kE}, 1).to(Dtype::f32)), Ragged(kLengths), RowOrder::by_step}; }

TEST(Encoder, NamesAndShapes) {
  Encoder e({.layers = 2, .hidden = 3, .layer_norm = true}, kE);
  std::map<std::string, Shape> shapes;
  for (const NamedVar& p : params_of(e)) shapes.emplace(p.name, p.var.shape());
  EXPECT_EQ(shapes.size(), 20U);
  EXPECT_EQ(shapes.at("lstm.weight_ih_l0"), (Shape{12, kE}));
  EXPECT_EQ(shapes.at("lstm.weight_ih_l1_reverse"), (Shape{12, 6}));
  EXPECT_EQ(shapes.at("lstm.weight_hh_l1"), (Shape{12, 3}));
  EXPECT_EQ(shapes.at("layers.1.norm.gamma"), (Shape{6}));
  Encoder one({.cell = "gru", .hidden = 3, .bidirectional = false}, kE);
  EXPECT_EQ(params_of(one).size(), 4U);
  EXPECT_EQ(params_of(one)[0].name, "gru.weight_ih_l0");
}

TEST(Encoder, ASentenceDoesNotDependOnItsCompany) {
  const Steps steps(kLengths);
  for (const char* cell : {"lstm", "gru"}) {
    const Encoder e = drawn({.cell = cell, .layers = 2, .hidden = 3, .residual = true, .layer_norm = true});
    const Sequence x = embedded();
    const Encoded all = e(x, {}, nullptr);
    int64_t first = 0;
    for (int64_t b = 0; b < 4; ++b) {
      const int64_t length = kLengths[static_cast<size_t>(b)];
      std::vector<int32_t> rows;
      for (int64_t t = 0; t < length; ++t) rows.push_back(static_cast<int32_t>(steps.row(t, b)));
      const Encoded alone =
          e({ops::gather_rows(x.x, ops::row_ids(rows)), Ragged(std::vector<int64_t>{length}), RowOrder::by_step}, {},
            nullptr);
      EXPECT_TRUE(same_bits(alone.memory.x.value(), all.memory.x.value().rows(first, first + length))) << cell << b;
      for (size_t k = 0; k < 2; ++k)
        EXPECT_TRUE(same_bits(alone.final[k].h.value(), all.final[k].h.value().rows(b, b + 1))) << cell << b;
      first += length;
    }
  }
}

TEST(Encoder, MemoryAndLastStatesBelongTogether) {
  const Encoder e = drawn({.hidden = 3});
  const Encoded out = e(embedded(), {}, nullptr);
  ASSERT_EQ(out.memory.x.shape(), (Shape{11, 6}));
  const float *memory = out.memory.x.value().data<float>(), *last = out.final[0].h.value().data<float>();
  for (int64_t k = 0; k < 3; ++k) {
    EXPECT_EQ(last[k], memory[4 * 6 + k]) << "forward ends at the last word of sentence 0";
    EXPECT_EQ(last[3 + k], memory[3 + k]) << "reverse ends at its first";
    EXPECT_EQ(last[3 * 6 + k], 0) << "the empty sentence";
  }
}

TEST(Encoder, NoNoiseMeansNoDropout) {
  const Encoder e = drawn({.layers = 2, .hidden = 3});
  const DropoutOptions heavy{.rate = 0.5, .recurrent_weights = 0.5};
  EXPECT_TRUE(same_bits(e(embedded(), {}, nullptr).memory.x.value(), e(embedded(), heavy, nullptr).memory.x.value()));
  Noise noise{1, 1}, again{1, 1}, later{1, 2};
  const Tensor a = e(embedded(), heavy, &noise).memory.x.value();
  EXPECT_TRUE(same_bits(a, e(embedded(), heavy, &again).memory.x.value()));
  EXPECT_FALSE(same_bits(a, e(embedded(), heavy, &later).memory.x.value()));
}

// The memory, and the gradients of every parameter and of the embeddings.
std::vector<Tensor> results(const EncoderOptions& o, const DropoutOptions& dropout) {
  Encoder e = drawn(o);
  const Var x = Var::parameter(embedded().x.value());
  Noise noise{1, 1};
  const Encoded out = e({x, Ragged(kLengths), RowOrder::by_step}, dropout, &noise);
  Var loss = testing::uneven(out.memory.x);
  for (const CellState& s : out.final)
    for (const Var& v : {s.h, s.c})
      if (v) loss = ops::add(loss, testing::uneven(v, 5));
  backward(loss);
  std::vector<Tensor> all = {out.memory.x.value(), x.grad()};
  for (const NamedVar& p : params_of(e)) all.push_back(p.var.grad());
  return all;
}

TEST(Encoder, CheckpointingChangesNoBitAndTruncationNoState) {
  for (const char* cell : {"lstm", "gru"})
    for (const bool both : {false, true})
      for (const bool extras : {false, true})
        for (const bool locked : {false, true}) {
          SCOPED_TRACE(str_cat(cell, " bidirectional ", both, " extras ", extras, " locked ", locked));
          EncoderOptions o{.cell = cell,
                           .layers = 2,
                           .hidden = both ? 3 : 6,
                           .bidirectional = both,
                           .residual = extras,
                           .layer_norm = extras};
          const DropoutOptions dropout{.rate = 0.3, .locked = locked, .recurrent_weights = 0.2};
          const auto plain = results(o, dropout);
          for (o.time.checkpoint = 1; o.time.checkpoint < 6; ++o.time.checkpoint) {
            const auto got = results(o, dropout);
            for (size_t k = 0; k < plain.size(); ++k) EXPECT_TRUE(same_bits(got[k], plain[k])) << k;
          }
          o.time = {.bptt = 2};
          const auto cut = results(o, dropout);
          EXPECT_TRUE(same_bits(cut[0], plain[0]));
          EXPECT_FALSE(same_bits(cut[1], plain[1])) << "the gradient of the embeddings";
        }
}

TEST(DropoutSite, ALockedMaskIsThatOfTheSequence) {
  Noise noise{1, 1};
  const DropoutSite site({.rate = 0.5, .locked = true}, &noise);
  const Steps steps(kLengths);
  const Var ones(Tensor::full({11, 40}, 1));
  const Tensor whole = site.sequence(ones, ops::row_ids(steps.sequence_of_rows())).value();
  for (int64_t t = 0; t < steps.T(); ++t) {
    const Tensor step = site.step(ops::slice_rows(ones, steps.begin(t), steps.begin(t + 1))).value();
    EXPECT_TRUE(same_bits(step, whole.rows(steps.begin(t), steps.begin(t + 1)))) << t;
    EXPECT_TRUE(same_bits(step.rows(0, 1), whole.rows(0, 1)));
  }
  EXPECT_FALSE(same_bits(whole.rows(0, 1), whole.rows(1, 2))) << "sequences have masks of their own";
}

TEST(DropoutSite, AnUnlockedMaskIsNewEveryStep) {
  Noise noise{1, 1};
  const DropoutSite site({.rate = 0.5}, &noise);
  const Var ones(Tensor::full({2, 40}, 1));
  EXPECT_FALSE(same_bits(site.step(ones).value(), site.step(ones).value()));
  EXPECT_TRUE(same_bits(DropoutSite({.rate = 0.5}, nullptr).step(ones).value(), ones.value()));
}

TEST(DropWeights, ScalesWhatItKeeps) {
  Noise noise{1, 1};
  const Var w(Tensor::full({30, 30}, 1));
  int64_t zeros = 0;
  const Tensor dropped = drop_weights(w, {.recurrent_weights = 0.25}, &noise).value();
  for (const float x : dropped.span<float>()) {
    zeros += x == 0;
    EXPECT_TRUE(x == 0 || std::abs(x - 4.0F / 3) < 1e-6F);
  }
  EXPECT_NEAR(static_cast<double>(zeros) / 900, 0.25, 0.06);
  EXPECT_TRUE(same_bits(drop_weights(w, {.recurrent_weights = 0.25}, nullptr).value(), w.value()));
}

}  // namespace
}  // namespace lookback

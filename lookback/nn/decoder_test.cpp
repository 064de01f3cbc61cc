#include "lookback/nn/decoder.h"

#include <cmath>
#include <map>
#include <numeric>

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::distance;
using testing::random_tensor;

constexpr int64_t kE = 5, kR = 6;

void draw(const std::vector<NamedVar>& params) {
  uint64_t seed = 100;
  for (const NamedVar& p : params) {
    const Tensor t = random_tensor(p.var.shape(), seed++).to(Dtype::f32);
    for (float& x : t.span<float>()) x *= 0.5F;
    p.var.set_value(t);
  }
}

// An encoder and a decoder over ragged sentences, one of them empty.
struct Pair {
  EncoderOptions encoder_options;
  std::vector<int64_t> source_lengths = {5, 3, 3, 0}, target_lengths = {4, 4, 2, 1};
  std::vector<int32_t> sentence_of_row = {2, 0, 3, 1};
  Encoder encoder;
  Decoder decoder;
  Var source, target;

  Pair(const EncoderOptions& e, const DecoderOptions& d, const std::string& score = "general")
      : encoder_options(e),
        encoder(e, kE),
        decoder(d, encoder.final_widths(), score,
                {.embedding = kE, .memory = encoder.width(), .attention = 4, .readout = kR}),
        source(random_tensor({11, kE}, 1).to(Dtype::f32)),
        target(random_tensor({11, kE}, 2).to(Dtype::f32)) {
    draw(params());
  }
  std::vector<NamedVar> params() {
    auto out = params_of(encoder);
    for (const NamedVar& p : params_of(decoder)) out.push_back({"decoder." + p.name, p.var, p.role});
    return out;
  }

  enum class How { teacher_force, unroll };
  Var readouts(How how, const DropoutOptions& dropout = {}, Noise* noise = nullptr) const {
    const Encoded encoded = encoder({source, Ragged(source_lengths), RowOrder::by_step}, dropout, noise);
    const DecoderPass pass(decoder, encoded, dropout, noise);
    const DecoderState start = pass.start(encoded).gather(ops::row_ids(sentence_of_row));
    const Steps steps(target_lengths);
    if (how == How::teacher_force) return pass.teacher_force(target, steps, start, sentence_of_row).readouts;
    return unrolled(pass, steps, start).readouts;
  }
  // Step by step, with known inputs.
  Unrolled unrolled(const DecoderPass& pass, const Steps& steps, const DecoderState& start) const {
    return pass.unroll(steps, start, sentence_of_row, [&](int64_t t, const Var& last) {
      EXPECT_EQ(static_cast<bool>(last), t > 0);
      const Var x = ops::slice_rows(target, steps.begin(t), steps.begin(t + 1));
      return DecoderPass::Input{pass.input_part(x), x};
    });
  }
};

std::vector<Tensor> parameter_gradients(Pair& s, Pair::How how, const DropoutOptions& dropout, Noise* noise) {
  for (const NamedVar& p : s.params()) p.var.clear_grad();
  backward(testing::uneven(s.readouts(how, dropout, noise)));
  std::vector<Tensor> out;
  for (const NamedVar& p : s.params())
    out.push_back(p.var.grad().empty() ? Tensor::zeros(p.var.shape()) : p.var.grad().clone());
  return out;
}

void expect_teach_equals_unroll(Pair& s, const DropoutOptions& dropout) {
  Noise a{7, 3}, b{7, 3};
  const bool noisy = dropout.rate > 0 || dropout.recurrent_weights > 0;
  EXPECT_LT(distance(s.readouts(Pair::How::teacher_force, dropout, noisy ? &a : nullptr).value(),
                     s.readouts(Pair::How::unroll, dropout, noisy ? &b : nullptr).value()),
            1e-6);
  Noise c{7, 3}, d{7, 3};
  const auto forced = parameter_gradients(s, Pair::How::teacher_force, dropout, noisy ? &c : nullptr);
  const auto unroll = parameter_gradients(s, Pair::How::unroll, dropout, noisy ? &d : nullptr);
  const auto names = s.params();
  for (size_t k = 0; k < forced.size(); ++k) EXPECT_LT(distance(forced[k], unroll[k]), 1e-5) << names[k].name;
}

TEST(Decoder, WholeSequencesEqualStepsOneByOne) {
  for (const char* cell : {"lstm", "gru"})
    for (const int64_t layers : {1, 2})
      for (const bool extras : {false, true}) {
        SCOPED_TRACE(str_cat(cell, " ", layers, " ", extras));
        Pair s({.cell = cell, .layers = layers, .hidden = 3}, {.cell = cell,
                                                               .layers = layers,
                                                               .hidden = 6,
                                                               .input_feeding = false,
                                                               .readout = extras ? "maxout" : "tanh",
                                                               .residual = extras,
                                                               .layer_norm = extras});
        expect_teach_equals_unroll(s, {});
        // A mask that stays the same for all steps does not depend on how the steps are run.
        expect_teach_equals_unroll(s, {.rate = 0.3, .locked = true, .recurrent_weights = 0.2});
      }
}

TEST(Decoder, FeedingAndBahdanauDependOnTheStepBefore) {
  // A changed first input must reach later readouts through the feed, and nothing earlier.
  for (const char* attention : {"luong", "bahdanau"}) {
    Pair s({.hidden = 3}, {.hidden = 6, .attention = attention});
    const Tensor before = s.readouts(Pair::How::teacher_force).value().clone();
    s.target.value().data<float>()[4 * kE] += 1;  // row 0 of step 1
    const Tensor after = s.readouts(Pair::How::teacher_force).value();
    const Steps steps(s.target_lengths);
    for (int64_t t = 0; t < 4; ++t)
      for (int64_t b = 0; b < steps.alive(t); ++b) {
        const int64_t row = steps.row(t, b);
        EXPECT_EQ(testing::same_bits(before.rows(row, row + 1), after.rows(row, row + 1)), b > 0 || t < 1)
            << attention << ' ' << t << ' ' << b;
      }
  }
}

TEST(Decoder, AnEmptySourceGivesZeroWeights) {
  for (const char* attention : {"luong", "bahdanau"}) {
    Pair s({.hidden = 3}, {.hidden = 6, .attention = attention});
    const Encoded encoded = s.encoder({s.source, Ragged(s.source_lengths), RowOrder::by_step}, {}, nullptr);
    const DecoderPass pass(s.decoder, encoded, {}, nullptr);
    DecoderState state = pass.start(encoded);
    const Var x = ops::slice_rows(s.target, 0, 4);
    const auto out = pass.step(pass.input_part(x), x, ops::row_ids({0, 1, 2, 3}), state);
    for (int64_t n = 0; n < 4; ++n) {
      double sum = 0;
      for (int64_t t = 0; t < 5; ++t) sum += out.weights.value().data<float>()[n * 5 + t];
      EXPECT_NEAR(sum, n < 3 ? 1 : 0, 1e-6);
    }
  }
}

TEST(Decoder, StatesCanBeGatheredAndCut) {
  Pair s({.hidden = 3}, {.layers = 2, .hidden = 6});
  const Encoded encoded = s.encoder({s.source, Ragged(s.source_lengths), RowOrder::by_step}, {}, nullptr);
  const DecoderPass pass(s.decoder, encoded, {}, nullptr);
  const DecoderState start = pass.start(encoded), picked = start.gather(ops::row_ids({3, 1, 1}));
  ASSERT_EQ(picked.layers.size(), 2U);
  for (size_t k = 0; k < 2; ++k)
    for (const auto& [row, from] : {std::pair{0, 3}, {1, 1}, {2, 1}}) {
      EXPECT_TRUE(testing::same_bits(picked.layers[k].h.value().rows(row, row + 1),
                                     start.layers[k].h.value().rows(from, from + 1)));
      EXPECT_TRUE(testing::same_bits(picked.layers[k].c.value().rows(row, row + 1),
                                     start.layers[k].c.value().rows(from, from + 1)));
    }
  EXPECT_EQ(picked.feed.shape(), (Shape{3, kR}));
  EXPECT_EQ(start.take_rows(2).layers[1].h.shape(), (Shape{2, 6}));
}

TEST(Decoder, TheFirstStatesComeFromTheBridge) {
  for (const char* bridge : {"tanh", "linear", "copy", "zeros"}) {
    Pair s({.layers = 2, .hidden = 3}, {.layers = 3, .hidden = 6, .bridge = bridge});
    const Encoded encoded = s.encoder({s.source, Ragged(s.source_lengths), RowOrder::by_step}, {}, nullptr);
    const DecoderPass pass(s.decoder, encoded, {}, nullptr);
    const auto layers = pass.start(encoded).layers;
    ASSERT_EQ(layers.size(), 3U);
    const std::string kind = bridge;
    if (kind == "zeros") {
      EXPECT_EQ(distance(layers[1].c.value(), Tensor::zeros({4, 6})), 0);
    }
    if (kind == "copy") {  // from the top down; what is missing below starts from the encoder's first
      EXPECT_EQ(distance(layers[2].h.value(), encoded.final[1].h.value()), 0);
      EXPECT_EQ(distance(layers[1].c.value(), encoded.final[0].c.value()), 0);
      EXPECT_EQ(distance(layers[0].h.value(), encoded.final[0].h.value()), 0);
    }
    double largest = 0;
    for (const float x : layers[0].h.value().span<float>()) largest = std::max<double>(largest, std::abs(x));
    EXPECT_EQ(largest > 0, kind != "zeros");
    if (kind == "tanh") {
      EXPECT_LT(largest, 1);
    }
  }
}

TEST(Decoder, CheckpointingChangesNoBit) {
  for (const char* cell : {"lstm", "gru"}) {
    const DropoutOptions dropout{.rate = 0.3, .recurrent_weights = 0.2};
    DecoderOptions o{.cell = cell, .layers = 2, .hidden = 6, .input_feeding = false, .layer_norm = true};
    Pair plain({.cell = cell, .hidden = 3}, o);
    o.time.checkpoint = 2;
    Pair checkpointed({.cell = cell, .hidden = 3}, o);
    Noise a{7, 3}, b{7, 3};
    const auto want = parameter_gradients(plain, Pair::How::teacher_force, dropout, &a);
    const auto got = parameter_gradients(checkpointed, Pair::How::teacher_force, dropout, &b);
    for (size_t k = 0; k < want.size(); ++k) EXPECT_TRUE(testing::same_bits(got[k], want[k])) << k;
  }
}

TEST(Decoder, CheckpointingIsRefusedWhereStepsRunOneByOne) {
  for (const char* attention : {"luong", "bahdanau"})
    for (const bool feeding : {false, true}) {
      const DecoderOptions o{.hidden = 6, .attention = attention, .input_feeding = feeding, .time = {.checkpoint = 2}};
      if (std::string(attention) == "luong" && !feeding) continue;
      EXPECT_THROW(Pair({.hidden = 3}, o), ConfigError);
    }
}

// A pass whose states are made constants by hand after every second step.
Var cut_by_hand(const Pair& s) {
  const Encoded encoded = s.encoder({s.source, Ragged(s.source_lengths), RowOrder::by_step}, {}, nullptr);
  const DecoderPass pass(s.decoder, encoded, {}, nullptr);
  DecoderState state = pass.start(encoded).gather(ops::row_ids(s.sentence_of_row));
  const Steps steps(s.target_lengths);
  std::vector<Var> readouts;
  for (int64_t t = 0; t < steps.T(); ++t) {
    state = state.take_rows(steps.alive(t));
    if (t == 2) {
      for (CellState& layer : state.layers) layer = {Var(layer.h.value()), layer.c ? Var(layer.c.value()) : Var()};
      if (state.feed) state.feed = Var(state.feed.value());
    }
    const Var x = ops::slice_rows(s.target, steps.begin(t), steps.begin(t + 1));
    const auto looks_at = ops::row_ids({s.sentence_of_row.begin(), s.sentence_of_row.begin() + steps.alive(t)});
    readouts.push_back(pass.step(pass.input_part(x), x, looks_at, state).readout);
  }
  return ops::concat_rows(readouts);
}

TEST(Decoder, TruncatedGradientsAreThoseOfStatesCutByHand) {
  for (const char* cell : {"lstm", "gru"})
    for (const char* attention : {"luong", "bahdanau"})
      for (const bool feeding : {false, true}) {
        SCOPED_TRACE(str_cat(cell, " ", attention, " feeding ", feeding));
        DecoderOptions o{.cell = cell,
                         .layers = 2,
                         .hidden = 6,
                         .attention = attention,
                         .input_feeding = feeding,
                         .time = {.bptt = 2}};
        Pair s({.cell = cell, .hidden = 3}, o);
        o.time.bptt = 0;
        Pair whole({.cell = cell, .hidden = 3}, o);
        EXPECT_TRUE(testing::same_bits(s.readouts(Pair::How::teacher_force).value(),
                                       whole.readouts(Pair::How::teacher_force).value()));
        for (const NamedVar& p : s.params()) p.var.clear_grad();
        backward(testing::uneven(cut_by_hand(s)));
        std::vector<Tensor> want;
        for (const NamedVar& p : s.params()) want.push_back(p.var.grad().clone());
        double changed = 0;
        const auto all = parameter_gradients(whole, Pair::How::teacher_force, {}, nullptr);
        for (const Pair::How how : {Pair::How::teacher_force, Pair::How::unroll}) {
          const auto got = parameter_gradients(s, how, {}, nullptr);
          for (size_t k = 0; k < want.size(); ++k) {
            EXPECT_LT(distance(got[k], want[k]), 1e-5) << s.params()[k].name;
            changed = std::max(changed, distance(got[k], all[k]));
          }
        }
        EXPECT_GT(changed, 1e-3);
      }
}

TEST(Decoder, AttentionThatRemembersGoesStepByStepEverywhere) {
  for (const char* score : {"location", "coverage", "monotonic", "multi_head", "none"})
    for (const char* attention : {"luong", "bahdanau"})
      for (const bool feeding : {false, true}) {
        SCOPED_TRACE(str_cat(score, " ", attention, " feeding ", feeding));
        Pair s({.hidden = 3}, {.layers = 2, .hidden = 6, .attention = attention, .input_feeding = feeding}, score);
        expect_teach_equals_unroll(s, {});
        expect_teach_equals_unroll(s, {.rate = 0.3, .locked = true});
      }
  EXPECT_THROW(Pair({.hidden = 3}, {.hidden = 6, .input_feeding = false, .time = {.checkpoint = 2}}, "location"),
               ConfigError);
}

TEST(Decoder, AGateTakesAShareOfTheContextHoweverStepsAreRun) {
  for (const char* gate : {"beta", "sentinel"})
    for (const char* score : {"general", "additive", "coverage", "uniform"})
      for (const bool feeding : {false, true}) {
        SCOPED_TRACE(str_cat(gate, " ", score, " feeding ", feeding));
        Pair s({.hidden = 3}, {.layers = 2, .hidden = 6, .gate = gate, .input_feeding = feeding}, score);
        expect_teach_equals_unroll(s, {});
        expect_teach_equals_unroll(s, {.rate = 0.3, .locked = true});
      }
  Pair s({.hidden = 3}, {.hidden = 6, .attention = "bahdanau", .gate = "beta"});
  expect_teach_equals_unroll(s, {});
  const auto make = [](const DecoderOptions& o, const char* score) { Pair({.hidden = 3}, o, score); };
  EXPECT_THROW(make({.hidden = 6, .attention = "bahdanau", .gate = "sentinel"}, "general"), ConfigError);
  EXPECT_THROW(make({.cell = "gru", .hidden = 6, .gate = "sentinel"}, "general"), ConfigError);
  EXPECT_THROW(make({.hidden = 6, .gate = "sentinel"}, "monotonic"), ConfigError);
  EXPECT_THROW(make({.hidden = 6, .gate = "beta"}, "none"), ConfigError);
  EXPECT_THROW(make({.hidden = 6, .gate = "sentinel", .input_feeding = false, .time = {.checkpoint = 2}}, "general"),
               ConfigError);
}

// One step of each kind beside its formula, computed from the step of the same decoder without a gate.
TEST(ContextGate, IsItsFormula) {
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>{3, 0}), ops::row_ids({0, 1})};
  const auto plus_one = [](uint64_t seed, const Shape& shape) {
    return Var(random_tensor(shape, seed).to(Dtype::f32));
  };
  const Var context = plus_one(1, {2, 4}), energies = plus_one(2, {2, 3}), query = plus_one(3, {2, 5}),
            embedded = plus_one(4, {2, 3}), h = plus_one(5, {2, 5}), c = plus_one(6, {2, 5});
  Tensor weights = Tensor::zeros({2, 3});
  double sum = 0;
  for (int64_t t = 0; t < 3; ++t) sum += std::exp(double{energies.value().data<float>()[t]});
  for (int64_t t = 0; t < 3; ++t)
    weights.data<float>()[t] = static_cast<float>(std::exp(double{energies.value().data<float>()[t]}) / sum);
  for (const char* kind : {"beta", "sentinel"}) {
    ContextGate gate(kind, {.query = 5, .embedding = 3, .memory = 4, .attention = 6});
    draw(params_of(gate));
    std::map<std::string, Tensor> w;
    for (const NamedVar& p : params_of(gate)) w[p.name] = p.var.value();
    const auto times = [&](const std::string& name, const std::vector<double>& x) {
      const Tensor& m = w.at(name + ".weight");
      std::vector<double> out(static_cast<size_t>(m.dim(0)));
      for (int64_t r = 0; r < m.dim(0); ++r) {
        if (w.contains(name + ".bias")) out[static_cast<size_t>(r)] = w.at(name + ".bias").data<float>()[r];
        for (int64_t k = 0; k < m.dim(1); ++k)
          out[static_cast<size_t>(r)] += double{m.data<float>()[r * m.dim(1) + k]} * x[static_cast<size_t>(k)];
      }
      return out;
    };
    const auto row = [](const Var& x, int64_t n) {
      const float* const at = x.value().data<float>() + n * x.dim(1);
      return std::vector<double>(at, at + x.dim(1));
    };
    const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    const ops::Attended got = gate({context, Var(weights), energies}, {query, embedded, h, c}, visible);
    for (int64_t n = 0; n < 2; ++n) {
      double kept = 1;
      std::vector<double> own(4, 0.0);
      if (kind == std::string("beta")) {
        kept = sigmoid(times("beta", row(query, n))[0]);
      } else {
        std::vector<double> s = times("input", row(embedded, n)), inner;
        const auto from_state = times("state", row(h, n)), cell = row(c, n), asked = times("query", row(query, n));
        for (size_t k = 0; k < s.size(); ++k) s[k] = sigmoid(s[k] + from_state[k]) * std::tanh(cell[k]);
        inner = times("sentinel", s);
        for (size_t k = 0; k < inner.size(); ++k) inner[k] = std::tanh(inner[k] + asked[k]);
        const double z = std::exp(times("energy", inner)[0]);
        kept = 1 - z / (z + (n == 0 ? sum : 0));  // the second row sees nothing
        own = times("projected", s);
      }
      for (int64_t k = 0; k < 4; ++k)
        EXPECT_NEAR(got.context.value().data<float>()[n * 4 + k],
                    kept * row(context, n)[static_cast<size_t>(k)] +
                        (kind == std::string("beta") ? 0 : (1 - kept) * own[static_cast<size_t>(k)]),
                    1e-5)
            << kind << ' ' << n << ' ' << k;
      for (int64_t t = 0; t < 3; ++t)
        EXPECT_NEAR(got.weights.value().data<float>()[n * 3 + t],
                    (kind == std::string("beta") ? 1 : kept) * weights.data<float>()[n * 3 + t], 1e-5);
    }
  }
  ContextGate sentinel("sentinel", {.query = 5, .embedding = 3, .memory = 4, .attention = 6});
  EXPECT_THROW(sentinel({context, Var(weights)}, {query, embedded, h, c}, visible), ShapeError);
}

// Of two steps, the second is punished for what it shares with the first; and the readouts stay as they are.
TEST(Decoder, CoverageLossIsWhatTwoStepsShare) {
  for (const char* score : {"general", "additive", "location", "coverage", "multi_head"}) {
    const Pair s({.hidden = 3}, {.hidden = 6, .input_feeding = false}, score);
    const Encoded encoded = s.encoder({s.source, Ragged(s.source_lengths), RowOrder::by_step}, {}, nullptr);
    const DecoderPass plain(s.decoder, encoded, {}, nullptr),
        pass(s.decoder, encoded, {}, nullptr, {.coverage_loss = true});
    const Steps steps(std::vector<int64_t>{2, 2});
    const std::vector<int32_t> sentences = {0, 1};
    const Var target = ops::slice_rows(s.target, 0, 4);
    const auto start = [&](const DecoderPass& p) { return p.start(encoded).gather(ops::row_ids(sentences)); };
    const Unrolled with = pass.teacher_force(target, steps, start(pass), sentences);
    const Unrolled without = plain.teacher_force(target, steps, start(plain), sentences);
    EXPECT_FALSE(without.coverage_loss);
    EXPECT_LT(distance(with.readouts.value(), without.readouts.value()), 1e-6) << score;
    DecoderState state = start(plain);
    std::vector<Tensor> weights;
    for (int64_t t = 0; t < 2; ++t) {
      const Var x = ops::slice_rows(target, 2 * t, 2 * t + 2);
      weights.push_back(plain.step(plain.input_part(x), x, ops::row_ids(sentences), state).weights.value());
    }
    double shared = 0;
    for (int64_t k = 0; k < weights[0].size(); ++k)
      shared += std::min(weights[0].data<float>()[k], weights[1].data<float>()[k]);
    EXPECT_GT(shared, 0.1);
    EXPECT_NEAR(with.coverage_loss.value().data<float>()[0], shared, 1e-5) << score;
    backward(with.coverage_loss);
  }
}

// In training the attention is an expectation, which gives all of it gradients; outside it is one walk.
TEST(Decoder, NoiseTellsMonotonicAttentionToTrain) {
  Pair s({.hidden = 3}, {.hidden = 6}, "monotonic");
  const auto largest = [&](const std::string& name, Noise* noise) {
    const auto gradients = parameter_gradients(s, Pair::How::unroll, {}, noise);
    const auto names = s.params();
    for (size_t k = 0; k < names.size(); ++k)
      if (names[k].name == "decoder.score." + name) return distance(gradients[k], Tensor::zeros(names[k].var.shape()));
    ADD_FAILURE() << name;
    return 0.0;
  };
  Noise noise{7, 3};
  for (const char* name : {"query.weight", "memory.weight", "memory.bias", "v", "gain", "bias"}) {
    EXPECT_GT(largest(name, &noise), 0) << name;
    EXPECT_EQ(largest(name, nullptr), 0) << name;
  }
}

// A traced step is the step, to the bit, and its numbers are those of the formulas beside them.
TEST(Decoder, ATraceIsWhatTheStepComputed) {
  for (const char* cell : {"lstm", "gru"})
    for (const char* score : {"general", "location", "multi_head", "none"}) {
      SCOPED_TRACE(str_cat(cell, " ", score));
      const Pair s({.cell = cell, .hidden = 3}, {.cell = cell, .hidden = 6, .attention = "bahdanau"}, score);
      const Encoded encoded = s.encoder({s.source, Ragged(s.source_lengths), RowOrder::by_step}, {}, nullptr);
      const DecoderPass pass(s.decoder, encoded, {}, nullptr);
      const auto row = ops::row_ids({0});
      DecoderState state = pass.start(encoded).gather(row), plain = state;
      const Var x = ops::slice_rows(s.target, 0, 1);
      StepTrace trace;
      EXPECT_TRUE(testing::same_bits(pass.step(Var(), x, row, state, &trace).readout.value(),
                                     pass.step(Var(), x, row, plain).readout.value()));
      const auto of = [&](const char* name) {
        for (const StepTrace::Line& line : trace.cells)
          if (line.name == name) return line.values;
        ADD_FAILURE() << name;
        return std::vector<float>(6);
      };
      const bool lstm = std::string(cell) == "lstm";
      const auto h = of("state"), before = of(lstm ? "cell before" : "state before");
      for (size_t k = 0; k < 6; ++k) {
        if (lstm) {
          const double c = of("forget gate")[k] * before[k] + of("input gate")[k] * of("candidate")[k];
          EXPECT_NEAR(of("cell")[k], c, 1e-5);
          EXPECT_NEAR(h[k], of("output gate")[k] * std::tanh(c), 1e-5);
        } else {
          const double z = of("update gate")[k];
          EXPECT_NEAR(h[k], (1 - z) * of("candidate")[k] + z * before[k], 1e-5);
        }
      }
      EXPECT_EQ(trace.weights.empty(), std::string(score) == "none");
      if (std::string(score) == "multi_head") {
        EXPECT_TRUE(trace.energies.empty());
        EXPECT_NEAR(std::accumulate(trace.weights.begin(), trace.weights.end(), 0.0), 1, 1e-5);
        continue;
      }
      double sum = 0;
      for (const float e : trace.energies) sum += std::exp(double{e});
      for (size_t t = 0; t < trace.weights.size(); ++t)
        EXPECT_NEAR(trace.weights[t], std::exp(double{trace.energies[t]}) / sum, 1e-5);
    }
}

TEST(Decoder, CopyNeedsEqualWidths) { EXPECT_THROW(Pair({.hidden = 4}, {.hidden = 6, .bridge = "copy"}), ConfigError); }

}  // namespace
}  // namespace lookback

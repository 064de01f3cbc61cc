// Models of dialogues: words and turns are two memories, and what a dialogue gets does not depend on the others.
#include "lookback/decode/search.h"
#include "lookback/models/testing.h"

namespace lookback {
namespace {

constexpr int32_t kVocabulary = 14;

Seq2SeqOptions options(const char* score = "general", const char* turns = "additive") {
  Seq2SeqOptions o = testing::small_options();
  o.score = score, o.segmented = true;
  o.turns.score = turns, o.turns.encoder.hidden = 7;
  return o;
}

std::vector<Seq2SeqOptions> kinds() {
  std::vector<Seq2SeqOptions> out{options(), options("additive", "general"), options("coverage"),
                                  options("general", "none"), options("none")};
  out.push_back(options());
  out.back().decoder.input_feeding = false;  // whole sequences at a time
  out.push_back(options("location"));
  out.back().decoder.attention = "bahdanau", out.back().copy = true;
  out.push_back(options());
  out.back().turns.pooling.kind = "additive", out.back().decoder.layers = 2, out.back().copy = true;
  return out;
}

Seq2SeqBatch batch_of(int64_t count, uint64_t seed) {
  Rng rng(seed);
  Seq2SeqBatch out;
  const auto below = [&](int64_t n) { return static_cast<int32_t>(rng.below(static_cast<uint64_t>(n))); };
  for (int64_t k = 0; k < count; ++k) {
    std::vector<int32_t> source, target;
    std::vector<Segment> segments;
    for (int32_t turns = 1 + below(4); turns > 0; --turns) {
      segments.push_back({turns > 2 ? 2 : turns % 2, 1 + below(4)});
      for (int32_t w = 0; w < segments.back().tokens; ++w) source.push_back(4 + below(kVocabulary - 4));
    }
    for (int64_t t = below(5); t > 0; --t) target.push_back(4 + below(kVocabulary - 4));
    out.source.push_back(source), out.copies.push_back(source), out.target.push_back(target);
    out.segments.push_back(segments);
  }
  return out;
}

Seq2SeqBatch alone(const Seq2SeqBatch& batch, size_t k) {
  Seq2SeqBatch out = testing::only(batch, k);
  out.copies = {batch.copies[k]}, out.segments = {batch.segments[k]};
  return out;
}

Seq2SeqSources sources_of(const Seq2SeqBatch& batch) {
  return {.source = batch.source, .copies = batch.copies, .segments = batch.segments};
}

TEST(Dialogue, TheLossIsWhatSearchSaysInAnyBatch) {
  const Seq2SeqBatch batch = batch_of(7, 1);
  for (const Seq2SeqOptions& o : kinds()) {
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    std::vector<decode::SourceInfo> infos;
    for (const auto& s : batch.source) infos.push_back({.source_length = std::ssize(s)});
    const auto scored = decode::force_score(*model.decoder(sources_of(batch)), infos, batch.target, {});
    double nll = 0;
    for (size_t k = 0; k < infos.size(); ++k) {
      nll -= scored[k].log_prob;
      const Seq2SeqBatch one = alone(batch, k);
      EXPECT_NEAR(-scored[k].log_prob, model.loss(one, {.smoothing = 0}, 1, nullptr).nll_sum, 2e-4)
          << o.score << ' ' << o.turns.score << ' ' << k;
      const auto by_itself = decode::force_score(*model.decoder(sources_of(one)), {infos[k]}, one.target, {});
      EXPECT_EQ(by_itself[0].log_prob, scored[k].log_prob) << o.score << ' ' << o.turns.score << ' ' << k;
    }
    EXPECT_NEAR(nll, model.loss(batch, {.smoothing = 0}, 1, nullptr).nll_sum, 1e-3) << o.score;
  }
}

TEST(Dialogue, OutputsDoNotDependOnWhoIsReadBeside) {
  const Seq2SeqBatch batch = batch_of(9, 2);
  for (const Seq2SeqOptions& o : kinds()) {
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    std::vector<decode::SourceInfo> infos;
    for (const auto& s : batch.source) infos.push_back({.source_length = std::ssize(s)});
    const auto together = decode::search(*model.decoder(sources_of(batch), 4), infos, {.beam = 3});
    for (size_t k = 0; k < infos.size(); ++k) {
      const auto one = decode::search(*model.decoder(sources_of(alone(batch, k))), {infos[k]}, {.beam = 3});
      EXPECT_EQ(one[0][0].tokens, together[k][0].tokens) << o.score << ' ' << k;
      EXPECT_EQ(one[0][0].log_prob, together[k][0].log_prob) << o.score << ' ' << k;
    }
  }
}

TEST(Dialogue, GradientsReachEveryParameter) {
  for (const Seq2SeqOptions& o : kinds()) {
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    Noise noise{1, 1};
    backward(model.loss(batch_of(5, 3), {.smoothing = 0.1}, 1, &noise).loss);
    testing::expect_gradients(params_of(model));
  }
}

TEST(Dialogue, GradientsAreThoseOfDifferences) {
  const Seq2SeqBatch batch = batch_of(3, 4);
  Seq2Seq model(options("additive"), {kVocabulary, kVocabulary}, 1);
  const auto nll = [&] { return model.loss(batch, {.smoothing = 0}, 1, nullptr).nll_sum; };
  backward(model.loss(batch, {.smoothing = 0}, 1, nullptr).loss);
  for (const char* name : {"encoder.roles.weight", "encoder.turns.context.weight", "decoder.outer_score.v",
                           "decoder.outer_score.memory.weight", "encoder.turns.encoder.lstm.weight_hh_l0"}) {
    const Var p = testing::parameter(model, name);
    for (const int64_t i : {int64_t{0}, p.value().size() / 2, p.value().size() - 1}) {
      float& x = p.value().data<float>()[i];
      const float before = x, step = 1e-2F;
      x = before + step, p.touch();
      const double above = nll();
      x = before - step, p.touch();
      const double below = nll();
      x = before, p.touch();
      EXPECT_NEAR(p.grad().data<float>()[i], (above - below) / (2 * static_cast<double>(step)), 2e-3)
          << name << ' ' << i;
    }
  }
}

TEST(Dialogue, TurnWeightsAreSharesOfEachStep) {
  const Seq2SeqBatch batch = batch_of(3, 5);
  Seq2Seq model(options(), {kVocabulary, kVocabulary}, 1);
  for (size_t k = 0; k < 3; ++k) {
    const Tensor weights = model.turn_weights(alone(batch, k));
    ASSERT_EQ(weights.dim(0), std::ssize(batch.target[k]) + 1);
    ASSERT_EQ(weights.dim(1), std::ssize(batch.segments[k]));
    for (int64_t n = 0; n < weights.dim(0); ++n) {
      float sum = 0;
      for (const float w : weights.rows(n, n + 1).span<float>()) sum += w;
      EXPECT_NEAR(sum, 1, 1e-5);
    }
  }
}

// "Say the word of the turn that has 5 in it": the turns are in any order.
TEST(Dialogue, LearnsToFindATurn) {
  Seq2SeqOptions o = options("general");
  o.encoder.hidden = 12, o.decoder.hidden = 24, o.embedding = 12, o.turns.encoder.hidden = 24;
  Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
  const auto make = [](uint64_t seed) {
    Rng rng(seed);
    Seq2SeqBatch out;
    for (int k = 0; k < 32; ++k) {
      const int32_t turns = 2 + static_cast<int32_t>(rng.below(3)),
                    marked = static_cast<int32_t>(rng.below(static_cast<uint64_t>(turns)));
      std::vector<int32_t> source;
      for (int32_t t = 0; t < turns; ++t) {
        const auto word = 6 + static_cast<int32_t>(rng.below(8));
        source.push_back(t == marked ? 5 : 4), source.push_back(word);
        if (t == marked) out.target.push_back({word});
      }
      out.segments.emplace_back(static_cast<size_t>(turns), Segment{0, 2});
      out.source.push_back(source), out.copies.push_back(source);
    }
    return out;
  };
  testing::Adam adam(params_of(model), 0.01);
  for (uint64_t step = 1; step <= 200; ++step) {
    Noise noise{1, step};
    backward(model.loss(make(step), {.smoothing = 0}, 1.0 / 64, &noise).loss);
    adam.step();
  }
  const auto found = model.loss(make(1000), {.smoothing = 0}, 1, nullptr);
  EXPECT_GE(found.correct, found.tokens - 4);
}

TEST(Dialogue, RefusesWhatDoesNotGoTogether) {
  Seq2SeqOptions o = options();
  o.encoder = {};
  o.encoder.blocks = {{.kind = "bilstm", .hidden = 4}, {.kind = "pyramid", .factor = 2}};
  EXPECT_THROW(Seq2Seq(o, {kVocabulary, kVocabulary}, 1), ConfigError);
  EXPECT_THROW(Seq2Seq(options("general", "dot"), {kVocabulary, kVocabulary}, 1), ConfigError);  // 7 and 8 wide
  Seq2Seq model(options(), {kVocabulary, kVocabulary}, 1);
  Seq2SeqBatch batch = batch_of(2, 5);
  batch.segments[1].back().tokens++;
  EXPECT_THROW(model.loss(batch, {}, 1, nullptr), ShapeError);
  EXPECT_THROW(model.decoder(sources_of(batch)), ShapeError);
  batch.segments.clear();
  EXPECT_THROW(model.loss(batch, {}, 1, nullptr), ShapeError);
}

}  // namespace
}  // namespace lookback

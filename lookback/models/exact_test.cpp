// The same bits, whatever else is in the batch and however many threads there are.
#include <cmath>
#include <thread>

#include "lookback/base/parallel.h"
#include "lookback/data/vocab.h"
#include "lookback/decode/search.h"
#include "lookback/models/testing.h"
#include "lookback/ops/precision.h"

namespace lookback {
namespace {

using testing::only;
using testing::random_batch;
using testing::same_bits;
using testing::small_options;

constexpr int64_t kVocabulary = 300;

// Models that differ in how a step depends on the one before.
std::vector<Seq2SeqOptions> kinds() {
  std::vector<Seq2SeqOptions> out;
  for (const char* cell : {"lstm", "gru"})
    for (const char* attention : {"luong", "bahdanau"})
      for (const bool feeding : {false, true}) {
        Seq2SeqOptions o = small_options();
        o.encoder.cell = o.decoder.cell = cell;
        o.encoder.hidden = 12, o.decoder.hidden = 24, o.embedding = 20;
        o.encoder.layers = o.decoder.layers = feeding ? 2 : 1;
        o.decoder.attention = attention, o.decoder.input_feeding = feeding;
        o.score = std::string(attention) == "luong" ? "general" : "additive";
        out.push_back(o);
      }
  const Seq2SeqOptions bahdanau = out[out.size() - 2];
  for (const char* score : {"location", "location", "coverage", "monotonic", "multi_head"}) {
    Seq2SeqOptions o = bahdanau;
    o.score = score, o.attention = 12;
    o.location.window = out.back().score == "location" ? 2 : 0;
    o.monotonic.bias = 0;  // so that untrained models look at something
    out.push_back(o);
    o.decoder.attention = "luong", o.decoder.cell = o.encoder.cell = "lstm", o.decoder.input_feeding = true;
    out.push_back(o);
  }
  for (const char* gate : {"beta", "sentinel"}) {
    Seq2SeqOptions o = small_options();
    o.decoder.gate = gate, o.score = "additive", o.attention = 12;
    out.push_back(o);
  }
  for (const std::deque<BlockOptions>& blocks :
       {std::deque<BlockOptions>{{.kind = "bigru", .hidden = 7},
                                 {.kind = "convolution", .hidden = 14, .kernel = 4, .residual = true},
                                 {.kind = "self_attention", .heads = 2, .feed_forward = 15, .relative = 3},
                                 {.kind = "lstm", .hidden = 9}},
        std::deque<BlockOptions>{{.kind = "convolution", .hidden = 11, .stride = 2, .layer_norm = true},
                                 {.kind = "pyramid", .factor = 2}}}) {
    Seq2SeqOptions o = out[0];
    o.encoder = {.blocks = blocks};
    o.decoder.bridge = "tanh";
    out.push_back(o);
  }
  return out;
}

// On machines without such products some repeat the first.
std::vector<std::pair<Seq2SeqOptions, Precision>> kinds_and_precisions() {
  std::vector<std::pair<Seq2SeqOptions, Precision>> out;
  for (const Precision p : {Precision::f32, Precision::bf16, Precision::int8})
    for (const Seq2SeqOptions& o : kinds()) out.emplace_back(o, p);
  return out;
}

TEST(Exact, ABatchScoresAsItsSentencesAlone) {
  const Seq2SeqBatch batch = random_batch(13, 9, kVocabulary);
  for (const Seq2SeqOptions& o : kinds()) {
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    const auto all = model.loss(batch, {}, 1, nullptr);
    double nll = 0, loss = 0;
    int64_t correct = 0, tokens = 0;
    for (size_t k = 0; k < batch.source.size(); ++k) {
      const auto one = model.loss(only(batch, k), {}, 1, nullptr);
      nll += one.nll_sum, loss += one.loss_sum, correct += one.correct, tokens += one.tokens;
    }
    // Sums of doubles in another order; a logit that differed in its last bit would show by 1e-9.
    EXPECT_NEAR(all.nll_sum, nll, 1e-13 * nll);
    EXPECT_NEAR(all.loss_sum, loss, 1e-13 * loss);
    EXPECT_EQ(all.correct, correct);
    EXPECT_EQ(all.tokens, tokens);
  }
}

// Logits and weights of forced steps, for sentences `chosen` of a batch decoded together.
std::vector<decode::StepOutput> forced(const Seq2Seq& model, const Seq2SeqBatch& batch,
                                       const std::vector<size_t>& chosen, size_t steps) {
  std::vector<std::vector<int32_t>> sources;
  for (const size_t k : chosen) sources.push_back(batch.source[k]);
  const auto decoder = model.decoder({sources});
  std::vector<decode::StepOutput> out;
  for (size_t t = 0; t < steps; ++t) {
    std::vector<int32_t> tokens;
    for (const size_t k : chosen) {
      const auto& y = batch.target[k];
      tokens.push_back(t == 0 ? data::kBos : t <= y.size() ? y[t - 1] : data::kEos);
    }
    const auto step = decoder->step(tokens);
    out.push_back({step.logits.clone(), step.weights.clone()});
  }
  return out;
}

TEST(Exact, LogitsDoNotDependOnTheBatch) {
  const Seq2SeqBatch batch = random_batch(9, 8, kVocabulary);
  const std::vector<size_t> all = {0, 1, 2, 3, 4, 5, 6, 7, 8}, some = {7, 2, 5};
  for (const auto& [o, precision] : kinds_and_precisions()) {
    const PrecisionScope scope(precision);
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    const auto a = forced(model, batch, all, 4), b = forced(model, batch, some, 4);
    for (size_t k = 0; k < all.size(); ++k) {
      const auto alone = forced(model, batch, {k}, 4);
      const auto row = static_cast<int64_t>(k), T = static_cast<int64_t>(batch.source[k].size());
      for (size_t t = 0; t < 4; ++t) {
        EXPECT_TRUE(same_bits(alone[t].logits, a[t].logits.rows(row, row + 1))) << k << ' ' << t;
        const float* weights = a[t].weights.data<float>() + row * a[t].weights.dim(1);
        EXPECT_TRUE(std::equal(weights, weights + T, alone[t].weights.data<float>()));
        EXPECT_TRUE(std::all_of(weights + T, weights + a[t].weights.dim(1), [](float w) { return w == 0; }));
      }
    }
    for (size_t t = 0; t < 4; ++t)
      for (size_t k = 0; k < some.size(); ++k) {
        const auto row = static_cast<int64_t>(k), other = static_cast<int64_t>(some[k]);
        EXPECT_TRUE(same_bits(b[t].logits.rows(row, row + 1), a[t].logits.rows(other, other + 1)));
      }
  }
}

TEST(Exact, ForcedStepsGiveTheLogProbabilitiesOfTheLoss) {
  const Seq2SeqBatch batch = random_batch(6, 7, kVocabulary);
  for (const Seq2SeqOptions& o : kinds()) {
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    const bool whole_sequences = o.score == "general" && !o.decoder.input_feeding;
    for (size_t k = 0; k < batch.source.size(); ++k) {
      const auto& y = batch.target[k];
      const auto steps = forced(model, batch, {k}, y.size() + 1);
      double nll = 0;
      for (size_t t = 0; t <= y.size(); ++t)
        nll -= testing::log_softmax(steps[t].logits.data<float>(),
                                    kVocabulary)[static_cast<size_t>(t < y.size() ? y[t] : data::kEos)];
      const double want = model.loss(only(batch, k), {}, 1, nullptr).nll_sum;
      EXPECT_NEAR(nll, want, (whole_sequences ? 1e-6 : 1e-7) * want) << o.decoder.attention << ' ' << k;
    }
  }
}

TEST(Exact, ReorderedRowsGoOnAsIfNothingHadHappened) {
  const Seq2SeqBatch batch = random_batch(4, 6, kVocabulary, 3);
  for (const Seq2SeqOptions& o : kinds()) {
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    const auto decoder = model.decoder({batch.source});
    decoder->step(std::vector<int32_t>(4, data::kBos));
    decoder->reorder(std::vector<int32_t>{1, 1, 3});  // a beam of two, a sentence dropped, one kept
    decoder->step(std::vector<int32_t>{10, 11, 12});
    decoder->reorder(std::vector<int32_t>{1, 0, 2});
    const auto out = decoder->step(std::vector<int32_t>{20, 21, 22});
    const std::vector<std::vector<int32_t>> said = {{1, 11, 20}, {1, 10, 21}, {1, 12, 22}};
    for (int64_t row = 0; row < 3; ++row) {
      const auto alone = model.decoder({{batch.source[row == 2 ? 3 : 1]}});
      decode::StepOutput last;
      for (const int32_t token : said[static_cast<size_t>(row)]) last = alone->step(std::vector<int32_t>{token});
      EXPECT_TRUE(same_bits(last.logits, out.logits.rows(row, row + 1))) << row;
    }
    EXPECT_THROW(decoder->reorder(std::vector<int32_t>{3}), ShapeError);
    EXPECT_THROW(decoder->step(std::vector<int32_t>{4}), ShapeError);
    EXPECT_THROW(decoder->step(std::vector<int32_t>{4, 4, 300}), ShapeError);
    EXPECT_EQ(decoder->vocabulary(), kVocabulary);
  }
}

// Rows said [.., token] each, of sentences that joined at different times, go on as they would alone.
TEST(Exact, SentencesMayJoinARunningSearch) {
  const Seq2SeqBatch batch = random_batch(7, 6, kVocabulary, 5);
  for (auto [o, precision] : kinds_and_precisions()) {
    const PrecisionScope scope(precision);
    if (!o.decoder.input_feeding && o.decoder.cell == "lstm" && o.score == "general" && o.encoder.blocks.empty())
      o.score = "dot";  // whose keys are its values
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    const auto decoder = model.decoder({batch.source}, 3);
    EXPECT_EQ(decoder->waiting(), 4);
    decoder->step(std::vector<int32_t>{1, 1, 1});
    decoder->reorder(std::vector<int32_t>{0, 2, 2});  // sentence 1 is done, 2 has a beam of two
    decoder->admit(1);
    EXPECT_EQ(decoder->waiting(), 3);
    decoder->step(std::vector<int32_t>{10, 11, 12, 1});
    decoder->reorder(std::vector<int32_t>{2, 1, 3});
    decoder->admit(3);
    EXPECT_EQ(decoder->waiting(), 0);
    const auto out = decoder->step(std::vector<int32_t>{20, 21, 22, 1, 1, 1});
    struct Row {
      size_t sentence;
      std::vector<int32_t> said;
    };
    const std::vector<Row> rows = {{2, {1, 12, 20}}, {2, {1, 11, 21}}, {3, {1, 22}}, {4, {1}}, {5, {1}}, {6, {1}}};
    for (size_t k = 0; k < rows.size(); ++k) {
      const auto alone = model.decoder({{batch.source[rows[k].sentence]}});
      decode::StepOutput last;
      for (const int32_t token : rows[k].said) last = alone->step(std::vector<int32_t>{token});
      const auto row = static_cast<int64_t>(k), T = last.weights.dim(1);
      EXPECT_TRUE(same_bits(last.logits, out.logits.rows(row, row + 1))) << k;
      EXPECT_TRUE(std::equal(last.weights.data<float>(), last.weights.data<float>() + T,
                             out.weights.data<float>() + row * out.weights.dim(1)))
          << k;
    }
    EXPECT_THROW(decoder->admit(1), ShapeError);
  }
}

TEST(Exact, GreedyWithoutScoresSaysTheSame) {
  constexpr int64_t V = 1500;  // enough for ops::top_k
  const Seq2SeqBatch batch = random_batch(9, 6, V, 5);
  for (const auto& [o, precision] : kinds_and_precisions()) {
    const PrecisionScope scope(precision);
    Seq2Seq model(o, {V, V}, 1);
    std::vector<decode::SourceInfo> infos;
    for (const auto& s : batch.source) infos.push_back({.source_length = std::ssize(s)});
    decode::SearchOptions search{.beam = 1, .max_length = 12, .no_repeat_ngram = 2};
    const auto want = decode::search(*model.decoder({batch.source}, 4), infos, search);
    search.scores = false;
    const auto found = decode::search(*model.decoder({batch.source}, 4), infos, search);
    for (size_t k = 0; k < want.size(); ++k) {
      EXPECT_EQ(found[k][0].tokens, want[k][0].tokens);
      EXPECT_TRUE(same_bits(found[k][0].alignment, want[k][0].alignment));
    }
  }
}

struct Bits {
  double loss;
  std::vector<Tensor> grads;
  std::vector<decode::StepOutput> steps;
};

Bits run_with(int threads, const Seq2SeqOptions& o, const Seq2SeqBatch& batch) {
  const ThreadScope scope(threads);
  Seq2Seq model(o, {600, 600}, 1);
  Noise noise{1, 1};
  const auto loss = model.loss(batch, {}, 0.01, &noise);
  backward(loss.loss);
  Bits out{.loss = loss.loss_sum};
  for (const NamedVar& p : params_of(model)) out.grads.push_back(p.var.grad());
  std::vector<size_t> all(batch.source.size());
  for (size_t k = 0; k < all.size(); ++k) all[k] = k;
  out.steps = forced(model, batch, all, 3);
  return out;
}

TEST(Exact, OneAndTwoThreadsGiveTheSameBits) {
  const Seq2SeqBatch batch = random_batch(24, 12, 600);
  for (auto [o, precision] : kinds_and_precisions()) {
    if ((o.encoder.cell == "gru") == o.decoder.input_feeding) continue;  // the other half covers it
    if (precision == Precision::int8) continue;                          // not for gradients
    const PrecisionScope scope(precision);
    o.encoder.hidden = 48, o.decoder.hidden = 96, o.embedding = 64, o.dropout.rate = 0.2;
    const Bits one = run_with(1, o, batch), two = run_with(2, o, batch);
    EXPECT_EQ(one.loss, two.loss);
    for (size_t k = 0; k < one.grads.size(); ++k) EXPECT_TRUE(same_bits(one.grads[k], two.grads[k])) << k;
    for (size_t t = 0; t < one.steps.size(); ++t) {
      EXPECT_TRUE(same_bits(one.steps[t].logits, two.steps[t].logits));
      EXPECT_TRUE(same_bits(one.steps[t].weights, two.steps[t].weights));
    }
  }
}

// The weights after a few steps with dropout.
std::vector<Tensor> trained(const Seq2SeqOptions& o, const Seq2SeqBatch& batch) {
  Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
  testing::Adam adam(params_of(model), 0.01);
  for (uint64_t step = 1; step <= 4; ++step) {
    Noise noise{1, step};
    backward(model.loss(batch, {}, 0.01, &noise).loss);
    adam.step();
  }
  std::vector<Tensor> out;
  for (const NamedVar& p : params_of(model)) out.push_back(p.var.value());
  return out;
}

TEST(Exact, CheckpointingTrainsTheSameWeights) {
  const Seq2SeqBatch batch = random_batch(12, 40, kVocabulary);
  for (auto [o, precision] : kinds_and_precisions()) {
    if (precision == Precision::int8) continue;  // not for gradients
    const PrecisionScope scope(precision);
    o.dropout = {.rate = 0.2, .recurrent_weights = 0.2};
    const auto plain = trained(o, batch);
    const auto set_time = [&o](const ThroughTime& time) {
      if (o.encoder.blocks.empty()) o.encoder.time = time;
      for (BlockOptions& b : o.encoder.blocks)
        if (b.kind == "lstm" || b.kind == "bigru") b.time = time;
    };
    if (o.encoder.blocks.size() == 2) continue;  // nothing recurrent
    set_time({.checkpoint = 6});
    if (o.decoder.attention == "luong" && !o.decoder.input_feeding) o.decoder.time.checkpoint = 5;
    const auto checkpointed = trained(o, batch);
    for (size_t k = 0; k < plain.size(); ++k) EXPECT_TRUE(same_bits(checkpointed[k], plain[k])) << k;
    set_time({.checkpoint = 6, .bptt = 7});
    o.decoder.time.bptt = 7;
    const auto truncated = trained(o, batch);
    set_time({.bptt = 7});
    o.decoder.time.checkpoint = 0;
    const auto as_truncated = trained(o, batch);
    EXPECT_FALSE(same_bits(truncated[3], plain[3])) << "recurrent weights";
    for (size_t k = 0; k < plain.size(); ++k) EXPECT_TRUE(same_bits(truncated[k], as_truncated[k])) << k;
  }
}

TEST(Exact, ThreadsMayShareAModel) {
  const Seq2SeqBatch batch = random_batch(4, 6, kVocabulary);
  const std::vector<size_t> all = {0, 1, 2, 3};
  for (const Seq2SeqOptions& o : kinds()) {
    Seq2Seq calm(o, {kVocabulary, kVocabulary}, 1), shared(o, {kVocabulary, kVocabulary}, 1);
    const auto want = forced(calm, batch, all, 3);
    std::vector<std::vector<decode::StepOutput>> got(4);
    std::vector<std::thread> threads;
    for (auto& mine : got)
      threads.emplace_back([&] {
        const ThreadScope scope(1);
        mine = forced(shared, batch, all, 3);
      });
    for (std::thread& t : threads) t.join();
    for (const auto& mine : got)
      for (size_t t = 0; t < 3; ++t) EXPECT_TRUE(same_bits(mine[t].logits, want[t].logits));
  }
}

TEST(Exact, Bf16ProductsAreNearAndNotTheSame) {
  const Seq2SeqBatch batch = random_batch(24, 12, 600);
  for (const Seq2SeqOptions& o : kinds()) {
    const Bits f32 = run_with(1, o, batch);
    const PrecisionScope scope(Precision::bf16);
    const Bits bf16 = run_with(1, o, batch);
    EXPECT_EQ(bf16.loss != f32.loss, ops::available_precision("bf16") == Precision::bf16);
    EXPECT_NEAR(bf16.loss, f32.loss, 1e-3 * f32.loss);
    double dot = 0, a = 0, b = 0;
    for (size_t k = 0; k < f32.grads.size(); ++k)
      for (int64_t i = 0; i < f32.grads[k].size(); ++i) {
        const double x = f32.grads[k].data<float>()[i], y = bf16.grads[k].data<float>()[i];
        dot += x * y, a += x * x, b += y * y;
      }
    EXPECT_GT(dot / std::sqrt(a * b), 0.999) << o.decoder.attention;
  }
}

TEST(Exact, ParametersAreAFunctionOfTheSeed) {
  Seq2Seq a(small_options(), {20, 30}, 7), b(small_options(), {20, 30}, 7), c(small_options(), {20, 30}, 8);
  Seq2Seq none(small_options(), {20, 30}, Seq2Seq::kNoInit);
  const auto pa = params_of(a), pb = params_of(b), pc = params_of(c), pn = params_of(none);
  int64_t different = 0;
  for (size_t k = 0; k < pa.size(); ++k) {
    EXPECT_TRUE(same_bits(pa[k].var.value(), pb[k].var.value())) << pa[k].name;
    different += !same_bits(pa[k].var.value(), pc[k].var.value());
    for (const float x : pn[k].var.value().span<float>()) EXPECT_EQ(x, 0);
  }
  EXPECT_GT(different, 5);
}

TEST(Exact, NoiseIsAFunctionOfSeedAndStep) {
  Seq2SeqOptions o = small_options();
  o.dropout = {.rate = 0.3, .recurrent_weights = 0.2, .words = 0.2};
  Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
  const Seq2SeqBatch batch = random_batch(5, 6, kVocabulary);
  const auto loss = [&](uint64_t seed, uint64_t step) {
    Noise noise{seed, step};
    return model.loss(batch, {.sampling = "constant"}, 1, &noise).loss_sum;
  };
  EXPECT_EQ(loss(1, 5), loss(1, 5));
  EXPECT_NE(loss(1, 5), loss(1, 6));
  EXPECT_NE(loss(1, 5), loss(2, 5));
}

TEST(Exact, ScoringRecordsNothing) {
  Seq2Seq model(small_options(), {20, 20}, 1);
  const NoGrad off;
  EXPECT_FALSE(model.loss(random_batch(2, 3, 20), {}, 1, nullptr).loss.needs_grad());
}

}  // namespace
}  // namespace lookback

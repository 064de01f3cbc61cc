// Models whose outputs repeat words of their sources: one meaning in training, search and scoring, whatever else is in
// the batch, and words that no training has seen are copied.
#include "lookback/decode/search.h"
#include "lookback/models/testing.h"

namespace lookback {
namespace {

using testing::only;
using testing::same_bits;

constexpr int32_t kVocabulary = 14;

Seq2SeqOptions options(const char* score = "general") {
  Seq2SeqOptions o = testing::small_options();
  o.copy = true, o.score = score, o.attention = 6, o.heads = 3;
  return o;
}

std::vector<Seq2SeqOptions> kinds() {
  std::vector<Seq2SeqOptions> out;
  for (const char* score : {"general", "additive", "location", "coverage", "monotonic", "multi_head"})
    out.push_back(options(score));
  out.push_back(options());
  out.back().decoder.input_feeding = false;  // whole sequences at a time
  out.push_back(options());
  out.back().tie = "all", out.back().decoder.attention = "bahdanau";
  out.push_back(options());
  out.back().encoder = {};
  out.back().encoder.blocks = {{.kind = "bilstm", .hidden = 4}, {.kind = "pyramid", .factor = 2}};
  return out;
}

// Sources of known words and some of their own; targets of all that can be said.
Seq2SeqBatch batch_of(int64_t count, uint64_t seed) {
  Rng rng(seed);
  Seq2SeqBatch out;
  const auto below = [&](int64_t n) { return static_cast<int32_t>(rng.below(static_cast<uint64_t>(n))); };
  for (int64_t k = 0; k < count; ++k) {
    std::vector<int32_t> source, copies, target;
    int32_t own = 0;
    for (int64_t t = 2 + below(6); t > 0; --t) {
      const int32_t word = below(3) ? 4 + below(kVocabulary - 4) : data::kUnk;
      source.push_back(word);
      copies.push_back(word != data::kUnk ? word : kVocabulary + (own > 0 && below(2) ? below(own) : own++));
    }
    if (k == 1) copies[0] = data::kPad;
    for (int64_t t = below(5); t > 0; --t)
      target.push_back(below(2) && copies.back() != data::kPad ? copies.back() : 4 + below(kVocabulary - 4));
    out.source.push_back(source), out.copies.push_back(copies), out.target.push_back(target);
  }
  return out;
}

Seq2SeqBatch alone(const Seq2SeqBatch& batch, size_t k) {
  Seq2SeqBatch out = only(batch, k);
  out.copies = {batch.copies[k]};
  return out;
}

Seq2SeqSources sources_of(const Seq2SeqBatch& batch) { return {.source = batch.source, .copies = batch.copies}; }

TEST(Copying, TheLossIsWhatSearchSays) {
  const Seq2SeqBatch batch = batch_of(6, 1);
  for (const Seq2SeqOptions& o : kinds()) {
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    std::vector<decode::SourceInfo> infos;
    for (const auto& s : batch.source) infos.push_back({.source_length = std::ssize(s)});
    const auto decoder = model.decoder(sources_of(batch));
    const auto scored = decode::force_score(*decoder, infos, batch.target, {});
    double nll = 0;
    for (size_t k = 0; k < infos.size(); ++k) {
      nll -= scored[k].log_prob;
      EXPECT_NEAR(-scored[k].log_prob, model.loss(alone(batch, k), {.smoothing = 0}, 1, nullptr).nll_sum, 2e-4)
          << o.score << ' ' << k;
    }
    EXPECT_NEAR(nll, model.loss(batch, {.smoothing = 0}, 1, nullptr).nll_sum, 1e-3) << o.score;
  }
}

TEST(Copying, RowsAreThoseOfASentenceAlone) {
  const Seq2SeqBatch batch = batch_of(6, 2);
  for (const Seq2SeqOptions& o : kinds()) {
    Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
    const auto decoder = model.decoder(sources_of(batch), 3);
    decoder->step(std::vector<int32_t>(3, data::kBos));
    decoder->reorder(std::vector<int32_t>{0, 2});
    decoder->admit(2);
    const auto first = batch.copies[2].front(), last = batch.copies[2].back();
    const auto out = decoder->step(std::vector<int32_t>{5, last, data::kBos, data::kBos});
    const std::vector<std::pair<size_t, std::vector<int32_t>>> said = {
        {0, {data::kBos, 5}}, {2, {data::kBos, last}}, {3, {data::kBos}}, {4, {data::kBos}}};
    for (size_t n = 0; n < said.size(); ++n) {
      const auto one = model.decoder(sources_of(alone(batch, said[n].first)));
      decode::StepOutput want;
      for (const int32_t token : said[n].second) want = one->step(std::vector<int32_t>{token});
      const int64_t V = want.logits.dim(1), all = out.logits.dim(1);
      const float* const row = out.logits.data<float>() + static_cast<int64_t>(n) * all;
      EXPECT_TRUE(std::equal(row, row + V, want.logits.data<float>())) << o.score << ' ' << n;
      EXPECT_TRUE(std::all_of(row + V, row + all, [](float z) { return z == -INFINITY; }));
    }
    EXPECT_THROW(decoder->step(std::vector<int32_t>(4, static_cast<int32_t>(decoder->vocabulary()))), ShapeError);
    EXPECT_LE(first, decoder->vocabulary());
  }
}

TEST(Copying, GradientsReachEveryParameter) {
  Seq2Seq model(options("additive"), {kVocabulary, kVocabulary}, 1);
  Noise noise{1, 1};
  backward(model.loss(batch_of(4, 3), {.smoothing = 0.1}, 1, &noise).loss);
  testing::expect_gradients(params_of(model));
}

// "Say what stands behind 4", of words that no training has seen: the words' own numbers change from source to source.
TEST(Copying, UnknownWordsAreCopied) {
  Seq2SeqOptions o = options("general");
  o.encoder.hidden = 16, o.decoder.hidden = 32, o.embedding = 16;
  Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
  const auto make = [](uint64_t seed) {
    Rng rng(seed);
    Seq2SeqBatch out;
    for (int k = 0; k < 32; ++k) {
      std::vector<int32_t> source, copies;
      const size_t length = 4 + rng.below(4), marked = rng.below(length - 1);
      for (size_t t = 0; t < length; ++t) {
        source.push_back(t == marked ? 4 : data::kUnk);
        copies.push_back(t == marked ? 4 : kVocabulary + static_cast<int32_t>(t - (t > marked)));
      }
      out.target.push_back({copies[marked + 1]});
      out.source.push_back(source), out.copies.push_back(copies);
    }
    return out;
  };
  testing::Adam adam(params_of(model), 0.01);
  for (uint64_t step = 1; step <= 150; ++step) {
    Noise noise{1, step};
    backward(model.loss(make(step), {.smoothing = 0}, 1.0 / 64, &noise).loss);
    adam.step();
  }
  const Seq2SeqBatch test = make(1000);
  std::vector<decode::SourceInfo> infos;
  for (const auto& s : test.source) infos.push_back({.source_length = std::ssize(s)});
  const auto found = decode::search(*model.decoder(sources_of(test)), infos, {.beam = 2});
  int64_t right = 0;
  for (size_t k = 0; k < infos.size(); ++k) right += found[k][0].tokens == test.target[k];
  EXPECT_GE(right, 31);
  const std::vector<double> copied = model.copying(alone(test, 0));
  ASSERT_EQ(copied.size(), 2U);
  EXPECT_GT(copied[0], 0.9);
  EXPECT_LT(copied[1], 0.1);  // the end is written
}

TEST(Copying, RefusesWhatDoesNotGoTogether) {
  Seq2SeqOptions o = options("none");
  EXPECT_THROW(Seq2Seq(o, {kVocabulary, kVocabulary}, 1), ConfigError);
  EXPECT_THROW(ObjectiveOptions{.sampling = "linear"}.check_with(options()), ConfigError);
  Seq2Seq model(options(), {kVocabulary, kVocabulary}, 1);
  Seq2SeqBatch batch = batch_of(2, 5);
  batch.copies[1].pop_back();
  EXPECT_THROW(model.loss(batch, {}, 1, nullptr), ShapeError);
  EXPECT_THROW(model.decoder(sources_of(batch)), ShapeError);
  batch = batch_of(2, 5);
  batch.target[0] = {kVocabulary + 50};
  EXPECT_THROW(model.loss(batch, {}, 1, nullptr), ShapeError);
}

}  // namespace
}  // namespace lookback

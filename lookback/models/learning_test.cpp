// Small tasks are learnt by heart, and search finds what was learnt.
#include "lookback/decode/search.h"
#include "lookback/models/testing.h"

namespace lookback {
namespace {

using testing::Adam;

constexpr int64_t kVocabulary = 14;

// Words of 2 to 5 letters, forwards or backwards.
Seq2SeqBatch words(bool reversed) {
  Seq2SeqBatch out;
  Rng rng(11);
  for (int k = 0; k < 24; ++k) {
    std::vector<int32_t> w(2 + rng.below(4));
    for (int32_t& c : w) c = static_cast<int32_t>(4 + rng.below(kVocabulary - 4));
    out.source.push_back(w);
    if (reversed) std::reverse(w.begin(), w.end());
    out.target.push_back(w);
  }
  return out;
}

void learn(const Seq2SeqOptions& options, const ObjectiveOptions& objective, bool reversed) {
  Seq2Seq model(options, {kVocabulary, kVocabulary}, 1);
  const Seq2SeqBatch batch = words(reversed);
  Adam adam(params_of(model), 0.01);
  const auto tokens = static_cast<double>(model.loss(batch, {}, 1, nullptr).tokens);
  for (uint64_t step = 1; step <= 250; ++step) {
    Noise noise{1, step};
    backward(model.loss(batch, objective, 1 / tokens, &noise).loss);
    adam.step();
  }
  const auto done = model.loss(batch, {.smoothing = 0}, 1, nullptr);
  EXPECT_LT(done.nll_sum / tokens, 0.05);
  EXPECT_EQ(done.correct, done.tokens);
  std::vector<decode::SourceInfo> infos;
  for (const auto& s : batch.source) infos.push_back({.source_length = static_cast<int64_t>(s.size())});
  for (const int64_t beam : {1, 3}) {
    const auto found = decode::search(*model.decoder({batch.source}), infos, {.beam = beam});
    for (size_t k = 0; k < infos.size(); ++k) {
      EXPECT_EQ(found[k][0].tokens, batch.target[k]) << beam << ' ' << k;
      EXPECT_EQ(found[k][0].alignment.shape(), (Shape{static_cast<int64_t>(batch.target[k].size()) + 1,
                                                      static_cast<int64_t>(batch.source[k].size())}));
    }
  }
}

Seq2SeqOptions options(const char* cell, const char* attention, const char* score) {
  Seq2SeqOptions o;
  o.encoder.cell = o.decoder.cell = cell;
  o.encoder.hidden = 16, o.decoder.hidden = 32, o.embedding = 16;
  o.decoder.attention = attention, o.score = score;
  return o;
}

TEST(Learning, LuongWithFeedingReverses) { learn(options("lstm", "luong", "general"), {.smoothing = 0}, true); }

TEST(Learning, LuongWithoutFeedingCopies) {
  Seq2SeqOptions o = options("lstm", "luong", "dot");
  o.decoder.input_feeding = false;
  learn(o, {.smoothing = 0}, false);
}

TEST(Learning, BahdanauReverses) {
  Seq2SeqOptions o = options("gru", "bahdanau", "additive");
  o.decoder.input_feeding = false, o.decoder.readout = "maxout";
  learn(o, {.smoothing = 0}, true);
}

TEST(Learning, WithEveryRegulariserAtOnce) {
  Seq2SeqOptions o = options("lstm", "luong", "concat");
  o.tie = "all";
  o.dropout = {.rate = 0.05, .locked = true, .recurrent_weights = 0.05, .words = 0.02};
  learn(o, {.smoothing = 0.02, .sampling = "inverse_sigmoid", .sampling_rate = 0.2, .sampling_steps = 200}, true);
}

}  // namespace
}  // namespace lookback

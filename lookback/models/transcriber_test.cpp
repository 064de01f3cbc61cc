#include "lookback/models/transcriber.h"

#include "lookback/decode/ctc.h"
#include "lookback/decode/search.h"
#include "lookback/models/testing.h"

namespace lookback {
namespace {

using testing::same_bits;

constexpr int64_t kWidth = 5, kVocabulary = 9;

TranscriberOptions options(const char* kind = "joint") {
  TranscriberOptions o;
  o.kind = kind;
  o.seq2seq.encoder = {};
  o.seq2seq.encoder.blocks = {{.kind = "convolution", .hidden = 6, .kernel = 3, .stride = 2},
                              {.kind = "bilstm", .hidden = 5}};
  if (!o.attends()) return o;
  o.seq2seq.decoder.hidden = 8, o.seq2seq.embedding = 4, o.seq2seq.attention = 5;
  o.seq2seq.location.filters = 2, o.seq2seq.location.width = 3;
  return o;
}

std::vector<TranscriberOptions> kinds() {
  std::vector<TranscriberOptions> out{options(), options("attention"), options("ctc"), options(), options("ctc")};
  out[3].seq2seq.score = "additive", out[3].seq2seq.encoder = {}, out[3].seq2seq.encoder.hidden = 4;
  out[3].seq2seq.tie = "decoder", out[3].seq2seq.decoder.attention = "bahdanau";
  out[4].seq2seq.encoder = {}, out[4].seq2seq.encoder.bidirectional = false, out[4].seq2seq.encoder.hidden = 6;
  return out;
}

struct Spoken {
  FeatureRows rows;
  Sentences texts;
};

// Texts of 0 to 3 tokens, each token heard for some rows of noise around a level of its own.
Spoken spoken(int64_t count, uint64_t seed) {
  Rng rng(seed);
  Spoken out;
  for (int64_t k = 0; k < count; ++k) {
    std::vector<float> x;
    auto& text = out.texts.emplace_back();
    for (uint64_t n = rng.below(4); n > 0; --n) {
      text.push_back(static_cast<int32_t>(4 + rng.below(kVocabulary - 4)));
      for (uint64_t t = 4 + rng.below(4); t > 0; --t)
        for (int64_t f = 0; f < kWidth; ++f) x.push_back((text.back() - 4 == f ? 1.0F : 0.0F) + 0.1F * rng.uniform());
    }
    for (int64_t f = 0; f < 2 * kWidth; ++f) x.push_back(0.1F * rng.uniform());
    const auto T = std::ssize(x) / kWidth;
    Tensor rows = Tensor::zeros({T, kWidth});
    std::ranges::copy(x, rows.span<float>().begin());
    out.rows.push_back(rows);
  }
  return out;
}

std::vector<decode::SourceInfo> infos_of(const Heard& heard) {
  std::vector<decode::SourceInfo> out;
  const Ragged& shape = heard.encoded.memory.shape;
  for (const int32_t r : shape.rank_of_sequence()) out.push_back({.source_length = shape.memory().length(r)});
  return out;
}

TEST(Transcriber, TheLossIsWhatSearchSaysInAnyBatch) {
  const Spoken batch = spoken(7, 1);
  TranscriberObjective objective;
  objective.smoothing = 0;
  for (const TranscriberOptions& o : kinds()) {
    const Transcriber model(o, kWidth, kVocabulary, 1);
    const auto score = [&](const Spoken& s, double ctc_weight) {
      const Heard heard = model.hear(s.rows, ctc_weight > 0 ? HearFor::ctc : HearFor::attention);
      return decode::force_score(*model.decoder(heard, ctc_weight), infos_of(heard), s.texts, {});
    };
    const TranscriberLoss loss = model.loss(batch.rows, batch.texts, objective, 1, nullptr);
    for (const double weight : {0.0, 1.0}) {
      if (weight == 0 ? !o.attends() : !o.has_ctc()) {
        EXPECT_THROW(model.decoder(model.hear(batch.rows), weight), ConfigError);
        continue;
      }
      const auto together = score(batch, weight);
      double sum = 0;
      for (size_t k = 0; k < batch.rows.size(); ++k) {
        sum -= together[k].log_prob;
        const auto alone = score({{batch.rows[k]}, {batch.texts[k]}}, weight);
        EXPECT_EQ(alone[0].log_prob, together[k].log_prob) << o.kind << ' ' << weight << ' ' << k;
      }
      EXPECT_NEAR(sum, weight == 0 ? loss.nll_sum : loss.ctc_sum, 1e-3) << o.kind << ' ' << weight;
    }
    if (o.kind == "joint") {
      EXPECT_THROW(model.decoder(model.hear(batch.rows, HearFor::attention), 0.3), ShapeError);
      const auto both = score(batch, 0.3);
      const auto attention = score(batch, 0), ctc = score(batch, 1);
      for (size_t k = 0; k < both.size(); ++k)
        EXPECT_NEAR(both[k].log_prob, 0.7 * attention[k].log_prob + 0.3 * ctc[k].log_prob, 1e-3);
    }
  }
}

TEST(Transcriber, EveryParameterLearns) {
  const Spoken batch = spoken(6, 3);
  for (const TranscriberOptions& o : kinds()) {
    Transcriber model(o, kWidth, kVocabulary, 1);
    Noise noise{1, 1};
    backward(model.loss(batch.rows, batch.texts, {}, 1, &noise).loss);
    testing::expect_gradients(params_of(model));
  }
}

TEST(Transcriber, LearnsToWriteWhatItHears) {
  for (const char* kind : {"joint", "attention", "ctc"}) {
    Transcriber model(options(kind), kWidth, kVocabulary, 1);
    testing::Adam adam(params_of(model), 1e-2);
    TranscriberObjective objective;
    objective.smoothing = 0;
    for (uint64_t step = 1; step <= 500; ++step) {
      const Spoken batch = spoken(16, 100 + step);
      Noise noise{1, step};
      backward(model.loss(batch.rows, batch.texts, objective, 1.0 / 16, &noise).loss);
      adam.step();
    }
    const Spoken unseen = spoken(20, 7);
    const Heard heard = model.hear(unseen.rows);
    const double weight = model.options().kind == "joint" ? objective.ctc : model.options().has_ctc() ? 1 : 0;
    const auto found = decode::search(*model.decoder(heard, weight), infos_of(heard), {.beam = 3});
    int64_t right = 0;
    for (size_t k = 0; k < found.size(); ++k) right += found[k][0].tokens == unseen.texts[k];
    EXPECT_GE(right, 18) << kind;
  }
}

TEST(Transcriber, SoundInPiecesGivesWhatTheWholeDoes) {
  const Transcriber model(kinds()[4], kWidth, kVocabulary, 1);
  ASSERT_EQ(model.cannot_stream(), "");
  const Tensor rows = spoken(9, 5).rows[3];
  const Tensor whole = model.hear({rows}).log_probs[0];
  for (const int64_t piece : {1, 2, 5}) {
    Transcriber::StreamState state;
    int64_t at = 0;
    for (int64_t begin = 0; begin < rows.dim(0); begin += piece) {
      const Tensor got = model.continued(rows.rows(begin, std::min(rows.dim(0), begin + piece)), state);
      for (int64_t k = 0; k < got.size(); ++k, ++at) {
        const bool in_no_text = k % kVocabulary == data::kBos || k % kVocabulary == data::kEos;
        EXPECT_EQ(std::isinf(got.data<float>()[k]), in_no_text);
        if (!in_no_text) {
          EXPECT_NEAR(got.data<float>()[k], whole.data<float>()[at], 1e-5);
        }
      }
    }
    EXPECT_EQ(at, whole.size());
  }
  EXPECT_NE(Transcriber(options("ctc"), kWidth, kVocabulary, 1).cannot_stream(), "");
  EXPECT_NE(Transcriber(options("attention"), kWidth, kVocabulary, 1).cannot_stream(), "");
}

TEST(Transcriber, SaysWhatIsTooLongForCtc) {
  const Transcriber model(options("ctc"), kWidth, kVocabulary, 1);
  const FeatureRows rows{Tensor::zeros({2, kWidth}), Tensor::zeros({8, kWidth}), Tensor::zeros({0, kWidth})};
  const TranscriberLoss loss = model.loss(rows, {{5, 5}, {6}, {7}}, {}, 1, nullptr);
  EXPECT_EQ(loss.impossible, 2);
  EXPECT_TRUE(std::isfinite(loss.loss_sum));
}

TEST(Transcriber, RefusesOptionsThatDoNothing) {
  TranscriberOptions o = options("ctc");
  o.seq2seq.decoder.hidden = 99;
  EXPECT_THROW(Transcriber(o, kWidth, kVocabulary, 1), ConfigError);
  o = options();
  o.seq2seq.score = "none";
  EXPECT_THROW(Transcriber(o, kWidth, kVocabulary, 1), ConfigError);
}

}  // namespace
}  // namespace lookback

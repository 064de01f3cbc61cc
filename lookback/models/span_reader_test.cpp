#include "lookback/models/span_reader.h"

#include <numeric>

#include "lookback/models/testing.h"

namespace lookback {
namespace {

using testing::same_bits;

constexpr int32_t kVocabulary = 30;

SpanReaderOptions options() {
  SpanReaderOptions o;
  o.front.embedding = 8;
  for (EncoderOptions* e : {static_cast<EncoderOptions*>(&o.passage), static_cast<EncoderOptions*>(&o.question)})
    e->hidden = 6;
  return o;
}

std::vector<SpanReaderOptions> kinds() {
  std::vector<SpanReaderOptions> out(4, options());
  out[1].aligned = out[1].exact_match = false, out[1].pooling.kind = "last";
  out[2].flow = true, out[2].flow_encoder.hidden = 5;
  out[3].no_answer = true, out[3].passage.layers = 2;
  return out;
}

// Passages of 1 to 9 words, of which some are unknown to the vocabulary; questions with words of theirs.
SpanReaderBatch batch_of(int64_t count, uint64_t seed, bool no_answer) {
  Rng rng(seed);
  SpanReaderBatch out;
  const auto below = [&](int64_t n) { return static_cast<int32_t>(rng.below(static_cast<uint64_t>(n))); };
  for (int64_t k = 0; k < count; ++k) {
    std::vector<int32_t> passage, question;
    for (int64_t t = 1 + below(9); t > 0; --t) passage.push_back(4 + below(kVocabulary));
    for (int64_t t = 1 + below(4); t > 0; --t)
      question.push_back(below(2) ? passage[static_cast<size_t>(below(std::ssize(passage)))] : 4 + below(20));
    const int32_t first = below(std::ssize(passage));
    Span answer{first, first + below(std::ssize(passage) - first)};
    if (no_answer && k % 2) answer = {static_cast<int32_t>(passage.size()), static_cast<int32_t>(passage.size())};
    out.texts.passages.push_back(passage), out.texts.questions.push_back(question), out.answers.push_back(answer);
  }
  return out;
}

double log_prob(const std::vector<float>& energies, int32_t at) {
  return testing::log_softmax(energies.data(), std::ssize(energies))[static_cast<size_t>(at)];
}

TEST(SpanReader, TheLossIsThatOfTheScores) {
  for (const SpanReaderOptions& o : kinds()) {
    SpanReader model(o, kVocabulary, 1);
    const SpanReaderBatch batch = batch_of(7, 1, o.no_answer);
    const auto scores = model.score(batch.texts);
    double nll = 0;
    for (size_t k = 0; k < scores.size(); ++k) {
      ASSERT_EQ(scores[k].first.size(), batch.texts.passages[k].size() + o.no_answer);
      nll -= log_prob(scores[k].first, batch.answers[k].first) + log_prob(scores[k].last, batch.answers[k].last);
    }
    EXPECT_NEAR(model.loss(batch, 1, nullptr).nll_sum, nll, 1e-4);
  }
}

TEST(SpanReader, AQuestionAloneHasTheSameBits) {
  for (const SpanReaderOptions& o : kinds()) {
    SpanReader model(o, kVocabulary, 1);
    const SpanReaderBatch batch = batch_of(7, 2, o.no_answer);
    const auto together = model.score(batch.texts);
    for (size_t k = 0; k < together.size(); ++k) {
      const auto alone = model.score({{batch.texts.questions[k]}, {batch.texts.passages[k]}})[0];
      EXPECT_EQ(alone.first, together[k].first);
      EXPECT_EQ(alone.last, together[k].last);
      EXPECT_TRUE(same_bits(alone.alignment, together[k].alignment));
      EXPECT_TRUE(same_bits(alone.question, together[k].question));
      EXPECT_TRUE(same_bits(alone.view, together[k].view));
    }
  }
}

// What there is of attention says where all of it went.
TEST(SpanReader, AttentionSumsToOne) {
  for (const bool aligned : {false, true})
    for (const bool flow : {false, true}) {
      SpanReaderOptions o = options();
      o.aligned = aligned, o.flow = flow;
      const SpanReaderBatch batch = batch_of(7, 4, false);
      const auto scores = SpanReader(o, kVocabulary, 1).score(batch.texts);
      for (size_t k = 0; k < scores.size(); ++k) {
        const auto tokens = std::ssize(batch.texts.passages[k]), words = std::ssize(batch.texts.questions[k]);
        ASSERT_EQ(scores[k].alignment.size(), aligned || flow ? tokens * words : 0);
        ASSERT_EQ(scores[k].view.size(), flow ? tokens : 0);
        const auto sum = [](const Tensor& t, int64_t begin, int64_t n) {
          const float* const from = t.data<float>() + begin;
          return std::accumulate(from, from + n, 0.0);
        };
        if (flow) {
          EXPECT_NEAR(sum(scores[k].view, 0, tokens), 1, 1e-5);
        }
        for (int64_t t = 0; t < tokens && !scores[k].alignment.empty(); ++t)
          EXPECT_NEAR(sum(scores[k].alignment, t * words, words), 1, 1e-5);
      }
    }
}

TEST(SpanReader, GradientsReachEveryParameter) {
  for (const SpanReaderOptions& o : kinds()) {
    SpanReader model(o, kVocabulary, 1);
    Noise noise{1, 1};
    backward(model.loss(batch_of(9, 3, o.no_answer), 1, &noise).loss);
    testing::expect_gradients(params_of(model));
  }
}

// The answer is what stands behind the question's word, up to the stop; half of the words are unknown ones.
TEST(SpanReader, LearnsToFindWhatTheQuestionAsksFor) {
  static constexpr int32_t kStop = 4;
  const auto make = [](uint64_t seed) {
    Rng rng(seed);
    SpanReaderBatch out;
    for (int k = 0; k < 24; ++k) {
      std::vector<int32_t> passage, words(20);
      for (size_t w = 0; w < words.size(); ++w) words[w] = static_cast<int32_t>(w % 2 ? 5 + w : kVocabulary + w / 2);
      for (size_t w = words.size() - 1; w > 0; --w) std::swap(words[w], words[rng.below(w + 1)]);
      Span answer{0, 0};
      const size_t asked = rng.below(3);
      size_t next = 0;
      std::vector<int32_t> keys;
      for (size_t part = 0; part < 3; ++part) {
        keys.push_back(words[next++]);
        passage.push_back(keys.back());
        const size_t length = 1 + rng.below(3);
        if (part == asked)
          answer = {static_cast<int32_t>(passage.size()), static_cast<int32_t>(passage.size() + length - 1)};
        for (size_t t = 0; t < length; ++t) passage.push_back(words[next++]);
        passage.push_back(kStop);
      }
      out.texts.passages.push_back(passage), out.texts.questions.push_back({keys[asked]}),
          out.answers.push_back(answer);
    }
    return out;
  };
  for (const bool flow : {false, true}) {
    SpanReaderOptions o = options();
    o.passage.hidden = o.question.hidden = 16, o.front.embedding = 16;
    o.flow = flow;
    if (flow) o.flow_encoder.hidden = 16;
    SpanReader model(o, kVocabulary, 1);
    testing::Adam adam(params_of(model), 0.01);
    for (uint64_t step = 1; step <= 120; ++step) {
      Noise noise{1, step};
      backward(model.loss(make(step), 1.0 / 24, &noise).loss);
      adam.step();
    }
    const SpanReaderBatch test = make(1000);
    const auto scores = model.score(test.texts);
    int64_t right = 0;
    for (size_t k = 0; k < scores.size(); ++k)
      right += best_span(scores[k], std::ssize(test.texts.passages[k]), 5).span == test.answers[k];
    EXPECT_GE(right, 21) << flow;
  }
}

TEST(SpanReader, TheBestSpanIsTheBestOfAll) {
  Rng rng(5);
  for (int trial = 0; trial < 200; ++trial) {
    SpanReader::Scores s;
    const auto T = static_cast<int64_t>(1 + rng.below(12)), longest = static_cast<int64_t>(1 + rng.below(6));
    for (int64_t t = 0; t < T; ++t)
      s.first.push_back(static_cast<float>(rng.below(7))), s.last.push_back(static_cast<float>(rng.below(7)));
    double best = -1;
    for (int64_t i = 0; i < T; ++i)
      for (int64_t j = i; j < std::min(T, i + longest); ++j)
        best = std::max(best, static_cast<double>(s.first[static_cast<size_t>(i)] + s.last[static_cast<size_t>(j)]));
    const BestSpan found = best_span(s, T, longest);
    EXPECT_EQ(found.score, best);
    EXPECT_LE(found.span.first, found.span.last);
    EXPECT_LT(found.span.last - found.span.first, longest);
    EXPECT_EQ(s.first[static_cast<size_t>(found.span.first)] + s.last[static_cast<size_t>(found.span.last)], best);
  }
}

TEST(SpanReader, RefusesWhatDoesNotGoTogether) {
  SpanReaderOptions o = options();
  o.flow_encoder.hidden = 9;
  EXPECT_THROW(SpanReader(o, kVocabulary, 1), ConfigError);
  o = options();
  o.flow = true, o.question.hidden = 7;
  EXPECT_THROW(SpanReader(o, kVocabulary, 1), ConfigError);
  SpanReader model(options(), kVocabulary, 1);
  SpanReaderBatch batch = batch_of(3, 7, false);
  batch.answers[0].last = static_cast<int32_t>(batch.texts.passages[0].size());
  EXPECT_THROW(model.loss(batch, 1, nullptr), ShapeError);
  EXPECT_THROW(model.score({{{5}}, {{}}}), ShapeError);
  EXPECT_THROW(model.score({{{}}, {{5}}}), ShapeError);
  EXPECT_THROW(model.score({{{-1}}, {{5}}}), ShapeError);
  // The question has a word that the vocabulary lacks and this window of the passage too.
  EXPECT_TRUE(same_bits(model.score({{{kVocabulary + 3}}, {{5}}})[0].alignment, Tensor::full({1, 1}, 1)));
}

}  // namespace
}  // namespace lookback

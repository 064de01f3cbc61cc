// Search over a few candidates of each sentence is search over a vocabulary whose other tokens are impossible.
#include <gtest/gtest.h>

#include <set>

#include "lookback/decode/ensemble.h"
#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

constexpr int64_t kVocabulary = 60;
const std::vector<FakeSentence> kSentences = {{11, 3}, {12, 7}, {13, 1}, {14, 5}};

// Specials, and some others.
std::vector<int32_t> candidates_of(uint64_t key) {
  std::vector<int32_t> out = {0, 1, 2, 3};
  for (int32_t t = 4 + static_cast<int32_t>(key % 3); t < kVocabulary; t += 3 + static_cast<int32_t>(key % 2))
    out.push_back(t);
  return out;
}

// A FakeDecoder whose rows of logits are cut to the candidates.
class Shortened final : public StepDecoder {
 public:
  Shortened(const FakeModel& model, const std::vector<FakeSentence>& sentences) : all_(model, sentences) {
    for (size_t b = 0; b < sentences.size(); ++b)
      lists_.push_back(candidates_of(sentences[b].key)), row_of_.push_back(static_cast<int32_t>(b));
  }
  StepOutput step(std::span<const int32_t> tokens, int64_t) override {
    StepOutput out = all_.step(tokens, kAll);
    const Tensor full = out.logits;
    out.logits = Tensor::full({full.dim(0), 40}, -std::numeric_limits<double>::infinity());
    for (int64_t n = 0; n < full.dim(0); ++n) {
      const auto& list = lists_[static_cast<size_t>(row_of_[static_cast<size_t>(n)])];
      out.candidates.emplace_back(list);
      for (size_t c = 0; c < list.size(); ++c)
        out.logits.data<float>()[n * 40 + static_cast<int64_t>(c)] = full.data<float>()[n * kVocabulary + list[c]];
    }
    return out;
  }
  void reorder(std::span<const int32_t> from) override {
    std::vector<int32_t> next;
    for (const int32_t k : from) next.push_back(row_of_[static_cast<size_t>(k)]);
    row_of_ = std::move(next);
    all_.reorder(from);
  }
  int64_t vocabulary() const override { return kVocabulary; }

 private:
  FakeDecoder all_;
  std::vector<std::vector<int32_t>> lists_;
  std::vector<int32_t> row_of_;
};

FakeModel model_of(bool others_impossible) {
  FakeModel model;
  model.V = kVocabulary;
  if (others_impossible)
    model.edit = [](uint64_t key, const std::vector<int32_t>&, std::vector<float>& logits) {
      const auto list = candidates_of(key);
      for (int32_t t = 0; t < kVocabulary; ++t)
        if (!std::binary_search(list.begin(), list.end(), t))
          logits[static_cast<size_t>(t)] = -std::numeric_limits<float>::infinity();
    };
  return model;
}

std::vector<SearchOptions> options() {
  std::vector<SearchOptions> out = {beam_of(1), beam_of(5, 3), beam_of(4, 4)};
  out[2].no_repeat_ngram = 1, out[2].min_length = 3, out[2].allow_unk = false;
  SearchOptions sample = beam_of(1, 4);
  sample.sample = true, sample.top_k = 9;
  out.push_back(sample);
  for (size_t k = 0; k < 4; ++k) out.push_back(out[k]), out.back().repetition_penalty = 1.7;
  out.back().min_p = 0.05, out.back().top_k = 0;
  return out;
}

TEST(CandidatesOnly, TheOthersAreImpossible) {
  for (const SearchOptions& o : options()) {
    Shortened some(model_of(false), kSentences);
    FakeDecoder all(model_of(true), kSentences);
    auto infos = sources_of(kSentences);
    infos[1].context = {4, 5, 6, 7};  // not all of them are candidates
    const auto found = search(some, infos, o), want = search(all, infos, o);
    for (size_t b = 0; b < want.size(); ++b) {
      ASSERT_EQ(found[b].size(), want[b].size());
      for (size_t k = 0; k < want[b].size(); ++k) {
        EXPECT_EQ(found[b][k].tokens, want[b][k].tokens);
        EXPECT_NEAR(found[b][k].log_prob, want[b][k].log_prob, 1e-5);
        EXPECT_EQ(found[b][k].finished, want[b][k].finished);
      }
    }
  }
}

TEST(CandidatesOnly, APrefixMayHoldAnyToken) {
  const auto list = candidates_of(12);
  ASSERT_FALSE(std::binary_search(list.begin(), list.end(), 5));
  Shortened decoder(model_of(false), {{12, 7}});
  const auto found = search(decoder, {{.source_length = 7, .prefix = {list[6], 5}}}, beam_of(3))[0][0];
  ASSERT_GE(found.tokens.size(), 2U);
  EXPECT_EQ(found.tokens[1], 5);
  EXPECT_EQ(found.token_log_probs[1], -std::numeric_limits<double>::infinity());
}

TEST(CandidatesOnly, AnEnsembleOfOneModelTwiceSaysWhatItSays) {
  std::vector<std::unique_ptr<StepDecoder>> twice;
  for (int k = 0; k < 2; ++k) twice.push_back(std::make_unique<Shortened>(model_of(false), kSentences));
  Ensemble ensemble(std::move(twice), EnsembleMean::probabilities);
  Shortened one(model_of(false), kSentences);
  const auto found = search(ensemble, sources_of(kSentences), beam_of(3)),
             want = search(one, sources_of(kSentences), beam_of(3));
  for (size_t b = 0; b < want.size(); ++b) {
    EXPECT_EQ(found[b][0].tokens, want[b][0].tokens);
    EXPECT_NEAR(found[b][0].log_prob, want[b][0].log_prob, 1e-5);
  }
}

TEST(CandidatesOnly, GivenOutputsAreNotScored) {
  Shortened decoder(model_of(false), {{12, 7}});
  EXPECT_THROW(force_score(decoder, {{.source_length = 7}}, {{4}}, {}), ShapeError);
}

}  // namespace
}  // namespace lookback::decode

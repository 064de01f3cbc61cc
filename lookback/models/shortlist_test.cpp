// The output layer over a few candidates of each sentence.
#include "lookback/data/vocab.h"
#include "lookback/models/testing.h"
#include "lookback/ops/precision.h"

namespace lookback {
namespace {

using testing::random_batch;
using testing::same_bits;
using testing::small_options;

constexpr int64_t kVocabulary = 900;
using Ids = std::vector<std::vector<int32_t>>;

Ids random_candidates(size_t sentences) {
  Rng rng(8);
  Ids out(sentences);
  for (auto& list : out)
    for (int32_t t = 0; t < kVocabulary; ++t)
      if (t < data::kSpecials || rng.below(4) == 0) list.push_back(t);
  return out;
}

struct Row {
  std::vector<float> logits;
  std::vector<int32_t> candidates;
};

// What the last row says after one step of everything.
Row row_of(const decode::StepOutput& out, int64_t n) {
  const auto& list = out.candidates.at(static_cast<size_t>(n));
  const float* x = out.logits.data<float>() + n * out.logits.dim(1);
  for (int64_t c = std::ssize(list); c < out.logits.dim(1); ++c)
    EXPECT_EQ(x[c], -std::numeric_limits<float>::infinity());
  return {{x, x + list.size()}, {list.begin(), list.end()}};
}

TEST(OutputShortlist, GivesTheLogitsOfEachSentencesOwnTokensWhateverTheOthersMaySay) {
  auto batch = random_batch(6, 8, kVocabulary, 3);
  const Ids lists = random_candidates(batch.source.size());
  for (const char* tie : {"none", "all"})
    for (const Precision precision : {Precision::f32, Precision::bf16, Precision::int8}) {
      const PrecisionScope scope(precision);
      Seq2SeqOptions o = small_options();
      o.decoder.hidden = 40, o.embedding = 24, o.tie = tie;
      Seq2Seq model(o, {kVocabulary, kVocabulary}, 1);
      // Sentences 0 to 3, then 4 and 5 join when 1 has left.
      const auto decoder = model.decoder({batch.source, lists}, 4);
      auto out = decoder->step(std::vector<int32_t>(4, data::kBos));
      for (const size_t k : {0U, 2U}) {
        const auto whole = model.decoder({{batch.source[k]}})->step(std::vector<int32_t>{data::kBos});
        const Row row = row_of(out, static_cast<int64_t>(k));
        EXPECT_EQ(row.candidates, lists[k]);
        for (size_t c = 0; c < lists[k].size(); ++c)
          EXPECT_NEAR(row.logits[c], whole.logits.data<float>()[lists[k][c]], 1e-5);
      }
      decoder->reorder(std::vector<int32_t>{0, 2, 3});
      decoder->admit(1);
      out = decoder->step(std::vector<int32_t>{7, 8, 9, data::kBos});
      const std::vector<std::pair<size_t, std::vector<int32_t>>> said = {
          {0, {1, 7}}, {2, {1, 8}}, {3, {1, 9}}, {4, {1}}};
      for (size_t n = 0; n < said.size(); ++n) {
        const auto [k, tokens] = said[n];
        const auto alone = model.decoder({{batch.source[k]}, {lists[k]}}, 1);
        decode::StepOutput last;
        for (const int32_t token : tokens) last = alone->step(std::vector<int32_t>{token});
        const Row want = row_of(last, 0), got = row_of(out, static_cast<int64_t>(n));
        EXPECT_EQ(got.candidates, want.candidates) << n;
        EXPECT_EQ(got.logits, want.logits) << n;
      }
    }
}

TEST(OutputShortlist, RefusesWhatIsNoCandidate) {
  Seq2Seq model(small_options(), {20, 20}, 1);
  EXPECT_THROW(model.decoder({{{4}}, {{2, 20}}}, 1), ShapeError);
  EXPECT_THROW(model.decoder({{{4}, {5}}, {{2, 4}}}, 1), ShapeError);
}

}  // namespace
}  // namespace lookback

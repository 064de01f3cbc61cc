#include <gtest/gtest.h>

#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

TEST(ScoreOutputs, AreThoseOfForceScoreWhateverTheyBeginWith) {
  const FakeModel model;
  const FakeSentence sentence{3, 4};
  const std::vector<std::vector<int32_t>> outputs = {{4, 5, 5}, {}, {5}, {4, 5}, {3, 1, 4}, {4, 5}, {4, 1, 5, 5}};
  FakeDecoder decoder(model, {sentence});
  const std::vector<double> found = score_outputs(decoder, outputs);
  ASSERT_EQ(found.size(), outputs.size());
  for (size_t k = 0; k < outputs.size(); ++k) {
    FakeDecoder alone(model, {sentence});
    const auto want = force_score(alone, sources_of({sentence}), {outputs[k]});
    EXPECT_NEAR(found[k], want[0].log_prob, 1e-6) << k;
  }
  // One row for each different beginning: <s>; 3 4 5; 31 41 45; 314 415 455; 4155.
  EXPECT_EQ(decoder.rows_per_step, (std::vector<int64_t>{1, 3, 3, 3, 1}));
}

TEST(ScoreOutputs, RefusesWhatTheVocabularyLacks) {
  const FakeModel model;
  FakeDecoder decoder(model, {{3, 4}});
  EXPECT_THROW(score_outputs(decoder, {{4}, {1000}}), ConfigError);
  EXPECT_TRUE(score_outputs(decoder, {}).empty());
}

}  // namespace
}  // namespace lookback::decode

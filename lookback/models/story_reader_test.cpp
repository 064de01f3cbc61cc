#include "lookback/models/story_reader.h"

#include "lookback/models/testing.h"

namespace lookback {
namespace {

using testing::same_bits;

constexpr StoryReader::Sizes kSizes{.vocabulary = 24, .classes = 7};

StoryReaderOptions options() {
  StoryReaderOptions o;
  o.front.embedding = 8;
  o.sentence.hidden = o.story.hidden = 5;
  return o;
}

std::vector<StoryReaderOptions> kinds() {
  std::vector<StoryReaderOptions> out(5, options());
  out[1].told_in_order = false, out[1].story = {}, out[1].ages = 3, out[1].pooling.kind = "dot";
  out[2].ages = 20, out[2].hops = 1, out[2].story.bidirectional = false;
  out[3].sentence.bidirectional = false, out[3].told_in_order = false, out[3].story = {};
  out[4].dropout.rate = 0.2, out[4].ages = 4, out[4].age_noise = 0.3, out[4].dropout.words = 0.1;
  return out;
}

// Stories of 0 to 4 sentences, some of which are told twice.
StoryBatch batch_of(int64_t count, uint64_t seed) {
  Rng rng(seed);
  const auto below = [&](uint64_t n) { return static_cast<int32_t>(rng.below(n)); };
  const auto sentence = [&] {
    std::vector<int32_t> out(1 + rng.below(4));
    for (int32_t& id : out) id = 4 + below(20);
    return out;
  };
  StoryBatch out;
  const auto often = sentence();
  for (int64_t k = 0; k < count; ++k) {
    Sentences& story = out.texts.stories.emplace_back();
    for (int32_t n = below(5); n > 0; --n) story.push_back(below(3) == 0 ? often : sentence());
    out.texts.questions.push_back(sentence());
    out.answers.push_back(below(7));
  }
  return out;
}

TEST(StoryReader, TheLossIsThatOfTheScores) {
  for (const StoryReaderOptions& o : kinds()) {
    StoryReader model(o, kSizes, 1);
    const StoryBatch batch = batch_of(9, 1);
    const auto scores = model.score(batch.texts);
    double nll = 0;
    for (size_t k = 0; k < scores.size(); ++k) {
      ASSERT_EQ(scores[k].logits.size(), 7U);
      nll -= testing::log_softmax(scores[k].logits.data(), 7)[static_cast<size_t>(batch.answers[k])];
      const auto sentences = std::ssize(batch.texts.stories[k]);
      if (sentences == 0) {
        EXPECT_TRUE(scores[k].weights.empty());
        continue;
      }
      ASSERT_EQ(scores[k].weights.shape(), (Shape{o.hops, sentences}));
      for (int64_t h = 0; h < o.hops; ++h) {
        double sum = 0;
        for (const float w : scores[k].weights.rows(h, h + 1).span<float>()) sum += static_cast<double>(w);
        EXPECT_NEAR(sum, 1, 1e-5);
      }
    }
    EXPECT_NEAR(model.loss(batch, 1, nullptr).nll_sum, nll, 1e-4);
  }
}

TEST(StoryReader, AQuestionAloneHasTheSameBits) {
  for (const StoryReaderOptions& o : kinds()) {
    StoryReader model(o, kSizes, 1);
    const StoryBatch batch = batch_of(12, 2);
    const auto together = model.score(batch.texts);
    for (size_t k = 0; k < together.size(); ++k) {
      const auto alone = model.score({{batch.texts.stories[k]}, {batch.texts.questions[k]}})[0];
      EXPECT_EQ(alone.logits, together[k].logits);
      EXPECT_TRUE(same_bits(alone.weights, together[k].weights));
    }
  }
}

TEST(StoryReader, GradientsReachEveryParameter) {
  for (const StoryReaderOptions& o : kinds()) {
    StoryReader model(o, kSizes, 1);
    Noise noise{1, 1};
    backward(model.loss(batch_of(16, 3), 1, &noise).loss);
    testing::expect_gradients(params_of(model));
  }
}

// Central differences of the loss in some elements of each parameter, in single precision.
TEST(StoryReader, GradientsAreThoseOfTheLoss) {
  for (const StoryReaderOptions& o : kinds()) {
    if (o.dropout.rate > 0) continue;
    StoryReader model(o, kSizes, 1);
    const StoryBatch batch = batch_of(9, 4);
    backward(model.loss(batch, 1, nullptr).loss);
    for (const NamedVar& p : params_of(model)) {
      if (p.var.grad().empty()) continue;
      int64_t steepest = 0;
      const auto g = p.var.grad().span<float>();
      for (int64_t i = 0; i < std::ssize(g); ++i)
        if (std::abs(g[static_cast<size_t>(i)]) > std::abs(g[static_cast<size_t>(steepest)])) steepest = i;
      float& x = p.var.value().data<float>()[steepest];
      const float before = x, step = 1e-2F;
      const auto loss_at = [&](float value) {
        x = value, p.var.touch();
        return model.loss(batch, 1, nullptr).nll_sum;
      };
      const double slope = (loss_at(before + step) - loss_at(before - step)) / (2 * static_cast<double>(step));
      loss_at(before);
      const auto expected = static_cast<double>(g[static_cast<size_t>(steepest)]);
      EXPECT_NEAR(slope, expected, 0.02 * std::abs(expected) + 2e-3) << p.name;
    }
  }
}

// Where is somebody? The last of the sentences about them says it: who is 4..6, where 10..13; the answers are 0..3.
TEST(StoryReader, LearnsWhereEverybodyIs) {
  const auto make = [](uint64_t seed) {
    Rng rng(seed);
    StoryBatch out;
    for (int k = 0; k < 32; ++k) {
      Sentences& story = out.texts.stories.emplace_back();
      std::vector<int32_t> place(3, -1);
      const uint64_t sentences = 3 + rng.below(4);
      for (uint64_t n = 0; n < sentences; ++n) {
        const uint64_t who = n < 3 ? n : rng.below(3);
        place[who] = static_cast<int32_t>(rng.below(4));
        story.push_back({4 + static_cast<int32_t>(who), 8, 10 + place[who]});
      }
      const uint64_t asked = rng.below(3);
      out.texts.questions.push_back({9, 4 + static_cast<int32_t>(asked)});
      out.answers.push_back(place[asked]);
    }
    return out;
  };
  for (const bool in_order : {true, false}) {
    StoryReaderOptions o = options();
    o.sentence.hidden = 12, o.front.embedding = 12, o.told_in_order = in_order, o.hops = 2;
    if (in_order) o.story.hidden = 12;
    if (!in_order) o.story = {}, o.ages = 10;
    StoryReader model(o, kSizes, 1);
    testing::Adam adam(params_of(model), 0.01);
    for (uint64_t step = 1; step <= 250; ++step) {
      Noise noise{1, step};
      backward(model.loss(make(step), 1.0 / 32, &noise).loss);
      adam.step();
    }
    EXPECT_GE(model.loss(make(1000), 1, nullptr).correct, 28) << in_order;
  }
}

TEST(StoryReader, RefusesWhatDoesNotGoTogether) {
  StoryReaderOptions o = options();
  o.told_in_order = false;
  EXPECT_THROW(StoryReader(o, kSizes, 1), ConfigError);  // story.hidden
  o = options(), o.age_noise = 0.1;
  EXPECT_THROW(StoryReader(o, kSizes, 1), ConfigError);
  o = options(), o.front.spelling.capitals = 3;
  EXPECT_THROW(StoryReader(o, kSizes, 1), ConfigError);
  StoryReader model(options(), kSizes, 1);
  EXPECT_THROW(model.score({{{{4}}}, {{4}, {5}}}), ShapeError);
  EXPECT_THROW(model.score({{{{24}}}, {{4}}}), ShapeError);
  EXPECT_THROW(model.loss({{{{{4}}}, {{4}}}, {}}, 1, nullptr), ShapeError);
}

}  // namespace
}  // namespace lookback

// A question about a story: sentences as memory, looked through in several hops. Sukhbaatar et al. 2015, "End-to-end
// memory networks", with sentences read by LSTMs in place of bags of words.
#pragma once

#include <cstdint>
#include <vector>

#include "lookback/models/sentences.h"
#include "lookback/nn/encoder.h"
#include "lookback/nn/front.h"
#include "lookback/nn/init.h"
#include "lookback/nn/pooling.h"

namespace lookback {

struct StoryEncoderOptions : EncoderOptions {
  StoryEncoderOptions() { hidden = 64; }
};

// What a reader of stories has besides what other readers have.
struct StoryReaderParts {
  StoryEncoderOptions sentence;
  bool told_in_order = true;
  StoryEncoderOptions story;
  int64_t ages = 0;
  double age_noise = 0;
  int64_t hops = 3;

  void fields(FieldVisitor& v) {
    v("sentence", sentence);
    v("told_in_order", told_in_order,
      "an encoder, `story`, reads the sentences' vectors one after the other, and what it says of each is added to it");
    v("story", story);
    v("ages", ages,
      "embeddings of how many sentences stand behind one, added to the memory; the oldest share the last one (temporal "
      "encoding, Sukhbaatar et al. 2015); 0: none")
        .range(0, 1e6);
    v("age_noise", age_noise,
      "in training: the chance that a sentence, and with it all before, counts as one older (random noise, Sukhbaatar "
      "et "
      "al. 2015)")
        .range(0, 0.95);
    v("hops", hops,
      "how often the memory is looked through, each time for what the question is with all that was found before")
        .range(1, 100);
  }
};

struct StoryReaderOptions : StoryReaderParts {
  FrontOptions front = {.embedding = 64};
  PoolingOptions pooling = {.kind = "last"};
  DropoutOptions dropout;
  InitOptions init;

  void fields(FieldVisitor& v) {
    front.fields(v);
    StoryReaderParts::fields(v);
    v("pooling", pooling);
    dropout.fields(v);
    v("init", init);
  }
};

// Stories as a reader takes them: of each its sentences' tokens, and the question's.
struct StoryTexts {
  std::vector<Sentences> stories;
  Sentences questions;

  int64_t size() const { return std::ssize(questions); }
};

struct StoryBatch {
  StoryTexts texts;
  std::vector<int32_t> answers;  // the class of each
};

struct StoryLoss {
  Var loss;             // [1] scale * sum over questions of -log p(answer)
  double nll_sum = 0;   // that sum
  int64_t correct = 0;  // questions whose answer was the likeliest
};

class StoryReader {
 public:
  static constexpr uint64_t kNoInit = ~uint64_t{0};  // parameters are to be loaded
  struct Sizes {
    int64_t vocabulary, classes;
  };
  // Parameters are drawn from the seed. Throws ConfigError naming the options that do not go together.
  StoryReader(const StoryReaderOptions& options, const Sizes& sizes, uint64_t seed);

  // Without noise: no dropout: held-out questions.
  StoryLoss loss(const StoryBatch& batch, double scale, Noise* noise) const;

  struct Scores {
    std::vector<float> logits;  // [classes]
    Tensor weights;             // [hops, sentences] attention; empty for a story without sentences
  };
  // Of each question, in their order; no gradients. What a question gets does not depend on the others.
  std::vector<Scores> score(const StoryTexts& texts) const;

  void params(ParamVisitor& v);
  const Var& embeddings() const { return front_.embeddings(); }
  // Tables that stay as they are where weights are stored as int8.
  StringList kept_from_int8() const;

 private:
  struct Read;
  struct Hop {
    Linear key, value;
    void params(ParamVisitor& v) { v("key", key), v("value", value); }
  };
  Read read(const StoryTexts& texts, Noise* noise) const;
  Var memory_of(const Sequence& told, Noise* noise) const;
  void check_texts(const StoryTexts& texts) const;

  StoryReaderOptions options_;
  Sizes sizes_;
  Front front_;
  Encoder sentence_, story_;
  Pooling pooling_;
  Linear told_;     // what `story_` read of a sentence in its place, added to the sentence
  Embedding ages_;  // [ages, C]
  std::vector<Hop> hops_;
  Linear readout_, output_;
};

}  // namespace lookback

// Private to tasks: running a recipe of any task. Preparing, checking, training, resuming and the model card are
// written once, here; a task says what is its own.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "lookback/data/batcher.h"
#include "lookback/tasks/task.h"
#include "lookback/train/trainable.h"

namespace lookback::tasks {

// What a batch gave: what is differentiated, and sums for people.
struct Loss {
  Var loss;
  train::BatchResult sums;
};

// A model while it is trained, with what people are told of it.
struct TrainedModel : train::Trainable {
  // What was read for training and what for validation; further lines say what was left out and why.
  virtual StringList data_reports() const = 0;
  // Training example k as the model sees it in the first epoch, in some lines; none past the last example.
  virtual StringList example(int64_t k) const = 0;
  // Training has ended, and parameters() are those that were kept: what is learnt of them, and of held-out examples,
  // is written beside them. Says of it what people should know.
  virtual void finish(const std::string& folder, const LogSink& log) = 0;
};

class RecipeTask : public Task {
 public:
  train::TrainResult train(const TrainRun& run) final;
  StringList dry_run(const TrainRun& run) final;

 protected:
  virtual const char* name() const = 0;  // "translate"
  virtual const train::TrainOptions& train_options() const = 0;
  // All data read, and the model before its first step. Tokenizers and the like are those of the run that goes on, or
  // of the model that run.from names, where there is one.
  virtual std::unique_ptr<TrainedModel> prepare(const TrainRun& run) const = 0;
  // Options that change no result, so that a run may go on with other ones: "data.memory_mb". Of the data the contents
  // count and not the place.
  virtual StringList free_options() const = 0;
  // "test data: 1000 examples", which are read as evaluate reads them; nothing where the recipe names none.
  virtual StringList test_report(const TrainRun& run) const = 0;
  // What stands for the contents: "data.train's SHA-256 = ...".
  virtual StringList data_digests(const TrainRun& run) const = 0;

 private:
  std::unique_ptr<TrainedModel> prepared(const TrainRun& run) const;
  StringList settings(const TrainRun& run);
};

// The [train] of a recipe.
struct TrainGroup {
  train::TrainOptions options;
  data::BatchOptions batches;

  void fields(FieldVisitor& v) {
    options.fields(v);
    batches.fields(v);
  }
};
// Of this or another [train].
inline uint64_t seed_of(const auto& train) { return static_cast<uint64_t>(train.options.seed); }

// What every [valid] has.
struct ValidGroup {
  int64_t lines = 0;
  std::string metric = "none";
  int64_t batch = 64;

  void fields(FieldVisitor& v);
  // So many of the examples have their outputs scored.
  int64_t scored(int64_t examples) const { return lines ? std::min(lines, examples) : examples; }
};

// That of tasks whose outputs are searched for.
struct SearchedValid : ValidGroup {
  int64_t beam = 1;
  explicit SearchedValid(const char* usual_metric) { metric = usual_metric; }

  void fields(FieldVisitor& v) {
    v("beam", beam, "search width of the outputs that validation scores").range(1, 1000);
    ValidGroup::fields(v);
  }
};

}  // namespace lookback::tasks

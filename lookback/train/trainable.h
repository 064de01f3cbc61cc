// What the trainer needs from a task, and all it may use.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/base/rng.h"
#include "lookback/io/safetensors.h"
#include "lookback/nn/module.h"
#include "lookback/tensor/tensor.h"

namespace lookback::train {

// What one batch gave. Sums, so that batches can be added up.
struct BatchResult {
  double loss = 0;    // summed over `units`, what training minimises
  int64_t units = 0;  // target tokens, examples, values: the loss's normaliser
  // Further sums over units, whose means the log shows: "nll", "accuracy_token".
  std::map<std::string, double> sums = {};

  void add(const BatchResult& other);
};

// An example of what the model does, for people.
struct Sample {
  std::vector<std::pair<std::string, std::string>> texts;  // {"source", "..."}, {"output", "..."}
  std::string image_png;                                   // what it looked at, or empty
};

struct Validation {
  std::map<std::string, double> scores;  // all of those that `scores` of the model names
  std::vector<Sample> samples;
};

// A score that validation gives.
struct ScoreKind {
  std::string name;  // "bleu"
  bool larger_is_better;
};

struct Trainable {
  virtual ~Trainable() = default;
  virtual std::vector<NamedVar> parameters() = 0;
  virtual std::string unit() const = 0;  // of BatchResult, in the plural: "target tokens"
  // Number of batches in an epoch; the order within it is a pure function of (seed, epoch).
  virtual int64_t batches(int64_t epoch) = 0;
  // Units of one batch, without running it.
  virtual int64_t units(int64_t epoch, int64_t batch) = 0;
  // Runs one batch forward and backward. The loss that is differentiated is
  // (summed loss) * scale; gradients are added to those already there.
  virtual BatchResult run(int64_t epoch, int64_t batch, double scale, Noise& noise) = 0;
  // Tensors, besides the parameters, that a batch takes over from the batch before it: the state of a language model.
  // They are in every checkpoint. An epoch begins without any.
  virtual std::vector<io::NamedTensor> carried() { return {}; }
  // The same read back. Throws FormatError "origin: ..." for tensors that do not fit.
  virtual void load_carried(const std::vector<io::NamedTensor>& tensors, const std::string& origin);
  // Scores on held-out data with the current parameters.
  virtual Validation validate() = 0;
  virtual std::vector<ScoreKind> scores() const = 0;
  // Writes everything `predict` needs, except the weights, into a model folder. Returns the names of these files,
  // relative to it: the folder's manifest.
  virtual StringList save_model_files(const std::string& folder) = 0;
};

// Throws ConfigError "train.keep = ..." naming those there are.
const ScoreKind& find_score(const std::vector<ScoreKind>& scores, const std::string& keep);

}  // namespace lookback::train

// What the trainer needs from a task, and all it may use.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/base/rng.h"
#include "lookback/nn/module.h"
#include "lookback/tensor/tensor.h"

namespace lookback::train {

// What one batch gave. Sums, so that batches can be added up.
struct BatchResult {
  double loss = 0;      // summed over `tokens`, the objective with smoothing
  double nll = 0;       // summed negative log-likelihood, without smoothing
  int64_t correct = 0;  // tokens whose best guess was right
  int64_t tokens = 0;   // target tokens, the loss's normaliser
  int64_t source_tokens = 0;
  int64_t examples = 0;
};

struct Sample {
  std::string source, target, output;
  std::string image_png;  // an attention map, or empty
};

struct Validation {
  std::map<std::string, double> scores;  // "loss" and "ppl" always; task metrics such as "bleu" when asked for
  std::vector<Sample> samples;           // a few, for people
};

struct Trainable {
  virtual ~Trainable() = default;
  virtual std::vector<NamedVar> parameters() = 0;
  // Number of batches in an epoch; the order within it is a pure function of (seed, epoch).
  virtual int64_t batches(int64_t epoch) = 0;
  // Target tokens of one batch, without running it.
  virtual int64_t target_tokens(int64_t epoch, int64_t batch) = 0;
  // Runs one batch forward and backward. The loss that is differentiated is
  // (summed loss) * scale; gradients are added to those already there.
  virtual BatchResult run(int64_t epoch, int64_t batch, double scale, Noise& noise) = 0;
  // Scores on held-out data with the current parameters.
  virtual Validation validate() = 0;
  // Whether a larger value of this validation score is better ("bleu": yes, "loss": no).
  // Throws ConfigError naming the known scores if there is no such score.
  virtual bool larger_is_better(const std::string& score) const = 0;
  // Writes everything `predict` needs, except the weights, into a model folder. Returns the names of these files,
  // relative to it: the folder's manifest.
  virtual StringList save_model_files(const std::string& folder) = 0;
};

}  // namespace lookback::train

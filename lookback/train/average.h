// Averages of the weights over training, used in place of the weights for validation and saving.
#pragma once

#include <string>
#include <vector>

#include "lookback/io/safetensors.h"
#include "lookback/nn/module.h"

namespace lookback::train {

class WeightAverage {
 public:
  // a += (1 - d) (w - a) after update t, with d = min(decay, (1 + t) / (10 + t)), so that the
  // start, where the weights are still poor, is soon forgotten.
  static WeightAverage exponential(double decay, const std::vector<NamedVar>& params);
  // The mean of the weights after updates start, start + 1, ... (Polyak and Juditsky 1992); before
  // that the weights themselves. torch.optim.ASGD(lambd=0, t0=T) is start = T + 2.
  static WeightAverage mean(int64_t start, const std::vector<NamedVar>& params);

  // A mean that begins when begin_mean says so; until then the weights themselves.
  static WeightAverage mean_later(const std::vector<NamedVar>& params) { return mean(kLater, params); }
  // The next update is the first in the mean, as if `updates` had been seen before it.
  void begin_mean(int64_t updates) { start_ = updates + 1; }

  // Takes in the weights after one more update.
  void update();
  // Exchanges weights and average, without copying. Twice is nothing.
  void swap();

  std::vector<io::NamedTensor> state() const;
  int64_t updates() const { return updates_; }
  // Takes the tensors over; FormatError "origin: ..." if one does not fit.
  void load_state(const std::vector<io::NamedTensor>& state, int64_t updates, const std::string& origin);

 private:
  static constexpr int64_t kLater = int64_t{1} << 62;

  WeightAverage(double decay, int64_t start, const std::vector<NamedVar>& params);

  double decay_;   // above 0: exponential
  int64_t start_;  // else the mean from here
  std::vector<NamedVar> params_;
  std::vector<Tensor> average_;
  int64_t updates_ = 0;
};

// For the life of this object the parameters hold the average, if there is one.
class AveragedWeights {
 public:
  explicit AveragedWeights(WeightAverage* average) : average_(average) {
    if (average_) average_->swap();
  }
  ~AveragedWeights() {
    if (average_) average_->swap();
  }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  WeightAverage* average_;
};

// Gives every parameter the mean of the values it has in the files, one tensor at a time.
// Throws as load_parameters does.
void load_mean(const std::vector<std::string>& files, const std::vector<NamedVar>& params);

}  // namespace lookback::train

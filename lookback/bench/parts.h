// Private to bench: what the works are made of, and where each file of them begins.
#pragma once

#include <utility>

#include "lookback/bench/workloads.h"
#include "lookback/nn/recurrent.h"
#include "lookback/ops/precision.h"

namespace lookback::bench {

// The precision that was asked for. Throws ConfigError if this processor has not got it; int8 is refused to work that
// goes backwards too.
Precision demanded(const Options& o);
Precision demanded_of_training(const Options& o);

Tensor random_tensor(const Shape& shape, Rng& rng);
ops::RecurrentWeights random_recurrent(CellKind kind, int64_t I, int64_t H, Rng& rng);

struct Cost {
  double operations = 0, bytes = 0;
};

// Work that is one call, as many as are wanted.
class Call final : public Work {
 public:
  Call(Precision precision, Cost cost, std::function<void()> call)
      : precision_(precision), cost_(cost), call_(std::move(call)) {}
  double run() override {
    const PrecisionScope scope(precision_);
    call_();
    return 1;
  }
  double operations() const override { return cost_.operations; }
  double bytes() const override { return cost_.bytes; }

 private:
  const Precision precision_;
  const Cost cost_;
  const std::function<void()> call_;
};

template <class W>
std::vector<Case> one_case(const Options& o) {
  return {{.name = "", .precision = o.precision, .make = [o] { return std::make_unique<W>(o); }, .composed = {}}};
}

std::vector<Case> training(const Options& o);
std::vector<Case> decoding(const Options& o);
std::vector<Case> language_training(const Options& o);
std::vector<Case> language_writing(const Options& o);
std::vector<Case> loading(const Options& o);
std::vector<Case> kernels(const Options& o);
std::vector<Case> fused(const Options& o);

}  // namespace lookback::bench

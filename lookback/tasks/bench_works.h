// What the works of the bench are made of, and where each file of them begins.
#pragma once

#include <utility>

#include "lookback/nn/recurrent.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/bench.h"

namespace lookback::tasks::bench {

// The precision that was asked for. Throws ConfigError if this processor has not got it; int8 is refused to work that
// goes backwards too.
Precision demanded(const BenchOptions& o);
Precision demanded_of_training(const BenchOptions& o);

Tensor random_tensor(const Shape& shape, Rng& rng);
ops::RecurrentWeights random_recurrent(CellKind kind, int64_t I, int64_t H, Rng& rng);

struct Cost {
  double operations = 0, bytes = 0;
};

// Work that is one call, as many as are wanted.
class Call final : public BenchWork {
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

template <class Work>
std::vector<BenchCase> one_case(const BenchOptions& o) {
  return {{.name = "", .precision = o.precision, .make = [o] { return std::make_unique<Work>(o); }, .composed = {}}};
}

std::vector<BenchCase> training(const BenchOptions& o);
std::vector<BenchCase> decoding(const BenchOptions& o);
std::vector<BenchCase> loading(const BenchOptions& o);
std::vector<BenchCase> kernels(const BenchOptions& o);
std::vector<BenchCase> fused(const BenchOptions& o);

}  // namespace lookback::tasks::bench

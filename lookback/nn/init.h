#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/nn/module.h"

namespace lookback {

struct InitOptions {
  std::string kind = "xavier";
  double scale = 0.1;
  double forget_bias = 0;

  void fields(FieldVisitor& v) {
    v("kind", kind,
      "uniform: U(-scale, scale), Luong 2015; bahdanau: orthogonal recurrence, N(0, 0.01^2) elsewhere, zero biases and "
      "score vector; xavier: Glorot uniform, orthogonal recurrence, N(0, 1/width) embeddings, zero biases; torch: "
      "U(-1/sqrt(n), 1/sqrt(n)), n the units or inputs of a layer, N(0, 1) embeddings")
        .choices({"uniform", "bahdanau", "xavier", "torch"});
    v("scale", scale, "half-width of kind = uniform").range(0, 10);
    v("forget_bias", forget_bias, "added to the LSTM's forget gate (Jozefowicz et al. 2015 advise 1)").range(-10, 10);
  }
};

// Gives every parameter its first value, a pure function of (seed, name, shape, options), and
// with kind = torch of its weight's shape for a bias; one that is preset keeps the one it has. The order of the
// parameters does not matter.
void initialise(std::span<const NamedVar> parameters, const InitOptions& options, uint64_t seed);

}  // namespace lookback

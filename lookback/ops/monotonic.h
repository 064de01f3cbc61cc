// Monotonic attention: it walks along the source and never goes back (Raffel, Luong, Liu, Weiss and Eck 2017, "Online
// and linear-time attention by enforcing monotonic alignments"). Its weights are made of those of the step before.
#pragma once

#include "lookback/autograd/var.h"
#include "lookback/base/rng.h"
#include "lookback/ops/attention.h"

namespace lookback::ops {

// g * v / |v|   (Salimans and Kingma 2016, weight normalisation). v [A], g [1] -> [A]; zeros where v is.
Var weight_norm(const Var& v, const Var& g);

// Normal numbers that are added to energies: the loss is lower where probabilities near 0 and 1 drown it.
struct EnergyNoise {
  double deviation = 0;  // 0: none
  Stream stream = {};
};

struct Alignment {
  Var weights;      // [N, T] of the step, zero past a row's own span
  Tensor energies;  // [N, T] with bias and noise, the same
};

// At each position from that of the step before on, itself included, the walk stops with p[n,t] = sigmoid(energies[n,t]
// + bias + noise). Both take energies and before, the weights of the step before, [N, T] of the same spans, and bias
// [1]. What has walked off the end of the source stays there: weights of zero, now and from now on.

// For training, the expectation over all walks:
//   q[n,t] = before[n,t] + (1 - p[n,t-1]) q[n,t-1]
//   weights[n,t] = p[n,t] q[n,t]
Alignment expected_alignment(const Var& energies, const Var& bias, const Var& before, const Visible& visible,
                             const EnergyNoise& noise = {});

// For prediction, the one walk that stops at the first position with p[n,t] >= 1/2: a single weight of 1. It begins
// where `before` is largest. A constant: no gradient flows.
Alignment hard_alignment(const Var& energies, const Var& bias, const Var& before, const Visible& visible);

}  // namespace lookback::ops

// A model, a loss and a training loop of one's own, from the public headers.
//
// The adding problem (Hochreiter and Schmidhuber 1997): a sequence of numbers,
// two of them marked; say the sum of the two. Always answering 1 has a squared
// error of 0.167; a model that does better remembers what it has seen.
#include <iostream>
#include <vector>

#include "lookback/nn/init.h"
#include "lookback/nn/linear.h"
#include "lookback/nn/recurrent.h"
#include "lookback/ops/basic.h"
#include "lookback/train/optimizer.h"
#include "lookback/train/parameters.h"

using namespace lookback;

namespace {

constexpr int64_t kSteps = 30, kBatch = 50, kHidden = 32;

// A module is a struct that names its parts.
struct Adder {
  ops::RecurrentWeights lstm = recurrent_weights(CellKind::lstm, 2, kHidden);
  Linear out{kHidden, 1, Linear::Bias::yes};

  // x [T*B, 2] -> [B, 1]
  Var operator()(const Var& x, const Steps& steps) const { return out(ops::lstm(x, steps, lstm).last_h); }
  void params(ParamVisitor& v) {
    v("lstm.weight_ih_l0", lstm.w_ih, Role::lstm_input), v("lstm.weight_hh_l0", lstm.w_hh, Role::lstm_recurrent);
    v("lstm.bias_ih_l0", lstm.b_ih, Role::lstm_bias), v("lstm.bias_hh_l0", lstm.b_hh, Role::lstm_recurrent_bias);
    v("out", out);
  }
};

struct Batch {
  Tensor x = Tensor::zeros({kSteps * kBatch, 2});  // time-major rows: value, mark
  Tensor minus_y = Tensor::zeros({kBatch, 1});
};

Batch random_batch(Rng& rng) {
  Batch b;
  float* x = b.x.data<float>();
  for (int64_t n = 0; n < kSteps * kBatch; ++n) x[2 * n] = rng.uniform();
  for (int64_t k = 0; k < kBatch; ++k) {
    // One mark in each half.
    for (const int64_t first : {int64_t{0}, kSteps / 2}) {
      const int64_t t = first + static_cast<int64_t>(rng.below(kSteps / 2)), row = t * kBatch + k;
      x[2 * row + 1] = 1;
      b.minus_y.data<float>()[k] -= x[2 * row];
    }
  }
  return b;
}

// Mean squared error, [1].
Var squared_error(const Var& guess, const Tensor& minus_y) {
  const Var difference = ops::add(guess, Var(minus_y));
  return ops::weighted_sum(ops::mul(difference, difference), Tensor::full({kBatch, 1}, 1.0 / kBatch));
}

}  // namespace

int main() {
  Adder model;
  const std::vector<NamedVar> params = params_of(model);
  initialise(params, {.kind = "torch"}, /*seed=*/1);
  const auto optimizer = train::make_optimizer({.kind = "adam", .lr = 5e-3}, params);
  train::GradNorm norm;
  const Steps steps = Steps::dense(kSteps, kBatch);
  Rng rng(/*seed=*/2);
  double recent = 0;
  for (int step = 1; step <= 3000; ++step) {
    const Batch batch = random_batch(rng);
    const Var loss = squared_error(model(Var(batch.x), steps), batch.minus_y);
    backward(loss);
    optimizer->step(5e-3, train::clip_scale(norm(params), 1.0));
    train::clear_grads(params);
    recent += loss.value().data<float>()[0] / 500;
    if (step % 500 == 0) {
      std::cout << "step " << step << ": squared error " << recent << '\n';
      if (step < 3000) recent = 0;
    }
  }
  std::cout << (recent < 0.0167 ? "learnt: a tenth of the baseline's error or less\n" : "not learnt\n");
  return recent < 0.0167 ? 0 : 1;
}

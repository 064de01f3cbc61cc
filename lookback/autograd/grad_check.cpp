#include "lookback/autograd/grad_check.h"

#include <algorithm>
#include <cmath>

namespace lookback {

double grad_error(const std::vector<Var>& inputs, const std::function<Var()>& loss) {
  for (const Var& in : inputs) in.clear_grad();
  backward(loss());
  std::vector<Tensor> analytic;
  for (const Var& in : inputs)
    analytic.push_back(in.grad().empty() ? Tensor::zeros(in.shape(), Dtype::f64) : in.grad().clone());
  const NoGrad off;
  double worst = 0;
  for (size_t k = 0; k < inputs.size(); ++k) {
    double* x = inputs[k].value().data<double>();
    for (int64_t i = 0; i < inputs[k].value().size(); ++i) {
      const double at = x[i], step = 1e-5;
      auto probe = [&](double d) {
        x[i] = at + d;
        inputs[k].touch();
        return loss().value().data<double>()[0];
      };
      // Fourth-order central difference: the error term is step^4.
      const double numeric = (8 * (probe(step) - probe(-step)) - (probe(2 * step) - probe(-2 * step))) / (12 * step);
      probe(0);
      const double got = analytic[k].data<double>()[i];
      worst = std::max(worst, std::abs(numeric - got) / std::max(1.0, std::abs(numeric)));
    }
  }
  return worst;
}

}  // namespace lookback

// First-order optimisers, with the update equations of torch.optim.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/io/safetensors.h"
#include "lookback/nn/module.h"

namespace lookback::train {

struct OptimizerOptions {
  std::string kind = "adam";
  double lr = 0;
  double momentum = 0;
  bool nesterov = false;
  bool averaged = false;
  int64_t average_start = 1;
  int64_t average_trigger = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 0;
  double rho = 0.9;
  double weight_decay = 0;
  double clip = 0;

  void fields(FieldVisitor& v);
};

// The options with lr and epsilon filled in. Throws ConfigError, by name, for an option that
// the kind does not have and for options that contradict each other.
OptimizerOptions resolved(OptimizerOptions options);

namespace detail {
struct UpdateRule;
}

// Updates parameters from their gradients:
//
//   sgd       Robbins and Monro 1951; momentum as in Sutskever et al. 2013 (torch.optim.SGD)
//   adagrad   Duchi, Hazan and Singer 2011
//   adadelta  Zeiler 2012
//   adam      Kingma and Ba 2015; weight decay is L2
//   adamw     Loshchilov and Hutter 2019; weight decay is decoupled
//   radam     Liu et al. 2020
//
// Clipping and averaging (options clip, averaged, average_start) are the caller's: clip_scale
// below and WeightAverage (average.h).
class Optimizer {
 public:
  // Throws ConfigError as `resolved` does. Parameters are f32 or f64; tied ones are updated once.
  Optimizer(const OptimizerOptions& options, const std::vector<NamedVar>& params);

  // One update with gradients multiplied by grad_scale. A parameter without a gradient keeps its
  // value and its state. Every parameter is one pass over its value, gradient and state.
  void step(double lr, double grad_scale = 1);

  // Everything a checkpoint needs: handles to "SLOT.PARAMETER" and "steps" ([P], updates seen by
  // each parameter). load_state takes the tensors over; FormatError "origin: ..." if one does not fit.
  std::vector<io::NamedTensor> state() const;
  void load_state(const std::vector<io::NamedTensor>& state, const std::string& origin);

  const OptimizerOptions& options() const { return options_; }

 private:
  OptimizerOptions options_;
  std::vector<NamedVar> params_;
  const detail::UpdateRule* rule_;
  std::vector<std::string> slot_names_;
  std::vector<std::vector<Tensor>> slots_;  // [parameter][slot], as large as the parameter
  Tensor steps_;                            // i32 [P]
};

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, const std::vector<NamedVar>& params);

// What gradients of this global norm are multiplied by so that it becomes at most `clip`, as
// torch.nn.utils.clip_grad_norm_ has it; 1 if clip is 0.
double clip_scale(double norm, double clip);

}  // namespace lookback::train

// A module is a struct that can name its parts: no base class, no registration.
//
//   struct Linear {
//     Var weight, bias;
//     void params(ParamVisitor& v) { v("weight", weight, Role::weight), v("bias", bias, Role::bias); }
//   };
//
// Optimiser, checkpoint, importer and exporter all see the same dotted names; initialisation and export ask for the
// role, never for the name.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/autograd/var.h"

namespace lookback {

// What a parameter is to its module.
enum class Role {
  weight,        // [O, I] of a linear layer
  score_weight,  // the same inside of an attention score
  score_vector,  // [A] what an additive score multiplies its tanh with
  score_filter,  // any other table of a score, which no product of a linear layer reads
  preset,        // begins as its module made it
  bias,
  embedding,  // [V, E]
  norm_gain,
  norm_shift,
  lstm_input,           // [4H, I]
  lstm_recurrent,       // [4H, H]
  lstm_bias,            // [4H] beside lstm_input
  lstm_recurrent_bias,  // [4H]
  gru_input,            // [3H, I]
  gru_recurrent,        // [3H, H]
  gru_bias,             // [3H] both
};

struct NamedVar {
  std::string name;  // dotted: "encoder.lstm.weight_ih_l0"
  Var var;
  Role role = Role::weight;
};

class ParamVisitor {
 public:
  explicit ParamVisitor(std::vector<NamedVar>& out) : out_(out) {}

  // A parameter; an absent one (an option that is off) is skipped.
  void operator()(std::string_view name, const Var& var, Role role) {
    if (var) out_.push_back({prefix_ + std::string(name), var, role});
  }

  // A module: its parameters appear as name.parameter.
  template <class Module>
  requires requires(Module& m, ParamVisitor& v) { m.params(v); }
  void operator()(std::string_view name, Module& module) {
    const std::string before = prefix_;
    prefix_ += std::string(name) + ".";
    module.params(*this);
    prefix_ = before;
  }

  // A list of modules: name.0.parameter, name.1.parameter, ...
  template <class Module>
  void operator()(std::string_view name, std::vector<Module>& modules) {
    for (size_t k = 0; k < modules.size(); ++k) (*this)(std::string(name) + "." + std::to_string(k), modules[k]);
  }

 private:
  std::vector<NamedVar>& out_;
  std::string prefix_;
};

// Every parameter of a module, in the order it names them.
template <class Module>
std::vector<NamedVar> params_of(Module& module) {
  std::vector<NamedVar> out;
  ParamVisitor v(out);
  module.params(v);
  return out;
}

}  // namespace lookback

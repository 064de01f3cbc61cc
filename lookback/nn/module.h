// A module is a struct that can name its parts: no base class, no registration.
//
//   struct Linear {
//     Var weight, bias;
//     void params(ParamVisitor& v) { v("weight", weight), v("bias", bias); }
//   };
//
// Optimiser, checkpoint, importer and exporter all see the same dotted names.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/autograd/var.h"

namespace lookback {

struct NamedVar {
  std::string name;  // dotted: "encoder.lstm.weight_ih_l0"
  Var var;
};

class ParamVisitor {
 public:
  explicit ParamVisitor(std::vector<NamedVar>& out) : out_(out) {}

  // A parameter; an absent one (an option that is off) is skipped.
  void operator()(std::string_view name, const Var& var) {
    if (var) out_.push_back({prefix_ + std::string(name), var});
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

// What every part of training does with the parameters as a whole.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/io/safetensors.h"
#include "lookback/nn/module.h"

namespace lookback::train {

// The parameters that can be trained, each once: a tied one keeps its first name, frozen ones
// (without a gradient) are left out. Throws ConfigError if one name stands for two of them.
std::vector<NamedVar> unique_parameters(const std::vector<NamedVar>& named);

// Makes constants of the parameters that a pattern names, of which `*` stands for any characters ("encoder.*"). Throws
// ConfigError for a pattern that names none, with the nearest name, or if nothing is left to train.
void freeze(const std::vector<NamedVar>& named, const StringList& patterns);
// Those that the patterns name, in their order. Throws ConfigError for a pattern that names none.
std::vector<NamedVar> matching(const std::vector<NamedVar>& named, const StringList& patterns);

// Handles to the values, under their names.
std::vector<io::NamedTensor> tensors_of(const std::vector<NamedVar>& params);

void clear_grads(const std::vector<NamedVar>& params);

// The L2 norm over all gradients together. Squares are summed in double, in blocks of 4096
// elements and then block after block, so the result does not depend on threads. Not finite
// if a gradient is not.
class GradNorm {
 public:
  double operator()(const std::vector<NamedVar>& params);

 private:
  std::vector<double> partial_;  // kept, so that a step allocates nothing
};

// Name of the first parameter with a NaN or infinity in its gradient, or in its value.
std::optional<std::string> first_non_finite_grad(const std::vector<NamedVar>& params);
std::optional<std::string> first_non_finite_value(const std::vector<NamedVar>& params);

// Gives every parameter the value that the file has under its name. Throws FormatError, naming
// file and tensor, for one that is missing, has another shape or type, or that the model does
// not know; nothing is changed then.
void load_parameters(const io::SafetensorsFile& file, const std::vector<NamedVar>& params);

// The same for prediction, without copies: values stay in the file, mapped. A matrix may also be there as
// int8 rows (io::scale_name); says whether any is.
bool map_parameters(io::SafetensorsFile& file, const std::vector<NamedVar>& params);

// What start_from found.
struct StartReport {
  StringList taken;    // names
  StringList missing;  // parameters that the file lacks or has in another shape: "output.bias [9], there [8]"
  StringList unused;   // tensors of the file that the model has no parameter for
};
// Gives every parameter that the file has under its name and in its shape the value there; the others keep theirs.
// Throws FormatError for weights kept as int8 rows, and if none fits.
StartReport start_from(const io::SafetensorsFile& file, const std::vector<NamedVar>& params);

// The tensor called `name`; FormatError "origin: ..." if it is missing or not of this shape and type.
const Tensor& find_tensor(const std::vector<io::NamedTensor>& tensors, const std::string& name, const Tensor& like,
                          const std::string& origin);

}  // namespace lookback::train

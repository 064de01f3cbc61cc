// For tests here: what a script of tools/ recorded of a model.
#pragma once

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/io/safetensors.h"
#include "lookback/nn/module.h"
#include "lookback/ops/testing.h"
#include "lookback/train/optimizer.h"
#include "lookback/train/parameters.h"

namespace lookback::testing {

inline io::SafetensorsFile recorded(const std::string& name) {
  return io::SafetensorsFile(LOOKBACK_SOURCE_DIR "/tests/golden/model/" + name + ".safetensors");
}

// Defaults, but for what the metadata say under a name that begins so.
template <class Options>
Options recorded_options(const io::SafetensorsFile& file, const std::string& prefix) {
  Options out;
  auto fields = fields_of(out);
  for (const auto& [key, value] : file.metadata())
    if (key.starts_with(prefix))
      set_field_text(find_field(fields, key.substr(prefix.size()), file.path()), value, file.path());
  return out;
}

// Parameters are recorded as PREFIX and their name here.
inline void expect_same_names(const io::SafetensorsFile& file, const std::vector<NamedVar>& params,
                              const std::string& prefix) {
  std::set<std::string> here, there;
  for (const NamedVar& p : params) here.insert(prefix + p.name);
  for (const auto& e : file.entries())
    if (e.name.starts_with(prefix)) there.insert(e.name);
  EXPECT_EQ(here, there);
  EXPECT_EQ(here.size(), params.size());
}

// In f32, recorded as grad.NAME.
inline void expect_gradients(const io::SafetensorsFile& file, const std::vector<NamedVar>& params) {
  for (const NamedVar& p : params) {
    ASSERT_FALSE(p.var.grad().empty()) << p.name;
    const Tensor g = file.load("grad." + p.name);
    double largest = 0, off = 0;
    for (int64_t k = 0; k < g.size(); ++k) {
      largest = std::max(largest, std::abs(static_cast<double>(g.data<float>()[k])));
      off = std::max(off, std::abs(static_cast<double>(g.data<float>()[k]) - p.var.grad().data<float>()[k]));
    }
    EXPECT_LT(off, 1e-5 * std::max(largest, 0.01)) << p.name << ", largest " << largest;
  }
}

// Ten steps of Adam; loss() is that of one, with scale * loss_sum to be compared.
template <class Loss>
void expect_ten_steps_of_adam(const io::SafetensorsFile& file, const std::vector<NamedVar>& params, double scale,
                              Loss&& loss) {
  const Tensor want = file.load("adam_losses");
  ASSERT_EQ(want.size(), 10);
  const auto optimizer = train::make_optimizer({.kind = "adam", .lr = 0.01}, params);
  for (const double expected : want.span<double>()) {
    train::clear_grads(params);
    const auto step = loss();
    EXPECT_NEAR(step.loss_sum * scale, expected, 1e-4 * expected);
    backward(step.loss);
    optimizer->step(0.01);
  }
  EXPECT_LT(want.data<double>()[9], 0.9 * want.data<double>()[0]);
}

}  // namespace lookback::testing

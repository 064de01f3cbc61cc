#include "lookback/ops/precision.h"

#include "lookback/base/error.h"
#include "lookback/kernels/kernels.h"

namespace lookback::ops {
namespace {

Precision named(std::string_view name) {
  if (name == "f32") return Precision::f32;
  if (name == "auto") return kernels::has_fast_products(Precision::bf16) ? Precision::bf16 : Precision::f32;
  if (name == "bf16") return Precision::bf16;
  check<ConfigError>(name == "int8", "precision = '", name, "' is not one of f32, bf16, int8, auto");
  return Precision::int8;
}

}  // namespace

Precision available_precision(std::string_view name) {
  const Precision wanted = named(name);
  return kernels::has_products(wanted) ? wanted : Precision::f32;
}

std::string precision_warning(std::string_view name) {
  if (available_precision(name) == named(name)) return {};
  return str_cat("precision = ", name, ": this processor has no such products (AVX512-BF16); they are computed in f32");
}

}  // namespace lookback::ops

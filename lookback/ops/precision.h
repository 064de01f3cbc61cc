// Which precision the products of a model are computed in.
#pragma once

#include <string>
#include <string_view>

#include "lookback/base/precision.h"

namespace lookback::ops {

// What "f32", "bf16", "int8" or "auto" (bf16 where that is faster) mean on this machine: f32 where the
// processor does not multiply the others by itself. Throws ConfigError for other names.
Precision available_precision(std::string_view name);

// One line for the log if that is not what was asked for, else empty.
std::string precision_warning(std::string_view name);

}  // namespace lookback::ops

#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl {

void dropout(const Dropout<float>&);

}  // namespace lookback::kernels::cpu_impl

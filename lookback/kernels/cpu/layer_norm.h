#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl {

void layer_norm(const LayerNorm<float>&);
void layer_norm_backward(const LayerNormBackward<float>&);

}  // namespace lookback::kernels::cpu_impl

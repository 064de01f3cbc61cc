#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl {

void softmax_xent(const SoftmaxXent<float>&);
void unary(const UnaryForward<float>&);
void unary_backward(const UnaryBackward<float>&);
void gather_rows(const GatherRows<float>&);
void scatter_rows(const ScatterRows<float>&);
void axpy(const Axpy<float>&);
void column_sums(const ColumnSums<float>&);

}  // namespace lookback::kernels::cpu_impl

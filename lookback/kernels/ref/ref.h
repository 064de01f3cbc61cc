// The reference kernels: the obvious loops, in float and double. They are the
// documentation of every kernel and the oracle its fast versions are tested against.
#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::ref_impl {

template <class R>
void matmul(const Matmul<R>&);
template <class R>
void lstm_forward(const LstmForward<R>&);
template <class R>
void lstm_backward(const LstmBackward<R>&);
template <class R>
void lstm_cell(const LstmCell<R>&);
template <class R>
void lstm_cell_backward(const LstmCellBackward<R>&);
template <class R>
void gru_forward(const GruForward<R>&);
template <class R>
void gru_backward(const GruBackward<R>&);
template <class R>
void gru_cell(const GruCell<R>&);
template <class R>
void gru_cell_backward(const GruCellBackward<R>&);
template <class R>
void score_dot(const ScoreDot<R>&);
template <class R>
void score_dot_backward(const ScoreDotBackward<R>&);
template <class R>
void score_additive(const ScoreAdditive<R>&);
template <class R>
void score_additive_backward(const ScoreAdditiveBackward<R>&);
template <class R>
void attend(const Attend<R>&);
template <class R>
void attend_backward(const AttendBackward<R>&);
template <class R>
void softmax_xent(const SoftmaxXent<R>&);
template <class R>
void layer_norm(const LayerNorm<R>&);
template <class R>
void layer_norm_backward(const LayerNormBackward<R>&);
template <class R>
void dropout(const Dropout<R>&);
template <class R>
void unary(const UnaryForward<R>&);
template <class R>
void unary_backward(const UnaryBackward<R>&);
template <class R>
void gather_rows(const GatherRows<R>&);
template <class R>
void scatter_rows(const ScatterRows<R>&);
template <class R>
void quantise_rows(const QuantiseRows<R>&);
template <class R>
void axpy(const Axpy<R>&);
template <class R>
void column_sums(const ColumnSums<R>&);

}  // namespace lookback::kernels::ref_impl

// Both instances of a reference kernel, at the end of its file.
#define LOOKBACK_REF_INSTANCES(kernel, Args)                             \
  template void lookback::kernels::ref_impl::kernel(const Args<float>&); \
  template void lookback::kernels::ref_impl::kernel(const Args<double>&);

#include <hwy/targets.h>

#include "lookback/kernels/cpu/attention.h"
#include "lookback/kernels/cpu/cpu.h"
#include "lookback/kernels/cpu/dropout.h"
#include "lookback/kernels/cpu/elementwise.h"
#include "lookback/kernels/cpu/int8.h"
#include "lookback/kernels/cpu/largest.h"
#include "lookback/kernels/cpu/layer_norm.h"
#include "lookback/kernels/cpu/matmul.h"
#include "lookback/kernels/cpu/recurrent.h"

namespace lookback::kernels {

const Table<float>& cpu() {
  using namespace cpu_impl;
  // Before any kernel takes the address of one for its rows: until the choice is made, that is the address of the
  // choosing, which asks the processor every time.
  if (!hwy::GetChosenTarget().IsInitialized()) hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  static constexpr Table<float> kTable = {
      .name = "cpu",
      .pack = &pack,
      .sketch = &sketch,
      .largest = &largest,
      .matmul = &matmul,
      .lstm_forward = &lstm_forward,
      .lstm_backward = &lstm_backward,
      .lstm_cell = &lstm_cell,
      .lstm_cell_backward = &lstm_cell_backward,
      .gru_forward = &gru_forward,
      .gru_backward = &gru_backward,
      .gru_cell = &gru_cell,
      .gru_cell_backward = &gru_cell_backward,
      .score_dot = &score_dot,
      .score_dot_backward = &score_dot_backward,
      .score_additive = &score_additive,
      .score_additive_backward = &score_additive_backward,
      .attend = &attend,
      .attend_backward = &attend_backward,
      .softmax_xent = &softmax_xent,
      .layer_norm = &layer_norm,
      .layer_norm_backward = &layer_norm_backward,
      .dropout = &dropout,
      .unary = &unary,
      .unary_backward = &unary_backward,
      .gather_rows = &gather_rows,
      .scatter_rows = &scatter_rows,
      .quantise_rows = &quantise_rows,
      .axpy = &axpy,
      .column_sums = &column_sums,
  };
  return kTable;
}

void choose_instruction_set() { hwy::GetChosenTarget().Update(hwy::SupportedTargets()); }

}  // namespace lookback::kernels

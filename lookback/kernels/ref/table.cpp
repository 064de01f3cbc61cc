#include "lookback/kernels/ref/ref.h"

namespace lookback::kernels {

template <class R>
const Table<R>& ref() {
  using namespace ref_impl;
  static constexpr Table<R> kTable = {
      .name = "ref",
      .pack = nullptr,
      .sketch = nullptr,
      .largest = nullptr,
      .matmul = &matmul<R>,
      .lstm_forward = &lstm_forward<R>,
      .lstm_backward = &lstm_backward<R>,
      .lstm_cell = &lstm_cell<R>,
      .lstm_cell_backward = &lstm_cell_backward<R>,
      .gru_forward = &gru_forward<R>,
      .gru_backward = &gru_backward<R>,
      .gru_cell = &gru_cell<R>,
      .gru_cell_backward = &gru_cell_backward<R>,
      .score_dot = &score_dot<R>,
      .score_dot_backward = &score_dot_backward<R>,
      .score_additive = &score_additive<R>,
      .score_additive_backward = &score_additive_backward<R>,
      .attend = &attend<R>,
      .attend_backward = &attend_backward<R>,
      .softmax_xent = &softmax_xent<R>,
      .layer_norm = &layer_norm<R>,
      .layer_norm_backward = &layer_norm_backward<R>,
      .dropout = &dropout<R>,
      .unary = &unary<R>,
      .unary_backward = &unary_backward<R>,
      .gather_rows = &gather_rows<R>,
      .scatter_rows = &scatter_rows<R>,
      .quantise_rows = &quantise_rows<R>,
      .axpy = &axpy<R>,
      .column_sums = &column_sums<R>,
  };
  return kTable;
}

template const Table<float>& ref<float>();
template const Table<double>& ref<double>();

}  // namespace lookback::kernels

#include "lookback/kernels/cpu/cpu.h"
#include "lookback/kernels/cpu/matmul.h"

namespace lookback::kernels {
namespace {

template <class F>
void fill(F& entry, F fallback) {
  if (!entry) entry = fallback;
}

// The fast kernels of this machine, with the reference where there is none.
Table<float> filled(Table<float> t) {
  const Table<float>& r = ref<float>();
  fill(t.matmul, r.matmul);
  fill(t.lstm_forward, r.lstm_forward);
  fill(t.lstm_backward, r.lstm_backward);
  fill(t.lstm_cell, r.lstm_cell);
  fill(t.lstm_cell_backward, r.lstm_cell_backward);
  fill(t.gru_forward, r.gru_forward);
  fill(t.gru_backward, r.gru_backward);
  fill(t.gru_cell, r.gru_cell);
  fill(t.gru_cell_backward, r.gru_cell_backward);
  fill(t.score_dot, r.score_dot);
  fill(t.score_dot_backward, r.score_dot_backward);
  fill(t.score_additive, r.score_additive);
  fill(t.score_additive_backward, r.score_additive_backward);
  fill(t.attend, r.attend);
  fill(t.attend_backward, r.attend_backward);
  fill(t.softmax_xent, r.softmax_xent);
  fill(t.layer_norm, r.layer_norm);
  fill(t.layer_norm_backward, r.layer_norm_backward);
  fill(t.dropout, r.dropout);
  fill(t.unary, r.unary);
  fill(t.unary_backward, r.unary_backward);
  fill(t.gather_rows, r.gather_rows);
  fill(t.scatter_rows, r.scatter_rows);
  fill(t.quantise_rows, r.quantise_rows);
  fill(t.axpy, r.axpy);
  fill(t.column_sums, r.column_sums);
  return t;
}

}  // namespace

template <>
const Table<float>& best<float>() {
  static const Table<float> table = [] {
    choose_instruction_set();
    return filled(cpu());
  }();
  return table;
}

bool has_products(Precision precision) { return cpu_impl::has_products(precision); }

bool has_fast_products(Precision precision) { return cpu_impl::has_fast_products(precision); }

// Double is for checking: it runs on the reference.
template <>
const Table<double>& best<double>() {
  return ref<double>();
}

}  // namespace lookback::kernels

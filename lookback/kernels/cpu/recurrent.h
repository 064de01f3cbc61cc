#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl {

void lstm_forward(const LstmForward<float>&);
void lstm_backward(const LstmBackward<float>&);
void lstm_cell(const LstmCell<float>&);
void lstm_cell_backward(const LstmCellBackward<float>&);
void gru_forward(const GruForward<float>&);
void gru_backward(const GruBackward<float>&);
void gru_cell(const GruCell<float>&);
void gru_cell_backward(const GruCellBackward<float>&);

}  // namespace lookback::kernels::cpu_impl

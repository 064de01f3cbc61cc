#pragma once

#include "lookback/kernels/kernels.h"

namespace lookback::kernels::cpu_impl {

void score_dot(const ScoreDot<float>&);
void score_dot_backward(const ScoreDotBackward<float>&);
void score_additive(const ScoreAdditive<float>&);
void score_additive_backward(const ScoreAdditiveBackward<float>&);
void attend(const Attend<float>&);
void attend_backward(const AttendBackward<float>&);

}  // namespace lookback::kernels::cpu_impl

// Elementary functions in double, made of products, sums and square roots alone, in a fixed order: the same bits on
// every processor. Those of the C library are another code on each kind of processor, and differ in the last bit.
#pragma once

#include <span>

namespace lookback::elementary {

// e^x, within 1 unit in the last place; 0 and infinity where it leaves double, subnormal numbers rounded once more.
double exp(double x);

// Natural logarithm, within 1 unit in the last place; -infinity at 0, NaN below.
double log(double x);

// log(1 + x), within 2 units in the last place, also of a small result; -infinity at -1, NaN below.
double log1p(double x);

// x^y for x >= 0, within 2 units in the last place times 1 + |y log x|; an integer y by products, also for x < 0.
double pow(double x, double y);

// Cosine, for |x| up to a few thousand: absolute error below 2e-15 for |x| <= 8, and growing with x.
double cos(double x);

// Sine, as exact as the cosine.
double sin(double x);

// x_k becomes e^x_k / sum_j e^x_j, taken from the largest; `x` must not be empty. Returns log sum_j e^x_j.
double softmax(std::span<double> x);

// log sum_j e^x_j, taken from the largest; `x` must not be empty.
double log_sum_exp(std::span<const float> x);

// x_k becomes x_k - log sum_j e^x_j; `x` must not be empty.
void log_softmax(std::span<float> x);

}  // namespace lookback::elementary

// Special functions in double, of products, sums, square roots and elementary.h alone: the same bits on every
// processor.
#pragma once

namespace lookback::special {

// log Gamma(x) for x > 0, within 1e-14 max(1, |log Gamma(x)|); else NaN.   (Stirling's series, DLMF 5.11.1)
double log_gamma(double x);

// Its derivative for x > 0, within 1e-14 max(1, |digamma(x)|); else NaN.   (DLMF 5.11.2)
double digamma(double x);

// log(Gamma(x + 1/2) / (Gamma(x) sqrt(x))) for x > 0, about -1 / (8 x), and its derivative, about 1 / (8 x^2): small
// differences of large numbers if taken from the two functions above.   (DLMF 5.11.8)
double log_half_step(double x);
double half_step_slope(double x);

// z with P(Z <= z) = p, Z standard normal, relative error below 2e-15; -infinity at 0, infinity at 1, NaN beyond.
// (Wichura 1988, "Algorithm AS 241: the percentage points of the normal distribution", PPND16)
double normal_quantile(double p);

// t with P(T <= t) = p, T of Student's distribution with df >= 1 degrees of freedom, which may be infinite; relative
// error below 1e-12. -infinity at 0, infinity at 1, NaN beyond and for other df.
double student_t_quantile(double df, double p);

}  // namespace lookback::special

#include "lookback/base/special_functions.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "lookback/base/elementary.h"

namespace lookback::special {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kHalfLogTwoPi = 0.9189385332046727, kHalfLogPi = 0.5723649429247001;

// From here on the series below are exact to the last place.
constexpr double kLarge = 16;

// B_2, B_4, ... (Bernoulli numbers)
constexpr double kBernoulli[] = {1.0 / 6,  -1.0 / 30,     1.0 / 42, -1.0 / 30,
                                 5.0 / 66, -691.0 / 2730, 7.0 / 6,  -3617.0 / 510};

// sum_k term(k, B_2k) / x^(2k), k = 1, 2, ...
template <class F>
double bernoulli_series(double x, F&& term) {
  const double z = 1 / (x * x);
  double sum = 0;
  for (int k = std::size(kBernoulli); k >= 1; --k) sum = (sum + term(k, kBernoulli[k - 1])) * z;
  return sum;
}

// B_2k(1/2) - B_2k
double bernoulli_step(int k, double b) { return (std::ldexp(1.0, 1 - 2 * k) - 2) * b; }

// (c[0] + c[1] x + ...) / (d[0] + d[1] x + ...)
double ratio(const double (&c)[8], const double (&d)[8], double x) {
  double above = c[7], below = d[7];
  for (int k = 6; k >= 0; --k) above = above * x + c[k], below = below * x + d[k];
  return above / below;
}

// Student's distribution. With a = df / 2, x = df / (df + t^2) and y = 1 - x: P(|T| > t) = I_x(a, 1/2) and
// P(|T| <= t) = I_y(1/2, a), each D = x^a y^(1/2) / B(a, 1/2) = t * density(t) times a sum or a fraction.
class StudentT {
 public:
  explicit StudentT(double df)
      : a_(df / 2), root_(std::sqrt(df)), log_beta_(kHalfLogPi - elementary::log(a_) / 2 - log_half_step(a_)) {}

  // t with P(|T| <= t) = mass, by Newton's method from `below` t: as the mass is concave in t, it comes from below.
  double at_mass(double mass, double below) const {
    double t = std::max(below, mass / 2 * root_ * elementary::exp(log_beta_));
    for (int n = 0; n < kSteps; ++n) {
      const Place at = place(t);
      const double d = elementary::exp(at.log_d), step = (mass / (2 * d) - series(at)) * t;
      t += step;
      if (std::abs(step) < kEnough * t) break;
    }
    return t;
  }

  // t with P(T > t) = tail < 0.05, by Newton's method in log t, in which the log of the tail is nearly a line.
  double at_tail(double tail, double below) const {
    double t = below;
    const double log_tail = elementary::log(2 * tail);
    for (int n = 0; n < kSteps; ++n) {
      const Place at = place(t);
      const double c = fraction(at), step = (at.log_d + elementary::log(c) - log_tail) * c / 2;
      t *= elementary::exp(step);
      if (std::abs(step) < kEnough) break;
    }
    return t;
  }

 private:
  static constexpr int kSteps = 50;
  static constexpr double kEnough = 1e-15;

  struct Place {
    double x, y, log_d;
  };

  Place place(double t) const {
    const double w = t / root_, w2 = w * w;
    const double x = 1 / (1 + w2), y = w < 1 ? w2 * x : 1 / (1 + 1 / w2);
    const double log_one_more = w2 < kInfinity ? elementary::log1p(w2) : 2 * elementary::log(w);
    return {x, y, elementary::log(w) - (a_ + 0.5) * log_one_more - log_beta_};
  }

  // P(|T| <= t) / (2 D)   (DLMF 8.17.8)
  double series(const Place& at) const {
    double term = 1, sum = 1;
    for (double n = 0; term > 1e-17 * sum; ++n) sum += term *= at.y * (a_ + 0.5 + n) / (1.5 + n);
    return sum;
  }

  // P(|T| > t) / D, by the continued fraction of Didonato and Morris 1992 ("Algorithm 708", equation 9), which keeps
  // its digits where a is large and y small; taken from its head (Thompson and Barnett 1986).
  double fraction(const Place& at) const {
    const double a = a_, b = 0.5, lambda = (a + b) * at.y - b;
    double value = a / (a + 1) * (lambda + 1), c = value, d = 0;
    for (double n = 1; n < 10000; ++n) {
      const double m = a + 2 * n - 1, k = n * (b - n) * at.x / m;
      const double alpha = (a + n - 1) / m * (a + b + n - 1) * at.x * k;
      const double beta = n + k + (a + n) / (a + 2 * n + 1) * (lambda + 1 + n * (1 + at.y));
      d = 1 / (beta + alpha * d);
      c = beta + alpha / c;
      value *= c * d;
      if (std::abs(c * d - 1) < 3e-16) break;
    }
    return 1 / value;
  }

  double a_, root_, log_beta_;
};

}  // namespace

double log_gamma(double x) {
  if (!(x > 0)) return kNaN;
  if (x == kInfinity) return x;
  double product = 1;
  for (; x < kLarge; ++x) product *= x;
  const double series = x * bernoulli_series(x, [](int k, double b) { return b / (2 * k * (2 * k - 1)); });
  return (x - 0.5) * elementary::log(x) - x + (kHalfLogTwoPi + series) - elementary::log(product);
}

double digamma(double x) {
  if (!(x > 0)) return kNaN;
  double sum = 0;
  for (; x < kLarge; ++x) sum += 1 / x;
  return elementary::log(x) - 0.5 / x - bernoulli_series(x, [](int k, double b) { return b / (2 * k); }) - sum;
}

double log_half_step(double x) {
  if (!(x > 0)) return kNaN;
  if (x < kLarge) return log_gamma(x + 0.5) - log_gamma(x) - elementary::log(x) / 2;
  return x * bernoulli_series(x, [](int k, double b) { return bernoulli_step(k, b) / (2 * k * (2 * k - 1)); });
}

double half_step_slope(double x) {
  if (!(x > 0)) return kNaN;
  if (x < kLarge) return digamma(x + 0.5) - digamma(x) - 0.5 / x;
  return -bernoulli_series(x, [](int k, double b) { return bernoulli_step(k, b) / (2 * k); });
}

double normal_quantile(double p) {
  static constexpr double kMiddle[2][8] = {
      {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
       4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
      {1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
       3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}};
  static constexpr double kBeside[2][8] = {
      {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
       1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
      {1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
       1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
  static constexpr double kFar[2][8] = {
      {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
       2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
      {1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
       1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};
  if (!(0 <= p && p <= 1)) return kNaN;
  if (p == 0 || p == 1) return p == 0 ? -kInfinity : kInfinity;
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) return q * ratio(kMiddle[0], kMiddle[1], 0.180625 - q * q);
  const double r = std::sqrt(-elementary::log(std::min(p, 1 - p)));
  const double z = r <= 5 ? ratio(kBeside[0], kBeside[1], r - 1.6) : ratio(kFar[0], kFar[1], r - 5);
  return q < 0 ? -z : z;
}

double student_t_quantile(double df, double p) {
  if (!(df >= 1)) return kNaN;
  const double z = normal_quantile(p), mass = std::abs(2 * p - 1), tail = std::min(p, 1 - p);
  // From this df on the two differ by less than a last place, as |z| < 39; and there is little to be found at 0, 1.
  if (df > 1e19 || !std::isfinite(z) || z == 0) return z;
  const StudentT t(df);
  // Its tails are heavier: the quantile of the normal distribution is nearer to 0.
  const double size = tail < 0.05 ? t.at_tail(tail, std::abs(z)) : t.at_mass(mass, std::abs(z));
  return z < 0 ? -size : size;
}

}  // namespace lookback::special

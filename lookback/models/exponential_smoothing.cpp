#include "lookback/models/exponential_smoothing.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "lookback/base/elementary.h"
#include "lookback/models/forecast_checks.h"
#include "lookback/models/lbfgs.h"

namespace lookback {
namespace {

using Trend = SmoothingForm::Trend;
using State = ExponentialSmoothing::State;
using Vector = std::vector<double>;

constexpr const char* kWho = "exponential smoothing";
constexpr double kLeastAlpha = 1e-4, kLeastPhi = 0.8, kMostPhi = 0.98;

// The point below which a standard normal variable lies with probability p, 0 < p < 1: PPND16 of Wichura 1988,
// "Algorithm AS 241: the percentage points of the normal distribution"; relative error about 1e-16.
double normal_quantile(double p) {
  const auto ratio = [](const double(&a)[8], const double(&b)[8], double r) {
    double numerator = a[7], denominator = b[7];
    for (int k = 6; k >= 0; --k) numerator = numerator * r + a[k], denominator = denominator * r + b[k];
    return numerator / denominator;
  };
  constexpr double kA[] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                           1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                           3.3430575583588128105e+4, 2.5090809287301226727e+3};
  constexpr double kB[] = {1.0,
                           4.2313330701600911252e+1,
                           6.8718700749205790830e+2,
                           5.3941960214247511077e+3,
                           2.1213794301586595867e+4,
                           3.9307895800092710610e+4,
                           2.8729085735721942674e+4,
                           5.2264952788528545610e+3};
  constexpr double kC[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                           3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                           2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double kD[] = {1.0,
                           2.05319162663775882187e0,
                           1.67638483018380384940e0,
                           6.89767334985100004550e-1,
                           1.48103976427480074590e-1,
                           1.51986665636164571966e-2,
                           5.47593808499534494600e-4,
                           1.05075007164441684324e-9};
  constexpr double kE[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                           2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                           2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr double kF[] = {1.0,
                           5.99832206555887937690e-1,
                           1.36929880922735805310e-1,
                           1.48753612908506148525e-2,
                           7.86869131145613259100e-4,
                           1.84631831751005468180e-5,
                           1.42151175831644588870e-7,
                           2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) return q * ratio(kA, kB, 0.180625 - q * q);
  const double r = std::sqrt(-elementary::log(q < 0 ? p : 1 - p));
  const double tail = r <= 5 ? ratio(kC, kD, r - 1.6) : ratio(kE, kF, r - 5);
  return q < 0 ? -tail : tail;
}

bool seasonal(const SmoothingForm& form) { return form.season > 1; }
bool with_slope(const SmoothingForm& form) { return form.trend != Trend::none; }

// Numbers that a fit chooses. Of the m seasonal values one says nothing that the level does not.
int64_t free_numbers(const SmoothingForm& form) {
  const int64_t slope = with_slope(form) ? 2 : 0, damping = form.trend == Trend::damped ? 1 : 0;
  return 2 + slope + damping + (seasonal(form) ? form.season : 0);
}

// The error of the next value, by which the state moves on.
double step(const SmoothingWeights& w, double value, State& state) {
  double& s = state.season[state.next];
  const double slope = w.phi * state.slope, e = value - (state.level + slope + s);
  state.level += slope + w.alpha * e;
  state.slope = slope + w.beta * e;
  s += w.gamma * e;
  state.next = (state.next + 1) % state.season.size();
  return e;
}

double logistic(double u) { return 1 / (1 + elementary::exp(-u)); }

// The sum of squared errors of a history, divided by `unit`. Its parameters are u of alpha, beta, phi and gamma, those
// that the form has, then level, slope and season of the first state; each weight is a logistic function of its u.
class SquaredErrors {
 public:
  SquaredErrors(const SmoothingForm& form, std::span<const double> y) : form_(form), y_(y) {
    size_ = 1;  // alpha
    if (with_slope(form)) beta_ = size_++;
    if (form.trend == Trend::damped) phi_ = size_++;
    if (seasonal(form)) gamma_ = size_++;
    level_ = size_++;
    if (with_slope(form)) slope_ = size_++;
    if (seasonal(form)) season_ = size_, size_ += static_cast<size_t>(form.season);
  }

  // A start with the given u of alpha and beta: the line or the mean of what comes first, and how the first two seasons
  // differ from it.
  Vector start(double alpha, double beta) const;

  SmoothingWeights weights(const Vector& x) const {
    const double alpha = kLeastAlpha + (1 - 2 * kLeastAlpha) * logistic(x[0]);
    return {.alpha = alpha,
            .beta = beta_ ? alpha * logistic(x[beta_]) : 0,
            .gamma = gamma_ ? (1 - alpha) * logistic(x[gamma_]) : 0,
            .phi = phi_ ? kLeastPhi + (kMostPhi - kLeastPhi) * logistic(x[phi_]) : 1};
  }

  State first_state(const Vector& x) const {
    State out{.level = x[level_], .slope = slope_ ? x[slope_] : 0, .season = {0}};
    if (season_) out.season.assign(x.begin() + static_cast<int64_t>(season_), x.end());
    return out;
  }

  double operator()(const Vector& x, Vector& gradient) const;

  double unit = 1;

 private:
  SmoothingForm form_;
  std::span<const double> y_;
  size_t size_ = 0, beta_ = 0, phi_ = 0, gamma_ = 0, level_ = 0, slope_ = 0, season_ = 0;  // 0: the form has none
};

Vector SquaredErrors::start(double alpha, double beta) const {
  const size_t m = seasonal(form_) ? static_cast<size_t>(form_.season) : std::min<size_t>(5, y_.size() / 2);
  double first = 0, second = 0;  // means of m values each
  for (size_t t = 0; t < m; ++t) first += y_[t] / static_cast<double>(m), second += y_[t + m] / static_cast<double>(m);
  const double slope = with_slope(form_) ? (second - first) / static_cast<double>(m) : 0;
  Vector x(size_);
  x[0] = alpha;
  if (beta_) x[beta_] = beta;
  if (phi_) x[phi_] = 2;
  if (gamma_) x[gamma_] = -2;
  x[level_] = (first + second) / 2 - slope * (static_cast<double>(m) + 0.5);
  if (slope_) x[slope_] = slope;
  for (size_t t = 0; season_ && t < 2 * m; ++t)
    x[season_ + t % m] += 0.5 * (y_[t] - x[level_] - slope * static_cast<double>(t + 1));
  return x;
}

double SquaredErrors::operator()(const Vector& x, Vector& gradient) const {
  const SmoothingWeights w = weights(x);
  State state = first_state(x);
  const size_t m = state.season.size();
  Vector errors(y_.size()), slopes(y_.size());
  double sum = 0;
  for (size_t t = 0; t < y_.size(); ++t) {
    slopes[t] = state.slope;
    errors[t] = step(w, y_[t], state);
    sum += errors[t] * errors[t];
  }
  SmoothingWeights dw{0, 0, 0, 0};
  double dl = 0, db = 0;
  Vector ds(m);
  for (size_t t = y_.size(); t-- > 0;) {
    const double e = errors[t];
    // forward: l' = l + phi b + alpha e, b' = phi b + beta e, s' = s + gamma e
    const double de = 2 / unit * e + w.alpha * dl + w.beta * db + w.gamma * ds[t % m];
    dw.alpha += e * dl, dw.beta += e * db, dw.gamma += e * ds[t % m];
    // forward: e = y - (l + phi b + s)
    const double dslope = dl + db - de;
    dw.phi += slopes[t] * dslope;
    dl -= de, db = w.phi * dslope, ds[t % m] -= de;
  }
  // forward: beta = alpha share, gamma = (1 - alpha) share, share = logistic(u), whose derivative is share (1 - share)
  const auto share = [&](size_t k) { return logistic(x[k]); };
  const auto dshare = [&](size_t k) { return share(k) * (1 - share(k)); };
  double dalpha = dw.alpha;
  if (beta_) dalpha += share(beta_) * dw.beta, gradient[beta_] = w.alpha * dshare(beta_) * dw.beta;
  if (gamma_) dalpha -= share(gamma_) * dw.gamma, gradient[gamma_] = (1 - w.alpha) * dshare(gamma_) * dw.gamma;
  if (phi_) gradient[phi_] = (kMostPhi - kLeastPhi) * dshare(phi_) * dw.phi;
  gradient[0] = (1 - 2 * kLeastAlpha) * dshare(0) * dalpha;
  gradient[level_] = dl;
  if (slope_) gradient[slope_] = db;
  if (season_) std::ranges::copy(ds, gradient.begin() + static_cast<int64_t>(season_));
  return sum / unit;
}

struct Fit {
  SmoothingWeights weights;
  State state;
  double sum = 0;  // of squared errors
};

// The state after the history, from the first one.
Fit run(const SmoothingWeights& weights, State state, std::span<const double> y) {
  Fit out{.weights = weights, .state = std::move(state)};
  for (const double v : y) {
    const double e = step(weights, v, out.state);
    out.sum += e * e;
  }
  return out;
}

Fit best_fit(std::span<const double> y, const SmoothingForm& form) {
  std::optional<Fit> best;
  for (const double beta : with_slope(form) ? Vector{-3, 0} : Vector{0})
    for (const double alpha : {-3.0, 0.0, 3.0}) {
      SquaredErrors loss(form, y);
      Vector x = loss.start(alpha, beta);
      loss.unit = run(loss.weights(x), loss.first_state(x), y).sum;
      if (loss.unit > 0) x = minimise(std::cref(loss), std::move(x));
      Fit fit = run(loss.weights(x), loss.first_state(x), y);
      if (!best || fit.sum < best->sum) best = std::move(fit);
    }
  return *best;
}

// The form that so many values are enough for; nothing where only the last value is.
bool fits(const SmoothingForm& form, int64_t values) {
  return (!seasonal(form) || form.season <= values / 2) && values >= free_numbers(form) + 2;
}

SmoothingForm plainer(const SmoothingForm& form) {
  return seasonal(form) ? SmoothingForm{.trend = form.trend} : SmoothingForm{};
}

}  // namespace

ExponentialSmoothing::ExponentialSmoothing(SmoothingForm form, SmoothingWeights weights, State state, double deviation)
    : form_(form), weights_(weights), state_(std::move(state)), deviation_(deviation) {
  check<ShapeError>(std::ssize(state_.season) == form.season && state_.next < state_.season.size(), kWho, ": ",
                    state_.season.size(), " seasonal values for a season of ", form.season);
}

void ExponentialSmoothing::update(double value) {
  check_values({&value, 1}, kWho);
  step(weights_, value, state_);
}

std::vector<double> ExponentialSmoothing::forecast(int64_t horizon) const {
  check_horizon(horizon, kWho);
  Vector out;
  double damping = 1, steps = 0;  // phi^h and phi + ... + phi^h
  for (size_t h = 0; h < static_cast<size_t>(horizon); ++h) {
    damping *= weights_.phi, steps += damping;
    out.push_back(state_.level + steps * state_.slope + state_.season[(state_.next + h) % state_.season.size()]);
  }
  check_forecast(out, kWho);
  return out;
}

std::vector<double> ExponentialSmoothing::quantiles(int64_t horizon, std::span<const double> levels) const {
  check_levels(levels, kWho);
  Vector normal, out;
  for (const double p : levels) normal.push_back(normal_quantile(p));
  double damping = 1, steps = 0, variance = 1;  // in units of deviation^2
  int64_t h = 0;
  for (const double point : forecast(horizon)) {
    const double deviation = deviation_ * std::sqrt(variance);
    for (const double z : normal) out.push_back(point + z * deviation);
    damping *= weights_.phi, steps += damping;
    const double c = weights_.alpha + weights_.beta * steps + (++h % form_.season == 0 ? weights_.gamma : 0);
    variance += c * c;
  }
  check_forecast(out, kWho);
  return out;
}

ExponentialSmoothing train_exponential_smoothing(std::span<const double> history, const SmoothingForm& form) {
  check_values(history, kWho);
  check_season(form.season, kWho);
  const auto n = std::ssize(history);
  SmoothingForm taken = form;
  while (!fits(taken, n) && (seasonal(taken) || with_slope(taken))) taken = plainer(taken);
  State state{.season = Vector(static_cast<size_t>(taken.season))};
  if (history.empty()) return {taken, {}, std::move(state), 0};
  // In units in which the history lies in [-1, 1]: no square leaves double.
  const auto [low, high] = std::ranges::minmax(history);
  const double middle = low / 2 + high / 2, half = high / 2 - low / 2;
  state.level = history.back();
  if (half == 0) return {taken, {}, std::move(state), 0};
  Vector y;
  for (const double v : history) y.push_back((v - middle) / half);
  const bool enough = fits(taken, n);
  Fit fit = enough ? best_fit(y, taken) : run({}, {.level = y[0], .season = {0}}, y);
  const auto spare = static_cast<double>(enough ? n - free_numbers(taken) : n - 1);
  state = std::move(fit.state);
  state.level = middle + half * state.level, state.slope *= half;
  for (double& s : state.season) s *= half;
  return {taken, fit.weights, std::move(state), half * std::sqrt(fit.sum / spare)};
}

}  // namespace lookback

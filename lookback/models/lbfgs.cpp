#include "lookback/models/lbfgs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <limits>

namespace lookback {
namespace {

using Vector = std::vector<double>;

// Eight sums side by side, which do not wait for each other.
double dot(const Vector& a, const Vector& b) {
  std::array<double, 8> sums{};
  const size_t whole = a.size() / 8 * 8;
  for (size_t i = 0; i < whole; i += 8)
    for (size_t k = 0; k < 8; ++k) sums[k] += a[i + k] * b[i + k];
  for (size_t i = whole; i < a.size(); ++i) sums[i - whole] += a[i] * b[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

void add_scaled(double scale, const Vector& a, Vector& to) {
  for (size_t i = 0; i < to.size(); ++i) to[i] += scale * a[i];
}

double largest(const Vector& v) {
  double out = 0;
  for (const double x : v) out = std::max(out, std::abs(x));
  return out;
}

struct Point {
  Vector x, gradient;
  double value = 0;
};

// A step s and the change y of the gradient over it.
struct Pair {
  Vector s, y;
  double sy = 0;
};

// -H g, H what the pairs say of the inverse of the Hessian.
Vector direction(const std::deque<Pair>& pairs, const Vector& gradient) {
  Vector q = gradient, alphas(pairs.size());
  for (size_t k = pairs.size(); k-- > 0;) {
    alphas[k] = dot(pairs[k].s, q) / pairs[k].sy;
    add_scaled(-alphas[k], pairs[k].y, q);
  }
  const double scale =
      pairs.empty() ? 1 / std::max(1.0, std::sqrt(dot(q, q))) : pairs.back().sy / dot(pairs.back().y, pairs.back().y);
  for (double& v : q) v *= scale;
  for (size_t k = 0; k < pairs.size(); ++k) add_scaled(alphas[k] - dot(pairs[k].y, q) / pairs[k].sy, pairs[k].s, q);
  for (double& v : q) v = -v;
  return q;
}

// From `from` along d to where the function has fallen enough and its slope has flattened; false where it is not found.
bool search_line(const SmoothFunction& f, const Point& from, const Vector& d, Point& to) {
  const double slope = dot(from.gradient, d);
  double low = 0, high = std::numeric_limits<double>::infinity(), step = 1;
  for (int trial = 0; slope < 0 && trial < 50; ++trial) {
    to.x = from.x;
    add_scaled(step, d, to.x);
    to.value = f(to.x, to.gradient);
    if (!(to.value <= from.value + 1e-4 * step * slope)) {
      high = step;
    } else if (dot(to.gradient, d) < 0.9 * slope) {
      low = step;
    } else {
      return true;
    }
    step = std::isinf(high) ? 2 * low : 0.5 * (low + high);
  }
  return false;
}

}  // namespace

std::vector<double> minimise(const SmoothFunction& f, std::vector<double> x, const LbfgsOptions& options) {
  Point at{.x = std::move(x)}, next;
  at.gradient.resize(at.x.size()), next.gradient.resize(at.x.size());
  at.value = f(at.x, at.gradient);
  std::deque<Pair> pairs;
  for (int64_t step = 0; step < options.max_steps && largest(at.gradient) > options.tolerance; ++step) {
    if (!search_line(f, at, direction(pairs, at.gradient), next)) break;
    Pair pair{.s = next.x, .y = next.gradient};
    add_scaled(-1, at.x, pair.s);
    add_scaled(-1, at.gradient, pair.y);
    pair.sy = dot(pair.s, pair.y);
    std::swap(at, next);
    if (pair.sy <= 0) continue;  // rounding
    if (std::ssize(pairs) == options.memory) pairs.pop_front();
    pairs.push_back(std::move(pair));
  }
  return std::move(at.x);
}

}  // namespace lookback

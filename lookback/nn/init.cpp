#include "lookback/nn/init.h"

#include <cmath>
#include <vector>

#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"

namespace lookback {
namespace {

// FNV-1a: a parameter's stream depends on its name alone, not on its place in the list.
uint64_t stream_of(std::string_view name) {
  uint64_t h = 0xcbf29ce484222325;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

int64_t gates_of(Role role) {
  switch (role) {
    case Role::lstm_input:
    case Role::lstm_recurrent:
    case Role::lstm_bias:
    case Role::lstm_recurrent_bias:
      return 4;
    case Role::gru_input:
    case Role::gru_recurrent:
    case Role::gru_bias:
      return 3;
    default:
      return 1;
  }
}

bool is_recurrent(Role role) { return role == Role::lstm_recurrent || role == Role::gru_recurrent; }
bool is_bias(Role role) {
  return role == Role::bias || role == Role::lstm_bias || role == Role::lstm_recurrent_bias || role == Role::gru_bias;
}
bool is_of_score(Role role) { return role == Role::score_weight || role == Role::score_filter; }

using Values = std::vector<double>;

void fill_uniform(Values& x, double half_width, Rng& rng) {
  for (double& v : x) v = half_width * (2 * rng.uniform_double() - 1);
}

void fill_normal(Values& x, double deviation, Rng& rng) {
  for (double& v : x) v = deviation * rng.normal();
}

// Eight sums side by side, so that they can run in SIMD registers.
double dot(const double* a, const double* b, size_t n) {
  double sums[8] = {};
  size_t k = 0;
  for (; k + 8 <= n; k += 8)
    for (size_t j = 0; j < 8; ++j) sums[j] += a[k + j] * b[k + j];
  for (; k < n; ++k) sums[0] += a[k] * b[k];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// Makes the rows of an [H, H] block orthonormal, by Gram and Schmidt.
void orthonormalise(double* block, size_t H) {
  for (size_t r = 0; r < H; ++r) {
    double* row = block + r * H;
    for (int pass = 0; pass < 2; ++pass)  // the second pass removes what rounding left
      for (size_t q = 0; q < r; ++q) {
        const double* other = block + q * H;
        const double along = dot(row, other, H);
        for (size_t k = 0; k < H; ++k) row[k] -= along * other[k];
      }
    const double norm = std::sqrt(dot(row, row, H));
    for (size_t k = 0; k < H; ++k) row[k] /= norm;
  }
}

// A random orthogonal matrix in every [H, H] block of gates (Saxe et al. 2014).
void fill_orthogonal(Values& x, int64_t rows, int64_t cols, Rng& rng) {
  for (double& v : x) v = rng.normal();
  parallel_for(rows / cols, 1, [&](int64_t begin, int64_t end) {
    for (int64_t gate = begin; gate < end; ++gate)
      orthonormalise(&x[static_cast<size_t>(gate * cols * cols)], static_cast<size_t>(cols));
  });
}

// Fan-in and fan-out of a weight; gates stacked in rows count one by one.
double glorot(const Shape& s, Role role) {
  const double out = static_cast<double>(s[0]) / static_cast<double>(gates_of(role));
  const double in = s.rank() > 1 ? static_cast<double>(s[1]) : 1;
  return std::sqrt(6.0 / (in + out));
}

// torch's width: the hidden size of a recurrent layer, the fan-in of a linear one. The bias of a
// linear layer has that of its weight; where the weight is another layer's, its own length.
double torch_bound(std::span<const NamedVar> all, const NamedVar& p) {
  const Shape& s = p.var.shape();
  auto width = static_cast<double>(s[s.rank() - 1]);
  if (gates_of(p.role) > 1) width = static_cast<double>(s[0]) / static_cast<double>(gates_of(p.role));
  if (p.role == Role::bias) {
    const std::string weight = p.name.substr(0, p.name.size() - 4) + "weight";
    for (const NamedVar& other : all)
      if (other.name == weight) width = static_cast<double>(other.var.dim(1));
  }
  return 1 / std::sqrt(width);
}

void fill(Values& x, std::span<const NamedVar> all, const NamedVar& p, const InitOptions& o, Rng& rng) {
  const Shape& s = p.var.shape();
  const Role role = p.role;
  if (role == Role::norm_gain) return x.assign(x.size(), 1.0);
  if (role == Role::norm_shift) return;
  if (o.kind == "uniform") return fill_uniform(x, o.scale, rng);
  if (o.kind == "torch")
    return role == Role::embedding ? fill_normal(x, 1, rng) : fill_uniform(x, torch_bound(all, p), rng);
  if (is_bias(role)) return;
  if (is_recurrent(role)) return fill_orthogonal(x, s[0], s[1], rng);
  if (o.kind == "bahdanau") {
    if (role != Role::score_vector) fill_normal(x, is_of_score(role) ? 0.001 : 0.01, rng);
    return;
  }
  if (role == Role::embedding) return fill_normal(x, 1 / std::sqrt(static_cast<double>(s[1])), rng);
  fill_uniform(x, glorot(s, role), rng);
}

}  // namespace

void initialise(std::span<const NamedVar> parameters, const InitOptions& options, uint64_t seed) {
  for (const NamedVar& p : parameters) {
    if (p.role == Role::preset) continue;
    Rng rng(seed, stream_of(p.name));
    Values x(static_cast<size_t>(p.var.value().size()));
    fill(x, parameters, p, options, rng);
    if (p.role == Role::lstm_bias)
      for (size_t k = x.size() / 4; k < x.size() / 2; ++k) x[k] += options.forget_bias;
    with_float(p.var.dtype(), [&]<class R>() { std::copy(x.begin(), x.end(), p.var.value().data<R>()); });
    p.var.touch();
  }
}

}  // namespace lookback

#include "lookback/nn/init.h"

#include <cmath>
#include <vector>

#include "lookback/base/rng.h"

namespace lookback {
namespace {

// FNV-1a: a parameter's stream depends on its name alone, not on its place in the list.
uint64_t stream_of(std::string_view name) {
  uint64_t h = 0xcbf29ce484222325;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

enum class Role { weight, recurrent, bias, embedding, gamma, beta, score_vector };

Role role_of(std::string_view name) {
  auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  if (has("norm.gamma")) return Role::gamma;
  if (has("norm.beta")) return Role::beta;
  if (has("bias")) return Role::bias;
  if (has("weight_hh")) return Role::recurrent;
  if (has("embedding.weight")) return Role::embedding;
  if (name.ends_with("score.v")) return Role::score_vector;
  return Role::weight;
}

using Values = std::vector<double>;

void fill_uniform(Values& x, double half_width, Rng& rng) {
  for (double& v : x) v = half_width * (2 * rng.uniform_double() - 1);
}

void fill_normal(Values& x, double deviation, Rng& rng) {
  for (double& v : x) v = deviation * rng.normal();
}

// A random orthogonal matrix in every [H, H] block of gates (Saxe et al. 2014), by Gram and Schmidt.
void fill_orthogonal(Values& x, int64_t rows, int64_t cols, Rng& rng) {
  const auto H = static_cast<size_t>(cols);
  for (size_t first = 0; first + H <= static_cast<size_t>(rows); first += H)
    for (size_t r = 0; r < H; ++r) {
      double* row = &x[(first + r) * H];
      for (size_t k = 0; k < H; ++k) row[k] = rng.normal();
      for (int pass = 0; pass < 2; ++pass)  // the second pass removes what rounding left
        for (size_t q = 0; q < r; ++q) {
          const double* other = &x[(first + q) * H];
          double along = 0;
          for (size_t k = 0; k < H; ++k) along += row[k] * other[k];
          for (size_t k = 0; k < H; ++k) row[k] -= along * other[k];
        }
      double norm = 0;
      for (size_t k = 0; k < H; ++k) norm += row[k] * row[k];
      for (size_t k = 0; k < H; ++k) row[k] /= std::sqrt(norm);
    }
}

// Fan-in and fan-out of a weight; gates stacked in rows count one by one.
double glorot(const Shape& s, std::string_view name) {
  const double gates = name.find("weight_ih") == std::string_view::npos ? 1
                       : name.find("gru") == std::string_view::npos     ? 4
                                                                        : 3;
  const double out = static_cast<double>(s[0]) / gates, in = s.rank() > 1 ? static_cast<double>(s[1]) : 1;
  return std::sqrt(6.0 / (in + out));
}

// torch's width: the hidden size of a recurrent layer, the fan-in of a linear one.
double torch_bound(const Shape& s, std::string_view name) {
  double width = static_cast<double>(s[s.rank() - 1]);
  if (name.find("_l") != std::string_view::npos && (name.find("weight_ih") != std::string_view::npos || s.rank() == 1))
    width = static_cast<double>(s[0]) / (name.find("gru") == std::string_view::npos ? 4 : 3);
  return 1 / std::sqrt(width);
}

void fill(Values& x, const NamedVar& p, const InitOptions& o, Rng& rng) {
  const Shape& s = p.var.shape();
  const Role role = role_of(p.name);
  if (role == Role::gamma) return x.assign(x.size(), 1.0);
  if (role == Role::beta) return;
  if (o.kind == "uniform") return fill_uniform(x, o.scale, rng);
  if (o.kind == "torch")
    return role == Role::embedding ? fill_normal(x, 1, rng) : fill_uniform(x, torch_bound(s, p.name), rng);
  if (role == Role::bias) return;
  if (role == Role::recurrent) return fill_orthogonal(x, s[0], s[1], rng);
  if (o.kind == "bahdanau") {
    if (role != Role::score_vector) fill_normal(x, p.name.find("score.") == std::string::npos ? 0.01 : 0.001, rng);
    return;
  }
  if (role == Role::embedding) return fill_normal(x, 1 / std::sqrt(static_cast<double>(s[1])), rng);
  fill_uniform(x, glorot(s, p.name), rng);
}

}  // namespace

void initialise(std::span<const NamedVar> parameters, const InitOptions& options, uint64_t seed) {
  for (const NamedVar& p : parameters) {
    Rng rng(seed, stream_of(p.name));
    Values x(static_cast<size_t>(p.var.value().size()));
    fill(x, p, options, rng);
    if (p.name.find("lstm.bias_ih") != std::string::npos)
      for (size_t k = x.size() / 4; k < x.size() / 2; ++k) x[k] += options.forget_bias;
    with_float(p.var.dtype(), [&]<class R>() { std::copy(x.begin(), x.end(), p.var.value().data<R>()); });
    p.var.touch();
  }
}

}  // namespace lookback

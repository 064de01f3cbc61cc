// The kernels a model is made of, one by one. Ops are called without recording, so that a call is the kernel and its
// output's memory, which the pool gives back every time.
#include "lookback/bench/parts.h"
#include "lookback/ops/attention.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/linear.h"
#include "lookback/ops/loss.h"
#include "lookback/ops/multi_head.h"
#include "lookback/train/optimizer.h"

namespace lookback::bench {
namespace {

using Cases = std::vector<Case>;

double real(int64_t n) { return static_cast<double>(n); }

// N query rows over the sentences of a batch, T positions each.
ops::Visible visible_rows(int64_t sentences, int64_t T, int64_t N) {
  const std::vector<int64_t> lengths(static_cast<size_t>(sentences), T);
  std::vector<int32_t> sentence_of_row;
  for (int64_t n = 0; n < N; ++n) sentence_of_row.push_back(static_cast<int32_t>(n % sentences));
  return {MemoryLayout(lengths), ops::row_ids(std::move(sentence_of_row))};
}

// The sizes everything here is made for, and what draws its elements.
struct Setting {
  int64_t H, V, E, B, T, N;  // N: rows of all target steps
  mutable Rng rng;
  explicit Setting(const Options& o)
      : H(o.model.decoder.hidden),
        V(o.vocabulary),
        E(o.model.embedding),
        B(o.batch),
        T(o.source),
        N(o.batch * o.target),
        rng(static_cast<uint64_t>(o.seed)) {}
  Var draw(const Shape& shape) const { return Var(random_tensor(shape, rng)); }
  Var parameter(const Shape& shape) const { return Var::parameter(random_tensor(shape, rng)); }
};

struct Kernel {
  Cost cost;
  std::function<void()> call;
};

// A case in f32 that records nothing.
Case plain(const Options& o, std::string name, Kernel (*make)(const Setting&)) {
  return {.name = std::move(name),
          .precision = "f32",
          .make =
              [o, make] {
                const Kernel kernel = make(Setting(o));
                return std::make_unique<Call>(Precision::f32, kernel.cost, [call = kernel.call] {
                  const NoGrad off;
                  call();
                });
              },
          .composed = {}};
}

Case product(const Options& o, const std::string& precision, int64_t M, int64_t O) {
  const int64_t I = o.model.decoder.hidden;
  return {.name = str_cat("product ", M, " x ", I, " x ", O),
          .precision = precision,
          .make =
              [=] {
                const Setting s(o);
                return std::make_unique<Call>(ops::available_precision(precision),
                                              Cost{.operations = 2 * real(M * I * O)},
                                              [x = s.draw({M, I}), w = s.draw({O, I})] {
                                                const NoGrad off;
                                                ops::linear(x, w);
                                              });
              },
          .composed = {}};
}

// Three products a row: logits, and the gradients of their two factors.
Case loss(const Options& o, const std::string& precision) {
  const Setting sizes(o);
  return {.name = str_cat("softmax cross-entropy ", sizes.N, " x ", sizes.H, " x ", sizes.V),
          .precision = precision,
          .make =
              [=] {
                const Setting s(o);
                const std::vector<int32_t> targets(static_cast<size_t>(s.N), 7 % static_cast<int32_t>(s.V));
                return std::make_unique<Call>(
                    ops::available_precision(precision), Cost{.operations = 6 * real(s.N * s.H * s.V)},
                    [hidden = s.parameter({s.N, s.H}), w = s.parameter({s.V, s.H}), b = s.parameter({s.V}), targets] {
                      backward(ops::projected_xent(hidden, w, b, targets, {.smoothing = 0.1}).loss);
                      for (const Var& v : {hidden, w, b}) v.clear_grad();
                    });
              },
          .composed = {}};
}

Kernel gates(const Setting& s) {
  return {{.bytes = 4 * 11 * real(s.B * s.H)},
          [gates = s.draw({s.B, 4 * s.H}), c = s.draw({s.B, s.H})] { ops::lstm_cell(gates, c); }};
}

Kernel dot_score(const Setting& s) {
  return {{.operations = 2 * real(s.N * s.T * s.H)},
          [q = s.draw({s.N, s.H}), k = s.draw({s.B * s.T, s.H}), visible = visible_rows(s.B, s.T, s.N)] {
            ops::score_dot(q, k, visible);
          }};
}

// A sum, a tanh, a product and a sum for every element, the tanh counted as one.
Kernel additive_score(const Setting& s) {
  return {{.operations = 4 * real(s.N * s.T * s.H)},
          [q = s.draw({s.N, s.H}), k = s.draw({s.B * s.T, s.H}), v = s.draw({s.H}),
           visible = visible_rows(s.B, s.T, s.N)] { ops::score_additive(q, k, v, visible); }};
}

Kernel attend(const Setting& s) {
  return {{.operations = 2 * real(s.N * s.T * s.H)},
          [e = s.draw({s.N, s.T}), v = s.draw({s.B * s.T, s.H}), visible = visible_rows(s.B, s.T, s.N)] {
            ops::attend(e, v, visible);
          }};
}

// Both ways: two products forward and five backward, of which one is a forward one again.
Case multi_head(const Options& o, int64_t T) {
  constexpr int64_t kSentences = 32, kHeads = 8, kWidth = 64;
  return {.name = str_cat("multi_head ", kSentences, " x ", kHeads, " x ", T, " x ", kWidth),
          .precision = "f32",
          .make =
              [=] {
                const Setting s(o);
                const MemoryLayout memory(std::vector<int64_t>(kSentences, T));
                const Shape shape{kSentences * T, kHeads * kWidth};
                return std::make_unique<Call>(
                    Precision::f32, Cost{.operations = 14 * real(shape[0] * T * shape[1])},
                    [q = s.parameter(shape), k = s.parameter(shape), v = s.parameter(shape), memory,
                     dy = Tensor::full(shape, 0.01), heads = kHeads] {
                      backward(ops::multi_head_attention(q, k, v, {}, memory, {.heads = heads}), dy);
                      for (const Var& x : {q, k, v}) x.clear_grad();
                    });
              },
          .composed = {}};
}

Kernel dropout(const Setting& s) {
  return {{.bytes = 8 * real(s.N * s.H)}, [x = s.draw({s.N, s.H})] { ops::dropout(x, 0.3, {1, 2}); }};
}

Kernel layer_norm(const Setting& s) {
  return {{.bytes = 8 * real(s.N * s.H)},
          [x = s.draw({s.N, s.H}), gamma = s.draw({s.H}), beta = s.draw({s.H})] { ops::layer_norm(x, gamma, beta); }};
}

Kernel tanh(const Setting& s) {
  return {{.bytes = 8 * real(s.N * s.H)}, [x = s.draw({s.N, s.H})] { ops::tanh(x); }};
}

Kernel embedding(const Setting& s) {
  std::vector<int32_t> ids;
  for (int64_t n = 0; n < s.N; ++n) ids.push_back(static_cast<int32_t>(n * 7919 % s.V));
  return {{.bytes = 8 * real(s.N * s.E)},
          [table = s.draw({s.V, s.E}), ids = ops::row_ids(std::move(ids))] { ops::gather_rows(table, ids); }};
}

// Weight, gradient and two moments are read, and all but the gradient written.
Kernel adam(const Setting& s) {
  const Var w = s.parameter({3 * s.V, s.H});
  const Tensor gradient = w.grad_buffer();
  for (float& g : gradient.span<float>()) g = 0.1F * (s.rng.uniform() - 0.5F);
  const auto optimizer = std::make_shared<train::Optimizer>(train::OptimizerOptions{.kind = "adam", .lr = 1e-6},
                                                            std::vector<NamedVar>{{"w", w}});
  return {{.bytes = 28 * real(3 * s.V * s.H)}, [optimizer] { optimizer->step(1e-6); }};
}

}  // namespace

std::vector<Case> kernels(const Options& o) {
  Cases out;
  const Setting s(o);
  const auto name = [](const char* what, auto... sizes) {
    std::string out = what;
    const char* between = " ";
    ((out += str_cat(between, sizes), between = " x "), ...);
    return out;
  };
  for (const char* precision : {"f32", "bf16", "int8"}) {
    if (!ops::precision_warning(precision).empty()) continue;  // not on this processor
    for (const int64_t O : {4 * s.H, s.V})
      for (const int64_t M : {1, 5, 16, 64, 1024}) out.push_back(product(o, precision, M, O));
    if (std::string_view(precision) != "int8") out.push_back(loss(o, precision));
  }
  out.push_back(plain(o, name("LSTM gates", s.B, 4 * s.H), &gates));
  out.push_back(plain(o, name("dot score", s.N, s.T, s.H), &dot_score));
  out.push_back(plain(o, name("additive score", s.N, s.T, s.H), &additive_score));
  out.push_back(plain(o, name("attend", s.N, s.T, s.H), &attend));
  for (const int64_t T : {16, 64, 256, 1024}) out.push_back(multi_head(o, T));
  out.push_back(plain(o, name("dropout", s.N, s.H), &dropout));
  out.push_back(plain(o, name("layer norm", s.N, s.H), &layer_norm));
  out.push_back(plain(o, name("tanh", s.N, s.H), &tanh));
  out.push_back(plain(o, name("embedding", s.N, s.E), &embedding));
  out.push_back(plain(o, name("Adam", 3 * s.V * s.H), &adam));
  return out;
}

}  // namespace lookback::bench

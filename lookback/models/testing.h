// For tests of models: small models, batches that repeat, and a plain Adam.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lookback/models/nested_texts.h"
#include "lookback/models/seq2seq.h"
#include "lookback/ops/testing.h"

namespace lookback::testing {

inline Seq2SeqOptions small_options() {
  Seq2SeqOptions o;
  o.encoder.hidden = 4;
  o.decoder.hidden = 8;
  o.embedding = 6;
  o.attention = 5;
  return o;
}

// `count` pairs of up to `longest` words a side, now and then an empty side.
inline Seq2SeqBatch random_batch(int64_t count, int64_t longest, int64_t vocabulary, uint64_t seed = 1) {
  Rng rng(seed);
  Seq2SeqBatch out;
  for (int64_t k = 0; k < count; ++k)
    for (auto* side : {&out.source, &out.target}) {
      std::vector<int32_t> words(rng.below(static_cast<uint64_t>(longest) + 1));
      for (int32_t& w : words) w = static_cast<int32_t>(4 + rng.below(static_cast<uint64_t>(vocabulary) - 4));
      side->push_back(words);
    }
  return out;
}

inline Seq2SeqBatch only(const Seq2SeqBatch& batch, size_t k) { return {{batch.source[k]}, {batch.target[k]}}; }

// Adds a text, each token of which is written in the same way wherever it stands, in parts of three tokens; with `gap`
// the second part is empty.
inline void add_text(NestedTexts& texts, std::vector<int32_t> tokens, int32_t characters, bool gap = false) {
  auto& spelling = texts.spellings.emplace_back();
  auto& parts = texts.parts.emplace_back();
  for (size_t t = 0; t < tokens.size(); ++t) {
    spelling.push_back(tokens[t] % 6);
    for (int32_t k = tokens[t] % 5; k > 0; --k) spelling.push_back(6 + (tokens[t] + k) % characters);
    if (t % 3 == 0) parts.push_back(0);
    if (gap && t == 3) parts.push_back(0);
    ++parts.back();
  }
  texts.tokens.push_back(std::move(tokens));
}

inline NestedTexts only(const NestedTexts& texts, size_t k) {
  const int64_t index[] = {static_cast<int64_t>(k)};
  return texts.chosen(index);
}

inline Var parameter(Seq2Seq& model, const std::string& name) {
  for (const NamedVar& p : params_of(model))
    if (p.name == name) return p.var;
  ADD_FAILURE() << "no parameter " << name;
  return {};
}

// After backward: every parameter has a gradient that is not zero throughout.
inline void expect_gradients(const std::vector<NamedVar>& params) {
  for (const NamedVar& p : params) {
    ASSERT_FALSE(p.var.grad().empty()) << p.name;
    EXPECT_TRUE(std::ranges::any_of(p.var.grad().span<float>(), [](float g) { return g != 0; })) << p.name;
  }
}

// log p of every class in a row of logits.
inline std::vector<double> log_softmax(const float* x, int64_t V) {
  const float top = *std::max_element(x, x + V);
  double sum = 0;
  for (int64_t v = 0; v < V; ++v) sum += std::exp(static_cast<double>(x[v] - top));
  std::vector<double> out;
  for (int64_t v = 0; v < V; ++v) out.push_back(static_cast<double>(x[v] - top) - std::log(sum));
  return out;
}

// Kingma and Ba 2015.
class Adam {
 public:
  Adam(std::vector<NamedVar> params, double lr) : params_(std::move(params)), lr_(lr) {
    for (const NamedVar& p : params_) moments_.emplace_back(2 * static_cast<size_t>(p.var.value().size()), 0.0);
  }
  void step() {
    ++t_;
    for (size_t k = 0; k < params_.size(); ++k) {
      const Var& v = params_[k].var;
      if (v.grad().empty()) continue;
      for (int64_t i = 0; i < v.value().size(); ++i) {
        const double g = v.grad().data<float>()[i];
        double &m = moments_[k][static_cast<size_t>(2 * i)], &s = moments_[k][static_cast<size_t>(2 * i + 1)];
        m = 0.9 * m + 0.1 * g, s = 0.999 * s + 0.001 * g * g;
        v.value().data<float>()[i] -=
            static_cast<float>(lr_ * (m / (1 - std::pow(0.9, t_))) / (std::sqrt(s / (1 - std::pow(0.999, t_))) + 1e-8));
      }
      v.touch(), v.clear_grad();
    }
  }

 private:
  std::vector<NamedVar> params_;
  double lr_, t_ = 0;
  std::vector<std::vector<double>> moments_;
};

}  // namespace lookback::testing

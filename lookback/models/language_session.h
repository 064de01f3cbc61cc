// Reading and writing text with a language model, token by token. What is remembered of a text lives here, beside the
// model, which is const and may be shared by any number of sessions and threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lookback/decode/step_decoder.h"
#include "lookback/models/language_model.h"

namespace lookback {

// The continuous cache (Grave, Joulin and Usunier 2017, "Improving neural language models with a continuous cache"):
//   p(w) = (1 - lambda) p_model(w) + lambda sum over remembered (h_i, w_i) with w_i = w of softmax_i(theta h . h_i)
// where h_i is what the output layer read when the token w_i came next.
struct CacheOptions {
  int64_t size = 0;
  double theta = 0.3;
  double lambda = 0.1;

  void fields(FieldVisitor& v) {
    v("size", size,
      "continuous cache (Grave et al. 2017): so many of the last tokens may be pointed at, each as strongly as the "
      "present state is like the one before it; 0: none")
        .range(0, 1e6);
    v("theta", theta, "how sharply the cache tells states apart: its logits are theta times their products")
        .range(0, 1000);
    v("lambda", lambda, "weight of the cache beside the model; 1: the cache alone").range(0, 1);
  }
};

// The last so many states of one text, each with the token that came next.
class PointerCache {
 public:
  PointerCache(const CacheOptions& options, int64_t width) : options_(options), width_(width) {}

  void add(std::span<const float> state, int32_t next);
  // The tokens remembered, from the oldest on, and the states before them, [size, width].
  std::span<const int32_t> tokens() const { return std::span(tokens_).subspan(first_); }
  std::span<const float> states() const { return std::span(states_).subspan(first_ * static_cast<size_t>(width_)); }
  // softmax_i(theta state . h_i), from the oldest on; none as long as nothing is remembered.
  std::vector<double> weights(std::span<const float> state) const;
  // Log-probabilities [V] of the model become those of the mixture.
  void mix(std::span<const float> state, std::span<float> log_probs) const;
  // The same of one token.
  double mix(std::span<const float> state, int32_t token, double log_prob) const;

  // Throws FormatError for what is no cache of these options and width.
  void restore(std::vector<int32_t> tokens, std::vector<float> states);

 private:
  CacheOptions options_;
  int64_t width_;
  std::vector<int32_t> tokens_;
  std::vector<float> states_;  // [tokens, width]
  size_t first_ = 0;           // those before are forgotten
};

// Some texts that are read side by side; one, as a rule. It begins behind a line's end.
class LanguageSession {
 public:
  using Tensors = std::vector<std::pair<std::string, Tensor>>;

  // The model has to outlive it.
  explicit LanguageSession(const LanguageModel& model, const CacheOptions& cache = {}, int64_t texts = 1);

  // Reads L more tokens of each text, [L * texts] by step.
  void read(std::span<const int32_t> tokens);
  // The same of one text, and what each of these tokens had been given before it was read: its log-probability.
  std::vector<double> score(std::span<const int32_t> tokens);
  // Of what comes next: [texts, V]. Logits, not normalised; with a cache log-probabilities.
  Tensor logits() const;
  // What the output layer reads then, [texts, width].
  const Var& hidden() const { return hidden_; }
  bool has_cache() const { return cache_.size > 0; }
  const PointerCache& cache(int64_t text) const { return caches_[static_cast<size_t>(text)]; }
  // Of the last call, see BlockState::weights; empty without attention.
  const Tensor& attention() const;

  // Text k continues what was text from[k].
  void reorder(std::span<const int32_t> from);
  // The texts of another session of this model join, behind these.
  void append(const LanguageSession& more);

  // All that it remembers, and the session that goes on from there to the same bits. `load` throws FormatError for
  // what is no session of this model with such a cache, saying what; the message names no file.
  Tensors tensors() const;
  void load(const Tensors& tensors);

  int64_t texts() const { return texts_; }
  const LanguageModel& model() const { return *model_; }

 private:
  void remember(const Var& hidden, std::span<const int32_t> tokens);

  const LanguageModel* model_;
  CacheOptions cache_;
  int64_t texts_;
  LanguageState state_;
  Var hidden_;
  std::vector<PointerCache> caches_;  // with a cache: of each text
};

// Search's view of it: row k writes the continuation of a text. The first step's tokens stand for what the sessions
// have read and are not read.
std::unique_ptr<decode::StepDecoder> make_decoder(LanguageSession session);

}  // namespace lookback

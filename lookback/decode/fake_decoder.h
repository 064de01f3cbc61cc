// For tests: a model whose logits and attention depend on the sentence and the
// whole history of a row, so that a wrong row, token or order shows at once.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "lookback/base/rng.h"
#include "lookback/decode/search.h"

namespace lookback::decode {

struct FakeModel {
  int64_t V = 6;
  double scale = 1.5;  // spread of the logits
  // Changes the logits of one state; history begins with bos.
  std::function<void(uint64_t key, const std::vector<int32_t>& history, std::vector<float>& logits)> edit;

  static Rng rng(uint64_t key, const std::vector<int32_t>& history, uint64_t use) {
    uint64_t h = key * 0x9E3779B97F4A7C15u + use;
    for (const int32_t token : history) h = (h ^ static_cast<uint64_t>(token + 1)) * 0xD6E8FEB86659FD93u, h ^= h >> 29;
    return Rng(h, use);
  }
  std::vector<float> logits(uint64_t key, const std::vector<int32_t>& history) const {
    Rng r = rng(key, history, 1);
    std::vector<float> out(static_cast<size_t>(V));
    for (float& x : out) x = static_cast<float>(scale * r.normal());
    if (edit) edit(key, history, out);
    return out;
  }
  std::vector<float> weights(uint64_t key, const std::vector<int32_t>& history, int64_t T) const {
    Rng r = rng(key, history, 2);
    std::vector<float> out(static_cast<size_t>(T));
    float sum = 0;
    for (float& x : out) sum += x = static_cast<float>(std::exp(1.5 * r.normal()));
    for (float& x : out) x /= sum;
    return out;
  }
};

struct FakeSentence {
  uint64_t key;
  int64_t T;
};

class FakeDecoder final : public StepDecoder {
 public:
  // `together` sentences have a row at the start; -1: all.
  FakeDecoder(FakeModel model, std::vector<FakeSentence> sentences, bool attention = true, int64_t together = -1)
      : model_(std::move(model)), sentences_(std::move(sentences)), attention_(attention) {
    const int64_t all = std::ssize(sentences_);
    add_rows(together < 0 ? all : std::min(together, all));
  }

  StepOutput step(std::span<const int32_t> tokens, int64_t) override {
    const int64_t N = static_cast<int64_t>(tokens.size()), V = model_.V;
    EXPECT_EQ(N, static_cast<int64_t>(rows_.size()));
    rows_per_step.push_back(N);
    StepOutput out{Tensor({N, V}), attention_ ? Tensor::zeros({N, widest_}) : Tensor()};
    for (size_t k = 0; k < rows_.size(); ++k) {
      rows_[k].history.push_back(tokens[k]);
      const FakeSentence& s = sentences_[rows_[k].sentence];
      const auto logits = model_.logits(s.key, rows_[k].history);
      std::copy(logits.begin(), logits.end(), out.logits.data<float>() + static_cast<int64_t>(k) * V);
      if (!attention_) continue;
      const auto weights = model_.weights(s.key, rows_[k].history, s.T);
      std::copy(weights.begin(), weights.end(), out.weights.data<float>() + static_cast<int64_t>(k) * widest_);
    }
    return out;
  }
  void reorder(std::span<const int32_t> from) override {
    std::vector<Row> next;
    for (const int32_t k : from) {
      ASSERT_TRUE(k >= 0 && k < static_cast<int32_t>(rows_.size()));
      next.push_back(rows_[static_cast<size_t>(k)]);
      ASSERT_TRUE(next.size() < 2 || next[next.size() - 2].sentence <= next.back().sentence) << "not grouped";
    }
    rows_ = std::move(next);
  }
  int64_t vocabulary() const override { return model_.V; }
  int64_t waiting() const override { return std::ssize(sentences_) - begun_; }
  void admit(int64_t n) override {
    ASSERT_TRUE(0 < n && n <= waiting());
    widest_ = 0;  // those that are gone count no more
    for (const Row& row : rows_) widest_ = std::max(widest_, sentences_[row.sentence].T);
    add_rows(n);
  }

  std::vector<int64_t> rows_per_step;

 private:
  void add_rows(int64_t n) {
    for (; n > 0; --n, ++begun_) {
      const auto b = static_cast<size_t>(begun_);
      rows_.push_back({b, {}});
      widest_ = std::max(widest_, sentences_[b].T);
    }
  }

  struct Row {
    size_t sentence;
    std::vector<int32_t> history;
  };
  FakeModel model_;
  std::vector<FakeSentence> sentences_;
  bool attention_;
  int64_t widest_ = 0, begun_ = 0;
  std::vector<Row> rows_;
};

inline std::vector<SourceInfo> sources_of(const std::vector<FakeSentence>& sentences) {
  std::vector<SourceInfo> out;
  for (const FakeSentence& s : sentences) out.push_back({.source_length = s.T, .key = s.key});
  return out;
}

// One sentence alone, told what `info` says beside its length and key.
inline std::vector<Hypothesis> search_with(const FakeModel& model, FakeSentence sentence, const SearchOptions& options,
                                           SourceInfo info) {
  FakeDecoder decoder(model, {sentence});
  info.source_length = sentence.T, info.key = sentence.key;
  return search(decoder, {std::move(info)}, options)[0];
}
inline std::vector<Hypothesis> search_one(const FakeModel& model, FakeSentence sentence, const SearchOptions& options,
                                          std::vector<int32_t> prefix = {}) {
  return search_with(model, sentence, options, SourceInfo{.prefix = std::move(prefix)});
}

// Hugging Face's RepetitionPenaltyLogitsProcessor, by the book.
inline std::vector<float> penalised(std::vector<float> logits, const std::vector<int32_t>& seen, double penalty) {
  std::vector<bool> done(logits.size(), false);
  for (const int32_t token : seen) {
    const auto k = static_cast<size_t>(token);
    if (!done[k]) logits[k] = static_cast<float>(logits[k] < 0 ? logits[k] * penalty : logits[k] / penalty);
    done[k] = true;
  }
  return logits;
}

inline SearchOptions beam_of(int64_t beam, int64_t n_best = 1) {
  SearchOptions o;
  o.beam = beam, o.n_best = n_best, o.max_length = 12;
  return o;
}

// log softmax in double, by the book.
inline std::vector<double> log_softmax(const std::vector<float>& logits) {
  const double highest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - highest);
  std::vector<double> out;
  for (const float x : logits) out.push_back(static_cast<double>(x) - highest - std::log(sum));
  return out;
}

inline void expect_same_bits(const Hypothesis& a, const Hypothesis& b) {
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.score, b.score);
  EXPECT_EQ(a.log_prob, b.log_prob);
  EXPECT_EQ(a.token_log_probs, b.token_log_probs);
  EXPECT_EQ(a.finished, b.finished);
  EXPECT_EQ(a.stopped, b.stopped);
  ASSERT_EQ(a.alignment.shape(), b.alignment.shape());
  EXPECT_TRUE(std::equal(a.alignment.span<float>().begin(), a.alignment.span<float>().end(),
                         b.alignment.span<float>().begin()));
}

}  // namespace lookback::decode

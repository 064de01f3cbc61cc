// Private to decode: the rules of search for one sentence; search.cpp runs many of them side by side.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/decode/draw.h"
#include "lookback/decode/hypothesis.h"
#include "lookback/decode/row_scan.h"
#include "lookback/decode/search_options.h"
#include "lookback/decode/trellis.h"

namespace lookback::decode {

// What one open hypothesis may do next, and what its logits say. Reused from
// step to step; filled for many rows in parallel.
struct Choice {
  std::span<const float> logits;        // [V], or of the candidates
  std::span<const float> ranked;        // what search goes by: the logits, or `penalised`
  std::span<const int32_t> candidates;  // ascending tokens; empty: column k is token k
  bool log_probs = false;               // the logits are scores to be added as they stand
  int32_t forced = -1;                  // the only token allowed, if not -1
  bool eos_allowed = false;
  std::vector<int32_t> excluded;  // columns, ascending; that of eos is always in it
  std::vector<int32_t> history;   // context and tokens so far, if a rule looks at them
  std::vector<float> penalised;   // logits under repetition_penalty
  RowScan scan;                   // of `ranked`, its log_sum_exp as below
  double log_sum_exp = 0;         // of `logits`; 0 if they are log_probs
  DrawScratch scratch;
  int32_t drawn = -1;  // sampling: the token, -1 if nothing can happen

  int32_t token(int32_t column) const { return candidates.empty() ? column : candidates[static_cast<size_t>(column)]; }
  // Where a token's logit is; -1 if it is no candidate.
  int32_t column(int32_t token) const;
  double log_prob(int32_t token) const;         // the model's own
  double ranked_log_prob(int32_t token) const;  // of the distribution search goes by
};

class SentenceSearch {
 public:
  // All arguments but `vocabulary` and `index` must outlive this.
  SentenceSearch(const SearchOptions& options, const Scorer& scorer, const SourceInfo& source, int64_t vocabulary,
                 int64_t index);

  bool done() const { return done_; }
  int64_t index() const { return index_; }
  int64_t limit() const { return limit_; }
  int64_t length() const { return length_; }  // tokens of every open hypothesis
  // Rows of the model the next step needs, and the token each is fed.
  int64_t rows() const { return rows_; }
  int32_t previous(int64_t row) const;
  // Open hypotheses: one per row, but for the first step of sampling, where all draws share row 0.
  int64_t open() const { return static_cast<int64_t>(open_.size()); }
  int64_t row_of(int64_t hypothesis) const { return open_[static_cast<size_t>(hypothesis)].row; }
  // So many of the likeliest tokens decide this step, if nothing else is wanted: those that may be forbidden or
  // penalised, and one. StepDecoder::kAll if all may be needed.
  int64_t best_needed() const;

  // Fills `choice` for an open hypothesis; its logits are set. Thread-safe and without exceptions of its own.
  void choose(int64_t hypothesis, Choice& choice) const;
  // Takes one step: `choices` per open hypothesis, `weights` [rows, T] (T = 0
  // without attention). Appends to `from` the row each new row continues.
  void advance(std::span<const Choice> choices, std::span<const float> weights, std::vector<int64_t>& from);
  // What was found. Call once, when done.
  std::vector<Hypothesis> results();

 private:
  struct Open {
    int64_t node;
    double log_prob;  // of the distribution search goes by
    int64_t row;
    int64_t draw;  // sampling: which one
  };
  struct Ended {
    int64_t node;  // that of eos, or of the last token
    bool finished;
    bool stopped;  // without eos
    double score;
  };
  // A continuation of an open hypothesis.
  struct Extension {
    double total;  // log-probability
    int32_t token;
    int64_t parent;  // in open_
  };

  bool looks_back() const { return options_.no_repeat_ngram > 0 || options_.repetition_penalty != 1; }
  void gather_history(int64_t hypothesis, Choice& choice) const;
  void constrain(Choice& choice) const;
  void scan(Choice& choice) const;
  void advance_beam(std::span<const Choice> choices, std::vector<int64_t>& from);
  void advance_draws(std::span<const Choice> choices, std::vector<int64_t>& from);
  void gather_extensions(std::span<const Choice> choices);
  int64_t extend(const Open& parent, int32_t token, double log_prob);
  void keep(const Ended& ended);
  double score(int64_t node, double log_prob) const;
  bool ends_after(int64_t node);
  bool nothing_open_can_win(const std::vector<Open>& next) const;

  const SearchOptions& options_;
  const Scorer& scorer_;
  const SourceInfo& source_;
  int64_t vocabulary_;
  int64_t index_;
  int64_t limit_;
  int64_t length_ = 0;
  int64_t rows_ = 1;
  bool done_ = false;
  Trellis trellis_;
  std::vector<Open> open_, next_;
  std::vector<int64_t> row_weights_;  // row of the step -> row of the trellis
  std::vector<Extension> extensions_;
  std::vector<int32_t> tokens_;
  std::vector<Ended> ended_;  // beam: the n_best best, best first; sampling: one per draw
  int64_t finished_ = 0;
};

}  // namespace lookback::decode

// Private to models: the output layer over the tokens that the sentences of a batch may use.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/nn/linear.h"
#include "lookback/ops/basic.h"

namespace lookback {

// Rows of the output weight are gathered for the union of all sentences' candidates, and multiplied in blocks of one
// size: so a product's bits do not depend on what other sentences may say. A sentence then gets its own candidates'
// logits, in its own order, and nothing else about the union can be seen.
class OutputShortlist {
 public:
  // candidates[s]: ascending tokens of sentence s. The layer must outlive this.
  void assign(const Linear& output, std::vector<std::vector<int32_t>> candidates);

  // readout [N, R], row n for sentence of[n] -> [N, C] with C the most candidates of a sentence: column c is the
  // logit of candidate c, -inf where there are no more.
  Tensor logits(const Var& readout, const std::vector<int32_t>& of) const;
  // Of each row.
  std::vector<std::span<const int32_t>> candidates(const std::vector<int32_t>& of) const;
  const std::vector<int32_t>& candidates_of(int32_t sentence) const {
    return candidates_[static_cast<size_t>(sentence)];
  }

 private:
  std::vector<std::vector<int32_t>> candidates_;
  std::vector<std::vector<int32_t>> places_;  // of each candidate in the union
  std::vector<Linear> blocks_;
};

}  // namespace lookback

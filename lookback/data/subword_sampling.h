// Random cuts of one text into subwords, for training only (subword regularisation). SentencePiece can do
// this too, but from a random generator of its own; here a cut is a function of the text and our `Rng`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lookback/base/rng.h"
#include "lookback/data/spm_model.h"

namespace lookback::data {

// Both work on normalised text, as SentencePiece makes it: U+2581 for spaces. Unknown stretches become one kUnk,
// or bytes where the model has byte pieces. Both hold what they need of the model, not the model.

// BPE-dropout (Provilkov et al. 2020): at every step each possible merge is left out with chance p, the best of
// the rest is done; a word is finished when none is left. p = 0 is plain BPE. Words are cut at U+2581.
class BpeSampler {
 public:
  explicit BpeSampler(const SpmModel& model);
  std::vector<int32_t> sample(std::string_view normalized, double dropout, Rng& rng) const;

 private:
  void sample_word(std::string_view word, double dropout, Rng& rng, std::vector<int32_t>& out) const;

  struct Entry {
    int32_t id;
    float score;
  };
  std::vector<SpmPiece> pieces_;
  std::unordered_map<std::string_view, Entry> mergeable_;  // views into pieces_
  std::vector<int32_t> bytes_;                             // id of each byte piece, or empty
  bool space_is_suffix_;
};

// Unigram (Kudo 2018): a cut drawn with probability p(cut)^alpha over all cuts, exactly, by forward
// filtering and backward sampling. Large alpha tends to the best cut.
class UnigramSampler {
 public:
  explicit UnigramSampler(const SpmModel& model);
  std::vector<int32_t> sample(std::string_view normalized, double alpha, Rng& rng) const;

 private:
  struct Edge {
    uint32_t begin;
    int32_t id;
    double weight;  // log of the summed weight of all cuts that end with this edge
    int32_t next;   // another edge with the same end, or -1
  };
  std::unordered_map<uint64_t, int32_t> child_;  // node << 8 | byte -> node
  std::vector<int32_t> piece_;                   // node -> id, or -1
  std::vector<float> scores_;
  float unknown_score_ = 0;
  std::vector<int32_t> bytes_;
};

}  // namespace lookback::data

// What the frames of a CTC model say, without search: its likeliest path, and where the tokens of a known text lie.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lookback/tensor/tensor.h"

namespace lookback::decode {

// A token and the frames a path spends on it.
struct CtcToken {
  int32_t token;
  int64_t first, last;
  bool operator==(const CtcToken&) const = default;
};

// In all, log_probs f32 or f64 [T, V] are the log-probabilities of the classes in every frame, -infinity allowed. All
// throw ShapeError, and NumericError where log_probs hold NaN or +infinity.

// Best path decoding of frames that come piece by piece: all pieces together give ctc_best_path of the whole.
class CtcBestPath {
 public:
  explicit CtcBestPath(int32_t blank) : blank_(blank), last_(blank) {}

  // The next frames.
  void read(const Tensor& log_probs);
  // Those of all frames so far; the last one may still grow.
  const std::vector<CtcToken>& tokens() const { return tokens_; }

 private:
  int32_t blank_, last_;  // what the last frame said
  int64_t frames_ = 0;
  std::vector<CtcToken> tokens_;
};

// Best path decoding (Graves et al. 2006, section 3.2): the likeliest class of every frame, of equals the smallest,
// with repeats joined and blanks taken out. Not the likeliest text: that of all paths together may be another.
std::vector<CtcToken> ctc_best_path(const Tensor& log_probs, int32_t blank);

// The likeliest of all paths that stand for `target` (Viterbi): for each of its tokens, which are not the blank, where
// it lies. Of equally likely paths the one that goes on to each state as late as it can. Nothing if no path does.
std::optional<std::vector<CtcToken>> ctc_align(const Tensor& log_probs, const std::vector<int32_t>& target,
                                               int32_t blank);

}  // namespace lookback::decode

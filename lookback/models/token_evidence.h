// Naive Bayes beside a network: what the tokens of a text, and pairs of neighbours, say of its classes when they are
// counted. Of few texts counting learns more about rare pairs than a network does, and a network more about order;
// their sum is better than both (stacked generalisation, Wolpert 1992).
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "lookback/models/sentences.h"
#include "lookback/tensor/tensor.h"

namespace lookback {

class TokenEvidence {
 public:
  // Texts as token ids, and the classes of each, in [0, classes). What a feature says of a class is log p(feature |
  // class) - log p(feature | the other classes), one added to each count (Laplace). The same bits for any number of
  // threads. Throws ShapeError for unequal numbers of texts and labels, and for no class.
  static TokenEvidence learn(const Sentences& texts, const Sentences& labels, int64_t classes);
  // features i32 [F, 2], a token and the one behind it or -1, in ascending order; log_odds f32 [F, classes]. Throws
  // ShapeError for other shapes, dtypes or orders, and for numbers that are not finite.
  TokenEvidence(Tensor features, Tensor log_odds);

  int64_t classes() const { return log_odds_.dim(1); }
  const Tensor& features() const { return features_; }
  const Tensor& log_odds() const { return log_odds_; }
  // The sum over a text's n features, over sqrt(n): as they depend on each other, n of them do not say n times as much.
  // Features that training has not say nothing. [classes], 0 for an empty text.
  std::vector<double> of(std::span<const int32_t> tokens) const;

 private:
  Tensor features_, log_odds_;
  std::unordered_map<uint64_t, int64_t> rows_;
};

// A network's logits and evidence in one: logits / temperature + share * evidence.
struct Blend {
  double temperature = 1;  // in [0.01, 100]
  double share = 0;        // in [0, 100]
};

// The blend under which held-out classes are likeliest: logits and evidence [N, classes], finite. The negative
// log-likelihood is convex in 1 / temperature and share; a share below 0 becomes 0. {1, 0} for no examples.
Blend fitted_blend(std::span<const int64_t> gold, std::span<const double> logits, std::span<const double> evidence);

}  // namespace lookback

// Baselines over bags of words: which words and pairs of neighbours a text has, and what each says of its class.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lookback/base/fields.h"

namespace lookback {

struct BagOfWordsOptions {
  bool bigrams = true;
  bool binary = false;
  double alpha = 1;
  double inverse_penalty = 1;

  void fields(auto& v) {
    v("bigrams", bigrams, "pairs of neighbouring words count too");
    v("binary", binary, "whether a text has a word counts, not how often");
    v("alpha", alpha, "naive Bayes: added to each count").range(1e-10, 1e6);
    v("inverse_penalty", inverse_penalty, "logistic regression: the larger, the freer the weights").range(1e-6, 1e6);
  }
};

// Words as they are to be compared: lower case or not is the caller's choice.
using Words = std::vector<std::string>;

// K classes, numbered from 0; a label for each text.
struct LabelledTexts {
  std::vector<Words> texts;
  std::vector<int64_t> labels;
  int64_t classes = 0;
};

// Words and pairs of neighbours by number, in the order in which they were first seen.
class BagFeatures {
 public:
  // A feature and its value: how often a text has it, or 1.
  using Row = std::vector<std::pair<int32_t, double>>;

  explicit BagFeatures(bool bigrams = true, bool binary = false) : bigrams_(bigrams), binary_(binary) {}

  int64_t size() const { return size_; }
  // Of a text, in ascending order; learn() numbers those it has not seen, find() leaves them out.
  Row learn(const Words& text);
  Row find(const Words& text) const;
  // -1 for an unknown one.
  int32_t word(std::string_view word) const;
  int32_t bigram(std::string_view first, std::string_view second) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  Row counted(std::vector<int32_t> features) const;

  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> words_;
  std::unordered_map<uint64_t, int32_t> pairs_;  // of the numbers of two words
  int32_t size_ = 0;
  bool bigrams_, binary_;
};

// p(class | text) = softmax(bias + sum of value * weights over the text's features); unknown ones say nothing. Methods
// are const and may run on several threads at once.
class BagOfWords {
 public:
  // weights [F, K], bias [K].
  BagOfWords(BagFeatures features, std::vector<double> weights, std::vector<double> bias);

  std::vector<double> predict(const Words& text) const;  // [K]

  int64_t classes() const { return std::ssize(bias_); }
  const BagFeatures& features() const { return features_; }
  std::span<const double> bias() const { return bias_; }
  std::span<const double> weights(int32_t feature) const;  // [K]

 private:
  BagFeatures features_;
  std::vector<double> weights_, bias_;
};

// All give the same bits for any number of threads and on every processor. They throw ShapeError for no texts, as many
// labels as there are not texts, or a label outside [0, classes), and ConfigError for options out of range.

// Each class as likely as it is frequent, whatever the text.
BagOfWords train_majority(const LabelledTexts& data);

// Multinomial naive Bayes (McCallum and Nigam 1998, "A comparison of event models for naive Bayes text
// classification"): log p(k) + sum of value * log p(feature | k), p(feature | k) = (count + alpha) / (total of k +
// alpha F).
BagOfWords train_naive_bayes(const LabelledTexts& data, const BagOfWordsOptions& options = {});

// Multinomial logistic regression: the minimum of C * sum of -log p(label) + |weights|^2 / 2, C the inverse penalty and
// bias free; two classes share one weight for each feature. As scikit-learn's LogisticRegression(C), to convergence.
// Memory: some 25 times the weights, 8 F K bytes (F for two classes).
BagOfWords train_logistic_regression(const LabelledTexts& data, const BagOfWordsOptions& options = {});

}  // namespace lookback

// How well predicted classes, and their probabilities, are those of the examples. Shares are fractions here, and every
// number is the one that scikit-learn gives; label_metrics.h has scores of lines. N examples, K classes, numbered from
// 0. All throw ShapeError for no examples, lengths that do not fit or a class outside [0, K), and NumericError for a
// number that is NaN.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lookback/base/fields.h"

namespace lookback::metrics {

// One class: how often it was gold, predicted, and both at once. Of what is divided by 0 each share is 0.
struct ClassCounts {
  int64_t correct = 0, gold = 0, predicted = 0;

  double precision() const;  // correct / predicted
  double recall() const;     // correct / gold
  double f1() const;         // 2 correct / (gold + predicted)
};

struct ConfusionMatrix {
  int64_t classes = 0;
  std::vector<int64_t> counts;  // [gold, predicted], K * K

  int64_t at(int64_t gold, int64_t predicted) const { return counts[static_cast<size_t>(gold * classes + predicted)]; }
  std::vector<ClassCounts> by_class() const;
};

ConfusionMatrix confusion_matrix(std::span<const int64_t> gold, std::span<const int64_t> predicted, int64_t classes);

// The matrix as aligned lines, a row for each gold class with its recall, and below the precisions, both in percent.
// Throws ShapeError unless there is a name for each class, FormatError for a name that is not UTF-8.
std::string confusion_text(const ConfusionMatrix& matrix, const StringList& names);

// Columns of a table as lines, each as wide as its widest cell; the first one starts at the left, the others end at the
// right. Throws FormatError for a cell that is not UTF-8.
std::string aligned_columns(const std::vector<StringList>& rows);

struct MacroAverages {
  double precision = 0, recall = 0, f1 = 0;
};

// Means over the classes that are gold or predicted somewhere; others are left out.
MacroAverages macro_averages(std::span<const ClassCounts> classes);
// F1 of all classes' counts together, which is accuracy where each example has one class.
double micro_f1(std::span<const ClassCounts> classes);
// Matthews' correlation coefficient for K classes (Gorodkin 2004, "Comparing two K-category assignments by a
// K-category correlation coefficient"): with s examples, c of them right, and each class gold t_k and predicted p_k
// times,
//   (c s - sum_k p_k t_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2))
// in [-1, 1]; 0 where all is gold, or predicted, as one class.
double matthews(std::span<const ClassCounts> classes);

// The chance that an example of class 1 has a higher score than one of class 0, where equals count half. Throws
// ShapeError also if one of the two has no example.
double roc_auc(std::span<const int64_t> gold, std::span<const double> scores);
// The mean over classes of roc_auc(it against the rest), probabilities [N, K]. Classes without an example are left out;
// throws ShapeError if all examples have one class.
double roc_auc_one_vs_rest(std::span<const int64_t> gold, std::span<const double> probabilities);

// Expected calibration error (Guo et al. 2017, "On calibration of modern neural networks"): examples are sorted into
// bins ((m-1)/M, m/M] by the highest of their probabilities [N, K], the confidence; the mean, over examples, of what
// lies between the share of right ones and the mean confidence of their bin. Throws NumericError outside [0, 1].
double calibration_error(std::span<const int64_t> gold, std::span<const double> probabilities, int64_t bins = 15);

// Mean of -log p(gold) in nats, probabilities [N, K]; infinite where a gold class has probability 0.
double negative_log_likelihood(std::span<const int64_t> gold, std::span<const double> probabilities);
// The same for softmax(logits / temperature), logits [N, K].
double negative_log_likelihood_of_logits(std::span<const int64_t> gold, std::span<const double> logits,
                                         double temperature = 1);

// The temperature T in [0.01, 100] for which softmax(logits / T) has the least negative log-likelihood (Guo et al.
// 2017); logits [N, K], finite. The likelihood is log-concave in 1/T, whose best value Newton's method finds between
// two bounds: the same bits for any number of threads.
double fit_temperature(std::span<const int64_t> gold, std::span<const double> logits);

}  // namespace lookback::metrics

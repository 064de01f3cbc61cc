#include "lookback/metrics/classification.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

using Classes = std::span<const int64_t>;
using Numbers = std::span<const double>;

constexpr double kLeastInverse = 0.01, kGreatestInverse = 100;

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void check_classes(const char* what, Classes values, int64_t classes) {
  for (size_t i = 0; i < values.size(); ++i)
    check<ShapeError>(values[i] >= 0 && values[i] < classes, what, ": class ", values[i], " of example ", i + 1,
                      " is none of the ", classes);
}

void check_numbers(const char* what, Numbers numbers, int64_t per_example) {
  for (size_t i = 0; i < numbers.size(); ++i)
    check<NumericError>(!std::isnan(numbers[i]), what, ": example ", i / static_cast<size_t>(per_example) + 1,
                        " has a number that is NaN");
}

// K of numbers [N, K].
int64_t check_rows(const char* what, Classes gold, Numbers numbers) {
  check<ShapeError>(!gold.empty(), what, ": there are no examples");
  check<ShapeError>(!numbers.empty() && numbers.size() % gold.size() == 0, what, ": ", numbers.size(), " numbers for ",
                    gold.size(), " examples; there must be as many for each, one for every class");
  const auto classes = static_cast<int64_t>(numbers.size() / gold.size());
  check_classes(what, gold, classes);
  check_numbers(what, numbers, classes);
  return classes;
}

Numbers row_of(Numbers numbers, size_t i, int64_t classes) {
  const auto k = static_cast<size_t>(classes);
  return numbers.subspan(i * k, k);
}

double midrank_auc(const std::vector<bool>& positive, Numbers scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return scores[i]; });
  const auto positives = static_cast<double>(std::ranges::count(positive, true));
  const double negatives = static_cast<double>(scores.size()) - positives;
  double wins = 0, below = 0;  // pairs in the right order; negatives with lower scores
  for (size_t at = 0; at < order.size();) {
    double equal_positives = 0, equal_negatives = 0;
    const double score = scores[order[at]];
    for (; at < order.size() && scores[order[at]] == score; ++at)
      (positive[order[at]] ? equal_positives : equal_negatives) += 1;
    wins += equal_positives * (below + 0.5 * equal_negatives);
    below += equal_negatives;
  }
  return wins / (positives * negatives);
}

// Of x = 1/T: the mean of log sum_k e^(x z_k) - x z_gold, and its first two derivatives in x.
struct Likelihood {
  double value = 0, slope = 0, curvature = 0;
};

Likelihood likelihood(Classes gold, Numbers logits, int64_t classes, double x) {
  Likelihood sum;
  for (size_t i = 0; i < gold.size(); ++i) {
    const Numbers z = row_of(logits, i, classes);
    const double top = *std::ranges::max_element(z), z_gold = z[static_cast<size_t>(gold[i])];
    double total = 0, first = 0, second = 0;  // of e^(x (z_k - top)), and of that times (z_k - top) and its square
    for (const double z_k : z) {
      const double d = z_k - top, e = elementary::exp(x * d);
      total += e, first += e * d, second += e * d * d;
    }
    const double mean = first / total;
    sum.value += elementary::log(total) + x * (top - z_gold);
    sum.slope += mean + top - z_gold;
    sum.curvature += second / total - mean * mean;
  }
  const auto n = static_cast<double>(gold.size());
  return {sum.value / n, sum.slope / n, sum.curvature / n};
}

int64_t check_logits(const char* what, Classes gold, Numbers logits) {
  const int64_t classes = check_rows(what, gold, logits);
  for (const double z : logits) check<NumericError>(std::isfinite(z), what, ": a logit is infinite");
  return classes;
}

}  // namespace

double ClassCounts::precision() const { return share(correct, predicted); }
double ClassCounts::recall() const { return share(correct, gold); }
double ClassCounts::f1() const { return share(2 * correct, gold + predicted); }

std::vector<ClassCounts> ConfusionMatrix::by_class() const {
  std::vector<ClassCounts> out(static_cast<size_t>(classes));
  for (int64_t g = 0; g < classes; ++g)
    for (int64_t p = 0; p < classes; ++p) {
      out[static_cast<size_t>(g)].gold += at(g, p);
      out[static_cast<size_t>(p)].predicted += at(g, p);
      if (g == p) out[static_cast<size_t>(g)].correct = at(g, p);
    }
  return out;
}

std::string aligned_columns(const std::vector<StringList>& rows) {
  std::vector<int64_t> widths;
  for (const StringList& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], terminal_width(decode_utf8(row[c])));
  }
  std::string out;
  for (const StringList& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string gap(static_cast<size_t>(widths[c] - terminal_width(decode_utf8(row[c]))), ' ');
      line += c == 0 ? row[c] + gap : "  " + gap + row[c];
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

ConfusionMatrix confusion_matrix(Classes gold, Classes predicted, int64_t classes) {
  check<ShapeError>(!gold.empty(), "confusion matrix: there are no examples");
  check<ShapeError>(gold.size() == predicted.size(), "confusion matrix: ", predicted.size(), " predictions for ",
                    gold.size(), " examples");
  check_classes("confusion matrix", gold, classes);
  check_classes("confusion matrix", predicted, classes);
  ConfusionMatrix out{.classes = classes};
  out.counts.resize(static_cast<size_t>(classes * classes));
  for (size_t i = 0; i < gold.size(); ++i) ++out.counts[static_cast<size_t>(gold[i] * classes + predicted[i])];
  return out;
}

std::string confusion_text(const ConfusionMatrix& matrix, const StringList& names) {
  check<ShapeError>(std::ssize(names) == matrix.classes, "confusion matrix: ", names.size(), " names for ",
                    matrix.classes, " classes");
  const std::vector<ClassCounts> classes = matrix.by_class();
  std::vector<StringList> rows{{"gold \\ predicted"}};
  for (const std::string& name : names) rows[0].push_back(name);
  rows[0].emplace_back("recall");
  StringList last{"precision"};
  for (int64_t g = 0; g < matrix.classes; ++g) {
    const ClassCounts& c = classes[static_cast<size_t>(g)];
    StringList row{names[static_cast<size_t>(g)]};
    for (int64_t p = 0; p < matrix.classes; ++p) row.push_back(std::to_string(matrix.at(g, p)));
    row.push_back(fixed(100 * c.recall(), 1));
    rows.push_back(std::move(row));
    last.push_back(fixed(100 * c.precision(), 1));
  }
  rows.push_back(std::move(last));
  return aligned_columns(rows);
}

MacroAverages macro_averages(std::span<const ClassCounts> classes) {
  MacroAverages sum;
  double seen = 0;
  for (const ClassCounts& c : classes) {
    if (c.gold + c.predicted == 0) continue;
    sum.precision += c.precision(), sum.recall += c.recall(), sum.f1 += c.f1();
    seen += 1;
  }
  check<ShapeError>(seen > 0, "macro averages: there are no examples");
  return {sum.precision / seen, sum.recall / seen, sum.f1 / seen};
}

double micro_f1(std::span<const ClassCounts> classes) {
  ClassCounts sum;
  for (const ClassCounts& c : classes) sum.correct += c.correct, sum.gold += c.gold, sum.predicted += c.predicted;
  check<ShapeError>(sum.gold > 0, "micro F1: there are no examples");
  return sum.f1();
}

double matthews(std::span<const ClassCounts> classes) {
  double s = 0, c = 0, both = 0, gold = 0, predicted = 0;
  for (const ClassCounts& k : classes) {
    const auto t_k = static_cast<double>(k.gold), p_k = static_cast<double>(k.predicted);
    s += t_k, c += static_cast<double>(k.correct);
    both += p_k * t_k, gold += t_k * t_k, predicted += p_k * p_k;
  }
  check<ShapeError>(s > 0, "Matthews' coefficient: there are no examples");
  const double square = (s * s - predicted) * (s * s - gold);
  return square == 0 ? 0 : (c * s - both) / std::sqrt(square);
}

double roc_auc(Classes gold, Numbers scores) {
  check<ShapeError>(!gold.empty(), "ROC AUC: there are no examples");
  check<ShapeError>(gold.size() == scores.size(), "ROC AUC: ", scores.size(), " scores for ", gold.size(), " examples");
  check_classes("ROC AUC", gold, 2);
  check_numbers("ROC AUC", scores, 1);
  std::vector<bool> positive;
  for (const int64_t g : gold) positive.push_back(g == 1);
  const auto ones = std::ranges::count(positive, true);
  check<ShapeError>(ones > 0 && ones<std::ssize(gold), "ROC AUC: all examples are of class ", ones> 0 ? 1 : 0);
  return midrank_auc(positive, scores);
}

double roc_auc_one_vs_rest(Classes gold, Numbers probabilities) {
  const int64_t classes = check_rows("ROC AUC", gold, probabilities);
  double sum = 0, seen = 0;
  for (int64_t k = 0; k < classes; ++k) {
    std::vector<bool> positive;
    std::vector<double> scores;
    for (size_t i = 0; i < gold.size(); ++i) {
      positive.push_back(gold[i] == k);
      scores.push_back(row_of(probabilities, i, classes)[static_cast<size_t>(k)]);
    }
    const auto ones = std::ranges::count(positive, true);
    check<ShapeError>(ones < std::ssize(gold), "ROC AUC: all examples are of class ", k);
    if (ones == 0) continue;
    sum += midrank_auc(positive, scores);
    seen += 1;
  }
  return sum / seen;
}

double calibration_error(Classes gold, Numbers probabilities, int64_t bins) {
  check<ShapeError>(bins > 0, "calibration error: there are ", bins, " bins");
  const int64_t classes = check_rows("calibration error", gold, probabilities);
  for (const double p : probabilities)  // sums of floats may come out a little above 1
    check<NumericError>(p >= 0 && p <= 1 + 1e-6, "calibration error: ", p, " is no probability");
  std::vector<double> borders, gaps(static_cast<size_t>(bins));  // m / M; sums of right - confidence
  for (int64_t m = 1; m <= bins; ++m) borders.push_back(static_cast<double>(m) / static_cast<double>(bins));
  for (size_t i = 0; i < gold.size(); ++i) {
    const Numbers p = row_of(probabilities, i, classes);
    const auto best = std::ranges::max_element(p);
    const auto bin = std::ranges::lower_bound(borders, std::min(*best, 1.0)) - borders.begin();
    gaps[static_cast<size_t>(bin)] += (best - p.begin() == gold[i] ? 1 : 0) - *best;
  }
  double sum = 0;
  for (const double gap : gaps) sum += std::abs(gap);
  return sum / static_cast<double>(gold.size());
}

double negative_log_likelihood(Classes gold, Numbers probabilities) {
  const int64_t classes = check_rows("negative log-likelihood", gold, probabilities);
  double sum = 0;
  for (size_t i = 0; i < gold.size(); ++i) {
    const double p = row_of(probabilities, i, classes)[static_cast<size_t>(gold[i])];
    check<NumericError>(p >= 0, "negative log-likelihood: ", p, " is no probability");
    sum -= elementary::log(p);
  }
  return sum / static_cast<double>(gold.size());
}

double negative_log_likelihood_of_logits(Classes gold, Numbers logits, double temperature) {
  check<NumericError>(temperature > 0, "negative log-likelihood: the temperature is ", temperature,
                      "; it must be above 0");
  const int64_t classes = check_logits("negative log-likelihood", gold, logits);
  return likelihood(gold, logits, classes, 1 / temperature).value;
}

double fit_temperature(Classes gold, Numbers logits) {
  const int64_t classes = check_logits("temperature", gold, logits);
  double low = kLeastInverse, high = kGreatestInverse;
  if (likelihood(gold, logits, classes, low).slope >= 0) return 1 / low;
  if (likelihood(gold, logits, classes, high).slope <= 0) return 1 / high;
  double x = 1;
  for (int step = 0; step < 200; ++step) {
    const Likelihood at = likelihood(gold, logits, classes, x);
    (at.slope < 0 ? low : high) = x;
    double next = x - at.slope / at.curvature;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    const bool done = std::abs(next - x) <= 1e-14 * x;
    x = next;
    if (done) break;
  }
  return 1 / x;
}

}  // namespace lookback::metrics

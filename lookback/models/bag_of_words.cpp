#include "lookback/models/bag_of_words.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/models/lbfgs.h"

namespace lookback {
namespace {

using Row = BagFeatures::Row;

uint64_t pair_key(int32_t first, int32_t second) {
  return uint64_t{static_cast<uint32_t>(first)} << 32 | static_cast<uint32_t>(second);
}

void check_data(const LabelledTexts& data) {
  check<ShapeError>(!data.texts.empty(), "bag of words: there are no texts");
  check<ShapeError>(data.texts.size() == data.labels.size(), "bag of words: ", data.labels.size(), " labels for ",
                    data.texts.size(), " texts");
  for (size_t i = 0; i < data.labels.size(); ++i)
    check<ShapeError>(data.labels[i] >= 0 && data.labels[i] < data.classes, "bag of words: label ", data.labels[i],
                      " of text ", i + 1, " is none of the ", data.classes, " classes");
}

BagOfWordsOptions checked(BagOfWordsOptions options) {
  for (Field& f : fields_of(options)) set_field(f, field_value(f), "bag of words");
  return options;
}

std::vector<double> log_shares(const LabelledTexts& data) {
  std::vector<double> out(static_cast<size_t>(data.classes));
  for (const int64_t label : data.labels) out[static_cast<size_t>(label)] += 1;
  for (double& n : out) n = elementary::log(n / static_cast<double>(data.labels.size()));
  return out;
}

// The objective divided by C n, n the texts: mean of -log p(label) + |weights|^2 / (2 C n). Its parameters are the
// weights [F, R] and then the bias [R], R the classes, without the first one where there are two.
class LogisticLoss {
 public:
  LogisticLoss(std::vector<Row> rows, const LabelledTexts& data, int64_t features, double inverse_penalty)
      : rows_(std::move(rows)),
        labels_(data.labels),
        classes_(static_cast<size_t>(data.classes)),
        outputs_(classes_ == 2 ? 1 : classes_),
        weights_(static_cast<size_t>(features) * outputs_),
        n_(static_cast<double>(rows_.size())),
        penalty_(1 / (inverse_penalty * n_)) {}

  size_t size() const { return weights_ + outputs_; }

  double operator()(const std::vector<double>& x, std::vector<double>& gradient) const {
    double norm = 0, loss = 0;
    std::ranges::fill(gradient, 0);
    for (size_t i = 0; i < weights_; ++i) norm += x[i] * x[i], gradient[i] = penalty_ * x[i];
    std::vector<double> p(classes_);
    for (size_t n = 0; n < rows_.size(); ++n) {
      scores(x, rows_[n], p);
      const auto label = static_cast<size_t>(labels_[n]);
      const double z = p[label];
      loss += elementary::softmax(p) - z;
      p[label] -= 1;
      for (double& v : p) v /= n_;
      accumulate(p, rows_[n], gradient);
    }
    return loss / n_ + 0.5 * penalty_ * norm;
  }

  // As a classifier has them: weights [F, K] and bias [K].
  std::pair<std::vector<double>, std::vector<double>> by_class(const std::vector<double>& x) const {
    std::vector<double> all(size() / outputs_ * classes_);
    for (size_t i = 0; i < x.size(); ++i) all[i / outputs_ * classes_ + first_class() + i % outputs_] = x[i];
    const auto bias = all.end() - static_cast<int64_t>(classes_);
    return {{all.begin(), bias}, {bias, all.end()}};
  }

 private:
  size_t first_class() const { return classes_ - outputs_; }

  void scores(const std::vector<double>& x, const Row& row, std::span<double> out) const {
    std::ranges::fill(out, 0);
    const auto z = out.subspan(first_class());
    for (size_t k = 0; k < outputs_; ++k) z[k] = x[weights_ + k];
    for (const auto& [feature, value] : row)
      for (size_t k = 0; k < outputs_; ++k) z[k] += value * x[static_cast<size_t>(feature) * outputs_ + k];
  }

  void accumulate(std::span<const double> dscores, const Row& row, std::vector<double>& gradient) const {
    const auto dz = dscores.subspan(first_class());
    for (size_t k = 0; k < outputs_; ++k) gradient[weights_ + k] += dz[k];
    for (const auto& [feature, value] : row)
      for (size_t k = 0; k < outputs_; ++k) gradient[static_cast<size_t>(feature) * outputs_ + k] += value * dz[k];
  }

  std::vector<Row> rows_;
  std::vector<int64_t> labels_;
  size_t classes_, outputs_, weights_;
  double n_, penalty_;
};

}  // namespace

Row BagFeatures::counted(std::vector<int32_t> features) const {
  std::ranges::sort(features);
  Row out;
  for (const int32_t f : features) {
    if (out.empty() || out.back().first != f) {
      out.emplace_back(f, 1);
    } else if (!binary_) {
      out.back().second += 1;
    }
  }
  return out;
}

Row BagFeatures::learn(const Words& text) {
  std::vector<int32_t> out;
  int32_t before = -1;
  for (const std::string& w : text) {
    const auto [at, fresh] = words_.try_emplace(w, size_);
    size_ += fresh;
    out.push_back(at->second);
    if (bigrams_ && before >= 0) {
      const auto [pair, fresh_pair] = pairs_.try_emplace(pair_key(before, at->second), size_);
      size_ += fresh_pair;
      out.push_back(pair->second);
    }
    before = at->second;
  }
  return counted(std::move(out));
}

Row BagFeatures::find(const Words& text) const {
  std::vector<int32_t> out;
  int32_t before = -1;
  for (const std::string& w : text) {
    const int32_t f = word(w);
    if (f >= 0) out.push_back(f);
    if (const auto pair = pairs_.find(pair_key(before, f)); pair != pairs_.end()) out.push_back(pair->second);
    before = f;
  }
  return counted(std::move(out));
}

int32_t BagFeatures::word(std::string_view word) const {
  const auto at = words_.find(word);
  return at == words_.end() ? -1 : at->second;
}

int32_t BagFeatures::bigram(std::string_view first, std::string_view second) const {
  const auto at = pairs_.find(pair_key(word(first), word(second)));
  return at == pairs_.end() ? -1 : at->second;
}

BagOfWords::BagOfWords(BagFeatures features, std::vector<double> weights, std::vector<double> bias)
    : features_(std::move(features)), weights_(std::move(weights)), bias_(std::move(bias)) {
  check<ShapeError>(!bias_.empty() && std::ssize(weights_) == features_.size() * classes(),
                    "bag of words: ", weights_.size(), " weights for ", features_.size(), " features and ",
                    bias_.size(), " classes");
}

std::span<const double> BagOfWords::weights(int32_t feature) const {
  check<ShapeError>(feature >= 0 && feature < features_.size(), "bag of words: no feature ", feature);
  return std::span(weights_).subspan(static_cast<size_t>(feature) * bias_.size(), bias_.size());
}

std::vector<double> BagOfWords::predict(const Words& text) const {
  std::vector<double> out = bias_;
  for (const auto& [feature, value] : features_.find(text)) {
    const std::span<const double> w = weights(feature);
    for (size_t k = 0; k < out.size(); ++k) out[k] += value * w[k];
  }
  elementary::softmax(out);
  return out;
}

BagOfWords train_majority(const LabelledTexts& data) {
  check_data(data);
  return {BagFeatures(), {}, log_shares(data)};
}

BagOfWords train_naive_bayes(const LabelledTexts& data, const BagOfWordsOptions& options) {
  check_data(data);
  const BagOfWordsOptions o = checked(options);
  BagFeatures features(o.bigrams, o.binary);
  const auto classes = static_cast<size_t>(data.classes);
  std::vector<double> weights, totals(classes);  // counts at first
  for (size_t n = 0; n < data.texts.size(); ++n) {
    const auto label = static_cast<size_t>(data.labels[n]);
    const Row row = features.learn(data.texts[n]);
    weights.resize(static_cast<size_t>(features.size()) * classes);
    for (const auto& [feature, value] : row) {
      weights[static_cast<size_t>(feature) * classes + label] += value;
      totals[label] += value;
    }
  }
  for (double& total : totals) total = elementary::log(total + o.alpha * static_cast<double>(features.size()));
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = elementary::log(weights[i] + o.alpha) - totals[i % classes];
  return {std::move(features), std::move(weights), log_shares(data)};
}

BagOfWords train_logistic_regression(const LabelledTexts& data, const BagOfWordsOptions& options) {
  check_data(data);
  const BagOfWordsOptions o = checked(options);
  BagFeatures features(o.bigrams, o.binary);
  std::vector<Row> rows;
  for (const Words& text : data.texts) rows.push_back(features.learn(text));
  const LogisticLoss loss(std::move(rows), data, features.size(), o.inverse_penalty);
  auto [weights, bias] = loss.by_class(minimise(std::cref(loss), std::vector<double>(loss.size())));
  return {std::move(features), std::move(weights), std::move(bias)};
}

}  // namespace lookback

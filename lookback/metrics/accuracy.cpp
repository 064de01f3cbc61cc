#include "lookback/metrics/accuracy.h"

#include "lookback/base/error.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

class Accuracy final : public CorpusMetric {
 public:
  explicit Accuracy(const AccuracyOptions& options) : options_(options) {}

  std::string name() const override { return "accuracy"; }
  bool higher_is_better() const override { return true; }
  std::string settings() const override { return options_.lowercase ? "case:lc" : "case:mixed"; }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    const std::u32string h = prepared(hypothesis);
    bool match = false;
    for (const std::string& r : references) match |= prepared(r) == h;
    return {match ? 1.0 : 0.0, 1.0};
  }

  double score(const Stats& sum) const override { return 100 * sum[0] / sum[1]; }
  std::string details(const Stats& sum) const override {
    return str_cat("(", static_cast<int64_t>(sum[0]), " of ", static_cast<int64_t>(sum[1]), ")");
  }

 private:
  std::u32string prepared(std::string_view line) const {
    std::u32string t = decode_utf8(line);
    if (options_.lowercase) t = lower(t);
    return std::u32string(strip(t));
  }

  AccuracyOptions options_;
};

}  // namespace

void AccuracyOptions::fields(FieldVisitor& v) { v("lowercase", lowercase, "compare without regard to case"); }

std::unique_ptr<CorpusMetric> make_accuracy(const AccuracyOptions& options) {
  return std::make_unique<Accuracy>(options);
}

Score corpus_accuracy(const Lines& hypotheses, const References& references, const AccuracyOptions& options) {
  return corpus_score(Accuracy(options), hypotheses, references);
}

double label_accuracy(std::span<const int64_t> predicted, std::span<const int64_t> expected) {
  check<ShapeError>(predicted.size() == expected.size(), "accuracy: ", predicted.size(), " predictions for ",
                    expected.size(), " labels");
  check<ShapeError>(!expected.empty(), "accuracy: there are no labels");
  int64_t matches = 0;
  for (size_t i = 0; i < expected.size(); ++i) matches += predicted[i] == expected[i];
  return 100.0 * static_cast<double>(matches) / static_cast<double>(expected.size());
}

}  // namespace lookback::metrics

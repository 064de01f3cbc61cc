#include "lookback/metrics/label_metrics.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/metrics/classification.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

constexpr size_t kMaxLabels = 1000;

std::string label_of(std::string_view line) { return encode_utf8(strip(decode_utf8(line))); }

class OverLabels final : public CorpusMetric {
 public:
  using Formula = double (*)(std::span<const ClassCounts>);

  OverLabels(std::string name, const LabelSet& labels, Formula formula)
      : name_(std::move(name)), labels_(labels.begin(), labels.end()), formula_(formula) {
    check<FormatError>(labels.size() <= kMaxLabels, name_, ": there are ", labels.size(), " different labels, at most ",
                       kMaxLabels, " can be scored; give one label on each line");
  }

  std::string name() const override { return name_; }
  std::string settings() const override { return "case:mixed"; }
  bool higher_is_better() const override { return true; }
  void check_line(std::string_view line) const override { index_of(line); }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    const size_t predicted = index_of(hypothesis);
    size_t gold = index_of(references.front());
    for (const std::string& r : references.subspan(1))
      if (index_of(r) == predicted) gold = predicted;
    Stats out(3 * labels_.size());
    out[3 * gold] = gold == predicted ? 1 : 0;
    out[3 * gold + 1] = 1;
    out[3 * predicted + 2] = 1;
    return out;
  }

  double score(const Stats& sum) const override { return formula_(counts_of(sum)); }

  std::string details(const Stats& sum) const override {
    int64_t correct = 0, lines = 0, labels = 0;
    for (const ClassCounts& c : counts_of(sum)) {
      correct += c.correct, lines += c.gold;
      labels += c.gold + c.predicted > 0;
    }
    return str_cat("(", correct, " of ", lines, ", ", labels, labels == 1 ? " label)" : " labels)");
  }

 private:
  size_t index_of(std::string_view line) const {
    const std::string label = label_of(line);
    const auto at = std::ranges::lower_bound(labels_, label);
    check<FormatError>(at != labels_.end() && *at == label, "'", label, "' is none of the ", labels_.size(), " labels");
    return static_cast<size_t>(at - labels_.begin());
  }

  static std::vector<ClassCounts> counts_of(const Stats& sum) {
    std::vector<ClassCounts> out;
    for (size_t k = 0; k < sum.size(); k += 3)
      out.push_back({static_cast<int64_t>(sum[k]), static_cast<int64_t>(sum[k + 1]), static_cast<int64_t>(sum[k + 2])});
    return out;
  }

  std::string name_;
  Lines labels_;  // in byte order
  Formula formula_;
};

}  // namespace

void collect_labels(const Lines& lines, LabelSet& labels) {
  for (const std::string& line : lines) {
    try {
      labels.insert(label_of(line));
    } catch (const FormatError&) {  // named with its line when it is to be scored
      continue;
    }
  }
}

std::unique_ptr<CorpusMetric> make_macro_f1(const LabelSet& labels) {
  return std::make_unique<OverLabels>("macro_f1", labels, [](auto counts) { return 100 * macro_averages(counts).f1; });
}

std::unique_ptr<CorpusMetric> make_micro_f1(const LabelSet& labels) {
  return std::make_unique<OverLabels>("micro_f1", labels, [](auto counts) { return 100 * micro_f1(counts); });
}

std::unique_ptr<CorpusMetric> make_mcc(const LabelSet& labels) {
  return std::make_unique<OverLabels>("mcc", labels, [](auto counts) { return matthews(counts); });
}

}  // namespace lookback::metrics

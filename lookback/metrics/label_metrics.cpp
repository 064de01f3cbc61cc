#include "lookback/metrics/label_metrics.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/metrics/classification.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

constexpr size_t kMaxLabels = 1000;

std::string label_of(std::string_view line) { return encode_utf8(strip(decode_utf8(line))); }

// The labels of a line: it is one or, with a separator, those between separators, blank ones passed over.
std::vector<std::string> split(std::string_view line, const std::string& separator) {
  if (separator.empty()) return {label_of(line)};
  std::vector<std::string> out;
  for (size_t begin = 0, end; begin <= line.size(); begin = end + separator.size()) {
    end = std::min(line.find(separator, begin), line.size());
    if (std::string label = label_of(line.substr(begin, end - begin)); !label.empty()) out.push_back(std::move(label));
  }
  return out;
}

class OverLabels final : public CorpusMetric {
 public:
  using Formula = double (*)(std::span<const ClassCounts>);

  OverLabels(std::string name, const LabelLines& options, Formula formula)
      : name_(std::move(name)),
        separator_(options.separator),
        labels_(options.labels.begin(), options.labels.end()),
        formula_(formula) {
    const LabelSet& labels = options.labels;
    check<FormatError>(labels.size() <= kMaxLabels, name_, ": there are ", labels.size(), " different labels, at most ",
                       kMaxLabels, " can be scored; give one label on each line, or name what separates them");
  }

  std::string name() const override { return name_; }
  std::string settings() const override { return separator_.empty() ? "case:mixed" : "case:mixed|labels:several"; }
  bool higher_is_better() const override { return true; }
  void check_line(std::string_view line) const override { labels_of(line); }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    const std::set<size_t> predicted = labels_of(hypothesis);
    std::set<size_t> gold = labels_of(references.front());
    for (const std::string& r : references.subspan(1))
      if (labels_of(r) == predicted) gold = predicted;
    Stats out(3 * labels_.size());
    for (const size_t k : gold) out[3 * k] = predicted.contains(k) ? 1 : 0, out[3 * k + 1] = 1;
    for (const size_t k : predicted) out[3 * k + 2] = 1;
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
  std::set<size_t> labels_of(std::string_view line) const {
    std::set<size_t> out;
    for (const std::string& label : split(line, separator_)) out.insert(index_of(label));
    return out;
  }

  size_t index_of(const std::string& label) const {
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

  std::string name_, separator_;
  Lines labels_;  // in byte order
  Formula formula_;
};

}  // namespace

void LabelLines::fields(FieldVisitor& v) {
  v("separator", separator, "what stands between several labels on a line; without it each line is one label");
}

void collect_labels(const Lines& lines, LabelLines& options) {
  for (const std::string& line : lines) {
    try {
      for (std::string& label : split(line, options.separator)) options.labels.insert(std::move(label));
    } catch (const FormatError&) {  // named with its line when it is to be scored
      continue;
    }
  }
}

std::unique_ptr<CorpusMetric> make_macro_f1(const LabelLines& options) {
  return std::make_unique<OverLabels>("macro_f1", options, [](auto counts) { return 100 * macro_averages(counts).f1; });
}

std::unique_ptr<CorpusMetric> make_micro_f1(const LabelLines& options) {
  return std::make_unique<OverLabels>("micro_f1", options, [](auto counts) { return 100 * micro_f1(counts); });
}

std::unique_ptr<CorpusMetric> make_mcc(const LabelLines& options) {
  check<ConfigError>(options.separator.empty(),
                     "mcc: a correlation of classes needs one label on each line; leave the separator out");
  return std::make_unique<OverLabels>("mcc", options, [](auto counts) { return matthews(counts); });
}

}  // namespace lookback::metrics

#include "lookback/metrics/tags.h"

#include <algorithm>
#include <functional>
#include <map>
#include <span>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

constexpr size_t kMaxTags = 1000;
constexpr std::string_view kMarks = ".,?!";

// The first character of a tag, and what stands behind it and a hyphen.
struct Parts {
  std::string_view place = "O";
  std::string_view type = "_";
};

Parts parts_of(std::string_view tag) {
  const size_t first = std::max<size_t>(1, utf8_length_at(tag, 0));
  std::string_view rest = tag.substr(std::min(first, tag.size()));
  if (const size_t hyphen = rest.find('-'); hyphen != rest.npos) rest.remove_prefix(hyphen + 1);
  return {tag.substr(0, first), rest.empty() ? std::string_view("_") : rest};
}

bool is_one_of(std::string_view place, std::string_view places) {
  return place.size() == 1 && places.find(place[0]) != places.npos;
}

bool ends(const Parts& before, const Parts& now) {
  if (is_one_of(before.place, "ES")) return true;
  if (is_one_of(before.place, "BI") && is_one_of(now.place, "BSO")) return true;
  return !is_one_of(before.place, "O.") && before.type != now.type;
}

bool begins(const Parts& before, const Parts& now) {
  if (is_one_of(now.place, "BS")) return true;
  if (is_one_of(before.place, "ESO") && is_one_of(now.place, "EI")) return true;
  return !is_one_of(now.place, "O.") && before.type != now.type;
}

// `spans` stand in the order of their begins, of which tags of no scheme may have equal ones.
bool holds(const std::vector<TaggedSpan>& spans, const TaggedSpan& span) {
  auto at = std::ranges::lower_bound(spans, span.begin, {}, &TaggedSpan::begin);
  while (at != spans.end() && at->begin == span.begin && *at != span) ++at;
  return at != spans.end() && *at == span;
}

ClassCounts span_counts(std::string_view hypothesis, std::string_view reference) {
  const auto h = spans_of(tags_of_line(hypothesis)), r = spans_of(tags_of_line(reference));
  ClassCounts out{.gold = std::ssize(r), .predicted = std::ssize(h)};
  for (const TaggedSpan& span : h) out.correct += holds(r, span);
  return out;
}

Stats stats_of(std::span<const ClassCounts> classes) {
  Stats out;
  for (const ClassCounts& c : classes)
    for (const int64_t n : {c.correct, c.gold, c.predicted}) out.push_back(static_cast<double>(n));
  return out;
}

std::vector<ClassCounts> counts_of(const Stats& sum) {
  std::vector<ClassCounts> out;
  for (size_t k = 0; k + 2 < sum.size(); k += 3)
    out.push_back({static_cast<int64_t>(sum[k]), static_cast<int64_t>(sum[k + 1]), static_cast<int64_t>(sum[k + 2])});
  return out;
}

// Counts of some classes in a hypothesis and a reference, and a score of the added counts.
class OverTags final : public CorpusMetric {
 public:
  using Count = std::function<std::vector<ClassCounts>(std::string_view hypothesis, std::string_view reference)>;
  using Formula = double (*)(std::span<const ClassCounts>);
  OverTags(std::string name, std::string what, Count count, Formula formula)
      : name_(std::move(name)), what_(std::move(what)), count_(std::move(count)), formula_(formula) {}

  std::string name() const override { return name_; }
  std::string settings() const override { return what_; }
  bool higher_is_better() const override { return true; }
  void check_line(std::string_view line) const override {
    tags_of_line(line);
    count_(line, line);
  }
  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    return stats_of(count_(hypothesis, references.front()));
  }
  double score(const Stats& sum) const override { return 100 * formula_(counts_of(sum)); }
  std::string details(const Stats& sum) const override {
    ClassCounts all;
    for (const ClassCounts& c : counts_of(sum))
      all.correct += c.correct, all.gold += c.gold, all.predicted += c.predicted;
    return str_cat("(", all.correct, " right of ", all.gold, ", ", all.predicted, " predicted)");
  }

 private:
  std::string name_, what_;
  Count count_;
  Formula formula_;
};

std::unique_ptr<CorpusMetric> over_spans(const char* name, OverTags::Formula formula) {
  return std::make_unique<OverTags>(
      name, "average:micro|spans:conlleval",
      [](std::string_view h, std::string_view r) { return std::vector{span_counts(h, r)}; }, formula);
}

// The tags of a reference beside those of a hypothesis, as many.
struct Pair {
  std::vector<std::string> hypothesis, reference;
  Pair(std::string_view h, std::string_view r) : hypothesis(tags_of_line(h)), reference(tags_of_line(r)) {
    hypothesis.resize(reference.size());
  }
};

double f1_of_all(std::span<const ClassCounts> counts) { return micro_f1(counts); }
double macro_f1_of(std::span<const ClassCounts> counts) { return macro_averages(counts).f1; }

size_t mark_of(std::string_view tag) { return tag.empty() ? kMarks.npos : kMarks.find(tag.back()); }

}  // namespace

std::vector<std::string> tags_of_line(std::string_view line) {
  const std::u32string text = decode_utf8(line);
  std::vector<std::string> out;
  for (const std::u32string_view tag : split(text)) out.push_back(encode_utf8(tag));
  return out;
}

std::vector<TaggedSpan> spans_of(const std::vector<std::string>& tags) {
  std::vector<TaggedSpan> out;
  Parts before;
  before.type = "";
  int64_t begin = 0;
  for (int64_t k = 0; k <= std::ssize(tags); ++k) {
    const Parts now = k < std::ssize(tags) ? parts_of(tags[static_cast<size_t>(k)]) : Parts();
    if (ends(before, now)) out.push_back({std::string(before.type), begin, k});
    if (begins(before, now)) begin = k;
    before = now;
  }
  return out;
}

std::vector<SpanCounts> spans_by_type(const Lines& hypotheses, const Lines& references) {
  check<FormatError>(hypotheses.size() == references.size(), "spans: ", hypotheses.size(), " lines for ",
                     references.size());
  std::map<std::string, ClassCounts> counts;
  for (size_t k = 0; k < references.size(); ++k) {
    const auto h = spans_of(tags_of_line(hypotheses[k])), r = spans_of(tags_of_line(references[k]));
    for (const TaggedSpan& span : r) ++counts[span.type].gold;
    for (const TaggedSpan& span : h) {
      ClassCounts& c = counts[span.type];
      ++c.predicted;
      c.correct += holds(r, span);
    }
  }
  std::vector<SpanCounts> out;
  for (const auto& [type, c] : counts) out.push_back({type, c});
  return out;
}

std::unique_ptr<CorpusMetric> make_span_precision() {
  return over_spans("span_precision", [](std::span<const ClassCounts> c) { return c[0].precision(); });
}
std::unique_ptr<CorpusMetric> make_span_recall() {
  return over_spans("span_recall", [](std::span<const ClassCounts> c) { return c[0].recall(); });
}
std::unique_ptr<CorpusMetric> make_span_f1() {
  return over_spans("span_f1", [](std::span<const ClassCounts> c) { return c[0].f1(); });
}

std::unique_ptr<CorpusMetric> make_tag_accuracy() {
  return std::make_unique<OverTags>(
      "accuracy", "of:tags",
      [](std::string_view h, std::string_view r) {
        const Pair pair(h, r);
        ClassCounts out{.gold = std::ssize(pair.reference), .predicted = std::ssize(pair.reference)};
        for (size_t k = 0; k < pair.reference.size(); ++k) out.correct += pair.hypothesis[k] == pair.reference[k];
        return std::vector{out};
      },
      [](std::span<const ClassCounts> c) { return c[0].recall(); });
}

std::unique_ptr<CorpusMetric> make_tag_macro_f1(const LabelLines& tags) {
  const Lines known(tags.labels.begin(), tags.labels.end());  // in byte order
  check<FormatError>(known.size() <= kMaxTags, "macro_f1: there are ", known.size(), " different tags, at most ",
                     kMaxTags, " can be scored");
  const auto index = [known](const std::string& tag) {
    const auto at = std::ranges::lower_bound(known, tag);
    check<FormatError>(at != known.end() && *at == tag, "'", tag, "' is none of the ", known.size(), " tags");
    return static_cast<size_t>(at - known.begin());
  };
  return std::make_unique<OverTags>(
      "macro_f1", "of:tags",
      [index, count = known.size()](std::string_view h, std::string_view r) {
        const Pair pair(h, r);
        std::vector<ClassCounts> out(count);
        for (size_t k = 0; k < pair.reference.size(); ++k) {
          ++out[index(pair.reference[k])].gold;
          if (pair.hypothesis[k].empty()) continue;
          ++out[index(pair.hypothesis[k])].predicted;
          out[index(pair.reference[k])].correct += pair.hypothesis[k] == pair.reference[k];
        }
        return out;
      },
      macro_f1_of);
}

std::unique_ptr<CorpusMetric> make_capital_f1() {
  return std::make_unique<OverTags>(
      "capital_f1", "of:words|first:no",
      [](std::string_view h, std::string_view r) {
        const Pair pair(h, r);
        const auto is_capital = [](const std::string& tag) { return !tag.empty() && !tag.starts_with("lower"); };
        ClassCounts out;
        for (size_t k = 1; k < pair.reference.size(); ++k) {
          const bool gold = is_capital(pair.reference[k]), predicted = is_capital(pair.hypothesis[k]);
          out.gold += gold, out.predicted += predicted, out.correct += gold && predicted;
        }
        return std::vector{out};
      },
      f1_of_all);
}

std::unique_ptr<CorpusMetric> make_mark_f1() {
  return std::make_unique<OverTags>(
      "mark_f1", "average:macro|marks:.,?!",
      [](std::string_view h, std::string_view r) {
        const Pair pair(h, r);
        std::vector<ClassCounts> out(kMarks.size());
        for (size_t k = 0; k < pair.reference.size(); ++k) {
          const size_t gold = mark_of(pair.reference[k]), predicted = mark_of(pair.hypothesis[k]);
          if (gold != kMarks.npos) ++out[gold].gold;
          if (predicted != kMarks.npos) ++out[predicted].predicted;
          if (gold == predicted && gold != kMarks.npos) ++out[gold].correct;
        }
        return out;
      },
      macro_f1_of);
}

}  // namespace lookback::metrics

#include "lookback/metrics/answer.h"

#include <algorithm>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/metrics/ngrams.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

bool is_ascii_punctuation(char32_t c) { return c > U' ' && c < 0x7F && !is_letter(c) && !is_number(c); }

bool is_article(std::u32string_view word) { return word == U"a" || word == U"an" || word == U"the"; }

// An article is a word between any characters that are neither letter nor number, such as a mark or a symbol.
void blank_articles(std::u32string& text) {
  for (size_t at = 0; at < text.size(); ++at) {
    const size_t start = at;
    while (at < text.size() && (is_letter(text[at]) || is_number(text[at]))) ++at;
    if (is_article(std::u32string_view(text).substr(start, at - start)))
      std::fill(text.begin() + static_cast<int64_t>(start), text.begin() + static_cast<int64_t>(at), U' ');
  }
}

// Normalised but for the white space.
std::u32string bare(std::string_view answer) {
  std::u32string text = lower(decode_utf8(answer));
  std::erase_if(text, is_ascii_punctuation);
  blank_articles(text);
  return text;
}

// The words of a normalised answer, by number.
std::u32string answer_words(std::string_view answer, Interner& intern) {
  const std::u32string text = bare(answer);
  return intern.all(split(text));
}

double f1(std::u32string_view answer, std::u32string_view gold) {
  if (answer.empty() || gold.empty()) return answer == gold ? 1 : 0;
  const NgramCounts a = count_ngrams(answer, 1), g = count_ngrams(gold, 1);
  int64_t same = 0;
  for (const auto& [word, count] : a)
    if (const auto at = g.find(word); at != g.end()) same += std::min(count, at->second);
  if (same == 0) return 0;
  const double precision = static_cast<double>(same) / static_cast<double>(answer.size());
  const double recall = static_cast<double>(same) / static_cast<double>(gold.size());
  return 2 * precision * recall / (precision + recall);
}

double exact(std::u32string_view answer, std::u32string_view gold) { return answer == gold ? 1 : 0; }

class AnswerMetric final : public CorpusMetric {
 public:
  using Compare = double (*)(std::u32string_view answer, std::u32string_view gold);

  AnswerMetric(const char* name, Compare compare, bool counts) : name_(name), compare_(compare), counts_(counts) {}

  std::string name() const override { return name_; }
  std::string settings() const override { return "norm:squad"; }
  bool higher_is_better() const override { return true; }

  Stats segment(std::string_view hypothesis, std::span<const std::string> references) const override {
    Interner intern;
    const std::u32string answer = answer_words(hypothesis, intern);
    std::vector<std::u32string> gold;
    for (const std::string& r : references) gold.push_back(answer_words(r, intern));
    std::erase(gold, U"");
    if (gold.empty()) gold.emplace_back();
    double best = 0;
    for (const std::u32string& g : gold) best = std::max(best, compare_(answer, g));
    return {best, 1};
  }

  double score(const Stats& sum) const override { return 100 * sum[0] / sum[1]; }
  std::string details(const Stats& sum) const override {
    if (!counts_) return "";
    return str_cat("(", static_cast<int64_t>(sum[0]), " of ", static_cast<int64_t>(sum[1]), ")");
  }

 private:
  const char* name_;
  Compare compare_;
  bool counts_;  // every answer scores 0 or 1
};

}  // namespace

std::string normalized_answer(std::string_view answer) {
  const std::u32string text = bare(answer);
  std::u32string out;
  for (const std::u32string_view word : split(text)) out.append(out.empty() ? U"" : U" ").append(word);
  return encode_utf8(out);
}

std::unique_ptr<CorpusMetric> make_exact_match() { return std::make_unique<AnswerMetric>("exact_match", &exact, true); }

std::unique_ptr<CorpusMetric> make_answer_f1() { return std::make_unique<AnswerMetric>("f1", &f1, false); }

}  // namespace lookback::metrics

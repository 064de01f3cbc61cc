#include "lookback/data/answer_spans.h"

#include "lookback/base/error.h"
#include "lookback/data/unicode.h"

namespace lookback::data {

std::vector<TextSpan> token_spans(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<TextSpan> out;
  size_t at = 0;
  for (const std::string& surface : tokenizer.surfaces(text)) {
    const size_t found = text.find(surface, at);
    check<FormatError>(found != std::string_view::npos, "the tokenizer reads '", surface,
                       "', which the text does not have; answers are pointed at in texts as they are written: take "
                       "tokenizer.normalization = \"identity\"");
    out.push_back({static_cast<int64_t>(found), static_cast<int64_t>(found + surface.size())});
    at = found + surface.size();
  }
  return out;
}

std::optional<TextSpan> find_answer(const GoldAnswer& answer, std::string_view passage) {
  if (answer.text.empty()) return std::nullopt;
  size_t from = 0;
  if (answer.start >= 0) {
    int64_t left = answer.start;
    for (const std::string_view c : codepoints(passage)) {
      if (left-- == 0) break;
      from += c.size();
    }
    if (passage.substr(from).starts_with(answer.text))
      return TextSpan{static_cast<int64_t>(from), static_cast<int64_t>(from + answer.text.size())};
  }
  const size_t found = passage.find(answer.text);
  if (found == std::string_view::npos) return std::nullopt;
  return TextSpan{static_cast<int64_t>(found), static_cast<int64_t>(found + answer.text.size())};
}

std::vector<int32_t> AnswerSpans::encode_beside(std::string_view answers, std::string_view passage) const {
  const std::vector<GoldAnswer> all = gold_answers(answers);
  const std::vector<TextSpan> tokens = token_spans(*tokenizer_, passage);
  const auto n = static_cast<int32_t>(tokens.size());
  if (all.empty() && no_answer_) return {n, n};
  for (const GoldAnswer& answer : all) {
    const auto span = find_answer(answer, passage);
    if (!span) continue;
    int32_t first = 0, last = n - 1;
    while (first < n && tokens[static_cast<size_t>(first)].end <= span->begin) ++first;
    while (last >= 0 && tokens[static_cast<size_t>(last)].begin >= span->end) --last;
    if (first <= last) return {first, last};
  }
  return {};
}

std::string AnswerSpans::why_none(const std::string& column, std::string_view cell) const {
  if (cell.find_first_not_of(" \t\r\n") == std::string_view::npos) return "the " + column + " is empty";
  return "the " + column + " is not in its passage";
}

}  // namespace lookback::data

#include "lookback/data/stories.h"

#include "lookback/data/vocab.h"

namespace lookback::data {
namespace {

constexpr std::string_view kSpaces = " \t\r";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

// The text before the first tab, which is taken off with it.
std::string_view taken_cell(std::string_view& rest) {
  const size_t end = std::min(rest.find('\t'), rest.size());
  const std::string_view out = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return trimmed(out);
}

template <class Encode>
std::vector<int32_t> joined_sentences(std::string_view story, const Encode& encode) {
  std::vector<int32_t> out;
  for (const std::string& sentence : sentences_of_story(story)) {
    const std::vector<int32_t> ids = encode(sentence);
    out.insert(out.end(), ids.begin(), ids.end());
    out.push_back(kEos);
  }
  return out;
}

}  // namespace

StoryLines::Line StoryLines::read(std::string_view line, Question& out) {
  const size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
  if (digits == 0 || digits == line.size() || line[digits] != ' ') return Line::broken;
  if (line.substr(0, digits) == "1") story_.clear();
  std::string_view rest = line.substr(digits + 1);
  if (rest.find('\t') == std::string_view::npos) {
    const std::string_view sentence = trimmed(rest);
    if (sentence.empty()) return Line::broken;
    story_.append(story_.empty() ? "" : "\n").append(sentence);
    return Line::sentence;
  }
  out.question = taken_cell(rest), out.answer = taken_cell(rest), out.story = story_;
  return out.question.empty() || out.answer.empty() ? Line::broken : Line::question;
}

std::vector<std::string> sentences_of_story(std::string_view story) {
  std::vector<std::string> out;
  while (!story.empty()) {
    const size_t end = std::min(story.find('\n'), story.size());
    const std::string_view sentence = trimmed(story.substr(0, end));
    if (!sentence.empty()) out.emplace_back(sentence);
    story.remove_prefix(std::min(end + 1, story.size()));
  }
  return out;
}

std::vector<int32_t> StoryTokens::encode(std::string_view story) const {
  return joined_sentences(story, [&](const std::string& sentence) { return tokenizer_->encode(sentence); });
}

std::vector<int32_t> StoryTokens::encode_sampled(std::string_view story, Rng& rng) const {
  return joined_sentences(story,
                          [&](const std::string& sentence) { return tokenizer_->encode_sampled(sentence, rng); });
}

std::vector<std::vector<int32_t>> StoryTokens::sentences(const std::vector<int32_t>& ids) {
  std::vector<std::vector<int32_t>> out;
  std::vector<int32_t> sentence;
  for (const int32_t id : ids) {
    if (id != kEos)
      sentence.push_back(id);
    else if (!sentence.empty())
      out.push_back(std::move(sentence)), sentence.clear();
  }
  return out;
}

}  // namespace lookback::data

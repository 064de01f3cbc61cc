#include "lookback/data/spelling.h"

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/unicode.h"

namespace lookback::data {
namespace {

constexpr int64_t kLargestAlphabet = 10'000;

int32_t case_of(const std::vector<std::string_view>& word) {
  int64_t upper = 0, lower = 0;
  for (const std::string_view c : word) {
    const char32_t point = codepoint(c);
    if (is_digit(point)) return 4;
    upper += letter_case(point) == LetterCase::upper, lower += letter_case(point) == LetterCase::lower;
  }
  if (upper + lower == 0) return 5;
  if (upper == 0) return 0;
  if (upper == 1 && letter_case(codepoint(word[0])) == LetterCase::upper) return 1;
  return lower == 0 ? 2 : 3;
}

}  // namespace

Spelling::Spelling(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> alphabet,
                   const std::string& origin)
    : tokenizer_(std::move(tokenizer)), alphabet_(std::move(alphabet)) {
  int32_t id = kCases;
  for (const std::string& c : alphabet_) {
    check<FormatError>(valid_utf8(c) && codepoints(c).size() == 1, origin, ": character ", id - kCases,
                       " is not one code point");
    check<FormatError>(ids_.emplace(c, ++id).second, origin, ": the character '", c, "' is there twice");
  }
}

Spelling Spelling::learn(const LineSource& lines, std::shared_ptr<const Tokenizer> tokenizer) {
  PieceCounts counts;
  for (std::string line; lines(line);)
    if (valid_utf8(line))
      for (const std::string& word : tokenizer->surfaces(line))
        for (const std::string_view c : codepoints(word)) ++counts[std::string(c)];
  return Spelling(std::move(tokenizer), most_frequent(counts, kLargestAlphabet + kSpecials, 1), "the alphabet");
}

std::vector<int32_t> Spelling::encode(std::string_view text) const {
  std::vector<int32_t> out;
  for (const std::string& word : tokenizer_->surfaces(text)) {
    auto characters = codepoints(word);
    if (std::ssize(characters) > kLongestWord) characters.resize(kLongestWord);
    out.push_back(case_of(characters));
    for (const std::string_view c : characters) {
      const auto at = ids_.find(std::string(c));
      out.push_back(at == ids_.end() ? kCases : at->second);
    }
  }
  return out;
}

}  // namespace lookback::data

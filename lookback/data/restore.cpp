#include "lookback/data/restore.h"

#include <algorithm>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/tagged_file.h"
#include "lookback/data/unicode.h"
#include "lookback/data/word_rules.h"

namespace lookback::data {
namespace {

constexpr std::string_view kMarks = ".,?!";

bool is_mark(std::string_view c) { return c.size() == 1 && kMarks.find(c[0]) != kMarks.npos; }

const char* case_of(std::string_view word) {
  int64_t upper = 0, lower = 0;
  bool first_upper = false;
  for (const std::string_view c : codepoints(word)) {
    const LetterCase kind = letter_case(codepoint(c));
    if (upper + lower == 0) first_upper = kind == LetterCase::upper;
    upper += kind == LetterCase::upper, lower += kind == LetterCase::lower;
  }
  if (upper == 0) return "lower";
  if (upper == 1 && first_upper) return "Capital";
  return lower == 0 ? "UPPER" : "miXed";
}

// With the upper case of its code points, all of them or the first letter only.
std::string raised(std::string_view word, bool all) {
  std::string out;
  bool done = false;
  for (const std::string_view c : codepoints(word)) {
    const bool letter = letter_case(codepoint(c)) == LetterCase::lower;
    out += letter && (all || !done) ? uppercased(c) : std::string(c);
    done = done || letter;
  }
  return out;
}

}  // namespace

PlainWords plain_words(std::string_view text) {
  check_utf8(text);
  PlainWords out;
  const auto add_word = [&](std::string_view word) {
    if (word.empty()) return;
    out.written.emplace_back(word);
    out.words.push_back(lowercased(word));
    out.tags.emplace_back(case_of(word));
  };
  const auto add_mark = [&](char mark) {
    if (!out.tags.empty() && kMarks.find(out.tags.back().back()) == kMarks.npos) out.tags.back() += mark;
  };
  for (const std::string_view piece : split_spaces(text)) {
    const auto characters = codepoints(piece);
    size_t first = 0, end = characters.size();
    while (first < end && is_mark(characters[first])) ++first;
    while (end > first && is_mark(characters[end - 1])) --end;
    if (first > 0) add_mark(characters[0][0]);
    std::string word;
    for (size_t k = first; k < end; ++k) {
      const std::string_view c = characters[k];
      // A mark between letters ends a word; a full stop only between words of two letters or more, not in "p.m".
      const size_t around = c == "." ? 2 : 1;
      bool cuts = is_mark(c) && k >= first + around && k + around < end;
      for (size_t n = 1; cuts && n <= around; ++n)
        cuts = is_letter(codepoint(characters[k - n])) && is_letter(codepoint(characters[k + n]));
      if (cuts) {
        add_word(std::exchange(word, ""));
        add_mark(c[0]);
      } else {
        word += c;
      }
    }
    add_word(word);
    if (end < characters.size()) add_mark(characters[end][0]);
  }
  return out;
}

MixedCase::MixedCase(const StringList& forms, const std::string& origin) {
  for (const std::string& form : forms) {
    check<FormatError>(valid_utf8(form) && case_of(form) == std::string_view("miXed"), origin, ": '", form,
                       "' is no word of mixed case");
    check<FormatError>(forms_.emplace(lowercased(form), form).second, origin, ": '", lowercased(form),
                       "' has two cases");
  }
}

const std::string* MixedCase::find(const std::string& word) const {
  const auto at = forms_.find(word);
  return at == forms_.end() ? nullptr : &at->second;
}

void MixedCaseCounts::add(const PlainWords& words) {
  for (size_t k = 0; k < words.words.size(); ++k)
    if (words.tags[k].starts_with("miXed")) ++counts_[words.words[k]][words.written[k]];
}

StringList MixedCaseCounts::most_frequent() const {
  StringList out;
  for (const auto& [word, forms] : counts_)
    out.push_back(std::ranges::max_element(forms, {}, [](const auto& form) { return form.second; })->first);
  return out;
}

StringList mixed_case_of(const RowSource& source) {
  MixedCaseCounts counts;
  for (const StringList& names : source.parts) {
    std::vector<LineReader> files;
    files.emplace_back(names[0]);
    std::vector<LineTally> tallies(names.begin(), names.begin() + 1);
    TaggedFile file("restore", files, tallies, {}, source.without);
    for (TaggedFile::Row row; file.next(row);) {
      const double hash = static_cast<double>(row.dialogue >> 12) * 0x1p-52;  // as RowReader has it
      if (row.problem.empty() && source.from <= hash && hash < source.to) counts.add(plain_words(row.written));
    }
  }
  return counts.most_frequent();
}

std::string restored(std::span<const std::string_view> words, std::span<const std::string> tags,
                     const MixedCase& forms) {
  check(words.size() == tags.size(), "restored: ", words.size(), " words and ", tags.size(), " tags");
  std::string out;
  for (size_t k = 0; k < words.size(); ++k) {
    const std::string_view tag = tags[k];
    const std::string word(words[k]);
    if (k > 0) out += ' ';
    const std::string* const form = tag.starts_with("miXed") ? forms.find(word) : nullptr;
    out += form                                                     ? *form
           : tag.starts_with("Capital") || tag.starts_with("miXed") ? raised(word, false)
           : tag.starts_with("UPPER")                               ? raised(word, true)
                                                                    : word;
    if (!tag.empty() && kMarks.find(tag.back()) != kMarks.npos) out += tag.back();
  }
  return out;
}

}  // namespace lookback::data

// Case and punctuation as tags of the words that are left without them.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/data/row_reader.h"

namespace lookback::data {

// Words of a text in lower case and without the marks . , ? ! behind them, and of each word a tag: its case, and the
// mark that stood behind it, if any. A mark stands at the end of a word, before one, alone, or between two letters, a
// full stop between two and two ("right.But", not "p.m"); of several the first counts, and one without a word before it
// is passed over.
//   "Yes, I met McDonald ."   yes/Capital,  i/Capital  met/lower  mcdonald/miXed.
// Cases are lower (also of what has no letters), Capital, UPPER (of two letters or more) and miXed.
struct PlainWords {
  StringList words, tags;
  StringList written;  // each as it was, in its case
};
// Throws FormatError for text that is not UTF-8.
PlainWords plain_words(std::string_view text);

// The case that words of mixed case have most often, by their lower case; of equals the first in byte order.
class MixedCase {
 public:
  MixedCase() = default;
  // Written forms, each in mixed case and once for its lower case. Throws FormatError for others.
  MixedCase(const StringList& forms, const std::string& origin);
  // null for a word that it has not
  const std::string* find(const std::string& word) const;

 private:
  std::map<std::string, std::string> forms_;
};
class MixedCaseCounts {
 public:
  void add(const PlainWords& words);
  StringList most_frequent() const;  // in the order of their lower case

 private:
  std::map<std::string, std::map<std::string, int64_t>> counts_;
};

// The mixed case that words of plain text have most often, see MixedCaseCounts: of a source of layout "restore".
StringList mixed_case_of(const RowSource& source);

// The words with their case and marks, a space between. Words of a tag that is none of the above stay as they are. A
// word of miXed case that `forms` has not is capitalised.
std::string restored(std::span<const std::string_view> words, std::span<const std::string> tags,
                     const MixedCase& forms);

}  // namespace lookback::data

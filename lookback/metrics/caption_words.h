// The words of a caption as scores of image captions count them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"

namespace lookback::metrics {

struct CaptionOptions {
  std::string tokenize = "ptb";

  void fields(FieldVisitor& v);
};

// "ptb": in lower case, cut as the Penn Treebank is, without punctuation, as the evaluation of COCO captions has it.
// It follows Stanford's PTBTokenizer in what captions hold: full stops, commas, colons, quotes, brackets and dashes are
// cut off and left out, but not within numbers (3.5, 1,000, 10:30) and abbreviations (u.s., mr.); "n't", "'s", "'re",
// "'ve", "'ll", "'d", "'m" are words of their own, hyphens within a word stay, other symbols stand alone. It is not
// that program: addresses, rare abbreviations, fractions and old spellings may be cut in another way. "none": what
// stands between white space, as it is, for lines that are tokenized already. Throws ConfigError for another name,
// FormatError for what is not UTF-8.
std::vector<std::u32string> caption_words(std::string_view line, const CaptionOptions& options);

}  // namespace lookback::metrics

// How sacreBLEU cuts text into words before it counts them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lookback::metrics {

// BLEU's tokenizers:
//   13a   mteval-v13a of NIST, used by WMT: ASCII punctuation apart, . and , and - only away from digits
//   intl  mteval-v14 international: Unicode punctuation apart unless between digits, symbols apart
//   char  every code point by itself
//   none  white space only
const std::vector<std::string>& tokenizer_names();

// The words of `text` under the named tokenizer. Throws ConfigError for an unknown name.
std::vector<std::u32string> tokenize(std::u32string_view text, std::string_view tokenizer);

// The same for UTF-8, words joined by one space. Throws FormatError if `text` is not UTF-8.
std::string tokenize_text(std::string_view text, std::string_view tokenizer);

// What Tercom's normalizer does before TER (see TerOptions).
struct TercomSteps {
  bool normalized = false;
  bool no_punct = false;
  bool asian_support = false;
  bool case_sensitive = false;
};
std::vector<std::u32string> tokenize_tercom(std::u32string_view text, const TercomSteps& steps);

}  // namespace lookback::metrics

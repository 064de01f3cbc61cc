// How the words of a text are written: their characters and their case.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lookback/data/cell_encoder.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

// Beside the ids of a text's tokens a second sequence of ids: for each token its case, an id below kCases, and then its
// characters, ids from kCases on, of which the first stands for all that training has not seen.
class Spelling final : public CellEncoder {
 public:
  // The cases, by number: all lower case; Capitalised; ALL CAPITALS, of two letters or more; miXed; with a digit;
  // without letters and digits, or in a script that has no case.
  static constexpr int32_t kCases = 6;
  // Of a longer word the characters behind these are passed over.
  static constexpr int64_t kLongestWord = 64;

  // `alphabet`: the characters, code points, by number. Throws FormatError for one that is none or is there twice.
  Spelling(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> alphabet, const std::string& origin);
  // The characters of the lines, at most 10,000, most frequent first.
  static Spelling learn(const LineSource& lines, std::shared_ptr<const Tokenizer> tokenizer);

  // Throws FormatError for text that is not UTF-8.
  std::vector<int32_t> encode(std::string_view text) const override;
  int64_t size() const override { return kCases + characters(); }
  // With the unknown one.
  int64_t characters() const { return 1 + static_cast<int64_t>(alphabet_.size()); }
  const std::vector<std::string>& alphabet() const { return alphabet_; }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::string> alphabet_;
  std::unordered_map<std::string, int32_t> ids_;
};

}  // namespace lookback::data

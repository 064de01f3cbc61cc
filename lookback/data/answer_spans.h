// Answers as stretches of the tokens of their passage.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/data/squad_file.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

// Bytes [begin, end) of a text.
struct TextSpan {
  int64_t begin, end;
  friend bool operator==(const TextSpan&, const TextSpan&) = default;
};

// Where each token of a text stands in it. Throws FormatError for a text that the tokenizer does not leave as it is,
// so that its tokens are not found there: one with Unicode forms that it makes equal.
std::vector<TextSpan> token_spans(const Tokenizer& tokenizer, std::string_view text);

// Encodes the cell of an answer beside that of its passage: {first, last}, the tokens that hold any of its characters,
// of the first answer that the passage has. An answer without a start is where the passage first has it. With
// `no_answer` a cell without answers is {n, n}, behind the passage's n tokens.
class AnswerSpans final : public CellEncoder {
 public:
  AnswerSpans(std::shared_ptr<const Tokenizer> tokenizer, bool no_answer)
      : tokenizer_(std::move(tokenizer)), no_answer_(no_answer) {}

  std::vector<int32_t> encode(std::string_view) const override { return {}; }
  std::vector<int32_t> encode_beside(std::string_view answers, std::string_view passage) const;
  std::vector<int32_t> encode_beside(std::string_view answers, Cells passage) const override {
    return encode_beside(answers, passage[0]);
  }
  bool encodes_blank() const override { return no_answer_; }
  int64_t size() const override { return int64_t{1} << 31; }
  std::string why_none(const std::string& column, std::string_view cell) const override;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool no_answer_;
};

// The bytes of an answer in its passage; nothing if the passage does not have it.
std::optional<TextSpan> find_answer(const GoldAnswer& answer, std::string_view passage);

}  // namespace lookback::data

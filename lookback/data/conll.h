// Sentences in columns, a token a line and a blank line between (CoNLL shared tasks).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/base/line_reader.h"
#include "lookback/data/encoding_guess.h"

namespace lookback::data {

struct ConllSentence {
  struct Token {
    size_t line;       // which of `lines`
    StringList cells;  // of its columns
  };
  int64_t first = 0;          // number of the first line, from 1
  StringList lines;           // as read, from what stands before its tokens to the blank line behind them
  std::vector<Token> tokens;  // none for what stands behind the last sentence
  std::string problem;        // why it is no sentence, "" if it is one
  int64_t problem_line = 0;
};

class ConllReader {
 public:
  // Of CoNLL-U (`universal`) columns are cut at tabs, lines with # are comments, and those whose number is a range or
  // a fraction (multiword tokens, empty nodes) are no tokens. Else they are cut at tabs where a line has one, at white
  // space where not. Lines that begin with -DOCSTART- are no tokens. `file` must outlive it.
  ConllReader(LineReader& file, bool universal) : file_(file), universal_(universal) {}

  // False at the end. A sentence in which lines have unlike numbers of columns, or that is not UTF-8, has a problem.
  // `tally`, if there is one, counts the lines.
  bool next(ConllSentence& sentence, LineTally* tally = nullptr);

 private:
  bool is_token(const std::string& line, StringList& cells) const;

  LineReader& file_;
  bool universal_;
};

}  // namespace lookback::data

// Questions about passages, in the files of SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"

namespace lookback::data {

struct SquadQuestion {
  std::string id, question, context;
  std::string answers;  // a JSON list of {"text", "answer_start"}, as gold_answers reads it; "[]": it has none
};

// {"data": [{"paragraphs": [{"context", "qas": [{"id", "question", "answers"}]}]}]}, all questions in their order.
// Throws FormatError "path: ..." for what is not such a file.
std::vector<SquadQuestion> parse_squad(std::string_view json, const std::string& path);

// An answer and, where that is known, the code point of its passage at which it begins.
struct GoldAnswer {
  std::string text;
  int64_t start = -1;
};

// Of a cell: a JSON list of answers or of texts, or else the one text that it is; none for a cell that is blank.
// Throws FormatError for a list of anything else.
std::vector<GoldAnswer> gold_answers(std::string_view cell);

}  // namespace lookback::data

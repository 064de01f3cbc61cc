#include "lookback/data/conll.h"

#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/data/csv.h"
#include "lookback/data/word_rules.h"

namespace lookback::data {
namespace {

constexpr std::string_view kDocument = "-DOCSTART-";

bool is_blank(std::string_view line) { return trimmed(line).empty(); }

}  // namespace

bool ConllReader::is_token(const std::string& line, StringList& cells) const {
  cells.clear();
  if (universal_ && line.starts_with("#")) return false;
  if (line.starts_with(kDocument)) return false;
  if (universal_ || line.find('\t') != line.npos) {
    cells = split_tabs(line);
    for (std::string& cell : cells) cell = std::string(trimmed(cell));
  } else {
    for (const std::string_view cell : split_spaces(line)) cells.emplace_back(cell);
  }
  return !universal_ || cells[0].find_first_of("-.") == std::string::npos;
}

bool ConllReader::next(ConllSentence& sentence, LineTally* tally) {
  sentence = {};
  const auto fail = [&](std::string why) {
    if (sentence.problem.empty()) sentence.problem = std::move(why), sentence.problem_line = file_.number();
  };
  for (std::string line; file_.next(line);) {
    if (sentence.lines.empty()) sentence.first = file_.number();
    sentence.lines.push_back(line);
    const bool is_text = is_utf8_text(line);
    if (tally) tally->add(line, file_.number(), is_text);
    if (!is_text) {
      fail(why_not_utf8(line));
      continue;
    }
    if (is_blank(line)) {
      if (sentence.tokens.empty() && sentence.problem.empty()) continue;
      return true;
    }
    StringList cells;
    if (!is_token(line, cells)) continue;
    if (!sentence.tokens.empty() && sentence.tokens[0].cells.size() != cells.size())
      fail(str_cat("has ", cells.size(), cells.size() == 1 ? " column" : " columns", ", and its sentence begins with ",
                   sentence.tokens[0].cells.size()));
    for (const std::string& cell : cells)
      if (cell.empty()) fail("has an empty column");
    sentence.tokens.push_back({sentence.lines.size() - 1, std::move(cells)});
  }
  return !sentence.lines.empty();
}

}  // namespace lookback::data

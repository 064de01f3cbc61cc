#include "lookback/data/tagged_file.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/data/restore.h"
#include "lookback/data/tag_cells.h"
#include "lookback/data/word_rules.h"

namespace lookback::data {
namespace {

constexpr std::string_view kLayouts[] = {"conll", "conllu", "tagged", "restore", "turns", "slots"};  // as Form has them
constexpr std::string_view kEndOfTurn = "__eou__";

std::string as_lines(const auto& members) {
  std::string out;
  bool first = true;
  for (const auto& member : members) {
    if (!std::exchange(first, false)) out += '\n';
    out += member;
  }
  return out;
}

}  // namespace

bool TaggedFile::is_layout(std::string_view layout) {
  return std::ranges::find(kLayouts, layout) != std::end(kLayouts);
}

TaggedFile::TaggedFile(std::string_view layout, std::vector<LineReader>& files, std::vector<LineTally>& tallies,
                       const StringList& columns, std::shared_ptr<const DialogueHashes> without)
    : form_(static_cast<Form>(std::ranges::find(kLayouts, layout) - std::begin(kLayouts))),
      files_(files),
      tallies_(tallies),
      without_(std::move(without)) {
  const bool in_columns = form_ == Form::conll || form_ == Form::conllu;
  check<ConfigError>(in_columns || columns.empty(), "data.layout = '", layout, "' goes with no data.columns");
  if (form_ == Form::slots) read_values();
  if (!in_columns) return;
  conll_.emplace(files_[0], form_ == Form::conllu);
  if (form_ == Form::conll) token_column_ = 1, tag_column_ = 0;
  if (form_ == Form::conllu) token_column_ = 2, tag_column_ = 4;
  if (columns.empty()) return;
  const auto number = [&](const std::string& column) {
    const auto n = parse_number<size_t>(column);
    check<ConfigError>(n && *n > 0, "data.columns = '", column, "': columns of data.layout = '", layout,
                       "' are numbers, counted from 1");
    return *n;
  };
  token_column_ = number(columns[0]), tag_column_ = number(columns[1]);
}

bool TaggedFile::next(Row& row) {
  row = {};
  switch (form_) {
    case Form::conll:
    case Form::conllu:
      return read_sentence(row);
    case Form::tagged:
      return read_tagged(row);
    case Form::turns:
      return read_turns(row);
    case Form::slots:
      return read_slots(row);
    case Form::restore:
      break;
  }
  while (rows_.empty())
    if (!read_plain()) return false;
  row = std::move(rows_.front());
  rows_.pop_front();
  return true;
}

bool TaggedFile::read_sentence(Row& row) {
  ConllSentence sentence;
  do {
    if (!conll_->next(sentence, &tallies_[0])) return false;
  } while (sentence.tokens.empty() && sentence.problem.empty());
  row.line =
      sentence.problem.empty() ? sentence.first + static_cast<int64_t>(sentence.tokens[0].line) : sentence.problem_line;
  row.problem = sentence.problem;
  if (!row.problem.empty()) return true;
  const size_t count = sentence.tokens[0].cells.size();
  if (std::max({token_column_, tag_column_, size_t{2}}) > count) {
    row.problem = str_cat("has ", count, count == 1 ? " column" : " columns", ", without one of the tags");
    return true;
  }
  StringList tokens, tags;
  for (const ConllSentence::Token& token : sentence.tokens) {
    tokens.push_back(token.cells[token_column_ - 1]);
    tags.push_back(tag_column_ == 0 ? token.cells.back() : token.cells[tag_column_ - 1]);
  }
  row.members = as_lines(tokens), row.tags = as_lines(tags);
  return true;
}

// A line that is not UTF-8 is a problem.
bool TaggedFile::read_line(size_t file, std::string& line, Row& row) {
  if (!files_[file].next(line)) return false;
  row.line = files_[file].number();
  const bool is_text = is_utf8_text(line);
  tallies_[file].add(line, files_[file].number(), is_text);
  if (!is_text && row.problem.empty()) row.problem = why_not_utf8(line), row.file = file;
  return true;
}

bool TaggedFile::read_tagged(Row& row) {
  std::string line;
  if (!read_line(0, line, row)) return false;
  if (!row.problem.empty()) return true;
  std::vector<std::string_view> tokens, tags;
  for (const std::string_view word : split_spaces(line)) {
    const size_t slash = word.rfind('/');
    if (slash == 0 || slash == word.npos || slash + 1 == word.size()) {
      row.problem = str_cat("'", word, "' is not word/tag");
      return true;
    }
    tokens.push_back(word.substr(0, slash)), tags.push_back(word.substr(slash + 1));
  }
  row.members = as_lines(tokens), row.tags = as_lines(tags);
  return true;
}

bool TaggedFile::is_unwanted(uint64_t hash) {
  if (!without_ || hash == 0 || !without_->contains(hash)) return false;
  return ++passed_over_, true;
}

// False at the end; a line may give no row.
bool TaggedFile::read_plain() {
  Row row;
  std::string line;
  if (!read_line(0, line, row)) return false;
  if (!row.problem.empty()) return rows_.push_back(row), true;
  std::vector<std::string_view> turns{line};
  if (line.find(kEndOfTurn) != line.npos) turns = members_of(line, SequenceUnit::text);
  row.dialogue = dialogue_hash(as_lines(turns));
  if (is_unwanted(row.dialogue)) return true;
  for (const std::string_view turn : turns) {
    const PlainWords words = plain_words(turn);
    row.members = as_lines(words.words), row.tags = as_lines(words.tags);
    row.written = as_lines(words.written);
    rows_.push_back(row);
  }
  return true;
}

bool TaggedFile::read_turns(Row& row) {
  for (std::string line, labels; read_line(0, line, row);) {
    if (!read_line(1, labels, row)) return false;  // RowReader counts both to their ends
    if (!row.problem.empty()) return true;
    const auto turns = members_of(line, SequenceUnit::text);
    row.members = as_lines(turns), row.tags = as_lines(split_spaces(labels));
    row.dialogue = dialogue_hash(row.members);
    if (!is_unwanted(row.dialogue)) return true;
  }
  return false;
}

void TaggedFile::read_values() {
  constexpr std::string_view kPrefix = "R_";
  for (std::string line; files_[1].next(line);) {
    const bool is_text = is_utf8_text(line);
    tallies_[1].add(line, files_[1].number(), is_text);
    std::vector<std::string_view> words = is_text ? split_spaces(line) : std::vector<std::string_view>();
    if (!words.empty() && parse_number<int64_t>(words[0])) words.erase(words.begin());
    if (words.size() < 3) continue;
    if (words[1].starts_with(kPrefix)) words[1].remove_prefix(kPrefix.size());
    values_.emplace(std::vector<std::string>(words.begin() + 2, words.end()), words[1]);
    longest_value_ = std::max(longest_value_, words.size() - 2);
  }
}

bool TaggedFile::read_slots(Row& row) {
  constexpr std::string_view kSilence = "<SILENCE>";
  for (std::string line; read_line(0, line, row);) {
    if (!row.problem.empty()) return true;
    const size_t blank = line.find(' '), tab = line.find('\t');
    if (trimmed(line).empty()) continue;
    if (blank == line.npos || !parse_number<int64_t>(std::string_view(line).substr(0, blank))) {
      row.problem = "a line of a dialogue begins with no number and a blank";
      return true;
    }
    if (tab == line.npos) continue;  // something that is known
    const std::string_view turn = std::string_view(line).substr(blank + 1, tab < blank ? 0 : tab - blank - 1);
    const auto words = split_spaces(turn);
    if (words.empty() || turn == kSilence) continue;
    StringList tags(words.size(), "O");
    for (size_t k = 0; k < words.size(); ++k) {
      size_t length = std::min(longest_value_, words.size() - k);
      auto found = values_.end();
      for (; length > 0; --length) {
        found = values_.find(std::vector<std::string>(words.begin() + static_cast<int64_t>(k),
                                                      words.begin() + static_cast<int64_t>(k + length)));
        if (found != values_.end()) break;
      }
      if (length == 0) continue;
      tags[k] = "B-" + found->second;
      for (size_t n = 1; n < length; ++n) tags[k + n] = "I-" + found->second;
      k += length - 1;
    }
    row.members = as_lines(words), row.tags = as_lines(tags);
    return true;
  }
  return false;
}

}  // namespace lookback::data

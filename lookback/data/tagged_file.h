// Private to data: files of tagged sequences as rows of two cells.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lookback/base/line_reader.h"
#include "lookback/data/conll.h"
#include "lookback/data/dialogue_file.h"
#include "lookback/data/encoding_guess.h"

namespace lookback::data {

// Reads one row at a time, of a form by the name of a layout:
//   conll, conllu   columns, see ConllReader; the tokens and tags of a sentence
//   tagged          a sentence a line, word/tag with white space between; the last / of each counts
//   restore         plain text: what plain_words makes of each line; or of each turn of a line in which turns end with
//                   __eou__
//   slots           two files, dialogues as of DialogueFile's first shape, and knowledge, `subject relation value` a
//   line
//                   with a number before it or not: turns of the user, values in them as spans of BIO whose type is the
//                   relation, without R_ before it; where several values begin, the longest one counts
//   turns           two files, line by line: turns that each end with __eou__, and labels with white space between
class TaggedFile {
 public:
  struct Row {
    int64_t line = 0;
    std::string members, tags;  // each a line, see members_of and tags_of
    std::string problem;        // why the line is no row, or ""; the rest is then without meaning
    std::string written = {};   // restore: the members in the case they were written in
    size_t file = 0;            // where the problem is
    uint64_t dialogue = 0;      // restore and turns: dialogue_hash of the line
  };

  static bool is_layout(std::string_view layout);
  // Columns of conll and conllu, from 1; the first and the last one, or those of CoNLL-U's form and tag, unless given.
  // `files`, one or two, and `tallies`, which count their lines, must outlive it. Rows of lines whose hash is in
  // `without`, if there is one, are passed over.
  TaggedFile(std::string_view layout, std::vector<LineReader>& files, std::vector<LineTally>& tallies,
             const StringList& columns, std::shared_ptr<const DialogueHashes> without);

  bool next(Row& row);
  // Lines passed over, so far.
  int64_t passed_over() const { return passed_over_; }

 private:
  bool read_sentence(Row& row);
  bool read_line(size_t file, std::string& line, Row& row);
  bool read_tagged(Row& row);
  bool read_plain();
  bool read_turns(Row& row);
  void read_values();
  bool read_slots(Row& row);
  bool is_unwanted(uint64_t hash);

  enum class Form { conll, conllu, tagged, restore, turns, slots };
  Form form_;
  std::vector<LineReader>& files_;
  std::vector<LineTally>& tallies_;
  std::optional<ConllReader> conll_;
  size_t token_column_ = 0, tag_column_ = 0;                // from 1; 0: the last one
  std::map<std::vector<std::string>, std::string> values_;  // words of a value, and its relation
  size_t longest_value_ = 0;
  std::shared_ptr<const DialogueHashes> without_;
  std::deque<Row> rows_;  // of the line last read
  int64_t passed_over_ = 0;
};

}  // namespace lookback::data

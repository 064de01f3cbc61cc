// Private to data: dialogues of a file as rows, one for each reply.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "lookback/base/line_reader.h"
#include "lookback/data/encoding_guess.h"

namespace lookback::data {

using DialogueHashes = std::unordered_set<uint64_t>;

// Of all turns, one a line: 64 bits of the SHA-256 of their letters and digits in lower case and of where they end, so
// that dialogues which differ in case, punctuation and white space only have the same. 0 without any letter or digit.
// `turns` is UTF-8.
uint64_t dialogue_hash(std::string_view turns);

// Reads one dialogue at a time, and holds no more. What the first line that is not blank looks like says which of two
// shapes a file has:
//   bAbI dialogues and DSTC2 (Bordes et al. 2017, "Learning End-to-End Goal-Oriented Dialog"): a line is a number, a
//   blank, and a turn of the user, a tab and one of the bot; or, without a tab, something that is known from then on.
//   A blank line, or a number that is not above the one before, begins the next dialogue.
//   DailyDialog (Li et al. 2017): a dialogue a line; each turn, also the last, ends with __eou__.
// Each turn of the bot, or each from the second of DailyDialog on, is a row. Lines without such a form are rows with a
// problem, and missing in the dialogue around them.
class DialogueFile {
 public:
  struct Row {
    int64_t line = 0;               // where the reply stands, from 1
    std::string history = {};       // all turns before the reply, one a line, the oldest first
    std::string knowledge = {};     // what stands before the reply, one a line
    std::string reply = {};         // without white space around it, as each turn
    uint64_t dialogue = 0;          // dialogue_hash of all turns
    const char* problem = nullptr;  // why the line is no row; the rest is then without meaning
  };

  // `file` and `tally`, which counts the lines, must outlive it. Dialogues in `without`, if there is one, are passed
  // over. `name` is for messages.
  DialogueFile(LineReader& file, LineTally& tally, std::string name, std::shared_ptr<const DialogueHashes> without);

  // False at the end. Throws FormatError for a file that is of no such shape.
  bool next(Row& row);
  // Dialogues passed over, so far.
  int64_t passed_over() const { return passed_over_; }

 private:
  enum class Shape { unknown, numbered, eou };
  struct Entry {
    int64_t line;
    size_t known, begin, end;  // how much of knowledge_; where the reply stands in turns_
    const char* problem;
  };

  bool read_dialogue();
  void read_numbered();
  void read_eou();
  bool next_line();
  void add_turn(std::string_view turn, bool is_reply);
  void add_problem(const char* problem) { entries_.push_back({file_.number(), 0, 0, 0, problem}); }

  LineReader& file_;
  LineTally& tally_;
  const std::string name_;
  const std::shared_ptr<const DialogueHashes> without_;
  Shape shape_ = Shape::unknown;
  std::string line_;
  bool waiting_ = false;  // line_ begins the next dialogue
  std::string turns_, knowledge_;
  size_t count_ = 0;  // of turns_
  uint64_t hash_ = 0;
  std::vector<Entry> entries_;
  size_t next_ = 0;
  int64_t passed_over_ = 0;
};

}  // namespace lookback::data

// Rows of named cells from files of any of several shapes, one at a time, in constant memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "lookback/base/fields.h"

namespace lookback::data {

// How rows are read, and which of them a table keeps.
struct TableOptions {
  StringList columns;
  std::string layout = "columns";
  int64_t max_length = 250;
  double max_ratio = 0;
  std::string bad_lines = "skip";
  double max_bad = 0.05;
  std::string unequal = "error";
  int64_t memory_mb = 8192;

  void fields(auto& v) {
    v("columns", columns,
      "of one file with all columns: which ones, in the order of the task's; numbers from 1 or names in line 1 (TSV, "
      "CSV), keys (JSONL)");
    v("layout", layout,
      "columns; or label_first: of two columns the last one is the first word of a line, and the other one the rest; "
      "where words begin with __label__, all that do so, with commas between; or babi: stories with questions, one "
      "sentence a line (task answer, model.kind = 'story'); or dialogues: of bAbI, DSTC2 or DailyDialog, a row of "
      "history, knowledge and reply for each reply (task chat); or, for task label, conll: a token a line in columns "
      "with its tag, the first and the last one unless data.columns says which numbers; conllu: the same of CoNLL-U, "
      "its "
      "form and its universal tag; tagged: word/tag; restore: plain text, whose case and marks become tags; turns: two "
      "files, turns that each end with __eou__ and a label for each; slots: two files, dialogues of bAbI and "
      "knowledge, "
      "whose values become tags of the user's turns")
        .choices(
            {"columns", "label_first", "babi", "dialogues", "conll", "conllu", "tagged", "restore", "turns", "slots"});
    v("max_length", max_length, "examples with more tokens than this in a column are left out; 0 keeps all")
        .range(0, 1e9);
    v("max_ratio", max_ratio,
      "examples whose longest column has more than this times the shortest one's tokens are left out; 0 off")
        .range(0, 1e9);
    v("bad_lines", bad_lines,
      "invalid UTF-8, an empty or missing column, broken CSV or JSON: skip and count them, or stop")
        .choices({"skip", "stop"});
    v("max_bad", max_bad, "more than this share of a file's lines not UTF-8 is an error: the file has another encoding")
        .range(0, 1);
    v("unequal", unequal, "files of one column each with unequal line counts: an error, or truncate to the shorter")
        .choices({"error", "truncate"});
    v("memory_mb", memory_mb, "beyond this each column moves to a temporary file").range(0, 1e9);
  }
};

// Where the rows of a table stand: parts, read one after the other. A part is one file for each column, line k of them
// belonging together, or one file with all columns: .csv with names in line 1 (RFC 4180), .jsonl with one object a
// line, .json of SQuAD (squad_file.h), anything else with tabs or, if the options' layout says so, a label first,
// stories (stories.h), dialogues (dialogue_file.h) or tagged sequences (tagged_file.h). Files are plain or .gz. In a
// file of SQuAD the number of a question stands for that of a line.
struct RowSource {
  std::vector<StringList> parts;
  // Of all rows those whose hash falls into [from, to), so that a file can be split in parts that share no row: equal
  // rows fall alike. Lines that are no row belong to the share that ends at 1.
  // All rows of a dialogue fall as its turns do.
  double from = 0, to = 1;
  // Of layouts "dialogues", "restore" and "turns": those that are passed over, see seen_dialogues.h.
  std::shared_ptr<const std::unordered_set<uint64_t>> without = {};
};

class RowReader {
 public:
  struct Row {
    StringList cells;     // one for each column
    std::string problem;  // why the line is no row, "invalid UTF-8"; cells are then without meaning
    size_t column = 0;    // where the problem is, as far as one knows
    size_t part = 0;
    std::vector<int64_t> lines;  // number of the line, from 1, in each file of the part
    uint64_t dialogue = 0;       // of these layouts, what is the same for all rows of one dialogue
  };

  // `names`: those of the columns. Throws ConfigError for a part with a number of files, or options with a number of
  // columns, that does not fit them, and for other columns than a layout has.
  RowReader(RowSource source, StringList names, const TableOptions& options);
  ~RowReader();
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

  // The next row or line that is none; false at the end. Throws FormatError for a column that a header lacks, for
  // unequal line counts (naming both), for a file of which more than max_bad of the lines are not UTF-8 and, with
  // bad_lines = "stop", for the first line that is no row; IoError.
  bool next(Row& row);
  // "path:line" of a row's cell.
  std::string where(const Row& row, size_t column) const;
  // Lines of longer files beyond the shorter one's end, so far.
  int64_t unpaired() const { return unpaired_; }
  // Dialogues passed over for RowSource::without, so far.
  int64_t dialogues_passed_over() const;

 private:
  struct Part;
  void close_part();
  bool wanted(const Row& row) const;

  RowSource source_;
  StringList names_;
  TableOptions options_;
  std::unique_ptr<Part> part_;
  size_t next_part_ = 0;
  int64_t unpaired_ = 0, passed_over_ = 0;
};

// The file's name without .gz ends so.
bool has_ending(std::string_view file, std::string_view ending);

}  // namespace lookback::data

// Examples as rows of ids: read once, kept small, fetched by number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lookback/data/row_reader.h"
#include "lookback/data/spill_buffer.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

// One column: what it is called, and what makes ids of its cells. One that is called as an earlier one has the same
// cells in another form: it stands behind those of the files, and no row is left out for it.
struct Column {
  std::string name;
  const CellEncoder* encoder;
  StringList beside = {};  // not empty: ids come of encode_beside, with the cells of these columns of the files
};

// What became of every row: read = kept + those left out.
struct TableReport {
  int64_t read = 0, kept = 0;
  std::vector<std::pair<std::string, int64_t>> tokens;    // of the kept rows, by column
  std::vector<std::pair<std::string, int64_t>> left_out;  // "the source is empty": how many, in the order they came up
  int64_t passed_over = 0;                                // dialogues of RowSource::without
  int64_t unpaired = 0;                                   // lines of longer files beyond the shorter one's end
  std::vector<std::string> examples;                      // the first few left out: "train.de:17: invalid UTF-8"

  int64_t left_out_for(std::string_view why) const;
  // Counts a row; `example`, which says where it stands, is kept if it is among the first few.
  void leave_out(const std::string& why, std::string example);
  friend bool operator==(const TableReport&, const TableReport&) = default;
};

// Some lines for a person: what was kept, and what was left out and why, with examples.
std::string describe(const TableReport& report);

enum class Keep { tokens, tokens_and_text };

using Ids = std::vector<int32_t>;

// Some examples, as a model takes them. No specials: the model adds kBos and kEos.
struct Batch {
  std::vector<int64_t> index;             // number of each example in its table
  std::vector<std::vector<Ids>> columns;  // [column][example]
  size_t cells = 0;                       // the first so many columns are those of the files

  int64_t tokens(size_t column) const;
};

// Memory for a million pairs of 15 tokens and 70 bytes a side: 60 MB of ids (two bytes each while the
// vocabulary has at most 65,536 entries, else four) and 16 MB of offsets; with text another 156 MB. Text
// is kept when asked for and when an encoder samples. Beyond memory_mb a column goes to a temporary file.
class Table {
 public:
  // Reads everything. The encoders must outlive the table and not change their sampling().
  // Cells are encoded on as many threads as there are; the result does not depend on how many.
  // The columns of the files come first, then other forms of their cells. A row is left out where a cell is nothing but
  // white space, too long or too uneven. Throws as RowReader does.
  Table(const RowSource& rows, std::vector<Column> columns, const TableOptions& options, Keep keep = Keep::tokens);

  int64_t size() const { return report_.kept; }
  const TableReport& report() const { return report_; }

  // Tokens of each row's cell by encode(), without specials.
  std::vector<int32_t> lengths(size_t column) const;
  // A cell as encode() cuts it. i counts the kept rows, from 0.
  Ids ids(size_t column, int64_t i) const;
  // A cell as training sees it in an epoch: sampled where the encoder samples, and then a function of
  // (seed, epoch, column, i) and the text alone; else the same as ids(column, i).
  Ids ids(size_t column, int64_t i, uint64_t seed, int64_t epoch) const;
  // The rows of a batch, as the ids() of the same arguments gives them.
  Batch batch(std::vector<int64_t> index) const;
  Batch batch(std::vector<int64_t> index, uint64_t seed, int64_t epoch) const;

  // A cell as it was read. Throws ConfigError unless the text was kept.
  std::string_view text(size_t column, int64_t i) const;
  bool spilled() const;  // whether a part lies in a temporary file

 private:
  struct Store {
    std::variant<Rows<uint16_t>, Rows<int32_t>> ids;
    Rows<char> text;
    bool keep_text;
  };
  struct Block;

  void take(const Block& block, const RowReader& reader, const TableOptions& options);

  std::vector<Column> columns_;
  std::vector<size_t> cells_;  // of each column, the cell of a row that it holds
  std::vector<Store> stores_;  // one for each column
  TableReport report_;
};

// The cells of some columns, for train_tokenizer: all of the first one, then all of the next. Throws as RowReader does.
LineSource column_lines(const RowSource& rows, const StringList& names, const std::vector<size_t>& wanted,
                        const TableOptions& options);

// The SHA-256 of all rows, whatever becomes of them: each cell and a line's end. Throws as RowReader does for files
// that cannot be read.
std::string rows_sha256(const RowSource& rows, const StringList& names, const TableOptions& options);

}  // namespace lookback::data

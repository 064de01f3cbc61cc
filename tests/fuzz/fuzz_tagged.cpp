#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/conll.h"
#include "lookback/data/row_reader.h"
#include "lookback/data/tag_cells.h"
#include "tests/fuzz/memory_file.h"

using namespace lookback;
using namespace lookback::data;

namespace {

// How many rows of a source there are, each of which has a tag for each member or its problem.
int64_t count(const RowSource& source, const TableOptions& options) {
  RowReader reader(source, {"tokens", "tags"}, options);
  int64_t out = 0;
  for (RowReader::Row row; reader.next(row); ++out) {
    require(!reader.where(row, row.column).empty());
    if (!row.problem.empty()) continue;
    for (const std::string& cell : row.cells) require(valid_utf8(cell));
    const auto unit = options.layout == "turns" ? SequenceUnit::text : SequenceUnit::token;
    const bool in_lines = row.cells[0].find('\n') != std::string::npos && row.cells[1].find('\n') != std::string::npos;
    if (in_lines && options.layout != "turns")
      require(members_of(row.cells[0], unit).size() == tags_of(row.cells[1]).size());
  }
  return out;
}

}  // namespace

// Whatever the bytes, files of tags end well, the shares of a file have every row once, and sentences in columns keep
// every line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr const char* kLayouts[] = {"conll", "conllu", "tagged", "restore", "turns", "slots"};
  const MemoryFile file(as_text(data + 1, size - 1));
  TableOptions options{.layout = kLayouts[data[0] % 6], .max_bad = 1, .unequal = "truncate"};
  if (data[0] % 6 < 2 && data[0] & 64) options.columns = {"2", "1"};
  RowSource all{{{file.path()}}};
  if (data[0] % 6 > 3) all.parts = {{file.path(), file.path()}};
  try {
    const int64_t rows = count(all, options);
    RowSource head = all, tail = all;
    head.to = tail.from = 0.3;
    require(count(head, options) + count(tail, options) == rows);
    LineReader lines(file.path()), again(file.path());
    ConllReader reader(lines, data[0] & 128);
    int64_t read = 0, there = 0;
    for (ConllSentence sentence; reader.next(sentence);) read += std::ssize(sentence.lines);
    for (std::string line; again.next(line);) ++there;
    require(read == there);
  } catch (const FormatError&) {
  }
  return 0;
}

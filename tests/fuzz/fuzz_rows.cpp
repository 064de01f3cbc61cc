#include <unistd.h>

#include <filesystem>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/row_reader.h"
#include "tests/fuzz/memory_file.h"

using namespace lookback;
using namespace lookback::data;

namespace {

// A name with this ending for a file without one: by it the reader knows the shape.
class Named {
 public:
  Named(const MemoryFile& file, const std::string& ending)
      : path_((std::filesystem::temp_directory_path() / ("fuzz-rows-" + std::to_string(getpid()) + ending)).string()) {
    std::filesystem::remove(path_);
    std::filesystem::create_symlink(file.path(), path_);
  }
  ~Named() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// How many rows of a source there are, each of which is whole or has its problem.
int64_t count(const RowSource& source, const TableOptions& options) {
  RowReader reader(source, {"source", "target"}, options);
  int64_t out = 0;
  for (RowReader::Row row; reader.next(row); ++out) {
    require(!reader.where(row, row.column).empty());
    if (!row.problem.empty()) continue;
    require(row.cells.size() == 2);
    for (const std::string& cell : row.cells) require(valid_utf8(cell));
  }
  return out;
}

}  // namespace

// Whatever the bytes, rows of each shape end well, and the shares of a file have every row once.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr const char* kEndings[] = {".tsv", ".csv", ".jsonl", ".txt"};
  const MemoryFile memory(as_text(data + 1, size - 1));
  const Named file(memory, kEndings[data[0] % 4]);
  TableOptions options{.max_bad = 1};
  if (data[0] & 4) options.columns = {"2", "1"};
  if (data[0] & 8) options.columns = {"target", "source"};
  RowSource all{{{file.path()}}};
  if (data[0] % 4 == 3 && options.columns.empty()) all.parts = {{file.path(), file.path()}};
  try {
    const int64_t rows = count(all, options);
    RowSource head = all, tail = all;
    head.to = tail.from = 0.3;
    require(count(head, options) + count(tail, options) == rows);
  } catch (const FormatError&) {
  }
  return 0;
}

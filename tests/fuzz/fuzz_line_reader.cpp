#include "lookback/base/error.h"
#include "lookback/base/line_reader.h"
#include "tests/fuzz/memory_file.h"

using namespace lookback;

// Plain text is compared with the obvious way of splitting it; gzip must only end well.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = as_text(data, size);
  const bool gzip = rest.substr(0, 2) == "\x1F\x8B";
  if (rest.substr(0, 3) == "\xEF\xBB\xBF") rest.remove_prefix(3);
  const MemoryFile memory(as_text(data, size));
  LineReader reader(memory.path());
  int64_t count = 0;
  try {
    for (std::string line; reader.next(line);) {
      require(reader.number() == ++count && line.find('\n') == std::string::npos);
      if (gzip) continue;
      const size_t end = rest.find('\n');
      std::string_view expected = rest.substr(0, end);
      if (end != std::string_view::npos && !expected.empty() && expected.back() == '\r') expected.remove_suffix(1);
      require(!rest.empty() && line == expected);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    require(gzip || rest.empty());
  } catch (const FormatError&) {
    require(gzip);
  }
  return 0;
}

#include <cstring>

#include "lookback/base/error.h"
#include "lookback/io/safetensors.h"
#include "tests/fuzz/memory_file.h"

using namespace lookback;

namespace {

void read_all(const std::string& bytes) {
  const MemoryFile memory(bytes);
  try {
    io::SafetensorsFile file(memory.path());
    int64_t covered = 0;
    for (const io::TensorEntry& e : file.entries()) {
      const Tensor t = file.load(e.name);
      require(t.byte_size() == e.bytes && e.offset + e.bytes <= static_cast<int64_t>(bytes.size()));
      require(e.bytes == 0 || std::memcmp(t.bytes(), bytes.data() + e.offset, static_cast<size_t>(e.bytes)) == 0);
      const Tensor mapped = file.map(e);
      require(mapped.shape() == t.shape() && mapped.dtype() == t.dtype());
      require(e.bytes == 0 || std::memcmp(mapped.bytes(), t.bytes(), static_cast<size_t>(e.bytes)) == 0);
      covered += e.bytes;
    }
    uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    require(8 + header + static_cast<uint64_t>(covered) == bytes.size());
  } catch (const FormatError&) {
  }
}

}  // namespace

// The input as a file, and as a header with the right length before it and sixteen bytes of data after it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(as_text(data, size));
  read_all(input);
  const uint64_t length = size;
  std::string wrapped(sizeof length, '\0');
  std::memcpy(wrapped.data(), &length, sizeof length);
  read_all(wrapped + input + "0123456789abcdef");
  return 0;
}

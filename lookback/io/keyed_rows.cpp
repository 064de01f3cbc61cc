#include "lookback/io/keyed_rows.h"

#include <bit>
#include <cstring>
#include <memory>

#include "lookback/base/error.h"

namespace lookback::io {
namespace {

// The file: this line, then rows, then for each matrix its key (64 bytes), the place of its rows and their number (8
// each), then the number of matrices, the columns (8 each) and the SHA-256 of all before (64). Numbers and rows are
// little-endian.
constexpr std::string_view kHead = "lookback features 1\n\n\n\n\n\n\n\n\n\n\n\n\n";  // 32 bytes
constexpr int64_t kKey = 64, kEntry = kKey + 16, kTail = 16 + kKey;
constexpr int64_t kMostColumns = int64_t{1} << 40;
static_assert(kHead.size() == 32 && std::endian::native == std::endian::little);

std::string bytes_of(int64_t n) {
  std::string out(8, '\0');
  std::memcpy(out.data(), &n, 8);
  return out;
}
int64_t number_at(const char* bytes) {
  int64_t out;
  std::memcpy(&out, bytes, 8);
  return out;
}

}  // namespace

KeyedRows open_keyed_rows(const std::string& path, int64_t columns) {
  try {
    const File file = File::open_regular(path);
    const int64_t size = file.size();
    if (size < std::ssize(kHead) + kTail) return {};
    const std::shared_ptr<std::byte> mapping = file.map(size);
    if (!mapping) return {};
    const auto* bytes = reinterpret_cast<const char*>(mapping.get());
    if (!std::string_view(bytes, kHead.size()).starts_with(kHead)) return {};
    Sha256 sum;
    sum.update({bytes, static_cast<size_t>(size - kKey)});
    if (sum.hex() != std::string_view(bytes + size - kKey, kKey)) return {};
    const int64_t count = number_at(bytes + size - kTail), width = number_at(bytes + size - kTail + 8);
    if (width < 1 || width > kMostColumns || (columns > 0 && width != columns) || count < 0 ||
        count > (size - std::ssize(kHead) - kTail) / kEntry)
      return {};
    const int64_t data_end = size - kTail - count * kEntry, row_bytes = width * 4;
    KeyedRows out;
    for (const char* entry = bytes + data_end; entry < bytes + size - kTail; entry += kEntry) {
      const int64_t at = number_at(entry + kKey), rows = number_at(entry + kKey + 8);
      if (at < std::ssize(kHead) || at > data_end || at % 4 != 0 || rows < 0 || rows > (data_end - at) / row_bytes)
        return {};
      out.emplace(std::string(entry, kKey), Tensor::view({rows, width}, Dtype::f32, mapping.get() + at, mapping));
    }
    return out;
  } catch (const IoError&) {  // missing or unreadable
    return {};
  }
}

KeyedRowsWriter::KeyedRowsWriter(const std::string& path) : file_(path) { put(kHead); }

void KeyedRowsWriter::add(const std::string& key, const Tensor& rows) {
  index_ += key + bytes_of(at_) + bytes_of(rows.dim(0)), ++count_;
  put({reinterpret_cast<const char*>(rows.bytes()), static_cast<size_t>(rows.byte_size())});
}

void KeyedRowsWriter::commit(int64_t columns) {
  put(index_ + bytes_of(count_) + bytes_of(columns));
  file_.write(sum_.hex());
  file_.commit();
}

void KeyedRowsWriter::put(std::string_view bytes) {
  file_.write(bytes);
  sum_.update(bytes);
  at_ += std::ssize(bytes);
}

}  // namespace lookback::io

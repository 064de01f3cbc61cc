// Ogg pages (RFC 3533). Decoders pass over pages that are damaged or missing, and the recording is shorter then; here
// it is an error.
#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "lookback/base/error.h"
#include "lookback/sound/sample_source.h"

namespace lookback::sound {
namespace {

// The CRC of Ogg: polynomial 0x04c11db7, highest bit first, begun with 0.
constexpr std::array<uint32_t, 256> kTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t k = 0; k < 256; ++k) {
    uint32_t r = k << 24;
    for (int bit = 0; bit < 8; ++bit) r = r & 0x80000000 ? r << 1 ^ 0x04c11db7 : r << 1;
    table[k] = r;
  }
  return table;
}();

uint32_t crc_of(std::string_view page) {
  uint32_t crc = 0;
  for (const char c : page) crc = crc << 8 ^ kTable[(crc >> 24) ^ static_cast<uint8_t>(c)];
  return crc;
}

uint32_t number_at(const std::string& page, size_t at) {
  uint32_t out = 0;
  for (size_t k = 4; k-- > 0;) out = out << 8 | static_cast<uint8_t>(page[at + k]);
  return out;
}

}  // namespace

void check_ogg(const io::File& file, const std::string& name) {
  constexpr int64_t kHeader = 27;
  const int64_t size = file.size();
  std::map<uint32_t, uint32_t> next_page;  // of each stream that has begun and not ended
  std::string page;
  for (int64_t at = 0; at < size;) {
    const auto whole = [&](bool ok, const auto&... what) { check<FormatError>(ok, name, ": damaged Ogg: ", what...); };
    const auto take = [&](int64_t n) {
      check<FormatError>(at + n <= size, name, ": cut short: the last Ogg page, at byte ", at, ", is not whole");
      const auto before = static_cast<int64_t>(page.size());
      page.resize(static_cast<size_t>(n));
      file.read_exactly(at + before, page.data() + before, n - before);
    };
    page.clear();
    take(std::min(kHeader, std::max<int64_t>(size - at, 4)));
    whole(page.starts_with("OggS"), "no page at byte ", at);
    take(kHeader);
    whole(page[4] == 0, "a page of version ", static_cast<int>(page[4]), " at byte ", at);
    take(kHeader + static_cast<uint8_t>(page[26]));
    int64_t bytes = std::ssize(page);
    for (size_t k = kHeader; k < page.size(); ++k) bytes += static_cast<uint8_t>(page[k]);
    take(bytes);
    const uint32_t stream = number_at(page, 14), number = number_at(page, 18), crc = number_at(page, 22);
    const bool first = page[5] & 2, last = page[5] & 4;
    std::fill_n(page.begin() + 22, 4, '\0');
    whole(crc_of(page) == crc, "wrong checksum of the page at byte ", at);
    const auto found = next_page.find(stream);
    whole(first == (found == next_page.end()) && (first || found->second == number), "a page is missing before byte ",
          at);
    next_page[stream] = number + 1;
    if (last) next_page.erase(stream);
    at += bytes;
  }
  check<FormatError>(size > 0 && next_page.empty(), name, ": cut short: no Ogg page says that it is the last");
}

}  // namespace lookback::sound

#include "lookback/sound/feature_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <optional>

#include "lookback/base/error.h"
#include "lookback/base/fields.h"
#include "lookback/base/parallel.h"
#include "lookback/base/sha256.h"
#include "lookback/io/atomic_file.h"
#include "lookback/sound/resample.h"

namespace lookback::sound {
namespace {

// The file: this line, then rows, then for each recording its key (64 bytes), the place of its rows and their number (8
// each), then the number of recordings, the columns (8 each) and the SHA-256 of all before (64). Numbers and rows are
// little-endian.
constexpr std::string_view kHead = "lookback features 1\n\n\n\n\n\n\n\n\n\n\n\n\n";  // 32 bytes
constexpr std::string_view kVersion = "rows 1";                                      // of how they are computed
constexpr int64_t kKey = 64, kEntry = kKey + 16, kTail = 16 + kKey;
static_assert(kHead.size() == 32 && std::endian::native == std::endian::little);

using Found = std::map<std::string, Tensor>;  // by key

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

// What the rows of one file depend on besides its bytes.
std::string options_text(FeatureOptions options) {
  options.normalise = "none", options.stack = 1, options.skip = 1;
  std::string out(kVersion);
  for (const Field& f : fields_of(options)) out += '\n' + f.path + ' ' + field_text(f);
  return out;
}

// The rows in a cache file; none of one that is missing, damaged or of other options.
Found open_cache(const std::string& path, int64_t columns) {
  try {
    const io::File file = io::File::open_regular(path);
    const int64_t size = file.size();
    if (size < std::ssize(kHead) + kTail) return {};
    const std::shared_ptr<std::byte> mapping = file.map(size);
    if (!mapping) return {};
    const auto* bytes = reinterpret_cast<const char*>(mapping.get());
    Sha256 sum;
    sum.update({bytes, static_cast<size_t>(size - kKey)});
    if (sum.hex() != std::string_view(bytes + size - kKey, kKey)) return {};
    const int64_t count = number_at(bytes + size - kTail);
    if (!std::string_view(bytes, kHead.size()).starts_with(kHead) || number_at(bytes + size - kTail + 8) != columns ||
        count < 0 || count > (size - std::ssize(kHead) - kTail) / kEntry)
      return {};
    const int64_t data_end = size - kTail - count * kEntry, row_bytes = columns * 4;
    Found out;
    for (const char* entry = bytes + data_end; entry < bytes + size - kTail; entry += kEntry) {
      const int64_t at = number_at(entry + kKey), rows = number_at(entry + kKey + 8);
      if (at < std::ssize(kHead) || at > data_end || at % 4 != 0 || rows < 0 || rows > (data_end - at) / row_bytes)
        return {};
      out.emplace(std::string(entry, kKey), Tensor::view({rows, columns}, Dtype::f32, mapping.get() + at, mapping));
    }
    return out;
  } catch (const IoError&) {  // missing or unreadable
    return {};
  }
}

// Rows in the making, in the file and nowhere else.
class Writer {
 public:
  Writer(const std::string& path, int64_t columns) : file_(path), columns_(columns) { put(kHead); }

  void add(const std::string& key, const Tensor& rows) {
    index_ += key + bytes_of(at_) + bytes_of(rows.dim(0)), ++count_;
    put({reinterpret_cast<const char*>(rows.bytes()), static_cast<size_t>(rows.byte_size())});
  }
  void commit() {
    put(index_ + bytes_of(count_) + bytes_of(columns_));
    file_.write(sum_.hex());
    file_.commit();
  }

 private:
  void put(std::string_view bytes) {
    file_.write(bytes);
    sum_.update(bytes);
    at_ += std::ssize(bytes);
  }

  io::AtomicFile file_;
  Sha256 sum_;
  int64_t columns_, at_ = 0, count_ = 0;
  std::string index_;
};

// f(k) for all k in [0, n), several at once; for each what it threw, or "".
template <class F>
StringList for_each_recording(int64_t n, F&& f) {
  StringList problems(static_cast<size_t>(n));
  parallel_for(n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) try {
        f(static_cast<size_t>(k));
      } catch (const Error& e) {
        problems[static_cast<size_t>(k)] = e.what();
      }
  });
  return problems;
}

}  // namespace

Tensor plain_rows_of_file(const std::string& path, const FeatureExtractor& extractor) {
  return extractor.plain_rows(read_audio_at(path, extractor.options().sample_rate).samples);
}

FeatureCache::FeatureCache(const std::string& path, std::vector<std::string> recordings,
                           const FeatureOptions& options) {
  const FeatureExtractor extractor(options);
  const int64_t columns = extractor.row_width();
  const std::string text = options_text(options);
  StringList keys(recordings.size());  // "" where there is a problem
  problems_ = for_each_recording(std::ssize(keys), [&](size_t k) {
    keys[k] = sha256_hex(io::sha256_file(io::File::open_regular(recordings[k])) + '\n' + text);
  });
  Found found = open_cache(path, columns);
  std::vector<size_t> missing;  // recordings, one for each key
  Found wanted;
  for (size_t k = 0; k < keys.size(); ++k) {
    if (keys[k].empty()) continue;
    const auto it = found.find(keys[k]);
    if (wanted.emplace(keys[k], it == found.end() ? Tensor() : it->second).second && it == found.end())
      missing.push_back(k);
  }
  std::map<std::string, std::string> bad;  // problems by key
  if (!missing.empty()) {
    Writer writer(path, columns);
    for (const auto& [key, rows] : wanted)
      if (!rows.empty()) writer.add(key, rows);
    constexpr size_t kAtOnce = 64;  // recordings in memory
    for (size_t begin = 0; begin < missing.size(); begin += kAtOnce) {
      const size_t n = std::min(kAtOnce, missing.size() - begin);
      std::vector<Tensor> rows(n);
      const StringList problems = for_each_recording(static_cast<int64_t>(n), [&](size_t k) {
        rows[k] = plain_rows_of_file(recordings[missing[begin + k]], extractor);
      });
      for (size_t k = 0; k < n; ++k)
        if (problems[k].empty())
          writer.add(keys[missing[begin + k]], rows[k]);
        else
          bad.emplace(keys[missing[begin + k]], problems[k]);
    }
    writer.commit();
    found = open_cache(path, columns);
  }
  computed_ = std::ssize(missing) - std::ssize(bad);
  for (size_t k = 0; k < keys.size(); ++k) {
    if (const auto problem = bad.find(keys[k]); problem != bad.end()) problems_[k] = problem->second;
    if (!problems_[k].empty()) {
      rows_.emplace_back();
      continue;
    }
    const auto it = found.find(keys[k]);
    // Another process may have put its own file there, or the disk returns something else.
    rows_.push_back(it == found.end() ? plain_rows_of_file(recordings[k], extractor) : it->second);
  }
}

}  // namespace lookback::sound

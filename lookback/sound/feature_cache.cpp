#include "lookback/sound/feature_cache.h"

#include <algorithm>
#include <map>

#include "lookback/base/error.h"
#include "lookback/base/fields.h"
#include "lookback/base/parallel.h"
#include "lookback/base/sha256.h"
#include "lookback/io/keyed_rows.h"
#include "lookback/io/posix_file.h"
#include "lookback/sound/resample.h"

namespace lookback::sound {
namespace {

constexpr std::string_view kVersion = "rows 1";  // of how they are computed

// What the rows of one file depend on besides its bytes.
std::string options_text(FeatureOptions options) {
  options.normalise = "none", options.stack = 1, options.skip = 1;
  std::string out(kVersion);
  for (const Field& f : fields_of(options)) out += '\n' + f.path + ' ' + field_text(f);
  return out;
}

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

std::vector<PlainRows> plain_rows_of_files(const std::vector<std::string>& paths, const FeatureExtractor& extractor) {
  std::vector<PlainRows> out(paths.size());
  const StringList problems =
      for_each_recording(std::ssize(paths), [&](size_t k) { out[k].rows = plain_rows_of_file(paths[k], extractor); });
  for (size_t k = 0; k < out.size(); ++k) out[k].problem = problems[k];
  return out;
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
  io::KeyedRows found = io::open_keyed_rows(path, columns);
  std::vector<size_t> missing;  // recordings, one for each key
  io::KeyedRows wanted;
  for (size_t k = 0; k < keys.size(); ++k) {
    if (keys[k].empty()) continue;
    const auto it = found.find(keys[k]);
    if (wanted.emplace(keys[k], it == found.end() ? Tensor() : it->second).second && it == found.end())
      missing.push_back(k);
  }
  std::map<std::string, std::string> bad;  // problems by key
  if (!missing.empty()) {
    io::KeyedRowsWriter writer(path);
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
    writer.commit(columns);
    found = io::open_keyed_rows(path, columns);
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

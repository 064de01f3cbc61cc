// The rows of a list of recordings in one file, made once and mapped from then on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lookback/sound/features.h"

namespace lookback::sound {

// The plain rows (features.h) of a recording's file, resampled to the rate of the options: f32 [T, row_width]. Throws
// as read_audio and resampled do, with the path.
Tensor plain_rows_of_file(const std::string& path, const FeatureExtractor& extractor);

// The plain rows of each of these files, several at once, or why there are none: "a.wav: is cut short ...".
struct PlainRows {
  Tensor rows;
  std::string problem;
};
std::vector<PlainRows> plain_rows_of_files(const std::vector<std::string>& paths, const FeatureExtractor& extractor);

// Plain rows by the content of recordings. A recording's key is the SHA-256 of its bytes, of the options its rows
// depend on, and of the version of this code: one that is renamed is found, one that has changed is read again.
//
// The whole file is checked when it is opened, and of one that is damaged nothing is used. It is written all or
// nothing: processes that write it at the same time each leave a whole one, and go on reading their own.
class FeatureCache {
 public:
  // Opens the cache at `path` and computes what it lacks of `recordings`, several at once; if that was anything, the
  // file is written anew with the rows of these recordings alone. A recording that cannot be read has no rows, and a
  // problem instead. IoError of writing.
  FeatureCache(const std::string& path, std::vector<std::string> recordings, const FeatureOptions& options);

  int64_t size() const { return std::ssize(rows_); }
  int64_t computed() const { return computed_; }  // rows of how many different recordings were made, not found
  // The plain rows of a recording: f32 [T, row_width], mapped and not to be written to.
  const Tensor& operator[](int64_t k) const { return rows_[static_cast<size_t>(k)]; }
  // Why a recording has no rows: "a.wav: is cut short ..."; "" if it has some.
  const std::string& problem(int64_t k) const { return problems_[static_cast<size_t>(k)]; }

 private:
  std::vector<Tensor> rows_;
  std::vector<std::string> problems_;
  int64_t computed_ = 0;
};

}  // namespace lookback::sound

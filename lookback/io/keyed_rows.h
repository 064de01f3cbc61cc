// Matrices by key in one file, which is checked whole and then mapped: what caches of features are kept in.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "lookback/base/sha256.h"
#include "lookback/io/atomic_file.h"
#include "lookback/tensor/tensor.h"

namespace lookback::io {

using KeyedRows = std::map<std::string, Tensor>;  // f32 [rows, columns], mapped and not to be written to

// What is in such a file; nothing of one that is missing, damaged or of other columns. columns = 0: as many as it says.
KeyedRows open_keyed_rows(const std::string& path, int64_t columns = 0);

// Matrices in the making, in the file and nowhere else; it appears when it is committed. Throws IoError.
class KeyedRowsWriter {
 public:
  explicit KeyedRowsWriter(const std::string& path);
  // key: 64 bytes; rows: f32 [rows, columns].
  void add(const std::string& key, const Tensor& rows);
  void commit(int64_t columns);

 private:
  void put(std::string_view bytes);

  AtomicFile file_;
  Sha256 sum_;
  int64_t at_ = 0, count_ = 0;
  std::string index_;
};

}  // namespace lookback::io

// Text files, one line at a time, plain or gzip.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lookback/base/byte_reader.h"

namespace lookback {

// Reads lines from a file, a pipe or, for the path "-", standard input, plain or
// gzip as ByteReader has it. Memory is one buffer and the current line.
//
// A line ends with \n or \r\n, which are not part of it; the last one may lack
// its end. Every other byte is kept as it is (NUL too), except a UTF-8 byte
// order mark at the very start, which is dropped.
class LineReader {
 public:
  static constexpr int64_t kMaxLine = int64_t{64} << 20;  // bytes

  // Throws IoError, with the path and the system's reason, if it cannot be opened or is a folder.
  explicit LineReader(const std::string& path);
  explicit LineReader(ByteReader bytes);  // lines of what was not taken from it yet
  ~LineReader();
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;

  // The next line into `line`; false at the end. Throws FormatError "path:line: ..."
  // where compressed data is damaged or ends early or a line is over kMaxLine, and
  // IoError where the system cannot read on. After a throw every further call throws the same.
  bool next(std::string& line);

  // How many lines were read: the number, from 1, of the line last returned.
  int64_t number() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lookback

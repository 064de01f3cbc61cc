// The bytes of a file, one block at a time, plain or gzip.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lookback/base/error.h"

namespace lookback {

// Compressed data that cannot be unpacked; `reason` is the message without the path and the place.
struct DamagedGzipError : FormatError {
  DamagedGzipError(const std::string& message, std::string why) : FormatError(message), reason(std::move(why)) {}
  std::string reason;
};

// Reads a file, a pipe or, for the path "-", standard input. Gzip is recognised by its first
// two bytes, not by the name; several members in one file are read one after another, zeros
// behind the last are passed over. Offsets and sizes count unpacked bytes. Memory is two blocks.
//
// Every function that reads throws DamagedGzipError "path: byte N: ..." where compressed data is
// damaged or ends early, and IoError where the system cannot read on.
class ByteReader {
 public:
  // Throws IoError, with the path and the system's reason, if it cannot be opened or is a folder.
  explicit ByteReader(const std::string& path);
  ~ByteReader();
  ByteReader(ByteReader&&) noexcept;
  ByteReader& operator=(ByteReader&&) noexcept;

  // The bytes that come next, at least `least` of them unless the file ends before. They stay
  // where they are until they are taken or more are asked for.
  std::string_view peek(size_t least = 1);
  void take(size_t n);  // passes over n bytes of what peek gave

  size_t read(char* out, size_t n);  // the next n bytes; how many there were, fewer only at the end
  int64_t skip(int64_t n);           // the same, passed over; a plain file is not read on the way

  int64_t offset() const;           // of the next byte, from 0
  const std::string& name() const;  // of the file, for messages

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lookback

// Many short rows of numbers or bytes, back to back.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lookback/base/error.h"

namespace lookback::data {

// Bytes that only grow. Up to `memory_limit` they are ordinary memory; beyond it, a file without
// a name in the folder for temporary files, mapped into memory, so that the system may write it out.
class SpillBuffer {
 public:
  explicit SpillBuffer(int64_t memory_limit) : limit_(memory_limit) {}
  ~SpillBuffer();
  SpillBuffer(SpillBuffer&& other) noexcept;
  SpillBuffer& operator=(SpillBuffer&& other) noexcept;

  const char* data() const { return data_; }
  int64_t size() const { return size_; }
  bool spilled() const { return file_ >= 0; }
  // Adds bytes at the end. Throws IoError if the temporary file cannot be made or the disk is full.
  void append(const void* bytes, int64_t n);

 private:
  void grow(int64_t capacity);

  int64_t limit_;
  char* data_ = nullptr;
  int64_t size_ = 0, capacity_ = 0;
  int file_ = -1;  // descriptor; -1 while in memory
};

// Rows of T, addressed by number.
template <class T>
class Rows {
 public:
  explicit Rows(int64_t memory_limit) : values_(memory_limit) {}

  int64_t size() const { return static_cast<int64_t>(begin_.size()) - 1; }
  std::span<const T> operator[](int64_t i) const {
    check(i >= 0 && i < size(), "table: row ", i, " is outside [0, ", size(), ")");
    const auto k = static_cast<size_t>(i);
    return {reinterpret_cast<const T*>(values_.data()) + begin_[k], static_cast<size_t>(begin_[k + 1] - begin_[k])};
  }
  void append(std::span<const T> row) {
    values_.append(row.data(), static_cast<int64_t>(row.size_bytes()));
    begin_.push_back(begin_.back() + static_cast<int64_t>(row.size()));
  }
  bool spilled() const { return values_.spilled(); }

 private:
  SpillBuffer values_;
  std::vector<int64_t> begin_ = {0};  // and one past the last
};

}  // namespace lookback::data

#include "lookback/data/spill_buffer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <new>
#include <string>
#include <utility>

namespace lookback::data {
namespace {

constexpr int64_t kFirst = 64 << 10;  // bytes

// A file that nobody else can name and that is gone when it is closed.
int unnamed_file() {
  std::string name = std::filesystem::temp_directory_path() / "lookback-table-XXXXXX";
  const int file = mkostemp(name.data(), O_CLOEXEC);
  check<IoError>(file >= 0, name, ": cannot be made: ", std::strerror(errno), "; set TMPDIR to a folder with room");
  unlink(name.c_str());
  return file;
}

}  // namespace

SpillBuffer::~SpillBuffer() {
  if (file_ < 0) {
    std::free(data_);
    return;
  }
  munmap(data_, static_cast<size_t>(capacity_));
  close(file_);
}

SpillBuffer::SpillBuffer(SpillBuffer&& other) noexcept
    : limit_(other.limit_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)),
      file_(std::exchange(other.file_, -1)) {}

SpillBuffer& SpillBuffer::operator=(SpillBuffer&& other) noexcept {
  std::swap(limit_, other.limit_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  std::swap(file_, other.file_);
  return *this;
}

void SpillBuffer::append(const void* bytes, int64_t n) {
  if (n == 0) return;
  if (n > capacity_ - size_) grow(std::max({kFirst, size_ + n, capacity_ + capacity_ / 2}));
  std::memcpy(data_ + size_, bytes, static_cast<size_t>(n));
  size_ += n;
}

void SpillBuffer::grow(int64_t capacity) {
  constexpr int64_t kPage = 4096;
  capacity = (capacity + kPage - 1) / kPage * kPage;
  if (file_ < 0 && capacity <= std::max(limit_, kFirst)) {
    // realloc moves large blocks by their pages, so there are never two copies.
    auto* const moved = static_cast<char*>(std::realloc(data_, static_cast<size_t>(capacity)));
    if (!moved) throw std::bad_alloc();
    data_ = moved;
    capacity_ = capacity;
    return;
  }
  const int file = file_ < 0 ? unnamed_file() : file_;
  // Room on the disk is taken now: a full disk must be an error here and not a fault at some later write.
  const int failed = posix_fallocate(file, 0, static_cast<off_t>(capacity));
  const auto map = [&] {
    return file_ < 0 ? mmap(nullptr, static_cast<size_t>(capacity), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                     : mremap(data_, static_cast<size_t>(capacity_), static_cast<size_t>(capacity), MREMAP_MAYMOVE);
  };
  void* const mapped = failed ? MAP_FAILED : map();
  if (mapped == MAP_FAILED) {
    const int reason = failed ? failed : errno;
    if (file_ < 0) close(file);
    throw IoError(str_cat("temporary file for the table: ", std::strerror(reason), " at ", capacity,
                          " bytes; set TMPDIR to a folder with room, or allow more memory"));
  }
  if (file_ < 0) {
    if (size_ > 0) std::memcpy(mapped, data_, static_cast<size_t>(size_));
    std::free(data_);
    file_ = file;
  }
  data_ = static_cast<char*>(mapped);
  capacity_ = capacity;
}

}  // namespace lookback::data

#include "lookback/io/posix_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/base/sha256.h"

namespace lookback::io {
namespace {

// Linux reads and writes at most 2 GiB at once.
constexpr int64_t kChunk = int64_t{1} << 30;

[[noreturn]] void refuse(const std::string& path, std::string_view what) {
  const int error = errno;
  throw IoError(str_cat(path, ": ", what, ": ", error_text(error)));
}

}  // namespace

std::string error_text(int error) { return std::generic_category().message(error); }

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}
File::File(File&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), name_(std::move(other.name_)) {}
File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(name_, other.name_);
  return *this;
}

File File::open_regular(const std::string& path) {
  // Non-blocking, because opening a pipe nobody writes to would wait for ever.
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK), path);
  if (!file.valid()) refuse(path, "cannot open");
  check_regular(file);
  return file;
}

void check_regular(const File& file) {
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0) refuse(file.path(), "cannot read");
  check<IoError>(!S_ISDIR(info.st_mode), file.path(), ": cannot read: ", error_text(EISDIR));
  check<IoError>(S_ISREG(info.st_mode), file.path(), ": cannot read: not a regular file");
}

File File::create_new(const std::string& path, const std::string& name) {
  File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666), path, name);
  if (!file.valid() && errno != EEXIST) refuse(file.name_, "cannot create");
  return file;
}

int64_t File::size() const {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) refuse(name_, "cannot read");
  return info.st_size;
}

int64_t File::read_some(int64_t at, char* out, int64_t n) const {
  for (;;) {
    const ssize_t got = ::pread(fd_, out, static_cast<size_t>(std::min(n, kChunk)), at);
    if (got >= 0) return got;
    if (errno != EINTR) refuse(name_, "cannot read");
  }
}

void File::read_exactly(int64_t at, char* out, int64_t n) const {
  while (n > 0) {
    const int64_t got = read_some(at, out, n);
    check<IoError>(got > 0, name_, ": the file became shorter while it was read");
    at += got, out += got, n -= got;
  }
}

void File::write_all(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_, bytes.data(), std::min(bytes.size(), static_cast<size_t>(kChunk)));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) refuse(name_, "cannot write");
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

std::shared_ptr<std::byte> File::map(int64_t n) const {
  check<IoError>(size() >= n, name_, ": the file became shorter while it was read");
  const auto bytes = static_cast<size_t>(n);
  void* p = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd_, 0);
  if (p == MAP_FAILED) return nullptr;
  return {static_cast<std::byte*>(p), [bytes](std::byte* q) { ::munmap(q, bytes); }};
}

void File::sync() const {
  // Pipes and some network file systems cannot sync and say EINVAL; nothing is lost by that.
  if (::fsync(fd_) != 0 && errno != EINVAL) refuse(name_, "cannot write to disk");
}

void File::close() {
  if (fd_ >= 0 && ::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) refuse(name_, "cannot write");
}

std::string read_file(const std::string& path, int64_t limit) { return read_file(File::open_regular(path), limit); }

std::string read_file(const File& file, int64_t limit) {
  std::string out;
  // Read to the end rather than to the size: files under /proc say 0.
  for (;;) {
    const size_t have = out.size();
    out.resize(have +
               static_cast<size_t>(std::clamp<int64_t>(file.size() + 1 - static_cast<int64_t>(have), 4096, limit + 1)));
    const int64_t n =
        file.read_some(static_cast<int64_t>(have), out.data() + have, static_cast<int64_t>(out.size() - have));
    out.resize(have + static_cast<size_t>(n));
    check<FormatError>(static_cast<int64_t>(out.size()) <= limit, file.path(), ": the file is larger than ", limit,
                       " bytes, the most allowed here");
    if (n == 0) return out;
  }
}

std::string sha256_file(const File& file) {
  Sha256 sum;
  std::string buffer(size_t{1} << 18, '\0');
  for (int64_t at = 0, n = 0; (n = file.read_some(at, buffer.data(), std::ssize(buffer))) > 0; at += n)
    sum.update(std::string_view(buffer).substr(0, static_cast<size_t>(n)));
  return sum.hex();
}

void sync_folder(const std::string& path) {
  const File folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
  if (!folder.valid()) refuse(path, "cannot open");
  folder.sync();
}

bool try_lock(int fd) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return true;  // no locks on this file system: nobody holds one
  }
  return true;
}

}  // namespace lookback::io

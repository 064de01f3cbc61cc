#include "lookback/cli/output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "lookback/base/error.h"
#include "lookback/io/posix_file.h"

namespace lookback::cli {
namespace fs = std::filesystem;
namespace {

void write_all(int fd, const std::string& name, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE) throw BrokenPipe{};
    if (n < 0 && errno == EAGAIN) {  // somebody made the pipe non-blocking
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, -1);
      continue;
    }
    check<IoError>(n >= 0, name, ": cannot write: ", io::error_text(errno));
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

Output::Output(const std::string& path) : name_(path) {
  if (path == "-") {
    name_ = "standard output", fd_ = STDOUT_FILENO;
    return;
  }
  std::error_code error;
  const auto type = fs::status(path, error).type();
  check<IoError>(type != fs::file_type::directory, path, ": is a folder, not a file to write to");
  if (type == fs::file_type::not_found || type == fs::file_type::regular) {
    // A link keeps pointing to the file it names.
    const fs::path target = fs::weakly_canonical(path, error);
    const std::string name = error ? path : target.string();
    io::remove_stale_temporaries(fs::absolute(name).parent_path().string());
    file_ = std::make_unique<io::AtomicFile>(name);
  } else {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    check<IoError>(fd_ >= 0, path, ": cannot open: ", io::error_text(errno));
  }
}

Output::~Output() {
  if (fd_ > STDOUT_FILENO) ::close(fd_);
}

void Output::write(std::string_view bytes) {
  if (file_)
    file_->write(bytes);
  else
    write_all(fd_, name_, bytes);
}

void Output::finish() {
  if (file_) file_->commit();
  if (fd_ <= STDOUT_FILENO) return;
  const int fd = fd_;
  fd_ = -1;
  check<IoError>(::close(fd) == 0, name_, ": cannot write: ", io::error_text(errno));
}

void print(std::string_view bytes) { write_all(STDOUT_FILENO, "standard output", bytes); }

}  // namespace lookback::cli

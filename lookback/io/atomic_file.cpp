#include "lookback/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/io/temporary.h"

namespace lookback::io {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMark = ".tmp-";

// A name nobody else in this process uses; other processes have another number.
std::string temporary_name(const std::string& path) {
  static std::atomic<uint64_t> count{0};
  const auto [place, name] = split_path(path);
  return (fs::path(place) / str_cat('.', name.substr(0, 200), kMark, ::getpid(), '-', count++)).string();
}

}  // namespace

PlaceAndName split_path(const std::string& path) {
  fs::path p(path);
  if (!p.has_filename()) p = p.parent_path();  // "model/" is "model"
  const std::string name = p.filename().string();
  check<IoError>(!name.empty() && name != "." && name != "..", path, ": not the name of a file or folder");
  const std::string place = p.parent_path().string();
  return {place.empty() ? "." : place, name};
}

File create_temporary_file(const std::string& path) {
  for (;;) {
    File file = File::create_new(temporary_name(path), path);
    if (!file.valid()) continue;  // left behind by an earlier process of the same number
    try_lock(file.fd());
    return file;
  }
}

File create_temporary_folder(const std::string& path) {
  for (;;) {
    const std::string name = temporary_name(path);
    if (::mkdir(name.c_str(), 0777) != 0) {
      check<IoError>(errno == EEXIST, path, ": cannot create: ", error_text(errno));
      continue;
    }
    File folder(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), name);
    check<IoError>(folder.valid(), path, ": cannot create: ", error_text(errno));
    try_lock(folder.fd());
    return folder;
  }
}

bool is_temporary_name(std::string_view name) {
  const size_t mark = name.rfind(kMark);
  if (name.empty() || name.front() != '.' || mark == std::string_view::npos || mark < 2) return false;
  const std::string_view numbers = name.substr(mark + kMark.size());
  const size_t dash = numbers.find('-');
  const auto is_number = [](std::string_view s) {
    return !s.empty() && s.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return dash != std::string_view::npos && is_number(numbers.substr(0, dash)) && is_number(numbers.substr(dash + 1));
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), file_(create_temporary_file(path)) {
  // What replaces a file keeps its permissions.
  struct stat before {};
  if (::lstat(path.c_str(), &before) == 0 && S_ISREG(before.st_mode)) (void)::fchmod(file_.fd(), before.st_mode & 0777);
}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(file_.path().c_str());
}

void AtomicFile::write(std::string_view bytes) { file_.write_all(bytes); }

void AtomicFile::commit() {
  file_.sync();
  if (::rename(file_.path().c_str(), path_.c_str()) != 0)
    throw IoError(str_cat(path_, ": cannot write: ", error_text(errno)));
  committed_ = true;
  file_.close();
  sync_folder(split_path(path_).place);
}

void write_file_atomic(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

int64_t remove_stale_temporaries(const std::string& parent) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator entry(parent, error); !error && entry != fs::directory_iterator(); entry.increment(error))
    if (is_temporary_name(entry->path().filename().string())) found.push_back(entry->path().string());
  check<IoError>(!error, parent, ": cannot read: ", error.message());
  int64_t removed = 0;
  for (const std::string& path : found) {
    const File file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), path);
    if (!file.valid() || !try_lock(file.fd())) continue;
    fs::remove_all(path, error);
    check<IoError>(!error, path, ": cannot remove: ", error.message());
    ++removed;
  }
  return removed;
}

}  // namespace lookback::io

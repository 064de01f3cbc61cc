// An open file that reports what the system refuses as IoError "path: what: reason".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lookback::io {

// "No such file or directory" for ENOENT, and so on.
std::string error_text(int error);

class File {
 public:
  File() = default;  // none
  // `name` is what messages call it; the path unless given.
  File(int fd, std::string path, std::string name = "")
      : fd_(fd), path_(std::move(path)), name_(name.empty() ? path_ : std::move(name)) {}
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  // An existing regular file for reading: a folder, pipe or device is an IoError, not a wait.
  static File open_regular(const std::string& path);
  // A new file for writing; `exists` (EEXIST) makes an invalid File instead of an error.
  static File create_new(const std::string& path, const std::string& name = "");

  bool valid() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  int64_t size() const;
  // Up to n bytes from offset `at`; 0 only at the end.
  int64_t read_some(int64_t at, char* out, int64_t n) const;
  // Exactly n bytes from offset `at`; IoError if the file has become shorter.
  void read_exactly(int64_t at, char* out, int64_t n) const;
  // All of it, at the current position.
  void write_all(std::string_view bytes) const;
  void sync() const;
  // Its first n bytes (at least one), mapped for reading: a page comes when it is touched. The mapping
  // needs no open file and lives as long as the pointer. Null where this cannot be mapped; IoError if
  // the file has become shorter than n. Whoever cuts it short later kills a program that reads there (SIGBUS).
  std::shared_ptr<std::byte> map(int64_t n) const;
  void close();  // reports what closing reports, where the destructor does not

 private:
  int fd_ = -1;
  std::string path_;
  std::string name_;
};

// Throws IoError unless it is a regular file.
void check_regular(const File& file);

// A whole regular file; FormatError if it holds more than `limit` bytes.
std::string read_file(const std::string& path, int64_t limit);
std::string read_file(const File& file, int64_t limit);
// The SHA-256 of a file's contents, in constant memory.
std::string sha256_file(const File& file);

// Makes creations, renames and removals in a folder durable.
void sync_folder(const std::string& path);

// Takes the advisory lock of an open file without waiting; false if somebody holds it.
bool try_lock(int fd);

}  // namespace lookback::io

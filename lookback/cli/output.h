// Where results go: standard output, a file, a device.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lookback/io/atomic_file.h"

namespace lookback::cli {

// Whoever read our output went away (`| head -1`): no error, just the end.
struct BrokenPipe {};

// "-" is standard output. A file appears under its name when it is complete; what is already
// there and no regular file (a device, a pipe) is written to as it is.
class Output {
 public:
  // Throws IoError, as all of this does, and BrokenPipe.
  explicit Output(const std::string& path);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view bytes);
  void finish();

 private:
  std::string name_;
  int fd_ = -1;
  std::unique_ptr<io::AtomicFile> file_;
};

// To standard output, all of it.
void print(std::string_view bytes);

}  // namespace lookback::cli

// Files and folders that are either there as a whole or not at all, whenever
// the program, the disk or the power gives out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lookback/io/posix_file.h"
#include "lookback/io/staged_folder.h"

namespace lookback::io {

// A file in the making, under a temporary name in the folder of `path`. Until
// commit() nothing is at `path` that was not there before; without commit() the
// temporary is removed. A symbolic link at `path` is replaced, not followed.
class AtomicFile {
 public:
  // Throws IoError (path and the system's reason), as all of this does.
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  // Writes to disk, renames to `path`, makes the rename durable.
  void commit();

 private:
  std::string path_;
  File file_;
  bool committed_ = false;
};

// Replaces the file at `path` by `bytes`, all or nothing.
void write_file_atomic(const std::string& path, std::string_view bytes);

// A folder of files in the making. Write into path(), then commit(): a
// `manifest.json` with every file's name, size and SHA-256 is added, all is
// written to disk and the folder takes its final name in one step. Without
// commit() everything is removed.
//
// A folder already at the final name is replaced, in one step too, but only if it
// is empty or was made by this class and holds nothing that its manifest.json does
// not list; anything else is an IoError, from the constructor already.
class AtomicFolder {
 public:
  // The parent folder must exist.
  explicit AtomicFolder(const std::string& final_path);
  // The temporary folder to write into; it may get folders of its own.
  const std::string& path() const { return folder_.path(); }
  // Throws IoError; FormatError for a file name that is not UTF-8 or something that is not a file or folder.
  void commit();

 private:
  StagedFolder folder_;
  bool committed_ = false;
};

// Whether a folder is as AtomicFolder wrote it: nothing if it is, otherwise what
// is wrong, naming the file: missing, cut short, changed, a link. Files that the
// manifest does not name are no fault. Does not throw for anything on disk.
std::optional<std::string> verify_folder(const std::string& path);

// Removes what writers that were killed left behind in `parent`, and returns how
// many files and folders that were. Temporaries of writers still at work stay.
int64_t remove_stale_temporaries(const std::string& parent);

}  // namespace lookback::io

// A folder that is written beside its place and takes it in one step, whether a folder is there already or not.
#pragma once

#include <optional>
#include <string>

#include "lookback/io/posix_file.h"

namespace lookback::io {

class StagedFolder {
 public:
  // Makes the temporary folder; nothing changes at `final_path`. Throws IoError, as all of this does.
  explicit StagedFolder(const std::string& final_path);
  // Removes the folder, or what it has replaced.
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  const std::string& final_path() const { return final_path_; }
  // Where to write until it takes its place.
  const std::string& path() const { return path_; }
  // Makes all folders durable (their files are the writer's matter) and swaps. Once.
  void take_place();

 private:
  std::string final_path_;
  File lock_;
  std::string path_;
};

// What in a folder is not known to be of this program, for a message; nothing if all is: the files that its
// manifest.json lists, what lies in folders that it lists, temporaries. Of an empty folder nothing is foreign.
std::optional<std::string> foreign_entry(const std::string& path);

// Throws IoError unless `path` is free, an empty folder, or one that AtomicFolder wrote and nobody added anything to.
void check_replaceable(const std::string& path);

}  // namespace lookback::io

// Reading a folder whose files belong together: a model, a checkpoint, an export.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "lookback/io/posix_file.h"

namespace lookback::io {

// A folder that may come from anywhere, open for reading. Its files are those that its manifest.json lists; a folder
// without one has the files that are there. They are opened beneath the folder: a link in it, whether to a file or to a
// folder, is never followed, and no name leads out of it. The folder itself may be given as a link. All files are of
// one and the same folder, also when another one takes its name meanwhile.
class ModelFolder {
 public:
  // Throws IoError if there is no such folder and FormatError for a manifest that is damaged or a link.
  explicit ModelFolder(const std::string& path);
  // A folder in it, with a manifest of its own. `name` is relative, with '/', as in all of this. Throws IoError, and
  // FormatError for a link.
  ModelFolder beneath(std::string_view name) const;

  const std::string& path() const { return folder_.path(); }
  std::string path_of(std::string_view name) const { return path() + "/" + std::string(name); }
  // Whether a file is one of the folder's: listed, or there in a folder without a manifest.
  bool has(std::string_view name) const;
  // Whether it is there too.
  bool holds(std::string_view name) const;
  // A regular file of the folder. Throws FormatError if it is not one of the folder's or a link, and IoError.
  File open(std::string_view name) const;
  // All of it; FormatError also if it has more than `limit` bytes.
  std::string read(std::string_view name, int64_t limit) const { return read_file(open(name), limit); }
  // Nothing if every file is as the manifest says, otherwise what is wrong, naming the file.
  std::optional<std::string> verify() const;

 private:
  explicit ModelFolder(File folder);

  File folder_;
  std::optional<std::set<std::string, std::less<>>> listed_;
};

}  // namespace lookback::io

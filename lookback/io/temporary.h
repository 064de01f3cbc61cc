// Private to io and train: names of things in the making, ".NAME.tmp-PID-N" beside NAME.
// A writer holds the file's or folder's lock while it lives, so that what a
// killed writer left can be told from what is still being written.
#pragma once

#include <string>
#include <string_view>

#include "lookback/io/posix_file.h"

namespace lookback::io {

// The folder a path lies in and its last part; IoError when there is none ("", "/", "a/..").
struct PlaceAndName {
  std::string place, name;
};
PlaceAndName split_path(const std::string& path);

// A new, locked temporary for `path`, open for writing; File::path() is its name.
File create_temporary_file(const std::string& path);
// The same for a folder; the File is the folder itself and only holds the lock.
File create_temporary_folder(const std::string& path);

bool is_temporary_name(std::string_view name);

}  // namespace lookback::io

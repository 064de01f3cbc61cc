#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/io/manifest.h"
#include "lookback/io/sha256.h"
#include "lookback/io/shown.h"
#include "lookback/io/temporary.h"

namespace lookback::io {
namespace fs = std::filesystem;
namespace {

// What may be replaced: nothing there, an empty folder, or one that we made.
void check_replaceable(const std::string& path) {
  std::error_code error;
  const auto status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return;
  check<IoError>(status.type() == fs::file_type::directory, path,
                 ": exists and is not a folder; move it away or choose another name");
  const bool ours = fs::exists(fs::symlink_status(fs::path(path) / kManifestName, error));
  check<IoError>(ours || fs::is_empty(path, error), path,
                 ": the folder exists and was not written by this program (it has no ", kManifestName,
                 "); move it away or choose another name");
}

// Takes the place of `to`, whether a folder is there or not; what was there is then at `from`.
void exchange_or_rename(const std::string& from, const std::string& to) {
  // An empty folder gives way to a plain rename.
  if (::rename(from.c_str(), to.c_str()) == 0) return;
  if (errno == ENOTEMPTY || errno == EEXIST) {
    if (::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return;
    if (errno == EINVAL || errno == ENOSYS) {
      // A file system that cannot swap: the old folder stands aside for a moment.
      const std::string aside = create_temporary_folder(to).path();
      if (::rename(to.c_str(), aside.c_str()) == 0) {
        if (::rename(from.c_str(), to.c_str()) == 0) return (void)::rename(aside.c_str(), from.c_str());
        const int error = errno;
        ::rename(aside.c_str(), to.c_str());
        errno = error;
      }
    }
  }
  throw IoError(text(to, ": cannot write: ", error_text(errno)));
}

struct Contents {
  std::vector<std::string> files, folders;  // relative, sorted
};

Contents contents_of(const std::string& root) {
  Contents out;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(root, error); !error && entry != fs::recursive_directory_iterator();
       entry.increment(error)) {
    const std::string name = fs::path(entry->path()).lexically_relative(root).generic_string();
    check<FormatError>(valid_utf8(name), root, ": the file name ", shown(name), " is not valid UTF-8");
    const auto type = entry->symlink_status().type();
    if (type == fs::file_type::directory)
      out.folders.push_back(name);
    else if (type == fs::file_type::regular)
      out.files.push_back(name);
    else
      throw FormatError(text(root, ": ", shown(name), " is neither a file nor a folder"));
  }
  check<IoError>(!error, root, ": cannot read: ", error.message());
  std::sort(out.files.begin(), out.files.end());
  std::sort(out.folders.begin(), out.folders.end());
  return out;
}

std::string manifest_text(const std::vector<ManifestEntry>& files) {
  std::string out = "{\n  \"format\": 1,\n  \"files\": [";
  for (size_t k = 0; k < files.size(); ++k)
    out += text(k ? ",\n" : "\n", "    {\"name\": ", json_quote(files[k].name), ", \"size\": ", files[k].size,
                ", \"sha256\": \"", files[k].sha256, "\"}");
  return out + (files.empty() ? "]\n}\n" : "\n  ]\n}\n");
}

}  // namespace

AtomicFolder::AtomicFolder(const std::string& final_path)
    : final_path_((fs::path(split_path(final_path).place) / split_path(final_path).name).string()),
      lock_((check_replaceable(final_path_), create_temporary_folder(final_path_))) {
  temporary_ = lock_.path();
}

AtomicFolder::~AtomicFolder() {
  // After a commit this is the folder that was replaced, if any.
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
  check<IoError>(!committed_, final_path_, ": committed twice");
  const Contents all = contents_of(temporary_);
  std::vector<ManifestEntry> entries;
  for (const std::string& name : all.files) {
    if (name == kManifestName) continue;
    const std::string path = temporary_ + "/" + name;
    const File file = File::open_regular(path);
    entries.push_back({.name = name, .size = file.size(), .sha256 = sha256_file(path)});
    file.sync();
  }
  write_file_atomic(temporary_ + "/" + kManifestName, manifest_text(entries));
  for (const std::string& name : all.folders) sync_folder(temporary_ + "/" + name);
  sync_folder(temporary_);
  check_replaceable(final_path_);
  exchange_or_rename(temporary_, final_path_);
  committed_ = true;
  sync_folder(split_path(final_path_).place);
}

}  // namespace lookback::io

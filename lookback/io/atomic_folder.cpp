#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/io/manifest.h"
#include "lookback/io/quote.h"
#include "lookback/io/staged_folder.h"
#include "lookback/io/temporary.h"

namespace lookback::io {
namespace fs = std::filesystem;
namespace {

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
  check<IoError>(errno != EBUSY && errno != EXDEV, to,
                 ": a place where a file system is mounted cannot be replaced; choose a folder in it");
  throw IoError(str_cat(to, ": cannot write: ", error_text(errno)));
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
    check<FormatError>(valid_utf8(name), root, ": the file name ", quote(name), " is not valid UTF-8");
    const auto type = entry->symlink_status().type();
    if (type == fs::file_type::directory)
      out.folders.push_back(name);
    else if (type == fs::file_type::regular)
      out.files.push_back(name);
    else
      throw FormatError(str_cat(root, ": ", quote(name), " is neither a file nor a folder"));
  }
  check<IoError>(!error, root, ": cannot read: ", error.message());
  std::sort(out.files.begin(), out.files.end());
  std::sort(out.folders.begin(), out.folders.end());
  return out;
}

}  // namespace

std::optional<std::string> foreign_entry(const std::string& path) {
  std::error_code error;
  if (fs::is_empty(path, error)) return std::nullopt;
  const std::string manifest = path + "/" + kManifestName;
  if (!fs::is_regular_file(fs::symlink_status(manifest, error)))
    return str_cat(path, " (it has no ", kManifestName, ")");
  std::set<std::string> listed{kManifestName};
  try {
    for (const ManifestEntry& entry : parse_manifest(read_file(manifest, kMaxJsonBytes), manifest))
      listed.insert(entry.name);
  } catch (const FormatError&) {
    return str_cat(manifest, " (it is no list of files of ours)");
  }
  const Contents all = contents_of(path);
  for (const std::string& name : all.files) {
    // A listed folder stands for all that is in it.
    fs::path part(name);
    bool ours = false;
    for (; !part.empty() && !ours; part = part.parent_path())
      ours = listed.contains(part.string()) || is_temporary_name(part.filename().string());
    if (!ours) return path + "/" + name;
  }
  return std::nullopt;
}

void check_replaceable(const std::string& path) {
  std::error_code error;
  const auto status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return;
  check<IoError>(status.type() == fs::file_type::directory, path,
                 ": exists and is not a folder; move it away or choose another name");
  const auto foreign = foreign_entry(path);
  check<IoError>(!foreign, path, ": was not written by this program, or not all of it: ", foreign.value_or(""),
                 "; move that away or choose another name");
  if (fs::is_empty(path, error)) return;
  const std::string manifest = path + "/" + kManifestName;
  for (const ManifestEntry& entry : parse_manifest(read_file(manifest, kMaxJsonBytes), manifest))
    check<IoError>(!entry.sha256.empty(), path, ": holds a training run; move it away or choose another name");
}

StagedFolder::StagedFolder(const std::string& final_path)
    : final_path_((fs::path(split_path(final_path).place) / split_path(final_path).name).string()),
      lock_(create_temporary_folder(final_path_)),
      path_(lock_.path()) {}

StagedFolder::~StagedFolder() {
  // Once it has taken its place, this is what was there before, if anything.
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void StagedFolder::take_place() {
  const Contents all = contents_of(path_);
  for (const std::string& name : all.folders) sync_folder(path_ + "/" + name);
  sync_folder(path_);
  exchange_or_rename(path_, final_path_);
  sync_folder(split_path(final_path_).place);
}

AtomicFolder::AtomicFolder(const std::string& final_path)
    : folder_((check_replaceable(fs::path(final_path).has_filename() ? final_path
                                                                     : fs::path(final_path).parent_path().string()),
               final_path)) {}

void AtomicFolder::commit() {
  check<IoError>(!committed_, folder_.final_path(), ": committed twice");
  std::vector<ManifestEntry> entries;
  for (const std::string& name : contents_of(path()).files) {
    if (name == kManifestName) continue;
    const File file = File::open_regular(path() + "/" + name);
    entries.push_back({.name = name, .size = file.size(), .sha256 = sha256_file(file)});
    file.sync();
  }
  write_file_atomic(path() + "/" + kManifestName, manifest_text(entries));
  check_replaceable(folder_.final_path());
  folder_.take_place();
  committed_ = true;
}

}  // namespace lookback::io

#include "lookback/io/model_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/io/manifest.h"
#include "lookback/io/quote.h"

namespace lookback::io {
namespace fs = std::filesystem;
namespace {

constexpr int kFolder = O_DIRECTORY | O_PATH, kReadable = O_NONBLOCK;

bool is_link(const File& folder, const std::string& name) {
  struct stat info {};
  return ::fstatat(folder.fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
}

// One part of a way into the folder; links are refused here, and nowhere else.
File step(const File& folder, const std::string& part, int flags) {
  const std::string path = folder.path() + "/" + part;
  File out(::openat(folder.fd(), part.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags), path);
  if (out.valid()) return out;
  const int error = errno;
  check<FormatError>(!is_link(folder, part), path, ": is a link; links in a model folder are not followed");
  throw IoError(str_cat(path, ": cannot open: ", error_text(error)));
}

std::vector<std::string> parts_of(std::string_view name) {
  std::vector<std::string> out;
  for (const fs::path& part : fs::path(name)) out.push_back(part.string());
  bool inside = !out.empty() && name.find('\0') == std::string_view::npos;
  for (const std::string& part : out) inside = inside && !part.empty() && part != "." && part != ".." && part != "/";
  check<FormatError>(inside, "the file name ", quote(name), " leads out of the folder");
  return out;
}

// What lies at the end of a way of folders, none of them a link.
File walk(const File& folder, std::string_view name, int flags) {
  const std::vector<std::string> parts = parts_of(name);
  File at = parts.size() == 1 ? step(folder, parts[0], flags) : step(folder, parts[0], kFolder);
  for (size_t k = 1; k < parts.size(); ++k) at = step(at, parts[k], k + 1 == parts.size() ? flags : kFolder);
  return at;
}

File open_folder(const std::string& path) {
  File out(::open(path.c_str(), O_RDONLY | O_CLOEXEC | kFolder), path);
  check<IoError>(out.valid(), path, ": cannot open: ", error_text(errno));
  return out;
}

File regular(File file) {
  check_regular(file);
  return file;
}

bool is_there(const File& folder, std::string_view name) {
  struct stat info {};
  return ::fstatat(folder.fd(), std::string(name).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

ModelFolder::ModelFolder(const std::string& path) : ModelFolder(open_folder(path)) {}

ModelFolder::ModelFolder(File folder) : folder_(std::move(folder)) {
  if (!is_there(folder_, kManifestName)) return;
  const std::string manifest = read_file(regular(walk(folder_, kManifestName, kReadable)), kMaxJsonBytes);
  listed_.emplace();
  for (const ManifestEntry& entry : parse_manifest(manifest, path_of(kManifestName))) listed_->insert(entry.name);
}

ModelFolder ModelFolder::beneath(std::string_view name) const { return ModelFolder(walk(folder_, name, kFolder)); }

bool ModelFolder::has(std::string_view name) const { return listed_ ? listed_->contains(name) : holds(name); }

bool ModelFolder::holds(std::string_view name) const {
  return is_there(folder_, name) && (!listed_ || listed_->contains(name));
}

File ModelFolder::open(std::string_view name) const {
  check<FormatError>(!listed_ || listed_->contains(name), path_of(name), ": is no file of this folder (", kManifestName,
                     " does not list it)");
  return regular(walk(folder_, name, kReadable));
}

std::optional<std::string> ModelFolder::verify() const try {
  const std::string origin = path_of(kManifestName);
  if (!listed_) return str_cat(origin, ": missing; the folder was not written completely");
  const std::string manifest = read_file(regular(walk(folder_, kManifestName, kReadable)), kMaxJsonBytes);
  for (const ManifestEntry& entry : parse_manifest(manifest, origin)) {
    if (!holds(entry.name)) return str_cat(path_of(entry.name), ": missing");
    const File file = open(entry.name);
    if (entry.sha256.empty()) return str_cat(origin, ": does not say what ", quote(entry.name), " holds");
    if (file.size() != entry.size)
      return str_cat(file.path(), ": has ", file.size(), " bytes, ", kManifestName, " says ", entry.size,
                     "; it was cut or rewritten");
    if (sha256_file(file) != entry.sha256)
      return str_cat(file.path(), ": its contents changed since it was written (SHA-256 differs)");
  }
  return std::nullopt;
} catch (const Error& e) {
  return e.what();
}

std::optional<std::string> verify_folder(const std::string& path) {
  try {
    return ModelFolder(path).verify();
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace lookback::io

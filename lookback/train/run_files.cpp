#include "lookback/train/run_files.h"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/io/atomic_file.h"
#include "lookback/train/checkpoint.h"

namespace lookback::train {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kCopyBlock = int64_t{1} << 20;

bool is_run_entry(const std::string& name) {
  return name.starts_with("checkpoint-") || name.starts_with("best-") || name == "log.jsonl" || name == "events";
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  check<IoError>(!error, path, ": cannot create: ", error.message());
}

io::File lock_file(const std::string& path, const std::string& folder) {
  io::File file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666), path);
  check<IoError>(file.valid(), path, ": cannot open: ", io::error_text(errno));
  check<ConfigError>(io::try_lock(file.fd()), folder,
                     ": another run is writing here; wait for it or choose another folder");
  return file;
}

}  // namespace

void check_model_folder(const std::string& folder, FolderMode mode) {
  std::error_code error;
  check<ConfigError>(!folder.empty(), "a run needs a folder to write to");
  const auto type = fs::status(folder, error).type();
  if (type == fs::file_type::not_found) return;
  check<ConfigError>(type == fs::file_type::directory, folder, ": exists and is not a folder; choose another name");
  if (fs::is_empty(folder, error)) return;
  check<ConfigError>(mode != FolderMode::create, folder,
                     ": exists and is not empty; resume the run in it, overwrite it, or choose another folder");
  check<ConfigError>(mode != FolderMode::resume || fs::is_directory(folder + "/training", error), folder,
                     ": has no folder 'training', so there is no run to resume");
}

RunFiles::RunFiles(const std::string& folder, FolderMode mode)
    : folder_((check_model_folder(folder, mode), folder)),
      training_(folder + "/training"),
      lock_((make_folder(training_), lock_file(training_ + "/lock", folder))) {
  io::remove_stale_temporaries(training_);
  io::remove_stale_temporaries(folder_);
}

void RunFiles::clear() const {
  std::vector<fs::path> doomed{weights()};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(training_, error))
    if (is_run_entry(entry.path().filename().string())) doomed.push_back(entry.path());
  for (const fs::path& path : doomed) {
    fs::remove_all(path, error);
    check<IoError>(!error, path.string(), ": cannot remove: ", error.message());
  }
}

bool RunFiles::has_checkpoint() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(training_, error))
    if (entry.path().filename().string().starts_with("checkpoint-")) return true;
  return false;
}

void RunFiles::publish_best(int64_t step) const {
  const io::File from = io::File::open_regular(best_folder(training_, step) + "/weights.safetensors");
  io::AtomicFile to(weights());
  std::string block(static_cast<size_t>(kCopyBlock), '\0');
  for (int64_t at = 0, n = 0; (n = from.read_some(at, block.data(), kCopyBlock)) > 0; at += n)
    to.write(std::string_view(block).substr(0, static_cast<size_t>(n)));
  to.commit();
}

}  // namespace lookback::train

#include "lookback/train/run_files.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/io/manifest.h"
#include "lookback/io/model_folder.h"
#include "lookback/io/temporary.h"
#include "lookback/train/checkpoint.h"

namespace lookback::train {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kCopyBlock = int64_t{1} << 20;

// What folders of models held before they had a manifest.
constexpr std::string_view kFilesBefore[] = {"config.json",      "generation_config.json", "model.safetensors",
                                             "README.md",        "shortlist.safetensors",  "spm.model",
                                             "tokenizer.json",   "source/spm.model",       "source/tokenizer.json",
                                             "target/spm.model", "target/tokenizer.json"};

bool is_run_entry(const std::string& name) {
  return name.starts_with("checkpoint-") || name.starts_with("best-") || name == "log.jsonl" || name == "events";
}

// The first thing in `training` that no run has written, by its path.
std::optional<std::string> foreign_in_training(const std::string& training) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(training, error)) {
    const std::string name = entry.path().filename().string();
    const auto type = entry.symlink_status().type();
    const bool weights = name.starts_with("checkpoint-") || name.starts_with("best-");
    const bool ours = weights            ? fs::exists(entry.path() / "manifest.json", error)
                      : name == "events" ? type == fs::file_type::directory
                                         : name == "log.jsonl" || name == "lock" || io::is_temporary_name(name);
    if (!ours || type == fs::file_type::symlink) return entry.path().string();
  }
  return std::nullopt;
}

bool is_model_config(const std::string& folder) try {
  for (const io::KeyValue& kv : io::read_json_fields(io::ModelFolder(folder).open("config.json")))
    if (kv.path == "model_type") {
      const auto* type = std::get_if<std::string>(&kv.value);
      return type && type->starts_with("lookback-");
    }
  return false;
} catch (const Error&) {
  return false;
}

// The same for a whole folder without a manifest.
std::optional<std::string> foreign_before(const std::string& folder) {
  std::error_code error;
  const bool model = is_model_config(folder);
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().lexically_relative(folder).generic_string();
    if (name == "training") {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->symlink_status().type() == fs::file_type::directory || io::is_temporary_name(name)) continue;
    if (!model || std::find(std::begin(kFilesBefore), std::end(kFilesBefore), name) == std::end(kFilesBefore))
      return entry->path().string();
  }
  return std::nullopt;
}

std::optional<std::string> foreign_in_run(const std::string& folder) {
  std::error_code error;
  const std::string training = folder + "/training";
  if (const auto type = fs::symlink_status(training, error).type(); type != fs::file_type::not_found) {
    if (type != fs::file_type::directory) return training;
    if (auto foreign = foreign_in_training(training)) return foreign;
  }
  return fs::exists(folder + "/manifest.json", error) ? io::foreign_entry(folder) : foreign_before(folder);
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
  if (mode == FolderMode::resume) {
    const auto training = fs::symlink_status(folder + "/training", error).type();
    check<FormatError>(training != fs::file_type::symlink, folder,
                       "/training: is a link; links in a model folder are not followed");
    check<ConfigError>(training == fs::file_type::directory, folder,
                       ": has no folder 'training', so there is no run to resume");
    return;
  }
  const auto foreign = foreign_in_run(folder);
  check<ConfigError>(!foreign, folder, ": is not overwritten, since a run did not write ", foreign.value_or(""),
                     "; move that away or choose another folder");
}

RunFiles::RunFiles(const std::string& folder, FolderMode mode) : folder_((check_model_folder(folder, mode), folder)) {
  std::error_code error;
  if (mode == FolderMode::overwrite && fs::exists(folder, error) && !fs::is_empty(folder, error)) {
    const std::string place = fs::canonical(folder).string();
    if (fs::exists(place + "/training", error)) replaced_ = lock_file(place + "/training/lock", folder);
    io::remove_stale_temporaries(fs::path(place).parent_path().string());
    staged_ = std::make_unique<io::StagedFolder>(place);
    folder_ = staged_->path();
  }
  make_folder(training());
  lock_ = lock_file(training() + "/lock", folder);
  io::remove_stale_temporaries(training());
  io::remove_stale_temporaries(folder_);
}

void RunFiles::write_manifest(const StringList& model_files) const {
  std::vector<io::ManifestEntry> entries;
  for (const std::string& name : model_files) entries.push_back({.name = name});
  for (const char* name : {"model.safetensors", "README.md", "training"}) entries.push_back({.name = name});
  io::write_file_atomic(folder_ + "/" + io::kManifestName, io::manifest_text(entries));
}

bool RunFiles::take_place() {
  if (!staged_) return false;
  staged_->take_place();
  folder_ = staged_->final_path();
  staged_.reset();
  replaced_ = io::File();
  return true;
}

void RunFiles::clear() const {
  std::vector<fs::path> doomed{weights()};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(training(), error))
    if (is_run_entry(entry.path().filename().string())) doomed.push_back(entry.path());
  for (const fs::path& path : doomed) {
    fs::remove_all(path, error);
    check<IoError>(!error, path.string(), ": cannot remove: ", error.message());
  }
}

bool RunFiles::has_checkpoint() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(training(), error))
    if (entry.path().filename().string().starts_with("checkpoint-")) return true;
  return false;
}

void RunFiles::publish_best(int64_t step) const {
  const io::File from = open_training(best_folder(training(), step)).open("weights.safetensors");
  io::AtomicFile to(weights());
  std::string block(static_cast<size_t>(kCopyBlock), '\0');
  for (int64_t at = 0, n = 0; (n = from.read_some(at, block.data(), kCopyBlock)) > 0; at += n)
    to.write(std::string_view(block).substr(0, static_cast<size_t>(n)));
  to.commit();
}

}  // namespace lookback::train

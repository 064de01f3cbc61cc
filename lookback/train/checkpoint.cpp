#include "lookback/train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "lookback/base/error.h"
#include "lookback/io/atomic_file.h"

namespace lookback::train {
namespace fs = std::filesystem;
namespace {

std::string numbered(const std::string& training, const std::string& prefix, int64_t step) {
  return (fs::path(training) / (prefix + std::to_string(step))).string();
}

// The N of the folders called PREFIX-N, largest first.
std::vector<int64_t> steps_of(const std::string& training, const std::string& prefix) {
  std::vector<int64_t> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(training, error)) {
    const std::string name = entry.path().filename().string();
    int64_t step = 0;
    const char* end = name.data() + name.size();
    if (!name.starts_with(prefix)) continue;
    const auto r = std::from_chars(name.data() + prefix.size(), end, step);
    if (r.ec == std::errc() && r.ptr == end && step >= 0) out.push_back(step);
  }
  std::sort(out.rbegin(), out.rend());
  return out;
}

void remove_folder(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  check<IoError>(!error, path, ": cannot remove: ", error.message());
}

std::optional<RunState> state_if_whole(const std::string& folder) {
  try {
    return read_checkpoint_state(folder);
  } catch (const Error&) {
    return std::nullopt;
  }
}

constexpr char kCheckpoint[] = "checkpoint-";
constexpr char kBest[] = "best-";

}  // namespace

void save_checkpoint(const std::string& training, const Checkpoint& c) {
  const std::string place = numbered(training, kCheckpoint, c.state.step);
  // A damaged one, which its manifest no longer describes, would not be replaced.
  if (wrong_with(place)) remove_folder(place);
  io::AtomicFolder folder(place);
  io::write_safetensors(folder.path() + "/weights.safetensors", c.weights);
  io::write_safetensors(folder.path() + "/optimizer.safetensors", c.optimizer);
  if (!c.average.empty()) io::write_safetensors(folder.path() + "/average.safetensors", c.average);
  if (!c.carried.empty()) io::write_safetensors(folder.path() + "/carried.safetensors", c.carried);
  write_state(folder.path() + "/state.json", c.state);
  folder.commit();
}

void prune_checkpoints(const std::string& training, int64_t step,
                       const std::function<std::vector<int64_t>(const RunState&)>& best,
                       const std::vector<int64_t>& also) {
  std::set<int64_t> used(also.begin(), also.end());
  int kept = 0;
  bool can_roll_back = false;
  for (const int64_t s : steps_of(training, kCheckpoint)) {
    const std::string folder = numbered(training, kCheckpoint, s);
    const auto state = s <= step ? state_if_whole(folder) : std::nullopt;
    const bool to_roll_back = state && state->scheduled && state->options.on_nonfinite == "rollback" && !can_roll_back;
    // Those beyond `step` were found damaged, or belong to a stretch that was given up.
    if (s > step || (kept >= 2 && !to_roll_back)) {
      remove_folder(folder);
      continue;
    }
    ++kept;
    can_roll_back = can_roll_back || to_roll_back;
    if (!state) continue;  // damaged since: it will not be resumed from, so it uses nothing
    for (const int64_t b : best(*state)) used.insert(b);
  }
  for (const int64_t s : steps_of(training, kBest))
    if (!used.contains(s)) remove_folder(best_folder(training, s));
}

std::optional<std::string> latest_valid(const std::string& training,
                                        const std::function<void(const std::string&)>& warn, Wanted wanted) {
  for (const int64_t step : steps_of(training, kCheckpoint)) {
    const std::string folder = numbered(training, kCheckpoint, step);
    const auto wrong = wrong_with(folder);
    if (wrong)
      warn(str_cat("this checkpoint is damaged and left out: ", *wrong));
    else if (wanted == Wanted::any || read_checkpoint_state(folder).scheduled)
      return folder;
  }
  return std::nullopt;
}

std::optional<std::string> wrong_with(const std::string& folder) {
  try {
    return open_training(folder).verify();
  } catch (const Error& e) {
    return e.what();
  }
}

io::ModelFolder open_training(const std::string& folder) {
  const fs::path path(folder);
  return io::ModelFolder(path.parent_path().string()).beneath(path.filename().string());
}

RunState read_checkpoint_state(const std::string& folder) {
  return read_state(open_training(folder).open("state.json"));
}

io::SafetensorsFile open_tensors(const std::string& folder, const std::string& name) {
  return io::SafetensorsFile(open_training(folder).open(name));
}

std::vector<io::NamedTensor> read_tensors(const std::string& folder, const std::string& name) {
  const io::SafetensorsFile file = open_tensors(folder, name);
  std::vector<io::NamedTensor> out;
  for (const io::TensorEntry& entry : file.entries()) out.push_back({entry.name, file.load(entry)});
  return out;
}

std::vector<io::NamedTensor> read_tensors_if_any(const std::string& folder, const std::string& name) {
  return open_training(folder).has(name) ? read_tensors(folder, name) : std::vector<io::NamedTensor>{};
}

std::optional<RunState> newest_state(const std::string& training) {
  for (const int64_t step : steps_of(training, kCheckpoint))
    if (auto state = state_if_whole(numbered(training, kCheckpoint, step))) return state;
  return std::nullopt;
}

std::string best_folder(const std::string& training, int64_t step) { return numbered(training, kBest, step); }

void save_best(const std::string& training, int64_t step, const std::vector<io::NamedTensor>& weights) {
  io::AtomicFolder folder(best_folder(training, step));
  io::write_safetensors(folder.path() + "/weights.safetensors", weights,
                        {{"format", "pt"}, {"step", std::to_string(step)}});
  folder.commit();
}

}  // namespace lookback::train

// Checkpoints: training/checkpoint-STEP/ with weights.safetensors, optimizer.safetensors,
// average.safetensors (if there is an average), carried.safetensors (if the model carries anything from batch to
// batch) and state.json, all or nothing, with SHA-256.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lookback/io/model_folder.h"
#include "lookback/io/safetensors.h"
#include "lookback/train/run_state.h"

namespace lookback::train {

struct Checkpoint {
  std::vector<io::NamedTensor> weights, optimizer, average, carried;  // handles; the last two are not written if empty
  RunState state;
};

// Writes checkpoint-STEP for state.step, replacing one of that name. After it returns, power may
// fail; until then whatever checkpoints there were are untouched. Throws IoError.
void save_checkpoint(const std::string& training, const Checkpoint& checkpoint);

// Removes all checkpoints but that of `step`, the newest one before it and, where a rollback may
// need it, the newest scheduled one; and the best-STEP folders that none of these counts among
// its `best` validations, except those in `also`.
void prune_checkpoints(const std::string& training, int64_t step,
                       const std::function<std::vector<int64_t>(const RunState&)>& best,
                       const std::vector<int64_t>& also = {});

enum class Wanted { any, scheduled };

// The newest checkpoint folder that is as it was written, or nothing. What is wrong with newer
// ones goes to `warn`, one line each.
std::optional<std::string> latest_valid(const std::string& training,
                                        const std::function<void(const std::string&)>& warn,
                                        Wanted wanted = Wanted::any);

// Reads a checkpoint folder. Throws FormatError, for a link too, and IoError, as all of these do.
RunState read_checkpoint_state(const std::string& folder);
// "weights.safetensors" of a checkpoint or best folder, and so on.
io::SafetensorsFile open_tensors(const std::string& folder, const std::string& name);
// Every tensor of such a file, in the order of its header.
std::vector<io::NamedTensor> read_tensors(const std::string& folder, const std::string& name);
// The same; none where there is no such file.
std::vector<io::NamedTensor> read_tensors_if_any(const std::string& folder, const std::string& name);
// What the newest checkpoint that can be read says, or nothing.
std::optional<RunState> newest_state(const std::string& training);

// Nothing if the folder is as it was written, otherwise what is wrong.
std::optional<std::string> wrong_with(const std::string& folder);

// A folder of training/: neither it nor anything in it may be a link.
io::ModelFolder open_training(const std::string& folder);

// training/best-STEP/weights.safetensors: the weights that a validation scored.
std::string best_folder(const std::string& training, int64_t step);
void save_best(const std::string& training, int64_t step, const std::vector<io::NamedTensor>& weights);

}  // namespace lookback::train

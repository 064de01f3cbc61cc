// The model folder as training sees it:
//
//   config.json ...              the task's own files (Trainable::save_model_files)
//   model.safetensors            the best weights so far; metadata "step" says whose
//   training/checkpoint-STEP/    the newest two
//   training/best-STEP/          weights of the best validations
//   training/log.jsonl, events/
//   training/lock                held while a run writes here
#pragma once

#include <string>

#include "lookback/io/posix_file.h"

namespace lookback::train {

enum class FolderMode { create, resume, overwrite };

// Throws ConfigError if a run may not start here: the folder holds something already (create),
// or something that is no run (resume). Costs nothing; call it before preparing data.
void check_model_folder(const std::string& folder, FolderMode mode);

class RunFiles {
 public:
  // Makes the folders, takes the lock and removes what killed writers left. Throws ConfigError as
  // check_model_folder does or if another run holds the lock, and IoError.
  RunFiles(const std::string& folder, FolderMode mode);

  const std::string& folder() const { return folder_; }
  const std::string& training() const { return training_; }
  std::string weights() const { return folder_ + "/model.safetensors"; }

  // Removes what an earlier run wrote: checkpoints, best weights, log, events, model.safetensors.
  void clear() const;
  // Whether there is any checkpoint, whole or not.
  bool has_checkpoint() const;
  // Makes model.safetensors a copy of best-STEP's weights, all or nothing.
  void publish_best(int64_t step) const;

 private:
  std::string folder_, training_;
  io::File lock_;
};

}  // namespace lookback::train

// The model folder as training sees it:
//
//   manifest.json                the names of everything below: what the folder is made of
//   config.json ...              the task's own files (Trainable::save_model_files)
//   README.md                    the model card, at the end
//   model.safetensors            the best weights so far; metadata "step" says whose
//   training/checkpoint-STEP/    the newest two
//   training/best-STEP/          weights of the best validations
//   training/log.jsonl, events/
//   training/lock                held while a run writes here
#pragma once

#include <memory>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/io/posix_file.h"
#include "lookback/io/staged_folder.h"

namespace lookback::train {

enum class FolderMode { create, resume, overwrite };

// Throws ConfigError if a run may not start here: the folder holds something already (create), something that is no run
// (resume), or anything that no run wrote (overwrite). Costs little; call it before preparing data.
void check_model_folder(const std::string& folder, FolderMode mode);

class RunFiles {
 public:
  // Makes the folders, takes the lock and removes what killed writers left. Throws ConfigError as
  // check_model_folder does or if another run holds the lock, and IoError.
  RunFiles(const std::string& folder, FolderMode mode);

  // Where to write. A run that overwrites another one writes beside it until take_place().
  const std::string& folder() const { return folder_; }
  std::string training() const { return folder_ + "/training"; }
  std::string weights() const { return folder_ + "/model.safetensors"; }

  // Removes what an earlier run wrote: checkpoints, best weights, log, events, model.safetensors.
  void clear() const;
  // The names in `model_files`, and those of the files that training itself writes, in manifest.json.
  void write_manifest(const StringList& model_files) const;
  // Puts the new folder whole in the place of the old one; false if it is there already.
  bool take_place();
  // Whether there is any checkpoint, whole or not.
  bool has_checkpoint() const;
  // Makes model.safetensors a copy of best-STEP's weights, all or nothing.
  void publish_best(int64_t step) const;

 private:
  std::string folder_;
  std::unique_ptr<io::StagedFolder> staged_;
  io::File lock_, replaced_;  // of the folder that is written, and of the one that will be replaced
};

}  // namespace lookback::train

// Everything about a run that is not a tensor: what state.json of a checkpoint holds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/io/posix_file.h"
#include "lookback/train/train_options.h"
#include "lookback/train/trainable.h"

namespace lookback::train {

// One validation. The best score, early stopping and the plateau rule are functions of the list
// of these and are not kept apart.
struct ValidationRecord {
  int64_t step = 0;
  int64_t epoch = 0;
  double seconds = 0;  // training time at its end
  std::map<std::string, double> scores;
};

// Sums over the steps since the last line in the log.
struct RunningSums {
  BatchResult batches;
  double seconds = 0;  // how long they took
  StringList sums;     // in the file: those of batches, "nll 12.5" each

  void fields(FieldVisitor& v);
};

struct RunState {
  int64_t format = 2;
  int64_t step = 0;   // steps done
  int64_t epoch = 0;  // the next batch is `batch` of `epoch`
  int64_t batch = 0;
  int64_t units = 0;       // trained on
  double seconds = 0;      // training time, over all sittings
  bool scheduled = false;  // whether it is a checkpoint of every run with these options, not of the clock or a stop
  int64_t log_bytes = 0;
  int64_t average_updates = 0;
  int64_t average_begun = -1;  // updates before the mean that a validation began; -1: none has
  int64_t skipped = 0, skipped_in_row = 0, rollbacks = 0;
  double lr_scale = 1;  // what rollbacks have left of the learning rate
  RunningSums since_log;
  StringList validations;  // the history, one line each; see history()
  TrainOptions options;
  StringList settings;  // RunContext::settings; empty in a run of an earlier version

  void fields(FieldVisitor& v);

  // Throws FormatError for a line that is damaged.
  std::vector<ValidationRecord> history() const;
  void add(const ValidationRecord& record);
};

void write_state(const std::string& path, RunState state);
// Throws FormatError for a file that is not what write_state wrote, now or in format 1, and IoError.
RunState read_state(const io::File& file);

// Score `keep` of each record; NaN where there is none.
std::vector<double> scores_of(const std::vector<ValidationRecord>& history, const std::string& keep);

// The n best records by `keep`, best first; of equal ones the first is better. NaN is never among them.
std::vector<ValidationRecord> best_of(const std::vector<ValidationRecord>& history, const std::string& keep, int64_t n,
                                      bool larger_is_better);

}  // namespace lookback::train

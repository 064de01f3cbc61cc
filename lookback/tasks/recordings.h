// Private to tasks: which recordings a recipe names, and what is said in each.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lookback/data/table.h"
#include "lookback/tasks/data_options.h"

namespace lookback::tasks {

struct Recording {
  std::string path;  // as it can be opened
  std::string text;
  std::vector<std::pair<std::string, std::string>> fields = {};  // further parts of its name: {"speaker", "theo"}
  std::string where = {};                                        // "train.tsv:17", or the path

  // "" if it has none of that name.
  std::string field(std::string_view name) const;
};

StringList paths_of(const std::vector<Recording>& recordings);

struct RecordingData {
  StringList train, valid, test;
  std::string pattern;
  StringList train_where, valid_where, test_where;
  std::string hold_out;
  StringList columns;
  std::string bad_lines = "skip";
  std::string damaged = "skip";
  double max_seconds = 60;
  int64_t max_length = 1000;
  std::string cache;
  bool with_speakers = false;  // no option: whether it has to be said who speaks, in the field "speaker"

  void fields(FieldVisitor& v) {
    v("train", train,
      "recordings to learn from: lists with the path of a recording, relative to the list, and what is said in it "
      "(TSV, CSV, JSONL, plain or .gz) or, with data.pattern, the recordings themselves; * stands for any part of a "
      "file's name");
    v("valid", valid, "the same for validation; or \"10 %\": this part of the training recordings, by a hash of each");
    v("test", test, "the same for `evaluate` and `baseline`; training does not read it");
    v("pattern", pattern,
      "how names of recordings say what is in them: '{text}_{speaker}_{index}.wav'; the text may have several words "
      "with _ between, the other parts have none. No pattern: lists say it");
    v("train_where", train_where,
      "with a pattern: conditions on parts of names, which all have to hold: index=10-49, speaker=theo|jackson; of the "
      "recordings of data.train each is in one part: in the test part if its conditions hold, else in that for "
      "validation if those hold, else here");
    v("valid_where", valid_where, "the same for validation");
    v("test_where", test_where, "the same for the test part");
    v("hold_out", hold_out,
      "with a pattern: recordings for which this holds are the test part, whatever data.test_where says, and no other: "
      "speaker=theo");
    v("columns", columns,
      "of lists: which columns are the path and the text and, with features.normalise = 'speaker', who speaks; numbers "
      "from 1, names or keys");
    v("bad_lines", bad_lines, "of lists: lines that are no row; skip and count them, or stop")
        .choices({"skip", "stop"});
    v("damaged", damaged, "recordings that cannot be read; skip, name and count them, or stop")
        .choices({"skip", "stop"});
    v("max_seconds", max_seconds, "recordings that are longer are left out of training and validation; 0 keeps all")
        .range(0, 1e6);
    v("max_length", max_length, "the same for texts of more tokens; 0 keeps all").range(0, 1e9);
    v("cache", cache,
      "features are kept in files CACHE.train and CACHE.valid, by what is in the recordings and how features are made, "
      "for later runs; none: they are made each time");
  }

  // Throws ConfigError for what cannot be, before anything is read.
  void validate() const;
  bool has_test() const { return !test.empty() || !test_where.empty() || !hold_out.empty(); }
  // Those of one part, in the order of lists or of names; relative paths start at `root`. No two parts share one of
  // data.train. `report` counts what lists
  // had and why lines were left out. Throws ConfigError, IoError and FormatError as RowReader does.
  std::vector<Recording> recordings(Split split, const std::string& root, data::TableReport& report) const;
  // The same of files that are named as data.test names its own; `key` is what messages call them.
  std::vector<Recording> recordings_of(const StringList& names, const std::string& key, const std::string& root,
                                       data::TableReport& report) const;
};

// A pattern of names: '{text}_{speaker}_{index}.wav'.
class NamePattern {
 public:
  // Throws ConfigError for a pattern without {text}, with a folder or with parts that cannot be told apart.
  explicit NamePattern(const std::string& pattern);
  // The parts of a file's name, the text with spaces for _; false for one that is not like that.
  bool match(const std::string& file_name, Recording& out) const;
  const StringList& names() const { return names_; }  // of its parts

 private:
  StringList names_, between_;  // {a}, {b}; what stands before, between and behind them
};

// Whether conditions like index=10-49 and speaker=a|b hold: a part is one of the values, or a number of the range.
// Throws ConfigError for a part that names do not have, and for what is no condition.
bool holds(const StringList& conditions, const Recording& recording, const std::string& key);

}  // namespace lookback::tasks

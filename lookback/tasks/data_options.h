// Private to tasks: where a recipe's examples are, in three parts that share none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lookback/data/row_reader.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/io/model_folder.h"
#include "lookback/tasks/folder_parts.h"

namespace lookback::tasks {

enum class Split { train, valid, test };

// The number that stands before the % of "10 %"; nothing for other text.
std::optional<double> percent_of(std::string_view text);
// The share that data.valid or data.test means, "10 %"; nothing for names of files. Throws ConfigError, naming the key,
// for a share that cannot be.
std::optional<double> share_of(const StringList& names, const char* key);

// The file for the features of one part, beside those of the others; "" where `cache` names none.
std::string cache_file(const std::string& cache, Split split, const std::string& root);

// A number in [0, 1) that depends on the text alone: which share an example falls into that it is the name of.
double place_of(const std::string& text);

struct DataOptions {
  StringList train, valid, test;
  data::TableOptions table;
  bool unseen = false;  // of dialogues: those that training has are left out of the others; an option of chat alone

  void fields(FieldVisitor& v) {
    v("train", train,
      "files to learn from, plain or .gz: one for each column (for translation source and target), line by line, or "
      "any number of files with all columns: .tsv (or any file with data.columns), .csv, .jsonl; * stands for any part "
      "of a file's name");
    v("valid", valid,
      "the same for validation; or \"10 %\": this part of the training examples, by a hash of their text");
    v("test", test, "the same for `evaluate` and `baseline`; training does not read it");
    table.fields(v);
  }

  // Throws ConfigError for what cannot be, before anything is read.
  void validate(const StringList& columns) const;
  // Whether data.test says anything.
  bool has_test() const { return !test.empty(); }
  // The rows of one part; relative paths start at `root`. Throws ConfigError for a name with * that no file has.
  data::RowSource rows(Split split, const StringList& columns, const std::string& root) const;
  // With `unseen`, `rows` without the dialogues of training. Throws ConfigError for another layout.
  void leave_out_seen(data::RowSource& rows, const StringList& columns, const std::string& root) const;
};

// Throws IoError. "" is the current folder.
std::string absolute_path(const std::string& path);

// Where a file is that a recipe names: relative names start at `root`.
std::string path_from(const std::string& name, const std::string& root);

// Rows of files that are named as data.train names its own; `key` is what messages call them.
data::RowSource rows_of(const StringList& names, const std::string& key, const StringList& columns,
                        const data::TableOptions& options, const std::string& root);

// Throws IoError for a file that is not there; none is opened.
void check_files(const data::RowSource& rows, const std::string& key);

// data.json of a model folder: with what its training was fed, for `evaluate`. An exported folder has none.
constexpr const char* kDataFile = "data.json";
template <class Data>
struct DataOfRun {
  std::string root;  // absolute
  Data data;

  void fields(FieldVisitor& v) {
    v("root", root, "");
    v("data", data);
  }
};
// Returns the file's name. `root` may be relative; "" is the current folder.
template <class Data>
std::string save_data_of_run(const std::string& folder, const std::string& root, const Data& data) {
  DataOfRun<Data> written{.root = absolute_path(root), .data = data};
  io::write_file_atomic(folder + "/" + kDataFile, io::write_json_fields(fields_of(written)));
  return kDataFile;
}
// Without the file: no names at all.
template <class Data>
DataOfRun<Data> read_data_of_run(const io::ModelFolder& folder) {
  DataOfRun<Data> out;
  if (folder.has(kDataFile)) read_fields(folder.open(kDataFile), fields_of(out));
  return out;
}

}  // namespace lookback::tasks

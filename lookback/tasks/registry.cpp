#include <algorithm>
#include <filesystem>

#include "lookback/io/json.h"
#include "lookback/io/model_folder.h"
#include "lookback/tasks/answer.h"
#include "lookback/tasks/caption.h"
#include "lookback/tasks/chat.h"
#include "lookback/tasks/classify.h"
#include "lookback/tasks/forecast.h"
#include "lookback/tasks/label.h"
#include "lookback/tasks/language_model.h"
#include "lookback/tasks/summarise.h"
#include "lookback/tasks/task.h"
#include "lookback/tasks/transcribe.h"
#include "lookback/tasks/transduce.h"
#include "lookback/tasks/translate.h"

namespace lookback::tasks {
namespace {

// Says of a name that is no model folder what it is instead. What cannot be looked at is left to who opens it.
void check_is_model(const std::string& folder) {
  namespace fs = std::filesystem;
  constexpr const char* kAdvice = "; give the folder that train wrote with --out";
  std::error_code error;
  const fs::file_type type = fs::status(folder, error).type();
  check<IoError>(type != fs::file_type::not_found, folder.empty() ? "''" : folder, ": no such folder", kAdvice);
  if (type == fs::file_type::none) return;
  check<IoError>(type == fs::file_type::directory, folder, ": is a file, not a model folder", kAdvice);
  check<IoError>(fs::exists(folder + "/config.json", error) || error, folder,
                 ": is no model folder: it has no config.json", kAdvice);
}

}  // namespace

void TaskModel::predict_columns(LineReader&, const ColumnsInput&, const PredictOptions&,
                                const std::function<void(std::string_view)>&) const {
  throw ConfigError(str_cat("predict: a model of task ", task(), " does not tag tokens in columns"));
}

void TaskModel::listen(const std::string&, const PredictOptions&, const std::function<void(std::string_view)>&) const {
  throw ConfigError(str_cat("predict: a model of task ", task(), " hears no sound"));
}

// Every task there is.
std::span<const TaskKind> task_kinds() {
  static const TaskKind kTasks[] = {translate_kind(),      summarise_kind(),  transduce_kind(), classify_kind(),
                                    label_kind(),          answer_kind(),     chat_kind(),      forecast_kind(),
                                    language_model_kind(), transcribe_kind(), caption_kind()};
  return kTasks;
}

const TaskKind& find_task(std::string_view name, const std::string& origin) {
  std::vector<std::string> known;
  for (const TaskKind& k : task_kinds()) {
    if (name == k.name) return k;
    known.push_back(k.name);
  }
  throw ConfigError(str_cat(origin, ": unknown task '", name, "'", nearest_match(name, known)));
}

const TaskKind& task_of_model(const std::string& folder) {
  check_is_model(folder);
  const io::File config = io::ModelFolder(folder).open("config.json");
  const std::string& path = config.path();
  for (const io::KeyValue& kv : io::read_json_fields(config))
    if (kv.path == "task") {
      const auto* name = std::get_if<std::string>(&kv.value);
      check<FormatError>(name != nullptr, path, ":", kv.line, ": task must be a string");
      try {
        return find_task(*name, path + ":" + std::to_string(kv.line));
      } catch (const ConfigError& e) {
        throw FormatError(e.what());
      }
    }
  throw FormatError(path + ": no \"task\": this is not a model folder of lookback");
}

}  // namespace lookback::tasks

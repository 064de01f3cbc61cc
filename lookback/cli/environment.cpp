#include "lookback/cli/environment.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "lookback/base/parallel.h"
#include "lookback/tasks/task.h"

namespace lookback::cli {
namespace {

constexpr std::string_view kPrefix = "LOOKBACK_";

// Every variable that means something to some command, or to ./x.
StringList known_variables() {
  StringList out = {"LOOKBACK_THREADS", "LOOKBACK_CPU", "LOOKBACK_SEED", "LOOKBACK_DATA", "LOOKBACK_JOBS"};
  for (const tasks::TaskKind& kind : tasks::task_kinds()) {
    const auto task = kind.make();
    for (const Field& f : task->fields()) out.push_back(variable_name(f.path));
    for (const Field& f : task->predict_options()->fields()) out.push_back(variable_name("decode." + f.path));
  }
  return out;
}

}  // namespace

std::string variable_name(std::string_view path) {
  std::string out(kPrefix);
  for (const char c : path) out += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

bool set_from_variable(Field& field, std::string_view name) {
  const std::string variable = variable_name(name);
  const char* value = std::getenv(variable.c_str());
  if (!value || !*value) return false;
  set_field_text(field, value, variable);
  return true;
}

std::string data_root(std::string flag, const std::string& recipe) {
  Field data{.path = "data", .value = &flag};
  if (flag.empty()) set_from_variable(data, "data");
  return flag.empty() ? std::filesystem::path(recipe).parent_path().string() : flag;
}

void set_from_environment(std::vector<Field>& fields, std::string_view prefix) {
  for (Field& f : fields) set_from_variable(f, std::string(prefix) + f.path);
}

void warn_of_unknown_variables(Console& console) {
  std::optional<StringList> known;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view variable(*entry);
    if (!variable.starts_with(kPrefix)) continue;
    const std::string name(variable.substr(0, variable.find('=')));
    if (!known) known = known_variables();
    if (std::find(known->begin(), known->end(), name) == known->end())
      console.log(Severity::warning,
                  "environment variable " + name + " means nothing to this program" + nearest_match(name, *known));
  }
}

int chosen_threads(int64_t flag) {
  Field field{.path = "threads", .value = &flag};
  if (flag == 0) set_from_variable(field.range(1, 4096), "threads");
  return flag == 0 ? thread_count() : static_cast<int>(flag);
}

}  // namespace lookback::cli

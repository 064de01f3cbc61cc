// Environment variables LOOKBACK_*: they stand between the command line and the recipe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/cli/console.h"

namespace lookback::cli {

// "train.max_minutes" is LOOKBACK_TRAIN_MAX_MINUTES.
std::string variable_name(std::string_view path);

// Sets one field from LOOKBACK_NAME, if that is set and not empty; says whether it did. The
// variable's name becomes the field's origin. Throws ConfigError for a value that does not fit.
bool set_from_variable(Field& field, std::string_view name);

// Where relative data paths of a recipe start: `flag` if it is given, else LOOKBACK_DATA, else the recipe's own folder.
std::string data_root(std::string flag, const std::string& recipe);

// Sets every field from the variable called after its path, with `prefix` before it.
void set_from_environment(std::vector<Field>& fields, std::string_view prefix = "");

// A warning for each LOOKBACK_* variable that no command reads, with the nearest match.
void warn_of_unknown_variables(Console& console);

// How many threads to use: `flag` if it is not 0, else LOOKBACK_THREADS, else all cores.
int chosen_threads(int64_t flag);

}  // namespace lookback::cli

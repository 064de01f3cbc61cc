// A recipe and everything that may change it: environment, --set, --seed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lookback/tasks/task.h"

namespace lookback::cli {

struct Recipe {
  std::string kind;         // "translate"
  std::string kind_origin;  // "recipe.toml:1"
  std::unique_ptr<tasks::Task> task;
  Fields fields;  // of the task, with where each value came from
};

// Throws ConfigError "recipe.toml:12: ..." for what is wrong with it and IoError.
Recipe read_recipe(const std::string& file);
Recipe parse_recipe(std::string_view toml, const std::string& origin);

// "train.max_steps=100" for each. Throws ConfigError.
void set_keys(Recipe& recipe, const StringList& assignments);

// The whole recipe as TOML, every value with a comment that says where it came from.
std::string recipe_with_origins(const Recipe& recipe);

}  // namespace lookback::cli

// Recipes: TOML 1.0 as far as options need it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/io/key_value.h"

namespace lookback::io {

constexpr int64_t kMaxTomlBytes = int64_t{1} << 20;

// The keys of a recipe in the order they stand there, tables and inline tables flattened to
// dotted paths; of a list of tables each is a group of its number: "blocks.0.kind". Values are
// true/false, numbers, strings and lists of strings. A mistake in TOML, a key twice, a date or time,
// a list of numbers or mixed things, a key with a dot in it, invalid UTF-8 and a file over kMaxTomlBytes are each a
// ConfigError "recipe.toml:12: ...". Throws IoError if the file cannot be read.
std::vector<KeyValue> read_toml(const std::string& file);

// The same from memory; `origin` is what messages call it.
std::vector<KeyValue> parse_toml(std::string_view toml, const std::string& origin);

// The fields as TOML: those without a dot first, then one [table] per group. Reads back as the
// same values. Throws ConfigError for a string that is not UTF-8.
std::string write_toml(std::span<const Field> fields);

}  // namespace lookback::io

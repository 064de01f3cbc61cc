// JSON as far as this project's own files need it: nested objects of plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/io/key_value.h"
#include "lookback/io/posix_file.h"

namespace lookback::io {

constexpr int64_t kMaxJsonBytes = int64_t{16} << 20;
constexpr int kMaxJsonDepth = 32;

// The members of the object in a JSON file, in order, nested objects flattened to dotted
// paths. Values are true/false, numbers, strings or lists of strings; an integer outside 64
// bits, null, any other list, a key twice, a key with a dot, invalid UTF-8, nesting over
// kMaxJsonDepth and a file over kMaxJsonBytes are each a FormatError "config.json:3: ...".
// Throws IoError if the file cannot be read.
std::vector<KeyValue> read_json_fields(const File& file);

// The same from memory; `origin` is what messages call it.
std::vector<KeyValue> parse_json_fields(std::string_view json, const std::string& origin);

// One object, two spaces of indent, a line's end at the end; dots in paths make nested objects.
// Reads back as the same values. Throws ConfigError for a number that is not finite, a string
// that is not UTF-8 and a path that is both a value and a group.
std::string write_json_fields(std::span<const Field> fields);

// As a JSON string, with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string json_quote(std::string_view s);

}  // namespace lookback::io

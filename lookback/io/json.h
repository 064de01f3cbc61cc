// JSON as far as this project's own files need it: nested objects of plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/io/key_value.h"
#include "lookback/io/posix_file.h"
#include "lookback/tensor/tensor.h"

namespace lookback::io {

constexpr int64_t kMaxJsonBytes = int64_t{16} << 20;
constexpr int kMaxJsonDepth = 32;

// The members of the object in a JSON file, in order, nested objects flattened to dotted
// paths, and each object of a list by its number: "blocks.0.kind". Values are true/false, numbers, strings or lists of
// strings; an integer outside 64 bits, null, any other list, a key twice, a key with a dot, invalid UTF-8, nesting over
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

// The shortest decimal that reads back as the same number; JSON has none for infinity and NaN, which become null.
std::string json_number(double x);
std::string json_number(float x);

// A JSON object on one line, member by member.
class JsonObject {
 public:
  JsonObject& raw(std::string_view name, std::string_view json);
  JsonObject& add(std::string_view name, double x) { return raw(name, json_number(x)); }
  JsonObject& add(std::string_view name, int64_t x) { return raw(name, std::to_string(x)); }
  JsonObject& add(std::string_view name, bool x) { return raw(name, x ? "true" : "false"); }
  JsonObject& add(std::string_view name, std::string_view s) { return raw(name, json_quote(s)); }
  JsonObject& add(std::string_view name, const char* s) { return add(name, std::string_view(s)); }
  // The members of another one behind those of this.
  JsonObject& append(const JsonObject& other);
  std::string text() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

// "[a, b]" from what `item` makes of each element.
template <class Range, class F>
std::string json_list(const Range& range, F&& item) {
  std::string out = "[";
  for (const auto& x : range) out += (out.size() > 1 ? ", " : "") + item(x);
  return out + "]";
}

// f32 [N, C] as a list of its rows; "[]" for an empty one.
std::string json_matrix(const Tensor& x);

}  // namespace lookback::io

// Private to data: what the readers of word vectors share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lookback/base/byte_reader.h"

namespace lookback::data {

// Beyond these a file is taken for damaged, before memory is asked for.
inline constexpr int64_t kMaxVectorWidth = 65536;
inline constexpr size_t kMaxWordBytes = 65536;

// A text of the file for a message, or how it begins.
std::string shown(std::string_view text);

// How many bytes stand before the next `end` in a binary file; nothing if the file ends before or they are more than
// kMaxWordBytes.
std::optional<size_t> find_word_end(ByteReader& bytes, char end);

// Lines of text are fields between spaces and tabs.
inline bool separates(char c) { return c == ' ' || c == '\t'; }
std::string_view trimmed_end(std::string_view line);  // without separators at its end
int64_t count_separators(std::string_view line);
int64_t count_fields(std::string_view line);
// Where the last `fields` fields begin, or nothing if there are fewer.
std::optional<size_t> find_last_fields(std::string_view line, int64_t fields);

// Takes the field that the line begins with, which must be a decimal number: the nearest float, which may be infinite.
// Takes nothing and gives nothing where it is none.
std::optional<float> take_float(std::string_view& line);
// The same for a text that is one such field.
std::optional<float> parse_float(std::string_view text);

}  // namespace lookback::data

// Private to io: the JSON header of a safetensors file.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/io/safetensors.h"

namespace lookback::io {

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  // offset counts from the end of the header
  std::map<std::string, std::string> metadata;
};

// Throws FormatError for anything that pattern "one reading" forbids; `data_bytes` is how much follows the header.
SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t data_bytes, const std::string& origin);

// "F32" and so on.
const char* safetensors_name(Dtype dtype);

}  // namespace lookback::io

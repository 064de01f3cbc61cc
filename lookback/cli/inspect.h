// Private to cli: what `inspect` finds.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "lookback/io/posix_file.h"

namespace lookback::cli {

using Json = nlohmann::ordered_json;

// Kind, size and number of entries of an spm.model or tokenizer.json. Throws FormatError and IoError.
Json tokenizer_of(const io::File& file);

}  // namespace lookback::cli

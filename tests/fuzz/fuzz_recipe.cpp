#include "lookback/base/error.h"
#include "lookback/io/toml.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/round_trip.h"

using namespace lookback;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<io::KeyValue> values;
  try {
    values = io::parse_toml(as_text(data, size), "recipe.toml");
  } catch (const ConfigError&) {
    return 0;
  }
  check_round_trip(
      values, [](const std::string& s) { return io::parse_toml(s, "written.toml"); },
      [](const std::vector<Field>& fields) { return io::write_toml(fields); });
  return 0;
}

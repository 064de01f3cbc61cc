#include "lookback/base/error.h"
#include "lookback/io/json.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/round_trip.h"

using namespace lookback;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<io::KeyValue> values;
  try {
    values = io::parse_json_fields(as_text(data, size), "config.json");
  } catch (const FormatError&) {
    return 0;
  }
  check_round_trip(
      values, [](const std::string& s) { return io::parse_json_fields(s, "written.json"); },
      [](const std::vector<Field>& fields) { return io::write_json_fields(fields); });
  return 0;
}

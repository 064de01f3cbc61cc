// What was read can be written, and reads back as the same.
#pragma once

#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "lookback/io/key_value.h"
#include "tests/fuzz/memory_file.h"

// Options with these values, owned by `values`.
inline std::vector<lookback::Field> as_fields(std::vector<lookback::io::KeyValue>& values) {
  std::vector<lookback::Field> out;
  for (lookback::io::KeyValue& kv : values)
    std::visit([&](auto& x) { out.push_back({.path = kv.path, .value = &x}); }, kv.value);
  return out;
}

template <class Parse, class Write>
void check_round_trip(std::vector<lookback::io::KeyValue> first, Parse parse, Write write) {
  const std::string once = write(as_fields(first));
  std::vector<lookback::io::KeyValue> second = parse(once);
  require(second.size() == first.size());
  require(write(as_fields(second)) == once);
}

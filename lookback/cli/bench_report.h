// What `lookback bench` measured, as a line of a table and as JSON.
#pragma once

#include <string>
#include <vector>

#include "lookback/bench/workloads.h"

namespace lookback::cli {

struct Spread {
  double median = 0, least = 0, most = 0;
};
// Of at least one value.
Spread spread_of(std::vector<double> values);

struct Measured {
  const bench::Kind* kind = nullptr;
  std::string name, precision;  // of the case
  Spread speed;                 // per second, in the unit of the kind
  double seconds = 0;           // of one run
  // Operations or bytes a second beside the best of this machine, in 1e9; 0 where nobody has counted them.
  double rate = 0, best = 0;
  bool is_bytes = false;
  // The same result by plainer ops, where there are some: how long they take, and how many times as fast this is.
  double composed_seconds = 0;
  Spread ratio;
  double peak_mib = 0;  // resident memory of the process, the most so far
};

// Resident memory of this process at its most, in MiB; 0 if the system does not say.
double peak_mib();

std::string table_head();
std::string table_line(const Measured& m);
// One object, without the line's end.
std::string json_line(const Measured& m);

}  // namespace lookback::cli

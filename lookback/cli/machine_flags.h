// The flags of every command that computes: how much of the machine it uses.
#pragma once

#include <cstdint>
#include <string>

#include "lookback/base/parallel.h"
#include "lookback/cli/flags.h"

namespace lookback::cli {

struct MachineFlags {
  int64_t threads = 0;
  std::string cpu;

  void declare(Flags& v);
  // From here on the rung is what --cpu or LOOKBACK_CPU names; and for the life of what is returned there are as many
  // threads as --threads or LOOKBACK_THREADS says, else all cores. Throws ConfigError.
  ThreadScope use() const;
};

}  // namespace lookback::cli

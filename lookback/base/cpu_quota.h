// How many cores a process may use.
#pragma once

#include <optional>
#include <string>

namespace lookback {

// What available_threads() says, asked anew.
int allowed_cpus();

// The CPU quota, in cores, of the control groups that `membership` (the text of /proc/self/cgroup) names, the least
// along each group's way to the root; nothing if none is set. `root` is where the hierarchies are mounted:
// /sys/fs/cgroup.
std::optional<double> cpu_quota(const std::string& membership, const std::string& root);

}  // namespace lookback

#include "lookback/base/cpu_quota.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

namespace lookback {
namespace {

// The numbers of a file with one line; a word that is no number is -1.
std::vector<double> numbers_in(const std::string& path) {
  std::vector<double> out;
  std::ifstream in(path);
  for (std::string word; in >> word;) {
    double number = -1;
    std::from_chars(word.data(), word.data() + word.size(), number);
    out.push_back(number);
  }
  return out;
}

// Of one group: v2 has "max 100000" or "150000 100000" in one file, v1 has two files and -1 for no quota.
std::optional<double> quota_of(const std::string& group) {
  std::vector<double> found = numbers_in(group + "/cpu.max");
  if (found.size() != 2) {
    found = numbers_in(group + "/cpu.cfs_quota_us");
    const auto period = numbers_in(group + "/cpu.cfs_period_us");
    found.insert(found.end(), period.begin(), period.end());
  }
  if (found.size() != 2 || found[0] <= 0 || found[1] <= 0) return std::nullopt;
  return found[0] / found[1];
}

int cpus_of_affinity() {
  // The mask must have room for all processors the kernel knows.
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
    cpu_set_t* const set = CPU_ALLOC(cpus);
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    const bool known = set && ::sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

std::optional<double> cpu_quota(const std::string& membership, const std::string& root) {
  std::optional<double> out;
  std::istringstream lines(membership);
  // "0::/user.slice/a" (v2) or "4:cpu,cpuacct:/a" (v1)
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v1 = ("," + controllers + ",").find(",cpu,") != std::string::npos;
    if (!controllers.empty() && !v1) continue;
    // A container sees its own group at the root, whatever the path says; so the way there is tried, and the root.
    for (const std::string& mount : {root, root + "/cpu", root + "/" + controllers}) {
      for (std::string path = line.substr(second + 1);; path.resize(path.rfind('/'))) {
        while (path.ends_with('/')) path.pop_back();
        if (const auto quota = quota_of(mount + path)) out = std::min(out.value_or(*quota), *quota);
        if (path.empty()) break;
      }
    }
  }
  return out;
}

int allowed_cpus() {
  int out = cpus_of_affinity();
  std::ifstream in("/proc/self/cgroup");
  std::ostringstream membership;
  membership << in.rdbuf();
  if (const auto quota = cpu_quota(membership.str(), "/sys/fs/cgroup"))
    out = std::min(out, static_cast<int>(std::ceil(std::min(*quota, 1e6))));
  if (const char* const wanted = std::getenv("OMP_NUM_THREADS")) {
    const int threads = std::atoi(wanted);
    if (threads > 0) out = std::min(out, threads);
  }
  return std::max(1, out);
}

}  // namespace lookback

#include "lookback/cli/bench_report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/base/parallel.h"
#include "lookback/io/json.h"
#include "lookback/tasks/model_card.h"

namespace lookback::cli {
namespace {

constexpr int kNameWidth = 46;

template <class... Args>
std::string formatted(const char* pattern, Args... args) {
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, pattern, args...);
  return buffer;
}

std::string title_of(const Measured& m) {
  return (m.name.empty() ? std::string(m.kind->name) : m.name) + (m.precision == "f32" ? "" : ", " + m.precision);
}

// Thousands as groups; what is small with digits after the point.
std::string speed_text(double x) { return x < 100 ? short_number(x) : grouped(static_cast<int64_t>(x)); }

}  // namespace

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

double peak_mib() {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;)
    if (double kib = 0; word == "VmHWM:" && in >> kib) return kib / 1024;
  return 0;
}

std::string table_head() {
  return formatted("%-*s %11s %11s %-15s %9s %-7s %7s %9s\n", kNameWidth, "work", "ms a run", "speed", "", "rate", "",
                   "of best", "peak MiB");
}

std::string table_line(const Measured& m) {
  std::string out = formatted("%-*s %11.3f ", kNameWidth, title_of(m).c_str(), 1e3 * m.seconds);
  if (m.composed_seconds > 0)
    return out + formatted("  composed %.3f ms, %.2f times as fast (%.2f to %.2f)\n", 1e3 * m.composed_seconds,
                           m.ratio.median, m.ratio.least, m.ratio.most);
  out += formatted("%11s %-15s", speed_text(m.speed.median).c_str(), m.kind->unit);
  if (m.rate > 0)
    out += formatted(" %9.1f %-7s %5.0f %%", m.rate, m.is_bytes ? "GB/s" : "GFLOP/s", 100 * m.rate / m.best);
  else
    out += formatted("%26s", "");
  return out + formatted(" %9.0f\n", m.peak_mib);
}

std::string json_line(const Measured& m) {
  io::JsonObject out;
  out.add("work", m.kind->name);
  if (!m.name.empty()) out.add("case", m.name);
  out.add("precision", m.precision).add("threads", int64_t{thread_count()}).add("unit", m.kind->unit);
  out.add("median", m.speed.median).add("min", m.speed.least).add("max", m.speed.most).add("seconds", m.seconds);
  if (m.rate > 0 && m.is_bytes)
    out.add("gbytes", m.rate).add("copy_gbytes", m.best).add("share_of_copy", m.rate / m.best);
  if (m.rate > 0 && !m.is_bytes)
    out.add("gflops", m.rate).add("peak_gflops", m.best).add("share_of_peak", m.rate / m.best);
  if (m.composed_seconds > 0) {
    out.add("composed_seconds", m.composed_seconds).add("ratio", m.ratio.median);
    out.add("ratio_min", m.ratio.least).add("ratio_max", m.ratio.most);
  }
  return out.add("peak_mib", m.peak_mib).add("cpu", tasks::cpu_name()).text();
}

}  // namespace lookback::cli

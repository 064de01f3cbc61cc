// lookback bench: how fast this machine trains and decodes.
#include "lookback/tasks/bench.h"

#include <algorithm>
#include <chrono>
#include <iostream>

#include "lookback/base/parallel.h"
#include "lookback/cli/flags.h"
#include "lookback/io/json.h"
#include "lookback/tasks/model_card.h"

namespace lookback::cli {
namespace {

using tasks::BenchKind;
using tasks::BenchWork;

std::string kinds_in_words() {
  std::string out;
  for (const BenchKind& k : tasks::bench_kinds()) out += text(out.empty() ? "" : "; ", k.name, ": ", k.summary);
  return out;
}

struct BenchFlags {
  StringList work;
  int64_t rounds = 5, repeat = 4, threads = 0;
  bool on_request = false;
  tasks::BenchOptions options;

  void declare(Flags& v) {
    v.words("WORK", work, 1, kinds_in_words());
    v("rounds", rounds, "N", "measurements; their median, least and most are told").range(1, 1e6);
    v("repeat", repeat, "N", "times the work is done in one measurement").range(1, 1e9);
    v("threads", threads, "N", "threads to use, all cores unless given").range(1, 4096);
    v("on-request", on_request, "",
      "measure once for each line on standard input and answer with a line, so that programs can be measured in turn");
    v.add(fields_of(options));
  }
};

const BenchKind& find_kind(std::string_view name) {
  StringList names;
  for (const BenchKind& k : tasks::bench_kinds()) {
    names.emplace_back(k.name);
    if (name == k.name) return k;
  }
  throw ConfigError(
      text("bench: unknown work '", name, "'", nearest_match(name, names), "; there is ", kinds_in_words()));
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Per second, of one measurement.
double measure(BenchWork& work, int64_t repeat) {
  const auto begin = std::chrono::steady_clock::now();
  double amount = 0;
  for (int64_t k = 0; k < repeat; ++k) amount += work.run();
  return amount / seconds_since(begin);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Speeds, and beside them the best the machine does with products: in turn, since machines drift.
int report(const BenchFlags& flags, const BenchKind& kind, BenchWork& work) {
  tasks::BenchOptions plain = flags.options;
  plain.model = {};
  const auto product = find_kind("product").make(plain);
  std::vector<double> speeds, gflops, peaks;
  measure(*product, 1);
  for (int64_t k = 0; k < flags.rounds; ++k) {
    const auto begin = std::chrono::steady_clock::now();
    speeds.push_back(measure(work, flags.repeat));
    gflops.push_back(work.operations() * static_cast<double>(flags.repeat) / seconds_since(begin) * 1e-9);
    peaks.push_back(measure(*product, 1));
  }
  const auto [least, most] = std::minmax_element(speeds.begin(), speeds.end());
  std::cout << "{\"work\": " << io::json_quote(kind.name) << ", \"threads\": " << thread_count()
            << ", \"unit\": " << io::json_quote(kind.unit) << ", \"median\": " << median(speeds)
            << ", \"min\": " << *least << ", \"max\": " << *most;
  if (work.operations() > 0)
    std::cout << ", \"gflops\": " << median(gflops) << ", \"peak_gflops\": " << median(peaks)
              << ", \"share_of_peak\": " << median(gflops) / median(peaks);
  std::cout << ", \"cpu\": " << io::json_quote(tasks::cpu_name()) << "}\n";
  return 0;
}

}  // namespace

int run_bench(Args& args) {
  BenchFlags flags;
  Flags parser("bench");
  flags.declare(parser);
  parser.parse(args.words);
  check<ConfigError>(flags.work.size() == 1, "bench: one WORK at a time, got ", flags.work.size());
  const BenchKind& kind = find_kind(flags.work[0]);
  const ThreadScope threads(flags.threads ? static_cast<int>(flags.threads) : thread_count());
  const auto work = kind.make(flags.options);
  work->run();
  if (!flags.on_request) return report(flags, kind, *work);
  for (std::string line; std::getline(std::cin, line);) std::cout << measure(*work, flags.repeat) << std::endl;
  return 0;
}

std::vector<HelpSection> help_bench() {
  static BenchFlags flags;
  Flags parser("bench");
  flags.declare(parser);
  return parser.help();
}

}  // namespace lookback::cli

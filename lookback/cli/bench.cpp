// lookback bench: how fast this machine trains and decodes.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <map>

#include "lookback/base/parallel.h"
#include "lookback/bench/workloads.h"
#include "lookback/cli/bench_report.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/tasks/model_card.h"

namespace lookback::cli {
namespace {

// Unless told otherwise, one measurement is as many runs as fill this time.
constexpr double kFilled = 0.1;

std::string kinds_in_words() {
  std::string out;
  for (const bench::Kind& k : bench::kinds()) out += str_cat(out.empty() ? "" : "; ", k.name, ": ", k.summary);
  return out;
}

struct BenchFlags {
  StringList work;
  int64_t rounds = 5, repeat = 0;
  MachineFlags machine;
  std::string format, only;
  bool on_request = false;
  bench::Options options;

  void declare(Flags& v) {
    v.words("WORK", work, 0, kinds_in_words() + "; all of them unless given");
    v("rounds", rounds, "N", "measurements; their median, least and most are told").range(1, 1e6);
    v("repeat", repeat, "N", "times the work is done in one measurement; as often as fills 0.1 seconds unless given")
        .range(1, 1e9);
    machine.declare(v);
    v("format", format, "FORMAT",
      "text: a table; json: one object a line; unless given, a table on a terminal and json elsewhere")
        .choices({"text", "json"});
    v("only", only, "WORD", "of a work with several cases those whose name holds this");
    v("on-request", on_request, "",
      "measure once for each line on standard input and answer with a line, so that programs can be measured in turn");
    v.add(fields_of(options));
  }
  bool as_table() const { return format.empty() ? is_terminal(STDOUT_FILENO) : format == "text"; }
};

const bench::Kind& find_kind(std::string_view name) {
  StringList names;
  for (const bench::Kind& k : bench::kinds()) {
    names.emplace_back(k.name);
    if (name == k.name) return k;
  }
  throw ConfigError(
      str_cat("bench: unknown work '", name, "'", nearest_match(name, names), "; there is ", kinds_in_words()));
}

struct Timing {
  double amount, seconds;  // of all runs together
};

Timing timed(bench::Work& work, int64_t repeat) {
  const auto begin = std::chrono::steady_clock::now();
  double amount = 0;
  for (int64_t k = 0; k < repeat; ++k) amount += work.run();
  return {amount, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()};
}

// The best of this machine, made once for each precision and each number of bytes.
class Yardsticks {
 public:
  // Null for work whose operations and bytes nobody has counted.
  bench::Work* of(const bench::Work& work, const std::string& precision) {
    if (work.operations() > 0) return get(products_[precision], [&] { return bench::best_product(precision); });
    if (work.bytes() > 0) return get(copies_[work.bytes()], [&] { return bench::best_copy(work.bytes()); });
    return nullptr;
  }

 private:
  template <class Make>
  static bench::Work* get(std::unique_ptr<bench::Work>& slot, Make make) {
    if (!slot) slot = make(), slot->run();
    return slot.get();
  }

  std::map<std::string, std::unique_ptr<bench::Work>> products_;
  std::map<double, std::unique_ptr<bench::Work>> copies_;
};

double counted(const bench::Work& work) { return work.operations() > 0 ? work.operations() : work.bytes(); }

// Work, what it is held against, and how often each is done in a measurement.
struct Contender {
  bench::Work* work;
  int64_t repeat;
  Timing measure() const { return timed(*work, repeat); }
};

Contender warmed(bench::Work& work, int64_t repeat) {
  work.run();
  return {&work, repeat ? repeat : static_cast<int64_t>(std::ceil(kFilled / std::max(1e-9, timed(work, 1).seconds)))};
}

// In turn with what it is held against, since machines drift.
Measured measure(const BenchFlags& flags, const bench::Kind& kind, const bench::Case& bench, Yardsticks& yardsticks) {
  const auto work = bench.make(), plain = bench.composed ? bench.composed() : nullptr;
  const Contender mine = warmed(*work, flags.repeat);
  const Contender composed = plain ? warmed(*plain, flags.repeat) : Contender{};
  bench::Work* const yardstick = yardsticks.of(*work, bench.precision);
  const Contender best = yardstick ? warmed(*yardstick, 0) : Contender{};
  std::vector<double> speeds, seconds, rates, bests, composed_seconds, ratios;
  for (int64_t k = 0; k < flags.rounds; ++k) {
    const Timing t = mine.measure();
    speeds.push_back(t.amount / t.seconds), seconds.push_back(t.seconds / static_cast<double>(mine.repeat));
    if (plain) {
      composed_seconds.push_back(composed.measure().seconds / static_cast<double>(composed.repeat));
      ratios.push_back(composed_seconds.back() / seconds.back());
    }
    if (!yardstick) continue;
    rates.push_back(1e-9 * counted(*work) / seconds.back());
    bests.push_back(1e-9 * counted(*yardstick) * static_cast<double>(best.repeat) / best.measure().seconds);
  }
  Measured out{.kind = &kind, .name = bench.name, .precision = bench.precision, .speed = spread_of(speeds)};
  out.seconds = spread_of(seconds).median;
  if (yardstick) out.rate = spread_of(rates).median, out.best = spread_of(bests).median;
  out.is_bytes = work->operations() == 0;
  if (plain) out.composed_seconds = spread_of(composed_seconds).median, out.ratio = spread_of(ratios);
  out.peak_mib = peak_mib();
  return out;
}

void report(const BenchFlags& flags, const bench::Kind& kind, Yardsticks& yardsticks) {
  int64_t found = 0;
  for (const bench::Case& bench : kind.cases(flags.options)) {
    if (bench.name.find(flags.only) == std::string::npos) continue;
    ++found;
    const Measured m = measure(flags, kind, bench, yardsticks);
    print(flags.as_table() ? table_line(m) : json_line(m) + "\n");
  }
  check<ConfigError>(found > 0, "bench: no case of ", kind.name, " holds '", flags.only, "'");
}

// Everything there is, but what the options do not allow.
void report_all(const BenchFlags& flags, Yardsticks& yardsticks, Console& console) {
  for (const bench::Kind& kind : bench::kinds()) try {
      report(flags, kind, yardsticks);
    } catch (const ConfigError& error) {
      console.log(Severity::info, str_cat("left out, ", kind.name, ": ", error.what()));
    }
}

int answer(const BenchFlags& flags, const bench::Kind& kind) {
  const auto cases = kind.cases(flags.options);
  check<ConfigError>(cases.size() == 1, "bench: --on-request is for works of one case; ", kind.name, " has ",
                     cases.size());
  const auto work = cases[0].make();
  const Contender mine = warmed(*work, std::max<int64_t>(1, flags.repeat));
  for (std::string line; std::getline(std::cin, line);) {
    const Timing t = mine.measure();
    std::cout << t.amount / t.seconds << std::endl;
  }
  return 0;
}

}  // namespace

int run_bench(Args& args) {
  BenchFlags flags;
  Flags parser("bench");
  flags.declare(parser);
  parser.parse(args.words);
  const ThreadScope threads = flags.machine.use();
  if (flags.on_request) {
    check<ConfigError>(!flags.work.empty(), "bench: --on-request needs a WORK: ", kinds_in_words());
    return answer(flags, find_kind(flags.work[0]));
  }
  const bench::Kind* const kind = flags.work.empty() ? nullptr : &find_kind(flags.work[0]);
  if (flags.as_table())
    print(str_cat(tasks::cpu_name(), ", ", thread_count(), " threads; medians of ", flags.rounds, "\n", table_head()));
  Yardsticks yardsticks;
  kind ? report(flags, *kind, yardsticks) : report_all(flags, yardsticks, args.console);
  return 0;
}

std::vector<HelpSection> help_bench() {
  static BenchFlags flags;
  Flags parser("bench");
  flags.declare(parser);
  return parser.help();
}

}  // namespace lookback::cli

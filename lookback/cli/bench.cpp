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

struct BenchFlags {
  StringList work;
  int64_t rounds = 5, repeat = 4, threads = 0;
  bool on_request = false;
  tasks::BenchOptions options;

  void declare(Flags& v) {
    v.words("WORK", work, 1, "train: training steps; decode: greedy decoding");
    v("rounds", rounds, "N", "measurements; their median, least and most are told").range(1, 1e6);
    v("repeat", repeat, "N", "times the work is done in one measurement").range(1, 1e9);
    v("threads", threads, "N", "threads to use, all cores unless given").range(1, 4096);
    v("on-request", on_request, "",
      "measure once for each line on standard input and answer with a line, so that programs can be measured in turn");
    v.add(fields_of(options));
  }
};

// Tokens per second of one measurement.
double measure(tasks::Bench& bench, bool training, int64_t repeat) {
  const auto begin = std::chrono::steady_clock::now();
  int64_t tokens = 0;
  for (int64_t k = 0; k < repeat; ++k) tokens += training ? bench.train_step() : bench.decode();
  return static_cast<double>(tokens) / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int run_bench(Args& args) {
  BenchFlags flags;
  Flags parser("bench");
  flags.declare(parser);
  parser.parse(args.words);
  const std::string& work = flags.work[0];
  check<ConfigError>(flags.work.size() == 1 && (work == "train" || work == "decode"), "bench: unknown work '", work,
                     "'; choose train or decode");
  const ThreadScope threads(flags.threads ? static_cast<int>(flags.threads) : thread_count());
  tasks::Bench bench(flags.options);
  const bool training = work == "train";
  measure(bench, training, 1);
  if (flags.on_request) {
    for (std::string line; std::getline(std::cin, line);)
      std::cout << measure(bench, training, flags.repeat) << std::endl;
    return 0;
  }
  std::vector<double> speeds;
  for (int64_t k = 0; k < flags.rounds; ++k) speeds.push_back(measure(bench, training, flags.repeat));
  std::sort(speeds.begin(), speeds.end());
  std::cout << "{\"work\": " << io::json_quote(work) << ", \"parameters\": " << bench.parameters()
            << ", \"threads\": " << thread_count()
            << ", \"unit\": \"tokens/s\", \"median\": " << speeds[speeds.size() / 2] << ", \"min\": " << speeds.front()
            << ", \"max\": " << speeds.back() << ", \"cpu\": " << io::json_quote(tasks::cpu_name()) << "}\n";
  return 0;
}

std::vector<HelpSection> help_bench() {
  static BenchFlags flags;
  Flags parser("bench");
  flags.declare(parser);
  return parser.help();
}

}  // namespace lookback::cli

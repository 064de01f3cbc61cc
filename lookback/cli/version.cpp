// lookback version: what was built, with what, and what of this machine is in use.
#include <hwy/highway.h>

#include "lookback/base/parallel.h"
#include "lookback/base/rung.h"
#include "lookback/cli/flags.h"
#include "lookback/cli/output.h"
#include "lookback/metrics/corpus_metric.h"
#include "lookback/tasks/model_card.h"
#include "lookback/viz/figure.h"

namespace lookback::cli {
namespace {

// "avx2, of baseline, avx2, avx512": what is in use, of what there is.
std::string instruction_sets() {
  std::string out = str_cat(name_in_use(), ", of");
  for (const Rung r : rungs()) out += str_cat(r == rungs().front() ? " " : ", ", name_of(r));
  return out;
}

}  // namespace

int run_version(Args& args) {
  Flags("version").parse(args.words);
#ifdef __clang__
  const std::string compiler = "Clang " __clang_version__;
#else
  const std::string compiler = "GCC " __VERSION__;
#endif
  const std::string_view version = metrics::kVersion;
  print(str_cat("lookback ", version.substr(version.find('-') + 1), "\ncompiler: ", compiler, "\nHighway: ", HWY_MAJOR,
                ".", HWY_MINOR, ".", HWY_PATCH, "\nPNG pictures: ",
                viz::can_draw_png() ? "yes" : "no (built without Pango)", "\nthreads: ", thread_count(),
                "\nprocessor: ", tasks::cpu_name(), "\ninstruction sets: ", instruction_sets(), "\n"));
  return 0;
}

std::vector<HelpSection> help_version() { return {}; }

}  // namespace lookback::cli

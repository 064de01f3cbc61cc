// lookback version: what was built, with what, and what this machine can do.
#include <hwy/highway.h>
#ifdef LOOKBACK_ONEDNN
#include <oneapi/dnnl/dnnl_version.h>
#endif

#include <algorithm>
#include <fstream>
#include <sstream>

#include "lookback/base/parallel.h"
#include "lookback/cli/flags.h"
#include "lookback/cli/output.h"
#include "lookback/metrics/corpus_metric.h"
#include "lookback/viz/attention_map.h"

namespace lookback::cli {
namespace {

// What makes a difference to the kernels, of what the system says about the processor. Tiles (amx_) make none.
std::string instruction_sets() {
  constexpr std::string_view kWanted[] = {"sse4_1",      "avx",         "fma",         "avx2",  "avx512f",
                                          "avx512_vnni", "avx512_bf16", "avx512_fp16", "asimd", "bf16",
                                          "i8mm",        "sve",         "sve2"};
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::string out;
    std::istringstream words(line);
    for (std::string word; words >> word;)
      if (std::find(std::begin(kWanted), std::end(kWanted), word) != std::end(kWanted))
        out += (out.empty() ? "" : " ") + word;
    return out;
  }
  return "unknown";
}

}  // namespace

int run_version(Args& args) {
  Flags("version").parse(args.words);
#ifdef __clang__
  const std::string compiler = "Clang " __clang_version__;
#else
  const std::string compiler = "GCC " __VERSION__;
#endif
#ifdef LOOKBACK_ONEDNN
  const std::string onednn = text(DNNL_VERSION_MAJOR, ".", DNNL_VERSION_MINOR, ".", DNNL_VERSION_PATCH);
#else
  const std::string onednn = "no (not for this processor)";
#endif
  const std::string_view version = metrics::kVersion;
  print(text("lookback ", version.substr(version.find('-') + 1), "\ncompiler: ", compiler, "\noneDNN: ", onednn,
             "\nHighway: ", HWY_MAJOR, ".", HWY_MINOR, ".", HWY_PATCH,
             "\nPNG pictures: ", viz::can_draw_png() ? "yes" : "no (built without Pango)",
             "\nthreads: ", thread_count(), "\nprocessor: ", instruction_sets(), "\n"));
  return 0;
}

std::vector<HelpSection> help_version() { return {}; }

}  // namespace lookback::cli

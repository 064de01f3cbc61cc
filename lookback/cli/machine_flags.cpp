#include "lookback/cli/machine_flags.h"

#include "lookback/base/rung.h"
#include "lookback/cli/environment.h"

namespace lookback::cli {

void MachineFlags::declare(Flags& v) {
  v("threads", threads, "N", "threads to use, all cores unless given; changes no result").range(1, 4096);
  v("cpu", cpu, "NAME",
    "the highest instruction set to use: baseline, avx2, avx512, avx512_vnni, avx512_bf16 or amx; the highest that the "
    "processor has unless given; changes no result in f32 from avx2 on. amx_emulated gives the bits of amx on any "
    "processor, slowly: for tests");
}

ThreadScope MachineFlags::use() const {
  if (cpu.empty())
    rung();  // complains of LOOKBACK_CPU
  else
    use_rung(cpu, "--cpu");
  return ThreadScope(chosen_threads(threads));
}

}  // namespace lookback::cli

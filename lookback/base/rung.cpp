#include "lookback/base/rung.h"

#include <hwy/targets.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>

#include "lookback/base/error.h"
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace lookback {
namespace {

constexpr std::string_view kNames[] = {"baseline", "avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx"};
constexpr std::string_view kEmulated = "amx_emulated";

#if defined(__x86_64__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) return {};
  return r;
}

bool bit(unsigned word, int k) { return word >> k & 1; }

// Whether the operating system keeps the tiles of a thread. Asked only where AVX-512 is: there is xgetbv too.
bool keeps_tiles() {
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return bit(low, 17) && bit(low, 18);
}

// Linux wants to be asked before a process may use tiles, once for all its threads, and may refuse: a kernel before
// 5.16, a filter of system calls, a stack for signals that is too small.
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// What Highway may compile for and this processor has. Asked once: cpuid traps in a virtual machine.
int64_t supported_targets() {
  static const int64_t targets = hwy::SupportedTargets();
  return targets;
}

bool processor_has(Rung rung) {
  static const Registers seven = cpuid(7, 0);
  switch (rung) {
    case Rung::baseline:
      return true;
    case Rung::avx2:
      return (supported_targets() & HWY_AVX2) != 0;
    case Rung::avx512:
      return (supported_targets() & HWY_AVX3) != 0;
    case Rung::avx512_vnni:
      return bit(seven.ecx, 11);
    case Rung::avx512_bf16:
      return bit(cpuid(7, 1).eax, 5);
    case Rung::amx:
      return bit(seven.edx, 22) && bit(seven.edx, 24) && bit(seven.edx, 25) && keeps_tiles() && may_use_tiles();
  }
  return false;
}

// Those whose functions Highway may take on this rung.
int64_t targets_of(Rung rung) {
  // Better targets have lower bits.
  const int64_t best = rung >= Rung::avx512 ? HWY_AVX3 : rung == Rung::avx2 ? HWY_AVX2 : 2 * HWY_SSSE3;
  return supported_targets() & ~(best - 1);
}

#else

bool processor_has(Rung rung) { return rung == Rung::baseline; }

int64_t targets_of(Rung) { return hwy::SupportedTargets(); }

#endif

// What is in use: a rung, and whether tiles are emulated.
struct Choice {
  Rung rung;
  bool emulated = false;
};

Choice find(std::string_view name, std::string_view where) {
  if (name == kEmulated) return {rungs().back(), true};
  std::string there;
  for (const Rung r : rungs()) {
    if (name_of(r) == name) return {r};
    there += str_cat(there.empty() ? "" : ", ", name_of(r));
  }
  const bool known = std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
  throw ConfigError(str_cat(where, ": ", known ? "this processor has no '" : "there is no instruction set '", name,
                            "'; there are ", there));
}

constexpr int kNone = -1, kRungs = static_cast<int>(std::size(kNames));
constinit std::atomic<int> in_use = kNone;  // the rung; kRungs more where tiles are emulated

Choice use(Choice choice) {
  hwy::GetChosenTarget().Update(targets_of(choice.rung));
  in_use.store(static_cast<int>(choice.rung) + choice.emulated * kRungs, std::memory_order_release);
  return choice;
}

Choice chosen() {
  const int known = in_use.load(std::memory_order_acquire);
  if (known != kNone) return {static_cast<Rung>(known % kRungs), known >= kRungs};
  const char* name = std::getenv("LOOKBACK_CPU");
  return use(name && *name ? find(name, "LOOKBACK_CPU") : Choice{rungs().back()});
}

}  // namespace

std::string_view name_of(Rung rung) { return kNames[static_cast<size_t>(rung)]; }

const std::vector<Rung>& rungs() {
  static const std::vector<Rung> all = [] {
    std::vector<Rung> out;
    for (size_t k = 0; k < std::size(kNames) && processor_has(static_cast<Rung>(k)); ++k)
      out.push_back(static_cast<Rung>(k));
    return out;
  }();
  return all;
}

Rung rung() { return chosen().rung; }

Tiles tiles() {
  const Choice choice = chosen();
  return choice.emulated ? Tiles::emulated : choice.rung >= Rung::amx ? Tiles::amx : Tiles::none;
}

std::string_view name_in_use() {
  const Choice choice = chosen();
  return choice.emulated ? kEmulated : name_of(choice.rung);
}

void use_rung(std::string_view name, std::string_view where) { use(find(name, where)); }

bool has_fused_multiply_add(Rung rung) {
#if defined(__x86_64__)
  return rung >= Rung::avx2;
#else
  return rung == Rung::baseline;
#endif
}

}  // namespace lookback

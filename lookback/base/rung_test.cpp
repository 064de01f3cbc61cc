#include "lookback/base/rung.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include "lookback/base/error.h"

namespace lookback {
namespace {

std::string message(const std::string& name) {
  try {
    use_rung(name, "--cpu");
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

TEST(Rung, TheLadderBeginsWithTheBaselineAndHasNoGap) {
  ASSERT_FALSE(rungs().empty());
  for (size_t k = 0; k < rungs().size(); ++k) EXPECT_EQ(static_cast<size_t>(rungs()[k]), k);
  EXPECT_EQ(name_of(Rung::baseline), "baseline");
  EXPECT_EQ(name_of(Rung::amx), "amx");
}

#if defined(__x86_64__)
// What Linux says about the processor.
TEST(Rung, TheProcessorHasThem) {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line) && !line.starts_with("flags")) {
  }
  if (!line.starts_with("flags")) GTEST_SKIP() << "nobody else to ask";
  line += ' ';
  const auto says = [&](const std::string& flag) { return line.find(' ' + flag + ' ') != std::string::npos; };
  const auto has = [](Rung r) { return std::find(rungs().begin(), rungs().end(), r) != rungs().end(); };
  EXPECT_EQ(has(Rung::avx2), says("avx2") && says("fma"));
  EXPECT_EQ(has(Rung::avx512),
            has(Rung::avx2) && says("avx512f") && says("avx512bw") && says("avx512dq") && says("avx512vl"));
  EXPECT_EQ(has(Rung::avx512_vnni), has(Rung::avx512) && says("avx512_vnni"));
  EXPECT_EQ(has(Rung::avx512_bf16), has(Rung::avx512_vnni) && says("avx512_bf16"));
  // Linux may still refuse tiles to this process.
  EXPECT_TRUE(!has(Rung::amx) || (has(Rung::avx512_bf16) && says("amx_tile") && says("amx_int8") && says("amx_bf16")));
}
#endif

TEST(Rung, TheOneInUseIsTheHighestOrTheOneThatWasNamed) {
  const Rung before = rung();
  const char* const name = std::getenv("LOOKBACK_CPU");
  EXPECT_EQ(name_in_use(), name && *name ? name : name_of(rungs().back()));
  for (const Rung r : rungs()) {
    use_rung(name_of(r), "--cpu");
    EXPECT_EQ(rung(), r);
  }
  use_rung("amx_emulated", "--cpu");
  EXPECT_EQ(rung(), rungs().back());
  EXPECT_EQ(tiles(), Tiles::emulated);
  EXPECT_EQ(name_in_use(), "amx_emulated");
  use_rung(name_of(before), "--cpu");
  EXPECT_EQ(tiles(), before == Rung::amx ? Tiles::amx : Tiles::none);
}

TEST(Rung, ErrorsListThoseThereAre) {
  const Rung before = rung();
  const std::string what = message("avx3");
  EXPECT_TRUE(what.starts_with("--cpu: there is no instruction set 'avx3'; there are baseline")) << what;
  for (const Rung r : rungs()) EXPECT_NE(what.find(name_of(r)), std::string::npos) << what;
  const bool amx = rungs().back() == Rung::amx;
  EXPECT_EQ(message("amx").starts_with("--cpu: this processor has no 'amx'; there are baseline"), !amx);
  use_rung(name_of(before), "--cpu");
  EXPECT_EQ(rung(), before);
}

}  // namespace
}  // namespace lookback

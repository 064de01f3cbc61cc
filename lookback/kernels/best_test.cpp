#include <hwy/targets.h>

#ifdef LOOKBACK_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif

#include "lookback/kernels/cpu/onednn.h"
#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

// A Table is a name, three kernels that may be missing, and then nothing but kernels that may not.
template <class R>
void expect_complete(const Table<R>& table) {
  constexpr size_t kWords = sizeof(Table<R>) / sizeof(void*);
  static_assert(sizeof(Table<R>) == kWords * sizeof(void*));
  const void* words[kWords];
  std::memcpy(words, &table, sizeof(table));
  for (size_t k = 0; k < kWords; ++k) EXPECT_TRUE(words[k] || (1 <= k && k <= 3)) << table.name << " entry " << k;
}

TEST(Tables, BestHasEveryKernel) {
  expect_complete(best<float>());
  expect_complete(best<double>());
  expect_complete(ref<float>());
  expect_complete(ref<double>());
}

TEST(Tables, TheInstructionSetIsChosenBeforeTheFirstCall) {
  hwy::GetChosenTarget().DeInit();
  choose_instruction_set();
  EXPECT_TRUE(hwy::GetChosenTarget().IsInitialized());
}

#ifdef LOOKBACK_ONEDNN
// Also where the environment asks for tiles: see tests/CMakeLists.txt.
TEST(Tables, ProductsLeaveTilesAlone) {
  std::vector<float> a(64), b(64), c(64);
  best<float>().matmul({.m = 8,
                        .n = 8,
                        .k = 8,
                        .a = a.data(),
                        .lda = 8,
                        .b = b.data(),
                        .ldb = 8,
                        .c = c.data(),
                        .ldc = 8,
                        .precision = Precision::bf16});
  const auto isa = static_cast<int>(dnnl::get_effective_cpu_isa());
  if (isa == 0) GTEST_SKIP() << "not a processor with a ladder of instruction sets";
  EXPECT_TRUE(cpu_impl::onednn::is_held_below_tiles());
  const auto tiles = static_cast<int>(dnnl::cpu_isa::avx512_core_amx);
  EXPECT_NE(isa & tiles, tiles) << std::hex << isa;
}
#endif

TEST(Tables, OnlyTheFastOnePacks) {
  EXPECT_NE(best<float>().pack, nullptr);
  EXPECT_EQ(best<double>().pack, nullptr);
}

TEST(Tables, BestIsTheFastOneWhereItHasAKernel) {
  EXPECT_EQ(best<float>().lstm_forward, cpu().lstm_forward);
  EXPECT_EQ(best<float>().layer_norm, cpu().layer_norm);
  EXPECT_NE(best<float>().lstm_forward, ref<float>().lstm_forward);
}

}  // namespace
}  // namespace lookback::kernels

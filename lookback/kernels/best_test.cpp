#ifdef LOOKBACK_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif

#include "lookback/kernels/cpu/onednn.h"
#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

template <class R>
void expect_complete(const Table<R>& table) {
#define LOOKBACK_EXPECT(kernel, Args) EXPECT_NE(table.kernel, nullptr) << table.name << ": " #kernel;
  LOOKBACK_KERNELS(LOOKBACK_EXPECT)
#undef LOOKBACK_EXPECT
}

TEST(Tables, BestHasEveryKernel) {
  expect_complete(best<float>());
  expect_complete(best<double>());
  expect_complete(ref<float>());
  expect_complete(ref<double>());
}

// After the last test, as only then all of them have been seen.
class EveryKernelIsComparedWithItsReference : public testing::Environment {
  void TearDown() override {
    if (testing::GTEST_FLAG(filter) != "*") return;
#define LOOKBACK_EXPECT(kernel, Args) EXPECT_TRUE(compared_kernels().contains(#kernel)) << #kernel;
    LOOKBACK_FAST_KERNELS(LOOKBACK_EXPECT)
#undef LOOKBACK_EXPECT
  }
};
const auto* const every_kernel = testing::AddGlobalTestEnvironment(new EveryKernelIsComparedWithItsReference);

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

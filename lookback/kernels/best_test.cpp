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

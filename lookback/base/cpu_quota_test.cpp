#include "lookback/base/cpu_quota.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace lookback {
namespace {
namespace fs = std::filesystem;

class CpuQuota : public testing::Test {
 protected:
  CpuQuota() { fs::remove_all(root_); }
  ~CpuQuota() override { fs::remove_all(root_); }
  void file(const std::string& name, const std::string& text) {
    const fs::path path = fs::path(root_) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::optional<double> quota(const std::string& membership) { return cpu_quota(membership, root_); }

  const std::string root_ = testing::TempDir() + "lookback_cgroup";
};

TEST_F(CpuQuota, Version2TakesTheLeastOnTheWayUp) {
  file("a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(quota("0::/a/b\n"), std::nullopt);
  file("a/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota("0::/a/b\n"), 1.5);
  file("a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(quota("0::/a/b\n"), 0.5);
  EXPECT_EQ(quota("0::/\n"), std::nullopt);
}

TEST_F(CpuQuota, AContainerSeesItsGroupAtTheRoot) {
  file("cpu.max", "200000 100000\n");
  EXPECT_EQ(quota("0::/docker/0123456789\n"), 2);
}

TEST_F(CpuQuota, Version1) {
  file("cpu,cpuacct/a/cpu.cfs_quota_us", "300000\n");
  file("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota("5:memory:/a\n4:cpu,cpuacct:/a\n"), 3);
  file("cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(quota("4:cpu,cpuacct:/a\n"), std::nullopt);
  file("cpu/cpu.cfs_quota_us", "25000\n");
  file("cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota("4:cpu:/somewhere/else\n"), 0.25);
}

TEST_F(CpuQuota, WhatCannotBeReadSetsNone) {
  EXPECT_EQ(quota(""), std::nullopt);
  EXPECT_EQ(quota("nonsense"), std::nullopt);
  for (const char* text : {"", "0 0", "many few", "100000", "-5 100000", "max"}) {
    file("cpu.max", text);
    EXPECT_EQ(quota("0::/\n"), std::nullopt) << text;
  }
}

TEST(AllowedCpus, FollowsTheAffinityMask) {
  std::thread([] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(::sched_getcpu(), &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(allowed_cpus(), 1);
  }).join();
}

}  // namespace
}  // namespace lookback

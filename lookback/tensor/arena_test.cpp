#include "lookback/tensor/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <random>
#include <vector>

namespace lookback {
namespace {

constexpr int64_t kPage = Arena::kPage, kMiB = int64_t{1} << 20;

std::byte* take(Arena& arena, int64_t bytes) {
  bool fresh = false;
  return arena.take(bytes, fresh);
}

TEST(Arena, TakesTheTightestRangeThatFits) {
  Arena arena;
  arena.grow(16 * kMiB);
  std::byte* const a = take(arena, 3 * kMiB);
  std::byte* const wall = take(arena, kPage);
  std::byte* const b = take(arena, 2 * kMiB);
  std::byte* const other_wall = take(arena, kPage);
  ASSERT_TRUE(a && wall && b && other_wall);
  arena.give(a, 3 * kMiB);
  arena.give(b, 2 * kMiB);
  EXPECT_EQ(take(arena, 2 * kMiB), b);
  EXPECT_EQ(take(arena, 2 * kMiB + kPage), a);
  EXPECT_EQ(take(arena, 16 * kMiB), nullptr);
}

TEST(Arena, NeighboursJoinWhicheverIsFreedFirst) {
  std::vector<int> order = {0, 1, 2, 3};
  do {
    Arena arena;
    arena.grow(8 * kMiB);
    std::vector<std::byte*> blocks;
    for (int k = 0; k < 4; ++k) blocks.push_back(take(arena, 2 * kMiB));
    EXPECT_EQ(arena.free_bytes(), 0);
    for (const int k : order) arena.give(blocks[static_cast<size_t>(k)], 2 * kMiB);
    EXPECT_EQ(arena.free_bytes(), 8 * kMiB);
    EXPECT_EQ(take(arena, 8 * kMiB), blocks[0]);
    arena.give(blocks[0], 8 * kMiB);
    arena.shrink(0);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Arena, WhatNobodyUsedIsZeros) {
  Arena arena;
  arena.grow(4 * kMiB);
  bool fresh = false;
  std::byte* const a = arena.take(kMiB, fresh);
  EXPECT_TRUE(fresh);
  std::memset(a, 1, kMiB);
  std::byte* const b = arena.take(3 * kMiB, fresh);
  EXPECT_TRUE(fresh);
  EXPECT_TRUE(std::all_of(b, b + 3 * kMiB, [](std::byte x) { return x == std::byte{0}; }));
  arena.give(b, 3 * kMiB);
  arena.give(a, kMiB);
  arena.take(4 * kMiB, fresh);
  EXPECT_FALSE(fresh);
}

TEST(Arena, ShrinksToWhatItIsTold) {
  Arena arena;
  arena.grow(8 * kMiB);
  std::byte* const held = take(arena, 2 * kMiB);
  arena.shrink(6 * kMiB);
  EXPECT_EQ(arena.free_bytes(), 6 * kMiB);
  arena.shrink(6 * kMiB - 1);
  EXPECT_EQ(arena.free_bytes(), 0);
  std::memset(held, 1, 2 * kMiB);  // still there
  arena.give(held, 2 * kMiB);
  EXPECT_EQ(arena.free_bytes(), 2 * kMiB);
}

TEST(Arena, RefusesWhatNoSystemHas) {
  Arena arena;
  EXPECT_THROW(arena.grow(int64_t{1} << 60), std::bad_alloc);
  EXPECT_EQ(arena.free_bytes(), 0);
}

// Blocks of all sizes come and go in any order: each keeps what was written to it, and in the end everything is one
// again.
TEST(Arena, BlocksNeverOverlap) {
  struct Block {
    std::byte* data;
    int64_t pages;
    std::byte mark;
  };
  Arena arena;
  arena.grow(64 * kMiB);
  std::mt19937 rng(1);
  std::vector<Block> blocks;
  const auto check_and_give = [&](size_t k) {
    const Block block = blocks[k];
    const int64_t bytes = block.pages * kPage;
    ASSERT_TRUE(std::all_of(block.data, block.data + bytes, [&](std::byte x) { return x == block.mark; }));
    arena.give(block.data, bytes);
    blocks[k] = blocks.back();
    blocks.pop_back();
  };
  for (int step = 0; step < 3000; ++step) {
    if (rng() % 2 || blocks.empty()) {
      const int64_t pages = 1 + static_cast<int64_t>(rng() % 256);
      std::byte* const data = take(arena, pages * kPage);
      if (!data) continue;
      const auto mark = static_cast<std::byte>(1 + rng() % 255);
      std::memset(data, static_cast<int>(mark), static_cast<size_t>(pages * kPage));
      blocks.push_back({data, pages, mark});
    } else {
      check_and_give(rng() % blocks.size());
    }
  }
  while (!blocks.empty()) check_and_give(0);
  EXPECT_EQ(arena.free_bytes(), 64 * kMiB);
  EXPECT_NE(take(arena, 64 * kMiB), nullptr);
}

}  // namespace
}  // namespace lookback

#include "lookback/nn/word_cache.h"

#include <cstring>
#include <thread>

#include "lookback/ops/testing.h"

namespace lookback {
namespace {

constexpr int64_t kWidth = 1000;

// Words are numbers; the vector of one is that number times a weight.
struct Words {
  Var weight = Var::parameter(Tensor::full({1}, 3));
  int64_t read = 0;

  void expect_right(WordCache& cache, const std::vector<int32_t>& words) {
    const auto rows = cache(
        words.size(), [&](size_t n, std::string& key) { key = std::to_string(words[n]); }, {weight},
        [&](const std::vector<size_t>& places) {
          Tensor out({std::ssize(places), kWidth});
          for (size_t k = 0; k < places.size(); ++k, ++read)
            std::fill_n(out.data<float>() + static_cast<int64_t>(k) * kWidth, kWidth, vector_of(words[places[k]]));
          return Var(out);
        });
    ASSERT_EQ(rows.ids->size(), words.size());
    for (size_t n = 0; n < words.size(); ++n)
      ASSERT_EQ(rows.x.value().data<float>()[(*rows.ids)[n] * kWidth + 7], vector_of(words[n]));
  }
  float vector_of(int32_t word) const { return static_cast<float>(word) * weight.value().data<float>()[0]; }
};

TEST(WordNumbers, AreThoseOfKeysNotOfTheirHashes) {
  WordNumbers words;
  EXPECT_EQ(words.number("a", 5), std::pair(0, true));
  EXPECT_EQ(words.number("b", 5), std::pair(1, true));
  EXPECT_EQ(words.number("", 6), std::pair(2, true));
  EXPECT_EQ(words.number("b", 5), std::pair(1, false));
  EXPECT_EQ(words.number("", 6), std::pair(2, false));
  words.clear();
  for (int32_t k = 0; k < 5000; ++k) {
    const std::string key = std::to_string(k);
    EXPECT_EQ(words.number(key, WordNumbers::hash_of(key)), std::pair(k, true));
  }
  for (int32_t k = 0; k < 5000; ++k) {
    const std::string key = std::to_string(k);
    words.fetch(WordNumbers::hash_of(key));
    EXPECT_EQ(words.number(key, WordNumbers::hash_of(key)), std::pair(k, false));
  }
}

TEST(WordCache, AWordIsReadOnce) {
  WordCache cache;
  Words words;
  words.expect_right(cache, {});
  words.expect_right(cache, {5, 7, 5});
  words.expect_right(cache, {7, 5, 8, 8});
  EXPECT_EQ(words.read, 3);
  words.weight.value().data<float>()[0] = 4;
  words.weight.touch();
  words.expect_right(cache, {7, 8});
  EXPECT_EQ(words.read, 5);
}

TEST(WordCache, StayRightWhenThereAreMoreThanAreKept) {
  WordCache cache;
  Words words;
  for (int32_t k = 0; k < 30'000; k += 100) {
    std::vector<int32_t> some;
    for (int32_t n = 0; n < 100; ++n) some.push_back(k + n), some.push_back(k / 2);
    words.expect_right(cache, some);
  }
}

TEST(WordCache, WhatCouldNotBeReadIsNotThere) {
  WordCache cache;
  Words words;
  const auto key = [](size_t, std::string& k) { k = "5"; };
  EXPECT_THROW(cache(1, key, {words.weight}, [](const auto&) -> Var { throw Error("no"); }), Error);
  words.expect_right(cache, {5});
}

TEST(WordCache, ManyThreadsMayAsk) {
  WordCache cache;
  std::vector<std::thread> threads;
  const Words all;
  for (int32_t t = 0; t < 4; ++t)
    threads.emplace_back([&cache, t, own = all]() mutable {
      for (int32_t k = 0; k < 200; ++k) own.expect_right(cache, {(k * (t + 1)) % 50, (k + t) % 50});
    });
  for (std::thread& t : threads) t.join();
}

}  // namespace
}  // namespace lookback

#include "lookback/sound/resample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "lookback/base/error.h"
#include "lookback/base/testing.h"
#include "lookback/sound/testing.h"

namespace lookback::sound {
namespace {

std::vector<float> tone(int64_t n, double hertz, double rate) {
  std::vector<float> out(static_cast<size_t>(n));
  for (size_t k = 0; k < out.size(); ++k)
    out[k] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(k) / rate));
  return out;
}

class Resampling : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      Resampler(8000, 16000);
    } catch (const FormatError& e) {
      GTEST_SKIP() << e.what();
    }
  }
};

TEST_F(Resampling, AToneStaysATone) {
  for (const auto& [from, to] :
       {std::pair<int64_t, int64_t>{8000, 16000}, {44100, 16000}, {48000, 8000}, {22050, 16000}, {16000, 11025}}) {
    const int64_t n = from;
    const Waveform got =
        resampled({.samples = tone(n, 440, static_cast<double>(from)), .rate = from, .channels = 2}, to);
    EXPECT_EQ(got.rate, to);
    EXPECT_EQ(got.channels, 2);
    ASSERT_EQ(std::ssize(got.samples), to);
    const std::vector<float> want = tone(to, 440, static_cast<double>(to));
    for (size_t k = static_cast<size_t>(to) / 10; k < static_cast<size_t>(to) * 9 / 10; ++k)
      ASSERT_NEAR(got.samples[k], want[k], 1e-3) << from << " " << to << " " << k;
  }
}

TEST_F(Resampling, WhatTheNewRateCannotHoldIsGone) {
  const Waveform got = resampled({.samples = tone(48000, 7000, 48000), .rate = 48000}, 8000);
  for (size_t k = 1000; k < 7000; ++k) ASSERT_LT(std::abs(got.samples[k]), 1e-3) << k;
}

TEST_F(Resampling, PiecesAreTheWhole) {
  const std::vector<float> x = test_sound(30000);
  for (const auto& [from, to] : {std::pair<int64_t, int64_t>{44100, 16000}, {8000, 16000}, {3, 1000}}) {
    const std::vector<float> whole = resampled({.samples = x, .rate = from}, to).samples;
    Resampler resampler(from, to);
    std::vector<float> all, piece;
    Rng rng(2);
    for (size_t at = 0; at < x.size();) {
      const size_t n = std::min<size_t>(x.size() - at, rng.below(3000));
      piece.clear();
      resampler.push(std::span(x).subspan(at, n), piece);
      all.insert(all.end(), piece.begin(), piece.end());
      at += n;
    }
    resampler.finish(all);
    EXPECT_EQ(all, whole);
    EXPECT_EQ(std::ssize(whole), (30000 * to + from - 1) / from);
  }
}

TEST_F(Resampling, FewSamples) {
  EXPECT_TRUE(resampled({.samples = {}, .rate = 8000}, 16000).samples.empty());
  EXPECT_EQ(resampled({.samples = {0.5f}, .rate = 8000}, 16000).samples.size(), 2u);
  EXPECT_EQ(resampled({.samples = {0.5f}, .rate = 16000}, 8000).samples.size(), 1u);
  EXPECT_EQ(resampled({.samples = {0.5f, 0.25f}, .rate = 1}, 100).samples.size(), 200u);
  EXPECT_EQ(resampled({.samples = {0.5f}, .rate = 7}, 7).samples, std::vector<float>{0.5f});
}

TEST(Resampler, RatesThatMakeNoSense) {
  EXPECT_NE(message_of<FormatError>([] {
              Resampler(1, 16000);
            }).find("from 1 Hz to 16000 Hz is a change by more than 1000 times"),
            std::string::npos);
  EXPECT_NE(message_of<FormatError>([] { Resampler(0, 16000); }).find("a sampling rate of 0 Hz"), std::string::npos);
  EXPECT_THROW(Resampler(16000, 1'000'001), FormatError);
  EXPECT_THROW(Resampler(-5, 16000), FormatError);
}

}  // namespace
}  // namespace lookback::sound

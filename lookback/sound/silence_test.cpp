#include "lookback/sound/silence.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"
#include "lookback/base/testing.h"
#include "lookback/sound/testing.h"

namespace lookback::sound {
namespace {

constexpr int64_t kRate = 8000;

// Noise of this amplitude, seconds long, at the end of `out`.
void add(std::vector<float>& out, double seconds, double amplitude) {
  Rng rng(out.size() + 1);
  for (int64_t k = 0; k < static_cast<int64_t>(seconds * kRate); ++k)
    out.push_back(static_cast<float>(amplitude * (2 * rng.uniform_double() - 1)));
}
double seconds(int64_t samples) { return static_cast<double>(samples) / kRate; }

TEST(Silence, CutsAtPauses) {
  for (const double floor : {0.0, 0.002, 0.03}) {
    std::vector<float> x;
    add(x, 1, floor), add(x, 0.7, 0.3), add(x, 0.1, floor), add(x, 0.4, 0.2), add(x, 0.6, floor), add(x, 1, 0.3),
        add(x, 1, floor);
    const std::vector<Span> got = speech_spans(x, kRate);
    ASSERT_EQ(got.size(), 2u) << floor;
    EXPECT_NEAR(seconds(got[0].begin), 0.9, 0.03);  // with 0.1 s of the pause
    EXPECT_NEAR(seconds(got[0].end), 2.3, 0.03);
    EXPECT_NEAR(seconds(got[1].begin), 2.7, 0.03);
    EXPECT_NEAR(seconds(got[1].end), 3.9, 0.03);
  }
}

TEST(Silence, TheFloorMayChange) {
  std::vector<float> x;
  for (const double floor : {0.001, 0.05}) {
    add(x, 12, floor);
    for (int k = 0; k < 5; ++k) add(x, 1, 0.5), add(x, 1, floor);
  }
  const std::vector<Span> got = speech_spans(x, kRate);
  int64_t inside = 0;
  for (const Span& s : got)
    if (s.begin > 33 * kRate) inside += seconds(s.end - s.begin) < 1.3;
  EXPECT_GE(inside, 4);
}

TEST(Silence, NothingToHear) {
  EXPECT_TRUE(speech_spans({}, kRate).empty());
  EXPECT_TRUE(speech_spans(std::vector<float>(1), kRate).empty());
  EXPECT_TRUE(speech_spans(std::vector<float>(5 * kRate), kRate).empty());
  EXPECT_TRUE(speech_spans(std::vector<float>(5 * kRate, 0.25f), kRate).empty());  // a constant is no sound
  std::vector<float> x;
  add(x, 30, 0.0005);
  EXPECT_TRUE(speech_spans(x, kRate).empty());
  add(x, 0.01, 0.5), add(x, 2, 0.0005);  // a click
  EXPECT_TRUE(speech_spans(x, kRate).empty());
}

TEST(Silence, WithoutAPauseTheQuietestFrameIsTheCut) {
  std::vector<float> x;
  add(x, 7, 0.3), add(x, 0.03, 0.05), add(x, 8, 0.3), add(x, 0.03, 0.05), add(x, 6, 0.3);
  const std::vector<Span> got = speech_spans(x, kRate, {.longest = 10});
  ASSERT_EQ(got.size(), 3u);
  EXPECT_NEAR(seconds(got[0].end), 7.015, 0.03);
  EXPECT_NEAR(seconds(got[1].end), 15.045, 0.03);
  EXPECT_EQ(got[0], (Span{0, got[1].begin}));
  EXPECT_EQ(got[2], (Span{got[1].end, std::ssize(x)}));
}

// Whatever comes: pieces do not overlap, none is too long, and bits of any size give the same.
TEST(Silence, WhateverComes) {
  Rng rng(5);
  for (int round = 0; round < 40; ++round) {
    std::vector<float> x;
    const int parts = 1 + static_cast<int>(rng.below(30));
    for (int k = 0; k < parts; ++k)
      add(x, 1.5 * rng.uniform_double(), rng.below(2) ? 0.4 * rng.uniform_double() : 0.001);
    const SilenceOptions options{
        .pause_ms = 100.0 + 40.0 * static_cast<double>(round), .margin_ms = 50, .longest = 0.6 + 0.2 * (round % 10)};
    const std::vector<Span> whole = speech_spans(x, kRate, options);
    int64_t before = 0;
    for (const Span& s : whole) {
      EXPECT_GE(s.begin, before);
      EXPECT_LT(s.begin, s.end);
      EXPECT_LE(seconds(s.end - s.begin), options.longest + 1e-9);
      before = s.end;
    }
    EXPECT_LE(before, std::ssize(x));
    SpeechCutter cutter(kRate, options);
    std::vector<Span> pieces;
    const auto take = [&](const std::vector<Span>& some) { pieces.insert(pieces.end(), some.begin(), some.end()); };
    for (size_t at = 0; at < x.size();) {
      const size_t n = std::min<size_t>(x.size() - at, 1 + rng.below(5000));
      take(cutter.push(std::span(x).subspan(at, n)));
      at += n;
    }
    take(cutter.finish());
    EXPECT_EQ(pieces, whole);
  }
}

TEST(Silence, OptionsThatDoNotFit) {
  const auto message = [](int64_t rate, const SilenceOptions& o) {
    return message_of<ConfigError>([&] { SpeechCutter c(rate, o); });
  };
  EXPECT_NE(message(50, {}).find("100 Hz at least"), std::string::npos);
  EXPECT_NE(message(kRate, {.pause_ms = 100}).find("margin_ms"), std::string::npos);
  EXPECT_NE(message(kRate, {.pause_ms = 900, .margin_ms = 400, .longest = 0.9}).find("longest"), std::string::npos);
  EXPECT_NE(message(kRate, {.longest = 0}).find("longest"), std::string::npos);
}

}  // namespace
}  // namespace lookback::sound

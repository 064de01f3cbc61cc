#include "lookback/sound/augment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>

#include "lookback/base/error.h"
#include "lookback/base/testing.h"
#include "lookback/sound/testing.h"

namespace lookback::sound {
namespace {

double power(const std::vector<float>& x) {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * v;
  return sum / static_cast<double>(x.size());
}
double decibels(double ratio) { return 10 * std::log10(ratio); }

std::vector<float> tone(int64_t n, double hertz) {  // at 16 kHz
  std::vector<float> out(static_cast<size_t>(n));
  for (size_t k = 0; k < out.size(); ++k)
    out[k] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(k) / 16000));
  return out;
}

TEST(Augment, SpeedIsResampling) {
  for (const auto& [p, q] : {std::pair<int64_t, int64_t>{9, 10}, {11, 10}, {1005, 1000}, {2, 1}, {1, 2}}) {
    const double speed = static_cast<double>(p) / static_cast<double>(q);
    const std::vector<float> got = at_speed(tone(16000, 440), p, q), want = tone(std::ssize(got), 440 * speed);
    EXPECT_EQ(std::ssize(got), (16000 * q + p - 1) / p);
    for (size_t k = 300; k + 300 < got.size(); ++k) ASSERT_NEAR(got[k], want[k], 2e-3) << speed << " " << k;
  }
  // 5 kHz at twice the speed would be 10 kHz, which 16 kHz cannot hold.
  EXPECT_LT(decibels(power(at_speed(tone(16000, 5000), 2, 1)) / power(tone(16000, 5000))), -25);
  EXPECT_EQ(at_speed(tone(100, 440), 10, 10), tone(100, 440));
  EXPECT_EQ(at_speed({0.5f}, 9, 10).size(), 2u);
  EXPECT_TRUE(at_speed({}, 9, 10).empty());
}

TEST(Augment, EachSpeedIsTaken) {
  const AugmentOptions options{.speed = {"0.9", "1.0", "1.1"}};
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Waveform sound{.samples = tone(1100, 440), .rate = 16000};
    Rng rng(seed);
    augment_waveform(sound, options, rng);
    EXPECT_EQ(sound.rate, 16000);
    sizes.insert(sound.samples.size());
  }
  EXPECT_EQ(sizes, (std::set<size_t>{1000, 1100, 1223}));
}

TEST(Augment, NoiseHasTheRatioAskedFor) {
  for (const double snr : {-10.0, 0.0, 10.0, 30.0}) {
    Waveform sound{.samples = tone(40000, 440), .rate = 16000};
    Rng rng(7);
    augment_waveform(sound, {.noise = 1, .noise_snr_from = snr, .noise_snr_to = snr}, rng);
    std::vector<float> noise = tone(40000, 440);
    for (size_t k = 0; k < noise.size(); ++k) noise[k] = sound.samples[k] - noise[k];
    EXPECT_NEAR(decibels(power(tone(40000, 440)) / power(noise)), snr, 0.1);
  }
  Waveform silent{.samples = std::vector<float>(100), .rate = 16000};
  Rng rng(7);
  augment_waveform(silent, {.noise = 1}, rng);
  EXPECT_EQ(silent.samples, std::vector<float>(100));
  int noisy = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Waveform sound{.samples = {0.5f}, .rate = 16000};
    Rng one(seed);
    augment_waveform(sound, {.noise = 0.3}, one);
    noisy += sound.samples[0] != 0.5f;
  }
  EXPECT_NEAR(noisy, 300, 50);
}

TEST(Augment, GainStaysInItsRange) {
  double low = 100, high = -100;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Waveform sound{.samples = {0.5f}, .rate = 16000};
    Rng rng(seed);
    augment_waveform(sound, {.gain_db = 6}, rng);
    const double gain = decibels(std::pow(sound.samples[0] / 0.5, 2));
    low = std::min(low, gain), high = std::max(high, gain);
  }
  EXPECT_GT(low, -6.001);
  EXPECT_LT(low, -5.7);
  EXPECT_LT(high, 6.001);
  EXPECT_GT(high, 5.7);
}

TEST(Augment, IsAFunctionOfTheGeneratorAlone) {
  const AugmentOptions options{
      .speed = {"0.9", "1.1"}, .noise = 0.5, .gain_db = 3, .time_masks = 2, .freq_masks = 2, .freq_mask = 4};
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Waveform a{.samples = tone(2000, 440), .rate = 16000}, b = a;
    Rng one(seed), two(seed);
    augment_waveform(a, options, one), augment_waveform(b, options, two);
    EXPECT_EQ(a.samples, b.samples);
    Tensor x = Tensor::of<float>({20, 10}, test_sound(200)), y = x.clone();
    augment_features(x, options, one), augment_features(y, options, two);
    EXPECT_TRUE(std::ranges::equal(x.span<float>(), y.span<float>()));
    EXPECT_EQ(one.position(), two.position());
  }
}

// What is hidden has the mean of its column, and is as large as it may be.
TEST(Augment, MasksHideWholeRowsAndBands) {
  const Tensor plain = Tensor::of<float>({50, 24}, test_sound(1200));
  std::vector<double> means(24);
  for (int64_t k = 0; k < 1200; ++k) means[static_cast<size_t>(k % 24)] += plain.data<float>()[k] / 50.0;
  int64_t most_rows = 0, most_bands = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    Tensor x = plain.clone();
    augment_features(x, {.time_masks = 1, .time_mask = 30, .time_share = 0.2}, rng);
    int64_t rows = 0;
    for (int64_t t = 0; t < 50; ++t) {
      int64_t hidden = 0;
      for (int64_t c = 0; c < 24; ++c) {
        const float v = x.data<float>()[t * 24 + c];
        if (v == plain.data<float>()[t * 24 + c]) continue;
        EXPECT_NEAR(v, means[static_cast<size_t>(c)], 1e-6);
        ++hidden;
      }
      EXPECT_TRUE(hidden == 0 || hidden == 24);
      rows += hidden == 24;
    }
    most_rows = std::max(most_rows, rows);
    Tensor y = plain.clone();
    augment_features(y, {.freq_masks = 1, .freq_mask = 3}, rng, 8);  // 8 bands with their deltas
    int64_t bands = 0;
    for (int64_t c = 0; c < 24; ++c) {
      bool hidden = true;
      for (int64_t t = 0; t < 50; ++t)
        hidden = hidden && std::abs(y.data<float>()[t * 24 + c] - means[static_cast<size_t>(c)]) < 1e-6;
      bands += hidden;
      bool same_in_all = std::abs(y.data<float>()[c % 8] - means[static_cast<size_t>(c % 8)]) < 1e-6;
      EXPECT_EQ(hidden, same_in_all);
    }
    EXPECT_EQ(bands % 3, 0);
    most_bands = std::max(most_bands, bands / 3);
  }
  EXPECT_EQ(most_rows, 10);
  EXPECT_EQ(most_bands, 3);
}

TEST(Augment, OptionsThatDoNotFit) {
  const auto message = [](const AugmentOptions& o) { return message_of<ConfigError>([&] { check_augment(o); }); };
  for (const char* speed : {"fast", "0", "0.4", "2.1", "0.9999", "", "nan"})
    EXPECT_NE(message({.speed = {"1.0", speed}}).find(std::string("speed '") + speed + "'"), std::string::npos);
  EXPECT_NE(message({.noise_snr_from = 10, .noise_snr_to = 5}).find("above noise_snr_to"), std::string::npos);
  EXPECT_NE(message({.noise = 1.5}).find("noise"), std::string::npos);
  Tensor rows({4, 10});
  Rng rng(1);
  EXPECT_THROW(augment_features(rows, {}, rng, 3), ShapeError);
  Tensor none({0, 10});
  augment_features(none, {.time_masks = 3, .freq_masks = 3}, rng);
}

}  // namespace
}  // namespace lookback::sound

#include "lookback/sound/augment.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>
#include <utility>

#include "lookback/base/elementary.h"
#include "lookback/base/error.h"
#include "lookback/base/parse.h"

namespace lookback::sound {
namespace {

constexpr int64_t kThousand = 1000;

// "0.95" in thousandths.
int64_t thousandths(const std::string& speed) {
  const std::optional<double> x = parse_number<double>(trimmed(speed));
  const double scaled = x ? *x * kThousand : 0, whole = std::floor(scaled + 0.5);
  check<ConfigError>(x && std::abs(scaled - whole) < 1e-6 && whole >= kThousand / 2 && whole <= 2 * kThousand,
                     "augment: speed '", speed,
                     "' is no number from 0.5 to 2 with at most three digits after the point");
  return static_cast<int64_t>(whole);
}

double ratio_of(double decibels) { return elementary::exp(decibels * 0.23025850929940457); }  // of powers

void add_noise(std::vector<float>& samples, double snr, Rng& rng) {
  double power = 0;
  for (const float x : samples) power += static_cast<double>(x) * x;
  if (power == 0) return;
  const double deviation = std::sqrt(power / static_cast<double>(samples.size()) / ratio_of(snr));
  for (float& x : samples) x += static_cast<float>(deviation * rng.normal());
}

}  // namespace

void check_augment(const AugmentOptions& options) {
  AugmentOptions copy = options;
  for (Field& f : fields_of(copy)) set_field(f, field_value(f), "augment");  // their ranges
  for (const std::string& speed : options.speed) thousandths(speed);
  check<ConfigError>(options.noise_snr_from <= options.noise_snr_to, "augment: noise_snr_from is ",
                     options.noise_snr_from, ", above noise_snr_to, ", options.noise_snr_to);
}

std::vector<float> at_speed(const std::vector<float>& samples, int64_t p, int64_t q) {
  const int64_t common = std::gcd(p, q), n = std::ssize(samples);
  p /= common, q /= common;
  if (p == q) return samples;
  const double cutoff = 0.99 * std::min(1.0, static_cast<double>(q) / static_cast<double>(p));  // of Nyquist
  const double reach = 16 / cutoff;                                                             // samples
  const auto half = static_cast<int64_t>(reach) + 1, taps = 2 * half + 1;
  // Output j lies p j / q samples into the input: its part behind the point takes q values.
  std::vector<double> weights(static_cast<size_t>(q * taps), 0.0);
  for (int64_t phase = 0; phase < q; ++phase)
    for (int64_t k = -half; k <= half; ++k) {
      const double t = static_cast<double>(k) - static_cast<double>(phase) / static_cast<double>(q);
      if (std::abs(t) >= reach) continue;
      const double angle = std::numbers::pi * cutoff * t;
      const double sinc = angle == 0 ? 1 : elementary::sin(angle) / angle;
      weights[static_cast<size_t>(phase * taps + k + half)] =
          cutoff * sinc * (0.5 + 0.5 * elementary::cos(std::numbers::pi * t / reach));
    }
  std::vector<float> out(static_cast<size_t>((n * q + p - 1) / p));
  for (int64_t j = 0; j < std::ssize(out); ++j) {
    const int64_t center = j * p / q, phase = j * p % q;
    const double* w = weights.data() + phase * taps + half;
    double sum = 0;
    for (int64_t k = std::max(-half, -center), end = std::min(half, n - 1 - center); k <= end; ++k)
      sum += w[k] * static_cast<double>(samples[static_cast<size_t>(center + k)]);
    out[static_cast<size_t>(j)] = static_cast<float>(sum);
  }
  return out;
}

void augment_waveform(Waveform& sound, const AugmentOptions& options, Rng& rng) {
  check_augment(options);
  if (!options.speed.empty()) {
    const int64_t speed = thousandths(options.speed[static_cast<size_t>(rng.below(options.speed.size()))]);
    sound.samples = at_speed(sound.samples, speed, kThousand);
  }
  if (options.gain_db > 0) {
    const double gain = std::sqrt(ratio_of((2 * rng.uniform_double() - 1) * options.gain_db));
    for (float& x : sound.samples) x = static_cast<float>(gain * static_cast<double>(x));
  }
  if (options.noise > 0 && rng.uniform_double() < options.noise) {
    const double from = options.noise_snr_from, to = options.noise_snr_to;
    add_noise(sound.samples, from + (to - from) * rng.uniform_double(), rng);
  }
}

void augment_features(Tensor& rows, const AugmentOptions& options, Rng& rng, int64_t channels) {
  check_augment(options);
  check(rows.shape().rank() == 2, "augmented features are rows [T, F], got ", rows.shape());
  const int64_t count = rows.dim(0), columns = rows.dim(1), bands = channels == 0 ? columns : channels;
  check(bands > 0 && columns % bands == 0, "rows of ", columns, " columns are no multiple of ", bands, " bands");
  if (count == 0 || (options.time_masks == 0 && options.freq_masks == 0)) return;
  float* x = rows.data<float>();
  std::vector<double> sums(static_cast<size_t>(columns), 0.0);
  for (int64_t k = 0; k < count * columns; ++k) sums[static_cast<size_t>(k % columns)] += x[k];
  const auto hide = [&](int64_t t, int64_t c) {
    x[t * columns + c] = static_cast<float>(sums[static_cast<size_t>(c)] / static_cast<double>(count));
  };
  // [begin, end) of a length from 0 to `most`, somewhere in n.
  const auto draw = [&](int64_t n, int64_t most) {
    const auto length = static_cast<int64_t>(rng.below(static_cast<uint64_t>(std::min(n, most)) + 1));
    const auto begin = static_cast<int64_t>(rng.below(static_cast<uint64_t>(n - length) + 1));
    return std::pair(begin, begin + length);
  };
  for (int64_t mask = 0; mask < options.freq_masks; ++mask) {
    const auto [begin, end] = draw(bands, options.freq_mask);
    for (int64_t t = 0; t < count; ++t)
      for (int64_t block = 0; block < columns; block += bands)
        for (int64_t c = begin; c < end; ++c) hide(t, block + c);
  }
  const auto share = static_cast<int64_t>(options.time_share * static_cast<double>(count));
  for (int64_t mask = 0; mask < options.time_masks; ++mask) {
    const auto [begin, end] = draw(count, std::min(options.time_mask, share));
    for (int64_t t = begin; t < end; ++t)
      for (int64_t c = 0; c < columns; ++c) hide(t, c);
  }
}

}  // namespace lookback::sound

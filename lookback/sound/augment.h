// Recordings and their rows disturbed for training, each by a random number generator alone.
#pragma once

#include <cstdint>

#include "lookback/base/fields.h"
#include "lookback/base/rng.h"
#include "lookback/sound/audio_file.h"
#include "lookback/tensor/tensor.h"

namespace lookback::sound {

struct AugmentOptions {
  StringList speed;
  double noise = 0;
  double noise_snr_from = 5;
  double noise_snr_to = 20;
  double gain_db = 0;
  int64_t time_masks = 0;
  int64_t time_mask = 40;
  double time_share = 0.2;
  int64_t freq_masks = 0;
  int64_t freq_mask = 15;

  void fields(FieldVisitor& v) {
    v("speed", speed,
      "speeds of which each recording gets one, as 0.9, 1.0, 1.1; by resampling, so that the pitch changes with it (Ko "
      "et "
      "al. 2015); none: as they are");
    v("noise", noise, "probability that white noise is added").range(0, 1);
    v("noise_snr_from", noise_snr_from, "lowest ratio of signal to that noise, dB").range(-100, 100);
    v("noise_snr_to", noise_snr_to, "highest ratio of signal to that noise, dB").range(-100, 100);
    v("gain_db", gain_db, "louder or quieter by up to this much, dB").range(0, 60);
    v("time_masks", time_masks, "stretches of time that are hidden (SpecAugment: Park et al. 2019)").range(0, 100);
    v("time_mask", time_mask, "rows of the longest of them").range(0, 1e6);
    v("time_share", time_share, "no stretch is longer than this share of the utterance").range(0, 1);
    v("freq_masks", freq_masks, "groups of neighbouring bands that are hidden").range(0, 100);
    v("freq_mask", freq_mask, "bands of the widest of them").range(0, 1024);
  }
  bool changes_sound() const { return !speed.empty() || noise > 0 || gain_db > 0; }
  bool changes_rows() const { return time_masks > 0 || freq_masks > 0; }
};

// ConfigError, naming the option, for options that do not fit together or a speed that is no number from 0.5 to 2 with
// at most three digits after the point.
void check_augment(const AugmentOptions& options);

// Speed, then gain, then noise; the ratio is that of mean squares over the whole recording, and a silent one gets no
// noise. Values may leave [-1, 1]. The rate stays.
void augment_waveform(Waveform& sound, const AugmentOptions& options, Rng& rng);

// Hides parts of f32 rows [T, F] behind the mean of their column. With deltas or stacked rows F is several times
// `channels` bands, and a hidden band is hidden in each; 0: all columns are bands. ShapeError if F is no multiple.
void augment_features(Tensor& rows, const AugmentOptions& options, Rng& rng, int64_t channels = 0);

// The same sound played faster: n samples become ceil(n / speed), for speed = p / q. A sinc of 16 zeros on either side
// under a Hann window, cut off at the lower of the two Nyquist frequencies times 0.99. The same bits on every machine.
std::vector<float> at_speed(const std::vector<float>& samples, int64_t p, int64_t q);

}  // namespace lookback::sound

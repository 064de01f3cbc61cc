// Other sampling rates, by soxr at its high quality. soxr is loaded when it is first needed; its bits depend on the
// kind of processor.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lookback/sound/audio_file.h"

namespace lookback::sound {

// A stream of samples from one rate to another: the same samples whatever the pieces.
class Resampler {
 public:
  // Rates in Hz, 1 to 1,000,000, neither more than 1,000 times the other; FormatError for others and without soxr.
  Resampler(int64_t from, int64_t to);
  ~Resampler();
  Resampler(Resampler&&) noexcept;
  Resampler& operator=(Resampler&&) noexcept;

  // Appends to `out` what has become complete.
  void push(std::span<const float> samples, std::vector<float>& out);
  // Appends the rest: n samples have become ceil(n to / from). Nothing may follow.
  void finish(std::vector<float>& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The same sound at another rate, itself if it has that rate.
Waveform resampled(Waveform sound, int64_t rate);

// A whole file at another rate; throws as read_audio and resampled do, with the path.
Waveform read_audio_at(const std::string& path, int64_t rate);

}  // namespace lookback::sound

// Recordings: WAV (PCM of 8, 16, 24 or 32 bits, floating point, RF64, and through libsndfile any other coding), FLAC,
// Ogg Vorbis and Ogg Opus. Other formats are refused by their first bytes, before any parser of theirs sees them.
// libsndfile is loaded when one of the others is read first; plain WAV does not need it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lookback::sound {

// One channel of sound; full scale is [-1, 1], which floating-point files may leave.
struct Waveform {
  std::vector<float> samples;
  int64_t rate = 0;      // Hz
  int64_t channels = 1;  // those of the file, whose mean `samples` are

  double seconds() const { return rate > 0 ? static_cast<double>(samples.size()) / static_cast<double>(rate) : 0; }
};

// A recording in pieces, in constant memory.
class AudioReader {
 public:
  // "-" is standard input: WAV if it is a pipe, where a data size of 0 or 0xFFFFFFFF means until the end. gzip is
  // unpacked on the way, of WAV only. Throws IoError if there is no such file and FormatError, "path: ...", for a
  // format that cannot be read, a damaged header, and a missing libsndfile.
  explicit AudioReader(const std::string& path);
  ~AudioReader();
  AudioReader(AudioReader&&) noexcept;
  AudioReader& operator=(AudioReader&&) noexcept;

  int64_t rate() const;      // Hz, at least 1
  int64_t channels() const;  // of the file
  const std::string& name() const;

  // The next samples, the mean of all channels; how many there were, fewer than asked for only at the end. Throws
  // FormatError where the file is damaged or cut short, and for the first sample that is not finite, with its second.
  int64_t read(std::span<float> out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// All of it. A file without samples gives none; whoever needs some checks that.
Waveform read_audio(const std::string& path);

}  // namespace lookback::sound

// Private to sound: where the samples of a recording come from, whatever its format.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lookback/base/byte_reader.h"
#include "lookback/io/posix_file.h"

namespace lookback::sound {

class SampleSource {
 public:
  virtual ~SampleSource() = default;

  int64_t rate() const { return rate_; }          // Hz
  int64_t channels() const { return channels_; }  // at least 1
  // Up to `frames` samples of every channel, side by side, nominally in [-1, 1]; fewer only at the end. FormatError
  // where the recording is damaged or cut short.
  virtual int64_t read(float* out, int64_t frames) = 0;

 protected:
  int64_t rate_ = 0, channels_ = 0;
};

constexpr int64_t kMostChannels = 1024;

// Whether these first 12 bytes are those of a WAV file: RIFF or RF64.
bool is_wav(std::string_view head);
// Reads the header. PCM of 8, 16, 24, 32 bits and floating point of 32, 64, from a file or a pipe; null, with `bytes`
// read up to somewhere, if the samples are coded in another way, whose number goes to `coding`. `name` is for messages.
std::unique_ptr<SampleSource> open_wav(ByteReader bytes, const std::string& name, int* coding);

// FLAC, Ogg (Vorbis, Opus) and WAV of any coding, through libsndfile.
std::unique_ptr<SampleSource> open_sndfile(const io::File& file, const std::string& name);
// Whether libsndfile is here.
bool has_sndfile();

// Throws FormatError unless every page of an Ogg file is whole, none is missing, and the last one says that it is.
void check_ogg(const io::File& file, const std::string& name);

}  // namespace lookback::sound

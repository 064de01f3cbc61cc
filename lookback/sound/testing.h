// For tests: sounds, and WAV files written by hand.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "lookback/base/elementary.h"
#include "lookback/base/rng.h"

namespace lookback::sound {

inline std::string little_endian(uint64_t value, int bytes) {
  std::string out;
  for (int k = 0; k < bytes; ++k) out += static_cast<char>(value >> (8 * k));
  return out;
}

struct WavLayout {
  int64_t rate = 16000;
  int channels = 1;
  int bits = 16;
  bool real = false;        // floating point
  bool extensible = false;  // WAVE_FORMAT_EXTENSIBLE
};

inline std::string wav_chunk(const std::string& name, const std::string& body) {
  return name + little_endian(body.size(), 4) + body + std::string(body.size() % 2, '\0');
}

// The "fmt " chunk.
inline std::string wav_format(const WavLayout& w) {
  const auto bytes = static_cast<uint64_t>(w.channels * w.bits / 8);
  const uint64_t coding = w.real ? 3 : 1;
  std::string body =
      little_endian(w.extensible ? 0xFFFE : coding, 2) + little_endian(static_cast<uint64_t>(w.channels), 2) +
      little_endian(static_cast<uint64_t>(w.rate), 4) + little_endian(static_cast<uint64_t>(w.rate) * bytes, 4) +
      little_endian(bytes, 2) + little_endian(static_cast<uint64_t>(w.bits), 2);
  if (w.extensible)
    body += little_endian(22, 2) + little_endian(static_cast<uint64_t>(w.bits), 2) + little_endian(0, 4) +
            little_endian(coding, 2) + std::string("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71", 14);
  return wav_chunk("fmt ", body);
}

// Values in [-1, 1], those of all channels side by side.
inline std::string wav_samples(const std::vector<double>& values, const WavLayout& w) {
  std::string out;
  for (const double v : values) {
    if (w.real && w.bits == 32) out += little_endian(std::bit_cast<uint32_t>(static_cast<float>(v)), 4);
    if (w.real && w.bits == 64) out += little_endian(std::bit_cast<uint64_t>(v), 8);
    if (w.real) continue;
    const double top = static_cast<double>(int64_t{1} << (w.bits - 1));
    const auto whole = static_cast<int64_t>(v * top) + (w.bits == 8 ? 128 : 0);
    out += little_endian(static_cast<uint64_t>(whole), w.bits / 8);
  }
  return out;
}

inline std::string wav_of_bytes(const std::string& samples, const WavLayout& w = {}) {
  const std::string chunks = "WAVE" + wav_format(w) + wav_chunk("data", samples);
  return "RIFF" + little_endian(chunks.size(), 4) + chunks;
}
inline std::string wav(const std::vector<double>& values, const WavLayout& w = {}) {
  return wav_of_bytes(wav_samples(values, w), w);
}

// Tones and noise, well within [-1, 1].
inline std::vector<float> test_sound(int64_t n, uint64_t seed = 1) {
  Rng rng(seed);
  std::vector<float> out(static_cast<size_t>(n));
  for (size_t k = 0; k < out.size(); ++k) {
    const auto t = static_cast<double>(k % 16000) / 16000;
    out[k] = static_cast<float>(0.3 * elementary::sin(2 * 3.141592653589793 * 220 * t) + 0.05 * rng.normal());
  }
  return out;
}
inline std::vector<double> as_doubles(const std::vector<float>& x) { return {x.begin(), x.end()}; }

}  // namespace lookback::sound

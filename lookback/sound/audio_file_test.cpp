#include "lookback/sound/audio_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <limits>
#include <numeric>
#include <thread>

#include "lookback/base/error.h"
#include "lookback/base/late_library.h"
#include "lookback/io/temp_folder.h"
#include "lookback/sound/sample_source.h"
#include "lookback/sound/testing.h"

#ifdef LOOKBACK_SNDFILE
#include <sndfile.h>
#endif

namespace lookback::sound {
namespace {

using io::TempFolder;

std::string refusal(const std::string& path) {
  return message_of<FormatError>([&] { read_audio(path); });
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

TEST(AudioFile, EveryWidthOfWav) {
  const TempFolder folder;
  const std::vector<double> x = {0, 0.5, -0.5, 0.25, -1, 0.75};
  struct Case {
    int bits;
    bool real;
  };
  for (const Case c : {Case{8, false}, {16, false}, {24, false}, {32, false}, {32, true}, {64, true}})
    for (const bool extensible : {false, true}) {
      const WavLayout w{.rate = 22050, .bits = c.bits, .real = c.real, .extensible = extensible};
      const Waveform got = read_audio(folder.file("a.wav", wav(x, w)));
      EXPECT_EQ(got.rate, 22050);
      EXPECT_EQ(got.channels, 1);
      EXPECT_EQ(as_doubles(got.samples), x) << c.bits << c.real << extensible;
    }
}

TEST(AudioFile, MonoIsTheMeanOfAllChannels) {
  const TempFolder folder;
  for (const int channels : {2, 3, 16, 64, 100}) {
    std::vector<double> x;
    for (int t = 0; t < 500; ++t)
      for (int c = 0; c < channels; ++c) x.push_back(c % 2 ? 0 : t / 512.0);
    const Waveform got = read_audio(folder.file("a.wav", wav(x, {.channels = channels})));
    EXPECT_EQ(got.channels, channels);
    ASSERT_EQ(got.samples.size(), 500u);
    for (int t = 0; t < 500; ++t)
      EXPECT_NEAR(got.samples[static_cast<size_t>(t)], t / 512.0 * ((channels + 1) / 2) / channels, 1e-7);
  }
}

TEST(AudioFile, SmallAndOddOnes) {
  const TempFolder folder;
  EXPECT_TRUE(read_audio(folder.file("none.wav", wav({}))).samples.empty());
  EXPECT_EQ(read_audio(folder.file("one.wav", wav({0.5}))).samples, std::vector<float>{0.5f});
  const Waveform slow = read_audio(folder.file("slow.wav", wav({0.5, 0.25}, {.rate = 1})));
  EXPECT_EQ(slow.rate, 1);
  EXPECT_EQ(slow.seconds(), 2);
  EXPECT_EQ(read_audio(folder.file("fast.wav", wav({0.5}, {.rate = 4'000'000}))).rate, 4'000'000);
  // Chunks before and after the samples, of odd sizes.
  const std::string chunks = "WAVE" + wav_chunk("LIST", "odd") + wav_format({.bits = 8}) + wav_chunk("junk", "x") +
                             wav_chunk("data", "\xC0\x40\xC0") + wav_chunk("LIST", "later");
  EXPECT_EQ(read_audio(folder.file("chunks.wav", "RIFF" + little_endian(chunks.size(), 4) + chunks)).samples,
            (std::vector<float>{0.5f, -0.5f, 0.5f}));
  const std::string empty = "WAVE" + wav_format({}) + wav_chunk("data", "") + wav_chunk("LIST", "later");
  EXPECT_TRUE(read_audio(folder.file("empty.wav", "RIFF" + little_endian(empty.size(), 4) + empty)).samples.empty());
  // RF64: the size is elsewhere.
  const std::string body = wav_samples({0.5, 0.25}, {});
  const std::string wide =
      "WAVE" +
      wav_chunk("ds64", little_endian(100, 8) + little_endian(4, 8) + little_endian(2, 8) + little_endian(0, 4)) +
      wav_format({}) + "data" + little_endian(0xFFFFFFFF, 4) + body + wav_chunk("LIST", "later");
  EXPECT_EQ(read_audio(folder.file("wide.wav", "RF64" + little_endian(0xFFFFFFFF, 4) + wide)).samples,
            (std::vector<float>{0.5f, 0.25f}));
}

TEST(AudioFile, PiecesAreTheWhole) {
  const TempFolder folder;
  const std::string path = folder.file("a.wav", wav(as_doubles(test_sound(50000)), {.channels = 2}));
  const Waveform whole = read_audio(path);
  ASSERT_EQ(whole.samples.size(), 25000u);
  AudioReader reader(path);
  std::vector<float> all, piece(777);
  for (int64_t n; (n = reader.read(piece)) > 0;) all.insert(all.end(), piece.begin(), piece.begin() + n);
  EXPECT_EQ(all, whole.samples);
  EXPECT_EQ(reader.read(piece), 0);
}

TEST(AudioFile, WhatCannotBeReadSaysWhy) {
  const TempFolder folder;
  EXPECT_TRUE(has(message_of<IoError>([&] { read_audio(folder / "missing.wav"); }), "missing.wav"));
  EXPECT_THROW(read_audio(folder.path()), IoError);
  const std::string empty = folder.file("empty.wav", "");
  EXPECT_EQ(refusal(empty), empty + ": the file is empty; WAV, FLAC, Ogg Vorbis and Ogg Opus can be read");
  struct Case {
    std::string bytes, format;
  };
  const std::string rest(100, '\0');
  for (const Case& c : {Case{"FORM" + rest, "AIFF"},
                        {"ID3\x03" + rest, "MP3"},
                        {"\xFF\xFB\x90" + rest, "MP3"},
                        {little_endian(0x20000000, 4) + "ftypM4A " + rest, "MP4"},
                        {".snd" + rest, "AU"},
                        {"caff" + rest, "CAF"},
                        {"RIFF" + little_endian(90, 4) + "AVI " + rest, "no WAVE"},
                        {"hello, this is text", "not a recording"},
                        {"R", "not a recording"}}) {
    const std::string text = refusal(folder.file("x.wav", c.bytes));
    EXPECT_TRUE(has(text, c.format) && has(text, "x.wav: ") && has(text, "WAV, FLAC")) << text;
  }
}

TEST(AudioFile, DamagedWav) {
  const TempFolder folder;
  const std::string good = wav({0.5, 0.25, 0.125, 0, 0.5}, {.rate = 10});
  const auto changed = [&](size_t at, const std::string& bytes) {
    std::string out = good;
    return folder.file("x.wav", out.replace(at, bytes.size(), bytes));
  };
  // Cut anywhere: never a sound.
  for (size_t n = 0; n < good.size(); ++n)
    EXPECT_TRUE(has(refusal(folder.file("x.wav", good.substr(0, n))), "x.wav: ")) << n;
  EXPECT_TRUE(has(refusal(folder.file("x.wav", good.substr(0, good.size() - 3))),
                  "cut short: its header promises 0.500 s of sound, the file ends after 0.300 s"));
  EXPECT_TRUE(has(refusal(changed(22, little_endian(0, 2))), "0 channels"));
  EXPECT_TRUE(has(refusal(changed(22, little_endian(5000, 2))), "5000 channels"));
  EXPECT_TRUE(has(refusal(changed(24, little_endian(0, 4))), "0 Hz"));
  EXPECT_TRUE(has(refusal(changed(32, little_endian(3, 2))), "3 bytes for 1 channels"));
  EXPECT_TRUE(has(refusal(changed(34, little_endian(12, 2))), "12 bits"));
  EXPECT_TRUE(has(refusal(changed(16, little_endian(4, 4))), "'fmt ' chunk of 4"));
  EXPECT_TRUE(has(refusal(changed(16, little_endian(0xFFFFFFF0, 4))), "'fmt ' chunk of 4294967280"));
  EXPECT_TRUE(has(refusal(changed(20, little_endian(0xFFFE, 2))), "extensible"));
  EXPECT_TRUE(has(refusal(changed(12, "abcd")), "before a 'fmt ' chunk"));
  EXPECT_TRUE(has(refusal(changed(36, "abcd")), "there is no 'data' chunk"));
  EXPECT_TRUE(has(refusal(changed(40, little_endian(0x10000000, 4))), "cut short"));
  // Of any single byte changed there is a sound or a message.
  for (size_t at = 0; at < 44; ++at)
    for (const int change : {1, 0x80, 0xFF}) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      try {
        read_audio(folder.file("x.wav", bytes));
      } catch (const FormatError& e) {
        EXPECT_TRUE(has(e.what(), "x.wav: ")) << e.what();
      }
    }
}

TEST(AudioFile, SamplesThatAreNoNumbers) {
  const TempFolder folder;
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), -1e300})
    for (const int bits : {32, 64}) {
      if (bits == 64 && std::isfinite(bad)) continue;
      std::vector<double> x(20000, 0.25);
      x[16500] = bad, x[19000] = bad;
      const std::string text = refusal(folder.file("x.wav", wav(x, {.rate = 1000, .bits = bits, .real = true})));
      EXPECT_TRUE(has(text, "x.wav: the sample at 16.5000 s is not a finite number")) << text;
    }
}

// Reads `bytes` from a pipe as standard input.
template <class F>
void from_pipe(const std::string& bytes, F&& f) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const int before = ::dup(STDIN_FILENO);
  ::dup2(ends[0], STDIN_FILENO);
  std::thread writer([&] {
    ::signal(SIGPIPE, SIG_IGN);
    (void)!::write(ends[1], bytes.data(), bytes.size());
    ::close(ends[1]);
  });
  f();
  ::close(ends[0]);
  ::dup2(before, STDIN_FILENO);  // closes the pipe, so that the writer ends
  ::close(before);
  writer.join();
}

TEST(AudioFile, StandardInput) {
  const std::vector<double> x = as_doubles(test_sound(3000));
  std::vector<float> want;
  for (const double v : x) want.push_back(static_cast<float>(v));
  const WavLayout real{.bits = 32, .real = true};
  std::string bytes = wav(x, real);
  from_pipe(bytes, [&] { EXPECT_EQ(read_audio("-").samples, want); });
  for (const uint64_t size : {0u, 0xFFFFFFFFu, 0x7FFFF000u}) {  // until the end
    bytes.replace(40, 4, little_endian(size, 4));
    from_pipe(bytes, [&] { EXPECT_EQ(read_audio("-").samples, want) << size; });
  }
  from_pipe(wav({0.5}).substr(0, 45), [] { EXPECT_TRUE(has(refusal("-"), "standard input: cut short")); });
  from_pipe("fLaC" + std::string(100, '\0'), [] { EXPECT_TRUE(has(refusal("-"), "cannot be read from a pipe")); });
  from_pipe("", [] { EXPECT_TRUE(has(refusal("-"), "standard input: the file is empty")); });
}

TEST(AudioFile, AnHourInConstantMemory) {
  const TempFolder folder;
  const std::string path = folder / "hour.wav";
  const int64_t samples = 3600 * 16000;
  std::string head = wav({});
  head.replace(40, 4, little_endian(static_cast<uint64_t>(samples) * 2, 4));
  folder.file("hour.wav", head);
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(head.size()) + samples * 2), 0);  // zeros that take no room
  AudioReader reader(path);
  std::vector<float> piece(16000);
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  int64_t total = 0;
  for (int64_t n; (n = reader.read(piece)) > 0; total += n) EXPECT_EQ(piece[0], 0);
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(total, samples);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 8192);  // KiB
}

const LateLibrary& no_library() {
  static const LateLibrary library("libnowhere.so.7", "reading FLAC", "libnowhere7");
  return library;
}

TEST(AudioFile, AMissingLibraryNamesItsPackage) {
  constexpr LateFunction<no_library, int(int)> f{"sf_anything"};
  EXPECT_EQ(message_of<FormatError>([&] { f(1); }),
            "reading FLAC needs libnowhere.so.7, which cannot be loaded or lacks sf_anything; install it (Debian: "
            "libnowhere7)");
}

#ifdef LOOKBACK_SNDFILE

const LateLibrary& sndfile() {
  static const LateLibrary library("libsndfile.so.1", "a test", "libsndfile1");
  return library;
}
constexpr LateFunction<sndfile, decltype(::sf_open)> sf_open{"sf_open"};
constexpr LateFunction<sndfile, decltype(::sf_writef_float)> sf_writef_float{"sf_writef_float"};
constexpr LateFunction<sndfile, decltype(::sf_close)> sf_close{"sf_close"};

// False where libsndfile cannot write the format.
bool write(const std::string& path, int format, const std::vector<float>& samples, int rate = 16000, int channels = 1) {
  SF_INFO info{};
  info.samplerate = rate, info.channels = channels, info.format = format;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  if (!file) return false;
  // In pieces: some versions overflow the stack with a long piece of Vorbis.
  const int64_t frames = std::ssize(samples) / channels;
  for (int64_t at = 0; at < frames; at += 1000)
    sf_writef_float(file, samples.data() + at * channels, std::min<int64_t>(1000, frames - at));
  sf_close(file);
  return true;
}

double correlation(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t k = 0; k < std::min(a.size(), b.size()); ++k) ab += a[k] * b[k], aa += a[k] * a[k], bb += b[k] * b[k];
  return ab / std::sqrt(aa * bb);
}

constexpr int kFlac = SF_FORMAT_FLAC | SF_FORMAT_PCM_16, kVorbis = SF_FORMAT_OGG | SF_FORMAT_VORBIS,
              kOpus = SF_FORMAT_OGG | SF_FORMAT_OPUS;

class OtherFormats : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_sndfile()) GTEST_SKIP() << "no libsndfile here";
  }
  TempFolder folder_;
};

TEST_F(OtherFormats, FlacHoldsWhatWavHolds) {
  const std::vector<float> x = test_sound(30000);
  for (const int channels : {1, 2, 8}) {
    ASSERT_TRUE(write(folder_ / "a.flac", kFlac, x, 11025, channels));
    ASSERT_TRUE(write(folder_ / "a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, x, 11025, channels));
    const Waveform flac = read_audio(folder_ / "a.flac"), wav = read_audio(folder_ / "a.wav");
    EXPECT_EQ(flac.rate, 11025);
    EXPECT_EQ(flac.channels, channels);
    EXPECT_EQ(flac.samples, wav.samples);
    ASSERT_EQ(flac.samples.size(), x.size() / static_cast<size_t>(channels));
  }
}

TEST_F(OtherFormats, FlacThatDoesNotSayHowLongItIs) {
  ASSERT_TRUE(write(folder_ / "a.flac", kFlac, test_sound(30000)));
  std::string bytes = io::slurp(folder_ / "a.flac");
  bytes[21] = static_cast<char>(bytes[21] & 0xF0);  // the number of samples: 36 bits of STREAMINFO
  bytes.replace(22, 4, std::string(4, '\0'));
  EXPECT_EQ(read_audio(folder_.file("b.flac", bytes)).samples, read_audio(folder_ / "a.flac").samples);
  EXPECT_NE(refusal(folder_.file("b.flac", bytes.substr(0, bytes.size() / 2))), "");
}

TEST_F(OtherFormats, OggAndCodedWavSoundAlike) {
  const std::vector<float> x = test_sound(48000);
  for (const int format : {kVorbis, kOpus, SF_FORMAT_WAV | SF_FORMAT_ULAW, SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM}) {
    if (!write(folder_ / "a", format, x)) continue;
    const Waveform got = read_audio(folder_ / "a");
    EXPECT_EQ(got.rate, 16000);
    EXPECT_NEAR(static_cast<double>(got.samples.size()), 48000, 1000) << std::hex << format;
    EXPECT_GT(correlation(got.samples, x), 0.9) << std::hex << format;
  }
}

TEST_F(OtherFormats, FromAFileAsStandardInput) {
  ASSERT_TRUE(write(folder_ / "a.flac", kFlac, test_sound(5000)));
  const int before = ::dup(STDIN_FILENO), file = ::open((folder_ / "a.flac").c_str(), O_RDONLY);
  ::dup2(file, STDIN_FILENO);
  EXPECT_EQ(read_audio("-").samples, read_audio(folder_ / "a.flac").samples);
  ::dup2(before, STDIN_FILENO);
  ::close(before), ::close(file);
}

TEST_F(OtherFormats, CutShortAndDamaged) {
  struct Case {
    int format;
    size_t head;  // bytes of names and the like, whose change nobody can see
  };
  for (const Case c : {Case{kFlac, 8200}, {kVorbis, 0}, {kOpus, 0}}) {
    if (!write(folder_ / "a", c.format, test_sound(40000))) continue;
    const std::string good = io::slurp(folder_ / "a");
    for (const double share : {0.999, 0.9, 0.5, 0.1, 0.01}) {
      const auto n = static_cast<size_t>(share * static_cast<double>(good.size()));
      const std::string text = refusal(folder_.file("x", good.substr(0, n)));
      EXPECT_TRUE(has(text, "/x: ")) << text;
    }
    Rng rng(3);
    for (int k = 0; k < 60; ++k) {
      const size_t at = c.head + rng.below(good.size() - c.head);
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
      const std::string text = refusal(folder_.file("x", bytes));
      EXPECT_TRUE(has(text, "/x: ")) << std::hex << c.format << std::dec << " byte " << at << ": " << text;
    }
    // Anywhere in FLAC's head: a sound or a message.
    for (size_t at = 0; at < std::min<size_t>(c.head, 200); ++at) {
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ 0x41);
      try {
        read_audio(folder_.file("x", bytes));
      } catch (const FormatError&) {
      }
    }
  }
}

TEST_F(OtherFormats, OtherKindsOfOgg) {
  if (!write(folder_ / "a", SF_FORMAT_OGG | SF_FORMAT_VORBIS, test_sound(1000))) return;
  std::string page =
      "OggS" + std::string(1, '\0') + "\x06" + std::string(8, '\0') + "abcd" + std::string(8, '\0') + "\x01\x05Speex";
  EXPECT_TRUE(has(refusal(folder_.file("x", page)), "wrong checksum"));
}

#endif

}  // namespace
}  // namespace lookback::sound

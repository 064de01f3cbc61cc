#include "lookback/sound/audio_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/sound/sample_source.h"

namespace lookback::sound {
namespace {

constexpr const char* kAllowed = "WAV, FLAC, Ogg Vorbis and Ogg Opus can be read";

// The format whose first bytes these are, of those that are often met where sound is looked for.
std::string guess_format(std::string_view head) {
  const auto at = [&](size_t place, std::string_view bytes) {
    return head.size() >= place && head.substr(place).starts_with(bytes);
  };
  const auto byte = [&](size_t k) { return k < head.size() ? static_cast<uint8_t>(head[k]) : 0; };
  if (at(0, "FORM")) return "AIFF";
  if (at(0, "ID3") || (byte(0) == 0xFF && (byte(1) & 0xE0) == 0xE0)) return "MP3 or AAC";
  if (at(4, "ftyp")) return "MP4 (M4A)";
  if (at(0, ".snd")) return "AU";
  if (at(0, "caff")) return "CAF";
  if (at(0, "NIST")) return "NIST SPHERE";
  if (at(0, "#!AMR")) return "AMR";
  if (at(0, "riff")) return "Wave64";
  if (at(0, "\x1A\x45\xDF\xA3")) return "Matroska or WebM";
  if (at(0, "RIFX")) return "big-endian RIFF";
  if (at(0, "RIFF")) return "RIFF that is no WAVE";
  return "";
}

// Standard input as the file that it was redirected from, if it was and nothing has been read of it.
std::optional<io::File> redirected_input() {
  struct stat info {};
  if (::fstat(STDIN_FILENO, &info) != 0 || !S_ISREG(info.st_mode) || ::lseek(STDIN_FILENO, 0, SEEK_CUR) != 0)
    return std::nullopt;
  return io::File(::dup(STDIN_FILENO), "-", "standard input");
}

std::unique_ptr<SampleSource> open_source(const std::string& path, const std::string& name) {
  const bool input = path == "-";
  std::optional<io::File> redirected = input ? redirected_input() : std::nullopt;
  ByteReader bytes(path);
  const std::string head(bytes.peek(12).substr(0, 12));
  const auto as_file = [&](const std::string& what) {
    check<FormatError>(!input || redirected.has_value(), name, ": ", what,
                       " cannot be read from a pipe, only plain WAV; write a file and give its name");
    return redirected ? std::move(*redirected) : io::File::open_regular(path);
  };
  if (is_wav(head)) {
    int coding = 0;
    if (auto source = open_wav(std::move(bytes), name, &coding)) return source;
    return open_sndfile(as_file(str_cat("WAV with samples of coding ", coding)), name);
  }
  if (head.starts_with("fLaC")) return open_sndfile(as_file("FLAC"), name);
  if (head.starts_with("OggS")) {
    const io::File file = as_file("Ogg");
    check_ogg(file, name);
    return open_sndfile(file, name);
  }
  check<FormatError>(!head.empty(), name, ": the file is empty; ", kAllowed);
  const std::string format = guess_format(head);
  throw FormatError(str_cat(name, format.empty() ? ": not a recording of a known format" : ": the format is ", format,
                            "; ", kAllowed));
}

}  // namespace

struct AudioReader::Impl {
  std::string name;
  std::unique_ptr<SampleSource> source;
  std::vector<float> piece;  // of all channels
  int64_t given = 0;         // samples so far
};

AudioReader::AudioReader(const std::string& path) : impl_(std::make_unique<Impl>()) {
  impl_->name = path == "-" ? "standard input" : path;
  impl_->source = open_source(path, impl_->name);
}
AudioReader::~AudioReader() = default;
AudioReader::AudioReader(AudioReader&&) noexcept = default;
AudioReader& AudioReader::operator=(AudioReader&&) noexcept = default;

int64_t AudioReader::rate() const { return impl_->source->rate(); }
int64_t AudioReader::channels() const { return impl_->source->channels(); }
const std::string& AudioReader::name() const { return impl_->name; }

namespace {

// The mean of the channels of each of n samples, which stand side by side.
void mix(const float* all, int64_t channels, int64_t n, float* out) {
  for (int64_t t = 0; t < n; ++t) {
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c) sum += all[t * channels + c];
    out[t] = static_cast<float>(sum / static_cast<double>(channels));
  }
}

}  // namespace

int64_t AudioReader::read(std::span<float> out) {
  constexpr int64_t kPiece = 16384;  // samples of all channels
  Impl& i = *impl_;
  const int64_t n = channels(), frames = std::max<int64_t>(1, kPiece / n);
  if (n > 1) i.piece.resize(static_cast<size_t>(frames * n));
  int64_t done = 0;
  while (done < std::ssize(out)) {
    float* const to = out.data() + done;
    const int64_t wanted = std::min(frames, std::ssize(out) - done);
    const int64_t got = i.source->read(n > 1 ? i.piece.data() : to, wanted);
    if (n > 1) mix(i.piece.data(), n, got, to);
    const int64_t bad = std::find_if_not(to, to + got, [](float x) { return std::isfinite(x); }) - to;
    if (bad < got)
      throw FormatError(str_cat(i.name, ": the sample at ",
                                fixed(static_cast<double>(i.given + bad) / static_cast<double>(rate()), 4),
                                " s is not a finite number; write the recording anew"));
    done += got, i.given += got;
    if (got < wanted) break;
  }
  return done;
}

Waveform read_audio(const std::string& path) {
  AudioReader reader(path);
  Waveform out{.samples = {}, .rate = reader.rate(), .channels = reader.channels()};
  constexpr size_t kFirst = 4096;
  for (;;) {
    const size_t before = out.samples.size(), piece = std::max(before, kFirst);
    out.samples.resize(before + piece);
    const auto got = static_cast<size_t>(reader.read(std::span(out.samples).subspan(before)));
    out.samples.resize(before + got);
    if (got < piece) break;
  }
  out.samples.shrink_to_fit();
  return out;
}

}  // namespace lookback::sound

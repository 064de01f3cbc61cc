// WAV: a RIFF file of chunks; "fmt " says how samples are coded, "data" holds them. (Microsoft, "Multimedia Programming
// Interface and Data Specifications 1.0", 1991; RF64: EBU Tech 3306.)
#include <algorithm>
#include <bit>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/sound/sample_source.h"

namespace lookback::sound {
namespace {

constexpr uint16_t kPcm = 1, kFloat = 3, kExtensible = 0xFFFE;
constexpr int64_t kUnknown = -1;  // a writer that could not go back to write the size

uint64_t little_endian(const char* bytes, int n) {
  uint64_t out = 0;
  for (int k = n - 1; k >= 0; --k) out = out << 8 | static_cast<uint8_t>(bytes[k]);
  return out;
}

// Sign extended from its highest bit.
template <int N>
int32_t signed_of(const char* bytes) {
  const auto high = static_cast<uint32_t>(little_endian(bytes, N)) << (32 - 8 * N);
  return static_cast<int32_t>(high) >> (32 - 8 * N);
}

struct Layout {
  uint16_t coding = 0;
  int bytes = 0;  // of one sample of one channel
};

// N samples of so many bytes each.
template <int Bytes, class One>
void decode_each(const char* p, int64_t n, float* out, One one) {
  for (int64_t k = 0; k < n; ++k) out[k] = one(p + k * Bytes);
}

void decode(const Layout& layout, const char* p, int64_t n, float* out) {
  const auto real = [](const char* x) { return std::bit_cast<float>(static_cast<uint32_t>(little_endian(x, 4))); };
  const auto wide = [](const char* x) { return static_cast<float>(std::bit_cast<double>(little_endian(x, 8))); };
  if (layout.coding == kFloat)
    return layout.bytes == 4 ? decode_each<4>(p, n, out, real) : decode_each<8>(p, n, out, wide);
  switch (layout.bytes) {
    case 1:
      return decode_each<1>(p, n, out, [](const char* x) {
        return static_cast<float>(static_cast<int>(static_cast<uint8_t>(*x)) - 128) * 0x1p-7f;
      });
    case 2:
      return decode_each<2>(p, n, out, [](const char* x) { return static_cast<float>(signed_of<2>(x)) * 0x1p-15f; });
    case 3:
      return decode_each<3>(p, n, out, [](const char* x) { return static_cast<float>(signed_of<3>(x)) * 0x1p-23f; });
    default:
      return decode_each<4>(p, n, out, [](const char* x) { return static_cast<float>(signed_of<4>(x)) * 0x1p-31f; });
  }
}

class WavSource : public SampleSource {
 public:
  WavSource(ByteReader bytes, std::string name) : bytes_(std::move(bytes)), name_(std::move(name)) {}

  // False if the coding is none of ours.
  bool read_header();
  int coding() const { return layout_.coding; }
  int64_t read(float* out, int64_t frames) override;

 private:
  template <class... Parts>
  void require(bool ok, const Parts&... parts) const {
    check<FormatError>(ok, name_, ": ", parts...);
  }
  std::string take(int64_t n, const char* what) {
    std::string out(static_cast<size_t>(n), '\0');
    require(bytes_.read(out.data(), out.size()) == out.size(), "damaged WAV: the file ends within ", what);
    return out;
  }
  bool read_format(int64_t size);
  void find_end(uint64_t size, std::optional<uint64_t> size64);

  ByteReader bytes_;
  std::string name_;
  Layout layout_;
  int64_t frame_bytes_ = 0;
  int64_t left_ = 0;   // frames, or kUnknown
  int64_t total_ = 0;  // the same, at the beginning
  int64_t given_ = 0;
  std::vector<char> raw_;
};

bool WavSource::read_format(int64_t size) {
  require(size >= 16 && size <= 65536, "damaged WAV: a 'fmt ' chunk of ", size, " bytes");
  const std::string format = take(size, "its 'fmt ' chunk");
  layout_.coding = static_cast<uint16_t>(little_endian(format.data(), 2));
  channels_ = static_cast<int64_t>(little_endian(format.data() + 2, 2));
  rate_ = static_cast<int64_t>(little_endian(format.data() + 4, 4));
  frame_bytes_ = static_cast<int64_t>(little_endian(format.data() + 12, 2));
  const auto bits = static_cast<int64_t>(little_endian(format.data() + 14, 2));
  if (layout_.coding == kExtensible) {
    require(size >= 40, "damaged WAV: an extensible 'fmt ' chunk of ", size, " bytes, 40 are needed");
    layout_.coding = static_cast<uint16_t>(little_endian(format.data() + 24, 2));
  }
  require(channels_ >= 1 && channels_ <= kMostChannels, "damaged WAV: ", channels_, " channels; 1 to ", kMostChannels,
          " can be read");
  require(rate_ >= 1, "damaged WAV: a sampling rate of 0 Hz");
  const bool pcm = layout_.coding == kPcm && (bits == 8 || bits == 16 || bits == 24 || bits == 32);
  const bool real = layout_.coding == kFloat && (bits == 32 || bits == 64);
  if (layout_.coding != kPcm && layout_.coding != kFloat) return false;
  require(pcm || real, "WAV with samples of ", bits,
          " bits cannot be read; PCM of 8, 16, 24, 32 and floating point of 32, 64 can");
  layout_.bytes = static_cast<int>(bits / 8);
  require(frame_bytes_ == channels_ * layout_.bytes, "damaged WAV: ", frame_bytes_, " bytes for ", channels_,
          " channels of ", bits, " bits");
  return true;
}

// What "size" of the data chunk means for where it ends.
void WavSource::find_end(uint64_t size, std::optional<uint64_t> size64) {
  constexpr uint64_t kNoSize[] = {0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000};  // the last: SoX to a pipe
  if (size64) {
    size = *size64;
    require(size <= uint64_t{1} << 62, "damaged WAV: ", size, " bytes of samples");
  } else if (std::ranges::find(kNoSize, size) != std::end(kNoSize)) {
    constexpr std::string_view kChunks[] = {"LIST", "id3 ", "ID3 ", "bext", "fact", "cue ", "PEAK", "JUNK"};
    const std::string_view next = bytes_.peek(4).substr(0, 4);
    const bool another_chunk = size == 0 && std::ranges::find(kChunks, next) != std::end(kChunks);
    left_ = total_ = another_chunk ? 0 : kUnknown;
    return;
  }
  left_ = total_ = static_cast<int64_t>(size) / frame_bytes_;
}

bool WavSource::read_header() {
  const std::string head = take(12, "its header");
  const bool rf64 = head.starts_with("RF64");
  std::optional<uint64_t> size64;
  for (bool formatted = false;;) {
    const std::string chunk = take(8, "its header: there is no 'data' chunk");
    const std::string name = chunk.substr(0, 4);
    const auto size = static_cast<int64_t>(little_endian(chunk.data() + 4, 4));
    if (name == "data") {
      require(formatted, "damaged WAV: samples before a 'fmt ' chunk");
      find_end(static_cast<uint64_t>(size), size == 0xFFFFFFFF ? size64 : std::nullopt);
      return true;
    }
    if (name == "fmt ") {
      if (!read_format(size)) return false;
      formatted = true;
    } else if (name == "ds64" && rf64) {
      require(size >= 24 && size <= 65536, "damaged WAV: a 'ds64' chunk of ", size, " bytes");
      size64 = little_endian(take(size, "its 'ds64' chunk").data() + 8, 8);
    } else {
      require(bytes_.skip(size) == size, "damaged WAV: the file ends within a chunk of ", size,
              " bytes before its samples");
    }
    if (size % 2 == 1) bytes_.skip(1);  // chunks begin at even places
  }
}

int64_t WavSource::read(float* out, int64_t frames) {
  if (left_ != kUnknown) frames = std::min(frames, left_);
  raw_.resize(static_cast<size_t>(frames * frame_bytes_));
  const auto got = static_cast<int64_t>(bytes_.read(raw_.data(), raw_.size())) / frame_bytes_;
  if (left_ != kUnknown && got != frames) {
    const auto seconds = [&](int64_t n) { return fixed(static_cast<double>(n) / static_cast<double>(rate_), 3); };
    require(false, "cut short: its header promises ", seconds(total_), " s of sound, the file ends after ",
            seconds(given_ + got), " s");
  }
  decode(layout_, raw_.data(), got * channels_, out);
  if (left_ != kUnknown) left_ -= got;
  given_ += got;
  return got;
}

}  // namespace

bool is_wav(std::string_view head) {
  return head.size() >= 12 && (head.starts_with("RIFF") || head.starts_with("RF64")) && head.substr(8, 4) == "WAVE";
}

std::unique_ptr<SampleSource> open_wav(ByteReader bytes, const std::string& name, int* coding) {
  auto source = std::make_unique<WavSource>(std::move(bytes), name);
  if (source->read_header()) return source;
  *coding = source->coding();
  return nullptr;
}

}  // namespace lookback::sound

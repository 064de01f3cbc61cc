#include "lookback/base/error.h"
#include "lookback/base/format_number.h"
#include "lookback/base/late_library.h"
#include "lookback/sound/sample_source.h"

#ifdef LOOKBACK_SNDFILE

#include <sndfile.h>
#include <unistd.h>

#include <cerrno>

namespace lookback::sound {
namespace {

const LateLibrary& sndfile() {
  static const LateLibrary library("libsndfile.so.1", "this recording", "libsndfile1");
  return library;
}

// Each stands for the function of the same name.
#define LOOKBACK_LATE(function) constexpr LateFunction<sndfile, decltype(::function)> function{#function};
LOOKBACK_LATE(sf_close)
LOOKBACK_LATE(sf_error)
LOOKBACK_LATE(sf_open_fd)
LOOKBACK_LATE(sf_readf_float)
LOOKBACK_LATE(sf_strerror)
#undef LOOKBACK_LATE

struct Close {
  void operator()(SNDFILE* file) const { sf_close(file); }
};

class SndfileSource : public SampleSource {
 public:
  SndfileSource(const io::File& file, std::string name) : name_(std::move(name)) {
    SF_INFO info{};
    descriptor_ = io::File(::dup(file.fd()), name_);  // which libsndfile does not close
    check<IoError>(descriptor_.valid(), name_, ": cannot open: ", io::error_text(errno));
    ::lseek(descriptor_.fd(), 0, SEEK_SET);
    file_.reset(sf_open_fd(descriptor_.fd(), SFM_READ, &info, SF_FALSE));
    check<FormatError>(file_ != nullptr, name_, ": damaged or of an unknown kind: ", reason(nullptr));
    const int format = info.format & SF_FORMAT_TYPEMASK, coding = info.format & SF_FORMAT_SUBMASK;
    const bool wav = format == SF_FORMAT_WAV || format == SF_FORMAT_WAVEX || format == SF_FORMAT_RF64;
    const bool ogg = format == SF_FORMAT_OGG && (coding == SF_FORMAT_VORBIS || coding == SF_FORMAT_OPUS);
    check<FormatError>(wav || ogg || format == SF_FORMAT_FLAC, name_,
                       ": this kind of Ogg cannot be read; write WAV, FLAC, Ogg Vorbis or Ogg Opus");
    rate_ = info.samplerate, channels_ = info.channels;
    check<FormatError>(rate_ >= 1 && channels_ >= 1 && channels_ <= kMostChannels, name_, ": damaged: ", rate_, " Hz, ",
                       channels_, " channels");
    total_ = info.frames;
  }

  int64_t read(float* out, int64_t frames) override {
    const int64_t got = sf_readf_float(file_.get(), out, frames);
    given_ += got;
    check<FormatError>(sf_error(file_.get()) == SF_ERR_NO_ERROR, name_, ": damaged after ", seconds(given_),
                       " s: ", reason(file_.get()));
    check<FormatError>(got == frames || given_ >= total_ || total_ == SF_COUNT_MAX, name_,
                       ": damaged or cut short: it promises ", seconds(total_), " s of sound and has ", seconds(given_),
                       " s");
    return got;
  }

 private:
  static std::string reason(SNDFILE* file) {
    std::string out = sf_strerror(file);
    while (!out.empty() && (out.back() == '.' || out.back() == '\n')) out.pop_back();
    return out;
  }
  std::string seconds(int64_t frames) const {
    return fixed(static_cast<double>(frames) / static_cast<double>(rate_), 3);
  }

  std::string name_;
  io::File descriptor_;
  std::unique_ptr<SNDFILE, Close> file_;
  int64_t total_ = 0, given_ = 0;  // frames
};

}  // namespace

bool has_sndfile() { return sndfile().loaded(); }

std::unique_ptr<SampleSource> open_sndfile(const io::File& file, const std::string& name) {
  check<FormatError>(has_sndfile(), name,
                     ": only plain WAV can be read without libsndfile; install it (Debian: libsndfile1)");
  return std::make_unique<SndfileSource>(file, name);
}

}  // namespace lookback::sound

#else

namespace lookback::sound {

bool has_sndfile() { return false; }

std::unique_ptr<SampleSource> open_sndfile(const io::File&, const std::string& name) {
  throw FormatError(str_cat(name, ": this build reads plain WAV only; install libsndfile1-dev and build again"));
}

}  // namespace lookback::sound

#endif

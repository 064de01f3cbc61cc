#include "lookback/sound/resample.h"

#include "lookback/base/error.h"
#include "lookback/base/late_library.h"

#ifdef LOOKBACK_SOXR
#include <soxr.h>
#endif

namespace lookback::sound {
namespace {

constexpr int64_t kHighestRate = 1'000'000, kMostChange = 1000;

void check_rates(int64_t from, int64_t to) {
  for (const int64_t rate : {from, to})
    check<FormatError>(rate >= 1 && rate <= kHighestRate, "a sampling rate of ", rate,
                       " Hz: rates can be changed between 1 and ", kHighestRate, " Hz");
  check<FormatError>(from <= to * kMostChange && to <= from * kMostChange, "from ", from, " Hz to ", to,
                     " Hz is a change by more than ", kMostChange,
                     " times; resample the recording in steps or leave it out");
}

#ifdef LOOKBACK_SOXR
const LateLibrary& soxr() {
  static const LateLibrary library("libsoxr.so.0", "changing the sampling rate", "libsoxr0");
  return library;
}

// Each stands for the function of the same name.
#define LOOKBACK_LATE(function) constexpr LateFunction<soxr, decltype(::function)> function{#function};
LOOKBACK_LATE(soxr_create)
LOOKBACK_LATE(soxr_delete)
LOOKBACK_LATE(soxr_process)
LOOKBACK_LATE(soxr_quality_spec)
#undef LOOKBACK_LATE

struct Delete {
  void operator()(soxr_t handle) const { soxr_delete(handle); }
};
#endif

}  // namespace

#ifdef LOOKBACK_SOXR

struct Resampler::Impl {
  std::unique_ptr<std::remove_pointer_t<soxr_t>, Delete> handle;
  int64_t from = 0, to = 0;
  int64_t taken = 0, given = 0;  // samples

  // Without samples: the end.
  void process(const float* in, size_t n, std::vector<float>& out) {
    constexpr size_t kPiece = 8192;
    const bool end = in == nullptr;
    for (size_t used = 0;;) {
      const size_t before = out.size();
      out.resize(before + kPiece);
      size_t took = 0, made = 0;
      const soxr_error_t error =
          soxr_process(handle.get(), end ? nullptr : in + used, n - used, &took, out.data() + before, kPiece, &made);
      out.resize(before + made);
      check<Error>(error == nullptr, "soxr: ", error ? error : "");
      used += took, given += static_cast<int64_t>(made);
      if (made < kPiece && (end || used == n)) break;
    }
  }
};

Resampler::Resampler(int64_t from, int64_t to) : impl_(std::make_unique<Impl>()) {
  check_rates(from, to);
  impl_->from = from, impl_->to = to;
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  soxr_error_t error = nullptr;
  impl_->handle.reset(
      soxr_create(static_cast<double>(from), static_cast<double>(to), 1, &error, nullptr, &quality, nullptr));
  check<FormatError>(error == nullptr && impl_->handle, "from ", from, " Hz to ", to,
                     " Hz: soxr: ", error ? error : "");
}

void Resampler::push(std::span<const float> samples, std::vector<float>& out) {
  if (samples.empty()) return;
  impl_->taken += std::ssize(samples);
  impl_->process(samples.data(), samples.size(), out);
}

void Resampler::finish(std::vector<float>& out) {
  Impl& i = *impl_;
  if (i.taken == 0) return;
  i.process(nullptr, 0, out);
  // soxr rounds the length in its own way.
  const int64_t wanted = (i.taken * i.to + i.from - 1) / i.from, missing = wanted - i.given;
  if (missing < 0)
    out.resize(out.size() - std::min(out.size(), static_cast<size_t>(-missing)));
  else
    out.resize(out.size() + static_cast<size_t>(missing), 0.0f);
  i.given = wanted;
}

#else

struct Resampler::Impl {};
Resampler::Resampler(int64_t from, int64_t to) {
  check_rates(from, to);
  throw FormatError("this build cannot change sampling rates; install libsoxr-dev and build again");
}
void Resampler::push(std::span<const float>, std::vector<float>&) {}
void Resampler::finish(std::vector<float>&) {}

#endif

Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;

Waveform resampled(Waveform sound, int64_t rate) {
  if (sound.rate == rate) return sound;
  Resampler resampler(sound.rate, rate);
  std::vector<float> out;
  resampler.push(sound.samples, out);
  resampler.finish(out);
  return {.samples = std::move(out), .rate = rate, .channels = sound.channels};
}

Waveform read_audio_at(const std::string& path, int64_t rate) {
  Waveform sound = read_audio(path);
  try {
    return resampled(std::move(sound), rate);
  } catch (const FormatError& e) {
    throw FormatError(path + ": " + e.what());
  }
}

}  // namespace lookback::sound

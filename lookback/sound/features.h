// Rows of numbers from sound: log mel filter banks and cepstra, as Kaldi has them (Povey et al. 2011, "The Kaldi speech
// recognition toolkit"), with its constants: samples times 32768, the mean of each window taken off, energies of at
// least 1.19e-7, cepstra liftered by 22, C0 first. Equal to torchaudio.compliance.kaldi with dither 0 and the same
// options.
//
//   samples -> windows -> fbank or mfcc -> deltas -> normalise -> stack and skip
//
// All of it is double until a row is done, without the C library's functions: the same bits on every machine.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/sound/statistics.h"
#include "lookback/tensor/tensor.h"

namespace lookback::sound {

class WindowRows;

struct FeatureOptions {
  std::string kind = "fbank";
  int64_t sample_rate = 16000;
  int64_t bins = 0;
  int64_t ceps = 13;
  double window_ms = 25;
  double shift_ms = 10;
  double low = 20;
  double high = 0;
  double preemphasis = 0.97;
  std::string window = "povey";
  bool snip_edges = true;
  int64_t deltas = 0;
  std::string normalise = "none";
  int64_t stack = 1;
  int64_t skip = 1;

  void fields(FieldVisitor& v) {
    v("kind", kind, "fbank: logarithms of energies in mel bands; mfcc: their cosine transform, for small models")
        .choices({"fbank", "mfcc"});
    v("sample_rate", sample_rate, "Hz; recordings at another rate are resampled").range(1, 1e6);
    v("bins", bins, "mel bands; 0: 80 for fbank, 23 for mfcc").range(0, 1024);
    v("ceps", ceps, "cepstra kept, with C0; for mfcc").range(1, 1024);
    v("window_ms", window_ms, "length of a window, milliseconds").range(0.1, 1e4);
    v("shift_ms", shift_ms, "from one window to the next, milliseconds").range(0.1, 1e4);
    v("low", low, "where the lowest band begins, Hz").range(0, 5e5);
    v("high", high, "where the highest band ends, Hz; 0 or less is added to half the sampling rate").range(-5e5, 5e5);
    v("preemphasis", preemphasis, "share of the sample before that is subtracted").range(0, 1);
    v("window", window, "shape of a window; povey: hanning to the power of 0.85")
        .choices({"povey", "hanning", "hamming"});
    v("snip_edges", snip_edges,
      "only windows that lie within the recording; else a row for every shift, the ends mirrored");
    v("deltas", deltas, "adds how each column changes, and with 2 how that changes (Furui 1986)").range(0, 2);
    v("normalise", normalise,
      "mean 0 and deviation 1 of each column: over the utterance; by statistics of the training set (global) or of the "
      "speaker; or running, over the rows so far, which can be streamed")
        .choices({"none", "utterance", "global", "running", "speaker"});
    v("stack", stack, "rows side by side in one: itself and those that follow").range(1, 64);
    v("skip", skip, "only every n-th of these rows; 1 is all").range(1, 64);
  }
};

// Windows, mel bands and tables, made once. Several threads may use one.
class FeatureExtractor {
 public:
  // ConfigError, naming the option, for options that do not fit together.
  explicit FeatureExtractor(const FeatureOptions& options);

  const FeatureOptions& options() const { return options_; }
  int64_t channels() const { return channels_; }  // bands or cepstra: F of one frame
  int64_t row_width() const { return channels_ * (1 + options_.deltas); }
  int64_t width() const { return row_width() * options_.stack; }
  int64_t window() const { return window_; }  // samples
  int64_t shift() const { return shift_; }    // samples
  // Windows of a recording of so many samples.
  int64_t windows(int64_t samples) const;
  // Rows of features(): ceil(windows / skip).
  int64_t rows(int64_t samples) const;

  // With deltas, before they are normalised and stacked: f32 [windows, row_width]. What caches and statistics hold.
  Tensor plain_rows(std::span<const float> samples) const;
  // Plain rows normalised, stacked and skipped: [T, row_width] -> [ceil(T / skip), width]. ConfigError if normalise is
  // global or speaker and there are no statistics, or of another width.
  Tensor finished_rows(const Tensor& plain, const FeatureStatistics* statistics = nullptr) const;
  // Both in one.
  Tensor features(std::span<const float> samples, const FeatureStatistics* statistics = nullptr) const;

 private:
  friend class FeatureStream;
  // Room to work in.
  struct Scratch {
    std::vector<double> values;
    std::vector<float> mirrored;
  };
  struct Between {
    int64_t begin, end;
  };
  // Bands or cepstra of these windows -> out [end - begin, channels]. `at(k)` is where sample k of n lies, with those
  // behind it.
  template <class At>
  void add_windows(At at, int64_t n, Between which, Scratch& scratch, float* out) const;
  // The first sample of a window; below 0 where the recording's beginning is mirrored.
  int64_t window_begin(int64_t window) const;

  FeatureOptions options_;
  int64_t channels_ = 0, window_ = 0, shift_ = 0;
  std::shared_ptr<const WindowRows> rows_of_windows_;
};

// Of a whole recording: f32 [rows, width], [0, width] of one that is too short.
Tensor features(std::span<const float> samples, const FeatureOptions& options,
                const FeatureStatistics* statistics = nullptr);
int64_t width(const FeatureOptions& options);
// Rows that a recording of so many samples gets.
int64_t frames(int64_t samples, const FeatureOptions& options);

// Plain rows one after the other, whatever comes in: normalising that needs no row that is still to come.
class RowNormaliser {
 public:
  // ConfigError as FeatureExtractor::finished_rows; for "utterance" too, whose statistics are those of its rows.
  RowNormaliser(const FeatureOptions& options, int64_t width, const FeatureStatistics* statistics);
  void apply(float* row);

 private:
  std::string kind_;
  std::vector<double> means_, deviations_;  // running: means so far, sums of squared distances to them
  double count_ = 0;
};

// The rows of a recording that is still being made: all pushes together give the bits of features(). Looks ahead by a
// window, two rows for each order of deltas, and stack.
class FeatureStream {
 public:
  // ConfigError if normalise is utterance, and as FeatureExtractor::finished_rows.
  explicit FeatureStream(std::shared_ptr<const FeatureExtractor> extractor,
                         const FeatureStatistics* statistics = nullptr);
  explicit FeatureStream(const FeatureOptions& options, const FeatureStatistics* statistics = nullptr);

  // The rows that have become complete: f32 [n, width], n may be 0.
  Tensor push(std::span<const float> samples);
  // The last ones. Nothing may follow.
  Tensor finish();

 private:
  // Rows of which the first have been forgotten.
  struct Queue {
    int64_t width = 0, begin = 0;
    std::vector<float> values;

    int64_t end() const { return begin + std::ssize(values) / width; }
    // Room for n more.
    float* append(int64_t n) {
      values.resize(values.size() + static_cast<size_t>(n * width));
      return values.data() + values.size() - n * width;
    }
    const float* at(int64_t k) const { return values.data() + (k - begin) * width; }
    void forget(int64_t before);
  };
  void make_windows();
  void make_plain();
  Tensor make_rows();

  std::shared_ptr<const FeatureExtractor> extractor_;
  RowNormaliser normaliser_;
  FeatureExtractor::Scratch scratch_;
  Queue samples_, windows_, plain_;
  int64_t next_row_ = 0;
  bool finished_ = false;
};

}  // namespace lookback::sound

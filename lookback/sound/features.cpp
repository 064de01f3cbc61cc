#include "lookback/sound/features.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"
#include "lookback/sound/window_rows.h"

namespace lookback::sound {
namespace {

constexpr int64_t kDeltaWindow = 2;  // rows on either side, for each order
constexpr int64_t kLongestWindow = int64_t{1} << 22;

int64_t samples_in(double milliseconds, int64_t rate) {
  return static_cast<int64_t>(static_cast<double>(rate) * milliseconds / 1000);
}

// Sample k of a recording of n that goes on mirrored at both ends.
int64_t mirrored(int64_t k, int64_t n) {
  while (k < 0 || k >= n) k = k < 0 ? -k - 1 : 2 * n - 1 - k;
  return k;
}

// Kaldi's filters of the orders 1 and 2: the second is the first applied to itself.
std::vector<double> delta_filter(int64_t order) {
  std::vector<double> filter = {1};
  for (int64_t pass = 0; pass < order; ++pass) {
    std::vector<double> next(filter.size() + 2 * kDeltaWindow, 0.0);
    for (size_t j = 0; j < filter.size(); ++j)
      for (int64_t k = -kDeltaWindow; k <= kDeltaWindow; ++k)
        next[j + static_cast<size_t>(k + kDeltaWindow)] += filter[j] * static_cast<double>(k) / 10;
    filter = std::move(next);
  }
  return filter;
}

// Row t of `end` with its deltas: `at(k)` is row k, of which those beyond the ends are taken to be the outermost.
template <class At>
void add_deltas(At at, int64_t t, int64_t end, int64_t orders, int64_t channels, float* out) {
  std::copy_n(at(t), channels, out);
  for (int64_t order = 1; order <= orders; ++order) {
    static const std::vector<double> kFilters[] = {delta_filter(1), delta_filter(2)};
    const std::vector<double>& filter = kFilters[order - 1];
    const int64_t reach = kDeltaWindow * order;
    std::vector<double> sum(static_cast<size_t>(channels), 0.0);
    for (int64_t k = -reach; k <= reach; ++k) {
      const float* row = at(std::clamp<int64_t>(t + k, 0, end - 1));
      for (size_t c = 0; c < sum.size(); ++c)
        sum[c] += filter[static_cast<size_t>(k + reach)] * static_cast<double>(row[c]);
    }
    for (size_t c = 0; c < sum.size(); ++c)
      out[order * channels + static_cast<int64_t>(c)] = static_cast<float>(sum[c]);
  }
}

}  // namespace

FeatureExtractor::FeatureExtractor(const FeatureOptions& options) : options_(options) {
  FeatureOptions& o = options_;
  for (Field& f : fields_of(o)) set_field(f, field_value(f), "features");  // their ranges
  const int64_t bins = o.bins ? o.bins : o.kind == "fbank" ? 80 : 23;
  channels_ = o.kind == "fbank" ? bins : o.ceps;
  check<ConfigError>(bins >= 4, "features: bins must be at least 4, got ", bins);
  check<ConfigError>(o.kind == "fbank" || o.ceps <= bins, "features: ceps is ", o.ceps, ", more than the ", bins,
                     " bins they are made of");
  window_ = samples_in(o.window_ms, o.sample_rate);
  shift_ = samples_in(o.shift_ms, o.sample_rate);
  check<ConfigError>(window_ >= 2 && window_ <= kLongestWindow, "features: window_ms of ", o.window_ms, " is ", window_,
                     " samples at ", o.sample_rate, " Hz; 2 to ", kLongestWindow, " are allowed");
  check<ConfigError>(shift_ >= 1, "features: shift_ms of ", o.shift_ms, " is no sample at ", o.sample_rate, " Hz");
  rows_of_windows_ = std::make_shared<const WindowRows>(o, bins, window_);
}

int64_t FeatureExtractor::window_begin(int64_t frame) const {
  return frame * shift_ - (options_.snip_edges ? 0 : window() / 2 - shift_ / 2);
}

int64_t FeatureExtractor::windows(int64_t samples) const {
  if (!options_.snip_edges) return (samples + shift_ / 2) / shift_;
  return samples < window() ? 0 : 1 + (samples - window()) / shift_;
}

int64_t FeatureExtractor::rows(int64_t samples) const { return (windows(samples) + options_.skip - 1) / options_.skip; }

template <class At>
void FeatureExtractor::add_windows(At at, int64_t n, Between which, Scratch& scratch, float* out) const {
  scratch.mirrored.resize(static_cast<size_t>(kLanes * window_));
  const float* from[kLanes];
  for (int64_t first = which.begin; first < which.end; first += kLanes) {
    const int64_t some = std::min(kLanes, which.end - first);
    for (int64_t l = 0; l < some; ++l) {
      const int64_t begin = window_begin(first + l);
      if (begin >= 0 && begin + window_ <= n) {
        from[l] = at(begin);
        continue;
      }
      float* const copy = scratch.mirrored.data() + l * window_;
      for (int64_t k = 0; k < window_; ++k) copy[k] = *at(mirrored(begin + k, n));
      from[l] = copy;
    }
    (*rows_of_windows_)({from, static_cast<size_t>(some)}, scratch.values, out);
    out += some * channels_;
  }
}

Tensor FeatureExtractor::plain_rows(std::span<const float> samples) const {
  const int64_t n = std::ssize(samples), count = windows(n);
  Tensor base({count, channels_});
  Scratch scratch;
  add_windows([&](int64_t k) { return samples.data() + k; }, n, {0, count}, scratch, base.data<float>());
  if (options_.deltas == 0) return base;
  Tensor out({count, row_width()});
  const float* rows = base.data<float>();
  for (int64_t t = 0; t < count; ++t)
    add_deltas([&](int64_t k) { return rows + k * channels_; }, t, count, options_.deltas, channels_,
               out.data<float>() + t * row_width());
  return out;
}

Tensor FeatureExtractor::finished_rows(const Tensor& plain, const FeatureStatistics* statistics) const {
  const int64_t count = plain.dim(0), columns = row_width();
  check(plain.shape() == Shape{count, columns}, "features are rows of ", columns, ", got ", plain.shape());
  Tensor rows = plain;
  if (options_.normalise != "none") {
    rows = plain.clone();
    FeatureStatistics own;
    const bool utterance = options_.normalise == "utterance";
    if (utterance) own.add(plain);
    if (count > 0) {
      RowNormaliser normaliser(options_, columns, utterance ? &own : statistics);
      for (int64_t t = 0; t < count; ++t) normaliser.apply(rows.data<float>() + t * columns);
    }
  }
  const int64_t stack = options_.stack, skip = options_.skip;
  if (stack == 1 && skip == 1) return rows;
  Tensor out({(count + skip - 1) / skip, width()});
  for (int64_t r = 0; r < out.dim(0); ++r)
    for (int64_t k = 0; k < stack; ++k)
      std::copy_n(rows.data<float>() + std::min(r * skip + k, count - 1) * columns, columns,
                  out.data<float>() + (r * stack + k) * columns);
  return out;
}

Tensor FeatureExtractor::features(std::span<const float> samples, const FeatureStatistics* statistics) const {
  return finished_rows(plain_rows(samples), statistics);
}

Tensor features(std::span<const float> samples, const FeatureOptions& options, const FeatureStatistics* statistics) {
  return FeatureExtractor(options).features(samples, statistics);
}
int64_t width(const FeatureOptions& options) { return FeatureExtractor(options).width(); }
int64_t frames(int64_t samples, const FeatureOptions& options) { return FeatureExtractor(options).rows(samples); }

RowNormaliser::RowNormaliser(const FeatureOptions& options, int64_t width, const FeatureStatistics* statistics)
    : kind_(options.normalise) {
  means_.assign(static_cast<size_t>(width), 0.0), deviations_ = means_;
  if (kind_ == "none" || kind_ == "running") return;
  check<ConfigError>(statistics != nullptr && statistics->count > 0, "features: normalise = ", kind_,
                     " needs the statistics of ",
                     kind_ == "speaker" ? "the speaker's rows" : "the training set's rows");
  check<ConfigError>(statistics->width() == width, "features: the statistics are of ", statistics->width(),
                     " columns, the rows have ", width);
  means_ = statistics->means(), deviations_ = statistics->deviations();
}

void RowNormaliser::apply(float* row) {
  if (kind_ == "none") return;
  const bool running = kind_ == "running";
  if (running) count_ += 1;
  for (size_t k = 0; k < means_.size(); ++k) {
    const double x = row[k];
    double deviation = deviations_[k];
    if (running) {  // Welford 1962
      const double before = x - means_[k];
      means_[k] += before / count_;
      deviations_[k] += before * (x - means_[k]);
      deviation = std::sqrt(std::max(deviations_[k] / count_, 1e-10));
    }
    row[k] = static_cast<float>((x - means_[k]) / deviation);
  }
}

namespace {

std::shared_ptr<const FeatureExtractor> streamable(std::shared_ptr<const FeatureExtractor> extractor) {
  check<ConfigError>(
      extractor->options().normalise != "utterance",
      "features: normalise = utterance needs the whole recording; running, global or none can be streamed");
  return extractor;
}

}  // namespace

void FeatureStream::Queue::forget(int64_t before) {
  // Moving what stays costs as much as what goes; so some is kept until it is worth it.
  if (before - begin < 1024 && (before - begin) * width < 65536) return;
  before = std::min(before, end());
  values.erase(values.begin(), values.begin() + (before - begin) * width);
  begin = before;
}

FeatureStream::FeatureStream(std::shared_ptr<const FeatureExtractor> extractor, const FeatureStatistics* statistics)
    : extractor_(streamable(std::move(extractor))),
      normaliser_(extractor_->options(), extractor_->row_width(), statistics) {
  samples_.width = 1, windows_.width = extractor_->channels(), plain_.width = extractor_->row_width();
}
FeatureStream::FeatureStream(const FeatureOptions& options, const FeatureStatistics* statistics)
    : FeatureStream(std::make_shared<const FeatureExtractor>(options), statistics) {}

void FeatureStream::make_windows() {
  const FeatureExtractor& e = *extractor_;
  const int64_t n = samples_.end(), length = e.window(), first = windows_.end();
  const auto there = [&](int64_t window) {
    const int64_t begin = e.window_begin(window);
    return finished_ ? window < e.windows(n) : begin + length <= n && -begin <= n;
  };
  int64_t end = first;
  while (there(end)) ++end;
  float* const out = windows_.append(end - first);
  e.add_windows([&](int64_t k) { return samples_.at(k); }, n, {first, end}, scratch_, out);
  // At the end, mirrored windows reach back by their own length and the shift at most, or to the beginning.
  samples_.forget(std::max<int64_t>(0, e.window_begin(end) - 2 * length - e.shift()));
}

void FeatureStream::make_plain() {
  const FeatureOptions& o = extractor_->options();
  const int64_t ahead = kDeltaWindow * o.deltas, end = windows_.end();
  for (int64_t t = plain_.end(); finished_ ? t < end : t + ahead < end; ++t) {
    float* row = plain_.append(1);
    add_deltas([&](int64_t k) { return windows_.at(k); }, t, end, o.deltas, windows_.width, row);
    normaliser_.apply(row);
  }
  windows_.forget(std::max<int64_t>(0, plain_.end() - ahead));
}

Tensor FeatureStream::make_rows() {
  const FeatureOptions& o = extractor_->options();
  const int64_t end = plain_.end(), columns = plain_.width, first = next_row_;
  const int64_t last = finished_ ? (end + o.skip - 1) / o.skip : end < o.stack ? 0 : (end - o.stack) / o.skip + 1;
  next_row_ = std::max(first, last);
  Tensor out({next_row_ - first, extractor_->width()});
  for (int64_t r = first; r < next_row_; ++r)
    for (int64_t k = 0; k < o.stack; ++k)
      std::copy_n(plain_.at(std::min(r * o.skip + k, end - 1)), columns,
                  out.data<float>() + ((r - first) * o.stack + k) * columns);
  plain_.forget(std::min(next_row_ * o.skip, end - 1));
  return out;
}

Tensor FeatureStream::push(std::span<const float> samples) {
  check<Error>(!finished_, "a stream of features that has been finished takes no more samples");
  samples_.values.insert(samples_.values.end(), samples.begin(), samples.end());
  make_windows();
  make_plain();
  return make_rows();
}

Tensor FeatureStream::finish() {
  finished_ = true;
  make_windows();
  make_plain();
  return make_rows();
}

}  // namespace lookback::sound

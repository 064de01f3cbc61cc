#include "lookback/decode/ctc_prefix.h"

#include <algorithm>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/wide_number.h"

namespace lookback::decode {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();
// A sum of doubles in [0, 1] that comes to more has lost nothing to underflow.
constexpr double kSafe = 1e-280;

WideNumber add(const WideNumber& a, const WideNumber& b) { return wide::normalised(wide::plus(a, b)); }
WideNumber multiply(const WideNumber& a, const WideNumber& b) { return wide::normalised(wide::times(a, b)); }

}  // namespace

struct CtcPrefixDecoder::Sentence {
  Tensor log_probs;           // [T, V]
  std::vector<double> probs;  // [T, V]; 0 below double's range
  int64_t T() const { return log_probs.dim(0); }
  WideNumber at(int64_t t, int64_t c) const {
    return wide::exp(static_cast<double>(log_probs.data<float>()[t * log_probs.dim(1) + c]));
  }
};

// Of a prefix, by its paths over the first t frames: those that end in its last token, and those that end in a blank.
struct CtcPrefixDecoder::Prefix {
  std::vector<WideNumber> token, blank;  // [T + 1]
  int32_t last = -1;                     // -1: it is empty
  double log_prob = 0;                   // of all texts that begin with it
};

CtcPrefixDecoder::CtcPrefixDecoder(std::vector<Tensor> log_probs, const CtcPrefixOptions& options) : options_(options) {
  vocabulary_ = log_probs.empty() ? 0 : log_probs[0].dim(1);
  for (size_t b = 0; b < log_probs.size(); ++b) {
    const Tensor& rows = log_probs[b];
    check(rows.shape().rank() == 2 && rows.dim(1) == vocabulary_ && rows.dtype() == Dtype::f32,
          "CtcPrefixDecoder: sentence ", b, ": log_probs must be f32 [T,", vocabulary_, "], got ",
          name_of(rows.dtype()), " ", rows.shape());
    for (const float x : rows.span<float>())
      check<NumericError>(x <= 0, "CtcPrefixDecoder: sentence ", b, ": ", x, " is no log-probability");
    Sentence& s = sentences_.emplace_back();
    s.log_probs = rows;
    s.probs.resize(static_cast<size_t>(rows.size()));
    for (size_t k = 0; k < s.probs.size(); ++k)
      s.probs[k] = wide::value(wide::exp(static_cast<double>(rows.data<float>()[k])));
  }
  if (!log_probs.empty()) {
    for (const int32_t token : {options.blank, options.eos, std::max(options.bos, 0)})
      check<ConfigError>(0 <= token && token < vocabulary_, "CtcPrefixDecoder: blank, eos or bos ", token,
                         " is outside the vocabulary of ", vocabulary_);
    check<ConfigError>(options.eos != options.blank, "CtcPrefixDecoder: eos = ", options.eos, " is the blank");
  }
  const int64_t all = std::ssize(sentences_);
  const int64_t first = options.together < 0 ? all : std::min(options.together, all);
  if (first > 0) admit(first);
}

CtcPrefixDecoder::~CtcPrefixDecoder() = default;

int64_t CtcPrefixDecoder::waiting() const { return std::ssize(sentences_) - begun_; }

void CtcPrefixDecoder::admit(int64_t n) {
  check(0 <= n && n <= waiting(), "CtcPrefixDecoder: ", waiting(), " sentences are waiting, ", n, " were to join");
  for (; n > 0; --n, ++begun_) rows_.push_back({begun_, nullptr});
}

void CtcPrefixDecoder::reorder(std::span<const int32_t> from) {
  std::vector<Row> next;
  for (const int32_t k : from) {
    check(0 <= k && k < std::ssize(rows_), "CtcPrefixDecoder: row ", k, " of ", rows_.size(), " was to go on");
    next.push_back(rows_[static_cast<size_t>(k)]);
  }
  rows_ = std::move(next);
}

void CtcPrefixDecoder::extend(Row& row, int32_t token) const {
  const Sentence& s = sentences_[static_cast<size_t>(row.sentence)];
  const int64_t T = s.T();
  const auto out = std::make_shared<Prefix>();
  out->token.assign(static_cast<size_t>(T) + 1, kWideZero), out->blank = out->token;
  if (!row.prefix) {
    out->blank[0] = {};
    for (int64_t t = 1; t <= T; ++t) {
      const auto k = static_cast<size_t>(t);
      out->blank[k] = multiply(out->blank[k - 1], s.at(t - 1, options_.blank));
    }
  } else {
    const Prefix& g = *row.prefix;
    out->last = token;
    WideNumber all = kWideZero;
    const bool possible = token != options_.blank && token != options_.eos && token != options_.bos;
    for (int64_t t = 1; possible && t <= T; ++t) {
      const auto k = static_cast<size_t>(t);
      const WideNumber p = s.at(t - 1, token);
      // Between two equal tokens there has to be a blank.
      const WideNumber before = token == g.last ? g.blank[k - 1] : add(g.token[k - 1], g.blank[k - 1]);
      all = add(all, multiply(before, p));
      out->token[k] = multiply(add(out->token[k - 1], before), p);
      out->blank[k] = multiply(add(out->token[k - 1], out->blank[k - 1]), s.at(t - 1, options_.blank));
    }
    out->log_prob = wide::log(all);
  }
  row.prefix = out;
}

void CtcPrefixDecoder::score(const Row& row, float* out) const {
  const Sentence& s = sentences_[static_cast<size_t>(row.sentence)];
  const Prefix& g = *row.prefix;
  const int64_t T = s.T(), V = vocabulary_;
  std::fill_n(out, V, -std::numeric_limits<float>::infinity());
  if (g.log_prob == kImpossible) {
    out[options_.eos] = 0;
    return;
  }
  // Paths of the prefix over the frames before each, relative to the most of them.
  std::vector<WideNumber> before(static_cast<size_t>(T));
  double most = kWideZero.exponent;
  for (size_t t = 0; t < before.size(); ++t) {
    before[t] = add(g.token[t], g.blank[t]);
    most = wide::larger(most, before[t].exponent + 1);
  }
  std::vector<double> sums(static_cast<size_t>(V));
  double after_blank = 0;  // of the last token once more
  for (size_t t = 0; t < before.size(); ++t) {
    const double* const p = s.probs.data() + static_cast<int64_t>(t) * V;
    const double weight = before[t].mantissa * wide::power_of_two(before[t].exponent - most);
    if (weight == 0) continue;
    for (int64_t c = 0; c < V; ++c) sums[static_cast<size_t>(c)] += weight * p[c];
    if (g.last >= 0) after_blank += g.blank[t].mantissa * wide::power_of_two(g.blank[t].exponent - most) * p[g.last];
  }
  if (g.last >= 0) sums[static_cast<size_t>(g.last)] = after_blank;
  const auto increment = [&](double log_prob) { return static_cast<float>(std::min(0.0, log_prob - g.log_prob)); };
  bool any = false;
  for (int64_t c = 0; c < V; ++c) {
    if (c == options_.blank || c == options_.eos || c == options_.bos) continue;
    const double sum = sums[static_cast<size_t>(c)];
    WideNumber all = kWideZero;
    if (sum > kSafe) {
      all = wide::normalised(sum, most);
    } else {
      for (size_t t = 0; t < before.size(); ++t)
        all = add(all, multiply(c == g.last ? g.blank[t] : before[t], s.at(static_cast<int64_t>(t), c)));
    }
    if (is_zero(all)) continue;
    out[c] = increment(wide::log(all)), any = true;
  }
  const WideNumber ends = add(g.token.back(), g.blank.back());
  if (!is_zero(ends))
    out[options_.eos] = increment(wide::log(ends));
  else if (!any)
    out[options_.eos] = 0;
}

StepOutput CtcPrefixDecoder::step(std::span<const int32_t> tokens, int64_t) {
  check(tokens.size() == rows_.size(), "CtcPrefixDecoder: ", tokens.size(), " tokens for ", rows_.size(), " rows");
  const int64_t N = std::ssize(rows_);
  for (const int32_t token : tokens)
    check(0 <= token && token < vocabulary_, "CtcPrefixDecoder: token ", token, " is outside the vocabulary of ",
          vocabulary_);
  StepOutput out{Tensor({N, vocabulary_})};
  out.log_probs = true;
  parallel_for(N, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      extend(rows_[static_cast<size_t>(k)], tokens[static_cast<size_t>(k)]);
      score(rows_[static_cast<size_t>(k)], out.logits.data<float>() + k * vocabulary_);
    }
  });
  return out;
}

}  // namespace lookback::decode

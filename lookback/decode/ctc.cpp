#include "lookback/decode/ctc.h"

#include <algorithm>
#include <array>
#include <limits>

#include "lookback/base/error.h"

namespace lookback::decode {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

void check_frames(const char* name, const Tensor& log_probs, int32_t blank) {
  check(log_probs.shape().rank() == 2, name, ": log_probs must be [T,V], got ", log_probs.shape());
  check(0 <= blank && blank < log_probs.dim(1), name, ": blank ", blank, " is not below ", log_probs.dim(1));
  with_float(log_probs.dtype(), [&]<class R>() {
    const auto bad =
        std::ranges::find_if(log_probs.span<R>(), [](R x) { return !(x < std::numeric_limits<R>::infinity()); });
    check<NumericError>(bad == log_probs.span<R>().end(), name, ": log_probs of frame ",
                        (bad - log_probs.span<R>().begin()) / log_probs.dim(1), " hold NaN or +inf");
  });
}

}  // namespace

void CtcBestPath::read(const Tensor& log_probs) {
  check_frames("ctc_best_path", log_probs, blank_);
  const int64_t T = log_probs.dim(0), V = log_probs.dim(1);
  with_float(log_probs.dtype(), [&]<class R>() {
    for (int64_t t = 0; t < T; ++t) {
      const R* const row = log_probs.data<R>() + t * V;
      const auto best = static_cast<int32_t>(std::max_element(row, row + V) - row);
      if (best != blank_ && best == last_)
        tokens_.back().last = frames_ + t;
      else if (best != blank_)
        tokens_.push_back({best, frames_ + t, frames_ + t});
      last_ = best;
    }
  });
  frames_ += T;
}

std::vector<CtcToken> ctc_best_path(const Tensor& log_probs, int32_t blank) {
  CtcBestPath out(blank);
  out.read(log_probs);
  return out.tokens();
}

std::optional<std::vector<CtcToken>> ctc_align(const Tensor& log_probs, const std::vector<int32_t>& target,
                                               int32_t blank) {
  check_frames("ctc_align", log_probs, blank);
  const int64_t T = log_probs.dim(0), V = log_probs.dim(1), L = std::ssize(target);
  for (const int32_t token : target)
    check(0 <= token && token < V && token != blank, "ctc_align: the target holds token ", token,
          ", which is the blank or not below ", V);
  if (T == 0) return L == 0 ? std::optional(std::vector<CtcToken>()) : std::nullopt;

  // States blank, token, blank, ...: state s is token s / 2 if it is odd. came[t][s]: from how many states back.
  const int64_t S = 2 * L + 1;
  const auto class_of = [&](int64_t s) { return s % 2 ? target[static_cast<size_t>(s / 2)] : blank; };
  std::vector<double> score(static_cast<size_t>(S), kImpossible), next(score);
  std::vector<uint8_t> came(static_cast<size_t>(T * S));
  with_float(log_probs.dtype(), [&]<class R>() {
    for (int64_t t = 0; t < T; ++t) {
      const R* const row = log_probs.data<R>() + t * V;
      for (int64_t s = 0; s < S; ++s) {
        double best = t == 0 && s > 1 ? kImpossible : 0;
        uint8_t back = 0;
        if (t > 0) {
          const bool skips = s % 2 && s > 1 && class_of(s) != class_of(s - 2);
          const int64_t most = std::min<int64_t>(s, skips ? 2 : 1);
          best = score[static_cast<size_t>(s)];
          for (int64_t k = 1; k <= most; ++k) {
            const double other = score[static_cast<size_t>(s - k)];
            if (other >= best) best = other, back = static_cast<uint8_t>(k);
          }
        }
        next[static_cast<size_t>(s)] = best + static_cast<double>(row[class_of(s)]);
        came[static_cast<size_t>(t * S + s)] = back;
      }
      std::swap(score, next);
    }
  });
  int64_t s = S - 1;
  if (L > 0 && score[static_cast<size_t>(S - 2)] >= score[static_cast<size_t>(S - 1)]) s = S - 2;
  if (score[static_cast<size_t>(s)] == kImpossible) return std::nullopt;
  std::vector<CtcToken> out(target.size());
  for (size_t i = 0; i < target.size(); ++i) out[i] = {target[i], T, -1};
  for (int64_t t = T - 1; t >= 0; --t) {
    if (s % 2) {
      CtcToken& token = out[static_cast<size_t>(s / 2)];
      token.first = t, token.last = std::max(token.last, t);
    }
    s -= came[static_cast<size_t>(t * S + s)];
  }
  return out;
}

}  // namespace lookback::decode

#include "lookback/ops/ctc.h"

#include <algorithm>
#include <limits>

#include "lookback/base/parallel.h"
#include "lookback/base/wide_number.h"
#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Wide numbers side by side: mantissas, then exponents.
struct WideRow {
  double* mantissa;
  double* exponent;
  WideNumber operator[](int64_t i) const { return {mantissa[i], exponent[i]}; }
  void set(int64_t i, const WideNumber& x) const { mantissa[i] = x.mantissa, exponent[i] = x.exponent; }
};

class WideRows {
 public:
  WideRows(int64_t rows, int64_t width) : width_(width), data_(static_cast<size_t>(2 * rows * width)) {}
  WideRow operator[](int64_t row) {
    double* const at = data_.data() + 2 * row * width_;
    return {at, at + width_};
  }
  void clear(int64_t row) {
    for (int64_t i = 0; i < width_; ++i) (*this)[row].set(i, kWideZero);
  }

 private:
  int64_t width_;
  std::vector<double> data_;
};

// A target's states, in the order a path goes through them: blank, token, blank, ..., token, blank. One may be left out
// between two tokens that differ.
struct States {
  int64_t L;                     // tokens
  std::vector<int32_t> classes;  // that occur, each once, ascending; the blank among them
  std::vector<int32_t> place;    // [L] in `classes` of the tokens
  int64_t blank;                 // the same of the blank
  std::vector<double> skip;  // [L + 1] exponent of what goes from token i - 1 straight to token i: 0, or that of zero
  int64_t least_frames;

  States(const std::vector<int32_t>& target, int32_t blank_class)
      : L(std::ssize(target)), classes(target), skip(static_cast<size_t>(L) + 1, kWideZero.exponent), least_frames(L) {
    classes.push_back(blank_class);
    std::sort(classes.begin(), classes.end());
    classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
    const auto find = [&](int32_t c) {
      return static_cast<int32_t>(std::lower_bound(classes.begin(), classes.end(), c) - classes.begin());
    };
    blank = find(blank_class);
    for (size_t i = 0; i < target.size(); ++i) {
      place.push_back(find(target[i]));
      if (i == 0) continue;
      if (target[i] == target[i - 1])
        ++least_frames;
      else
        skip[i] = 0;
    }
  }
};

// One sequence: its frames' softmax, and the sums over paths forward and backward.
template <class R>
class Sequence {
 public:
  // logits [T, V]; slopes the same, to be written, or null.
  Sequence(const R* logits, int64_t T, int64_t V, const States& states, double scale, R* slopes)
      : logits_(logits),
        T_(T),
        V_(V),
        L_(states.L),
        states_(states),
        scale_(scale),
        slopes_(slopes),
        classes_(T, std::ssize(states.classes)),
        tokens_(1, std::max<int64_t>(1, L_)),
        blanks_(slopes ? T : 2, L_ + 1),
        labels_(slopes ? T : 2, L_ + 1) {}

  // -log p(target | frames): infinity if that is impossible, NaN if a row of logits is no distribution.
  double run() {
    bool good = true;
    for (int64_t t = 0; t < T_; ++t) good &= softmax(t);
    if (!good) {
      fill(std::numeric_limits<R>::quiet_NaN());
      return std::numeric_limits<double>::quiet_NaN();
    }
    forward();
    const int64_t last = row_of(T_ - 1);
    total_ = wide::normalised(wide::plus(blanks_[last][L_], labels_[last][L_]));
    if (is_zero(total_)) {
      fill(0);
      return kInfinity;
    }
    if (slopes_) backward();
    return -wide::log(total_);
  }

 private:
  void fill(R value) {
    if (slopes_) std::fill_n(slopes_, T_ * V_, value);
  }
  int64_t row_of(int64_t t) const { return slopes_ ? t : t % 2; }

  // Row t of `classes_`; writes scale times all probabilities. False if there are none.
  bool softmax(int64_t t) {
    const R* const x = logits_ + t * V_;
    R highest = x[0];
    for (int64_t k = 1; k < V_; ++k) highest = std::max(highest, x[k]);
    mantissas_.resize(static_cast<size_t>(V_)), exponents_.resize(static_cast<size_t>(V_));
    values_.resize(static_cast<size_t>(V_));
    double *const m = mantissas_.data(), *const e = exponents_.data(), *const v = values_.data();
    const double shift = static_cast<double>(highest);
    for (int64_t k = 0; k < V_; ++k) {
      const WideNumber p = wide::exp(static_cast<double>(x[k]) - shift);
      m[k] = p.mantissa, e[k] = p.exponent, v[k] = wide::value(p);
    }
    double sum = 0;
    for (int64_t k = 0; k < V_; ++k) sum += v[k];
    if (!(sum < kInfinity)) return false;
    const double inverse = 1 / sum;
    for (size_t c = 0; c < states_.classes.size(); ++c) {
      const int32_t k = states_.classes[c];
      classes_[t].set(static_cast<int64_t>(c), {m[k] * inverse, e[k]});
    }
    if (slopes_)
      for (int64_t k = 0; k < V_; ++k) slopes_[t * V_ + k] = static_cast<R>(scale_ * (v[k] * inverse));
    return true;
  }

  // Those of the target's tokens in frame t, side by side; returns that of the blank.
  WideNumber gather(int64_t t) {
    const WideRow from = classes_[t], to = tokens_[0];
    for (int64_t i = 0; i < L_; ++i) to.set(i, from[states_.place[static_cast<size_t>(i)]]);
    return from[states_.blank];
  }

  // blanks_[t][i], labels_[t][i + 1]: probability of all paths over frames 0 .. t that end in blank i, token i.
  // labels_[t][0] is zero.
  void forward() {
    const double* const skip = states_.skip.data();
    for (int64_t t = 0; t < T_; ++t) {
      const WideNumber blank = gather(t);
      const WideRow p = tokens_[0], b = blanks_[row_of(t)], l = labels_[row_of(t)];
      if (t == 0) {
        blanks_.clear(0), labels_.clear(0);
        b.set(0, wide::normalised(blank));
        if (L_ > 0) l.set(1, wide::normalised(p[0]));
        continue;
      }
      const WideRow b0 = blanks_[row_of(t - 1)], l0 = labels_[row_of(t - 1)];
      for (int64_t i = 0; i <= L_; ++i) b.set(i, wide::normalised(wide::times(wide::plus(b0[i], l0[i]), blank)));
      l.set(0, kWideZero);
      for (int64_t i = 0; i < L_; ++i) {
        const WideNumber skipped = {l0.mantissa[i], l0.exponent[i] + skip[i]};
        l.set(i + 1, wide::normalised(wide::times(wide::plus(l0[i + 1], b0[i], skipped), p[i])));
      }
    }
  }

  // The same of all paths over the frames behind t that begin in a state; with what stands in blanks_ and labels_, the
  // share of paths that are in it at t.
  void backward() {
    const double* const skip = states_.skip.data();
    WideRows behind(4, L_ + 1);
    for (int64_t row = 0; row < 4; ++row) behind.clear(row);
    const WideRow b = behind[0], l = behind[1], b1 = behind[2], l1 = behind[3];  // l[L] is zero
    b.set(L_, {}), l.set(std::max<int64_t>(0, L_ - 1), L_ > 0 ? WideNumber{} : kWideZero);
    const double inverse = 1 / total_.mantissa, exponent = total_.exponent;
    std::vector<double> shares(states_.classes.size()), of_blank(static_cast<size_t>(L_) + 1), of_token(of_blank);
    for (int64_t t = T_ - 1; t >= 0; --t) {
      const WideRow bt = blanks_[t], lt = labels_[t];
      const auto share = [&](const WideNumber& before, const WideNumber& after) {
        return wide::power_of_two(before.exponent + after.exponent - exponent) *
               (before.mantissa * after.mantissa * inverse);
      };
      for (int64_t i = 0; i <= L_; ++i) of_blank[static_cast<size_t>(i)] = share(bt[i], b[i]);
      for (int64_t i = 0; i < L_; ++i) of_token[static_cast<size_t>(i)] = share(lt[i + 1], l[i]);
      std::fill(shares.begin(), shares.end(), 0.0);
      for (const double s : of_blank) shares[static_cast<size_t>(states_.blank)] += s;
      for (size_t i = 0; i < states_.place.size(); ++i) shares[static_cast<size_t>(states_.place[i])] += of_token[i];
      const WideRow all = classes_[t];
      for (size_t c = 0; c < shares.size(); ++c)
        slopes_[t * V_ + states_.classes[c]] =
            static_cast<R>(scale_ * (wide::value(all[static_cast<int64_t>(c)]) - shares[c]));

      const WideNumber blank = gather(t);
      const WideRow p = tokens_[0];
      for (int64_t i = 0; i <= L_; ++i) b1.set(i, wide::times(b[i], blank));
      for (int64_t i = 0; i < L_; ++i) l1.set(i, wide::times(l[i], p[i]));
      for (int64_t i = 0; i <= L_; ++i) b.set(i, wide::normalised(wide::plus(b1[i], l1[i])));
      for (int64_t i = 0; i < L_; ++i) {
        const WideNumber skipped = {l1.mantissa[i + 1], l1.exponent[i + 1] + skip[i + 1]};
        l.set(i, wide::normalised(wide::plus(l1[i], b1[i + 1], skipped)));
      }
    }
  }

  const R* logits_;
  int64_t T_, V_, L_;
  const States& states_;
  double scale_;
  R* slopes_;
  WideRows classes_;          // [T, classes] probabilities of those that occur
  WideRows tokens_;           // [1, L]
  WideRows blanks_, labels_;  // [T or 2, L + 1]
  WideNumber total_;
  std::vector<double> mantissas_, exponents_, values_;  // [V] of a frame
};

void check_target(const std::vector<int32_t>& target, int64_t s, int64_t V, int32_t blank) {
  for (const int32_t token : target)
    check(0 <= token && token < V && token != blank, "ctc_loss: target ", s, " holds token ", token,
          ", which is the blank or not below ", V);
}

}  // namespace

CtcOut ctc_loss(const Var& logits, const MemoryLayout& frames, const std::vector<std::vector<int32_t>>& targets,
                const CtcOptions& options) {
  check(logits.shape().rank() == 2 && logits.dim(0) == frames.rows(), "ctc_loss: logits must be [", frames.rows(),
        ", V], got ", logits.shape());
  const int64_t V = logits.dim(1), B = frames.sentences();
  check(std::ssize(targets) == B, "ctc_loss: ", targets.size(), " targets for ", B, " sequences");
  check(0 <= options.blank && options.blank < V, "ctc_loss: blank ", options.blank, " is not below ", V);
  for (int64_t s = 0; s < B; ++s) check_target(targets[static_cast<size_t>(s)], s, V, options.blank);

  const bool want = grad_enabled() && logits.needs_grad();
  std::vector<double> losses(static_cast<size_t>(B));
  Tensor loss({1}, logits.dtype()), slopes;
  if (want) slopes = Tensor(logits.shape(), logits.dtype());
  CtcOut out;
  with_float(logits.dtype(), [&]<class R>() {
    parallel_for(B, 1, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; ++s) {
        const auto k = static_cast<size_t>(s);
        const States states(targets[k], options.blank);
        const int64_t first = frames.begin(s) * V, T = frames.length(s);
        R* const to = want ? slopes.data<R>() + first : nullptr;
        if (T == 0 || T < states.least_frames) {
          losses[k] = states.L > 0 ? kInfinity : 0;
          if (to) std::fill_n(to, T * V, R{0});
        } else {
          losses[k] = Sequence<R>(logits.value().data<R>() + first, T, V, states, options.scale, to).run();
        }
      }
    });
    for (const double l : losses) {
      if (l == kInfinity)
        ++out.impossible;
      else
        out.loss_sum += l;
    }
    loss.data<R>()[0] = static_cast<R>(options.scale * out.loss_sum);
  });
  out.loss =
      record({loss}, {logits}, [slopes](Node& node) { add_scaled_grad(node.inputs[0], slopes, node.grads[0]); })[0];
  return out;
}

}  // namespace lookback::ops

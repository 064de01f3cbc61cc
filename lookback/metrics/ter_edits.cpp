// The search for shifts, after Tercom. Names: i and j are positions in hypothesis and reference, counted from 1 in
// the distance matrix, whose row 0 and column 0 stand for the empty prefix.
#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>
#include <vector>

#include "lookback/metrics/ter.h"

namespace lookback::metrics {
namespace {

using Words = std::u32string;

constexpr int64_t kMaxShiftSize = 10;
constexpr int64_t kMaxShiftDistance = 50;
constexpr int64_t kMaxCandidates = 1000;
constexpr int64_t kBeam = 25;
constexpr int32_t kInfinity = 1 << 30;

enum class Op : char { match, substitute, insert, remove, unknown };

// Which reference position each hypothesis position faces, and where the two differ.
struct Alignment {
  std::vector<int64_t> align;  // [reference] last hypothesis position written by then; -1 before the first
  std::vector<char> hypothesis_wrong, reference_wrong;
};

// Levenshtein distance within a band around the diagonal. A base hypothesis is kept with all its rows; variants of it
// that share a prefix start from the row where they part.
class BandedDistance {
 public:
  BandedDistance(const Words& reference, int64_t hypothesis_length)
      : reference_(reference), n_(hypothesis_length), m_(static_cast<int64_t>(reference.size())), rows_(n_ + 1) {
    const double ratio = n_ > 0 ? static_cast<double>(m_) / static_cast<double>(n_) : 1.0;
    // When lengths differ wildly, neighbouring rows must still overlap.
    const int64_t width =
        kBeam < ratio / 2 ? static_cast<int64_t>(std::ceil(ratio / 2 + static_cast<double>(kBeam))) : kBeam;
    band_.push_back({0, m_ + 1});
    for (int64_t i = 1; i <= n_; ++i) {
      const auto diagonal = static_cast<int64_t>(std::floor(static_cast<double>(i) * ratio));
      band_.push_back({std::max<int64_t>(0, diagonal - width), i == n_ ? m_ + 1 : std::min(m_ + 1, diagonal + width)});
    }
    for (int64_t j = 0; j <= m_; ++j) {
      rows_[0].cost.push_back(static_cast<int32_t>(j));
      rows_[0].op.push_back(Op::insert);
    }
  }

  int32_t set_base(const Words& words) {
    for (int64_t i = 1; i <= n_; ++i) fill_row(i, words[i - 1], rows_[i - 1], rows_[i]);
    return rows_[n_].cost.back();
  }

  // `same` words at the start are those of the base.
  int32_t distance(const Words& words, int64_t same) {
    const Row* above = &rows_[same];
    for (int64_t i = same + 1; i <= n_; ++i) {
      Row& row = scratch_[i % 2];
      fill_row(i, words[i - 1], *above, row);
      above = &row;
    }
    return above->cost.back();
  }

  Alignment alignment() const {
    Alignment out{std::vector<int64_t>(m_, -1), std::vector<char>(n_, 1), std::vector<char>(m_, 1)};
    for (int64_t i = n_, j = m_; i > 0 || j > 0;) {
      const Op op = rows_[i].op[j - band_[i].begin];
      if (op != Op::remove) out.align[j - 1] = i - 1;
      if (op == Op::match) out.hypothesis_wrong[i - 1] = out.reference_wrong[j - 1] = 0;
      if (op != Op::remove) --j;
      if (op != Op::insert) --i;
    }
    return out;
  }

 private:
  struct Band {
    int64_t begin, end;  // columns
  };
  struct Row {
    std::vector<int32_t> cost;
    std::vector<Op> op;
  };

  void fill_row(int64_t i, char32_t word, const Row& above, Row& row) const {
    const auto [begin, end] = band_[i];
    const auto [above_begin, above_end] = band_[i - 1];
    row.cost.resize(end - begin);
    row.op.resize(end - begin);
    const auto above_at = [&, b = above_begin, e = above_end](int64_t j) {
      return j >= b && j < e ? above.cost[j - b] : kInfinity;
    };
    int32_t left = kInfinity, diagonal = begin > 0 ? above_at(begin - 1) : kInfinity;
    for (int64_t j = begin; j < end; ++j) {
      const int32_t up = above_at(j);
      int32_t best = kInfinity;
      Op op = Op::unknown;
      // Tercom prefers substitution, then insertion, then deletion; seen from the other side, deletion comes first.
      if (j > 0) {
        const bool equal = word == reference_[j - 1];
        if (diagonal + !equal < best) best = diagonal + !equal, op = equal ? Op::match : Op::substitute;
      }
      if (up + 1 < best) best = up + 1, op = Op::remove;
      if (left + 1 < best) best = left + 1, op = Op::insert;
      row.cost[j - begin] = left = best;
      row.op[j - begin] = op;
      diagonal = up;
    }
  }

  const Words& reference_;
  int64_t n_, m_;
  std::vector<Band> band_;
  std::vector<Row> rows_;
  Row scratch_[2];
};

// `words` with the block [start, start + length) moved to before position `target`. A target inside the block moves
// it target - start places to the right, as far as there are words.
Words shifted(const Words& words, int64_t start, int64_t length, int64_t target) {
  const Words block = words.substr(start, length);
  Words out = words;
  out.erase(start, length);
  if (target > start + length)
    target -= length;
  else if (target >= start)
    target = std::min(target, static_cast<int64_t>(out.size()));
  return out.insert(target, block);
}

struct Shift {
  int64_t gain, length, start, target;
  // Best first: gain, then the longest, then the earliest, then the earliest target.
  auto rank() const { return std::make_tuple(gain, length, -start, -target); }
};

class ShiftSearch {
 public:
  ShiftSearch(const Words& reference, Words hypothesis)
      : reference_(reference), words_(std::move(hypothesis)), distance_(reference, size(words_)) {}

  int64_t edits() {
    int64_t shifts = 0;
    for (;; ++shifts) {
      base_ = distance_.set_base(words_);
      const std::optional<Shift> best = best_shift();
      if (checked_ >= kMaxCandidates || !best || best->gain <= 0) return shifts + base_;
      words_ = shifted(words_, best->start, best->length, best->target);
    }
  }

 private:
  static int64_t size(const Words& w) { return static_cast<int64_t>(w.size()); }

  std::optional<Shift> best_shift() {
    const Alignment a = distance_.alignment();
    std::optional<Shift> best;
    for (int64_t start = 0; start < size(words_); ++start) {
      const int64_t first = std::max<int64_t>(0, start - kMaxShiftDistance);
      const int64_t last = std::min(size(reference_) - 1, start + kMaxShiftDistance);
      for (int64_t to = first; to <= last; ++to) {
        bool wrong_here = false, wrong_there = false;
        for (int64_t length = 1; length <= kMaxShiftSize; ++length) {
          const int64_t h = start + length - 1, r = to + length - 1;
          if (h >= size(words_) || r >= size(reference_) || words_[h] != reference_[r]) break;
          wrong_here |= a.hypothesis_wrong[h] != 0;
          wrong_there |= a.reference_wrong[r] != 0;
          const bool within = start <= a.align[to] && a.align[to] < start + length;
          if (!wrong_here || !wrong_there || within) continue;
          try_targets(a, {0, length, start, 0}, to, best);
          if (checked_ >= kMaxCandidates) return best;
        }
      }
    }
    return best;
  }

  void try_targets(const Alignment& a, Shift shift, int64_t to, std::optional<Shift>& best) {
    int64_t previous = -1;
    for (int64_t at = to - 1; at < to + shift.length && at < size(reference_); ++at) {
      shift.target = at < 0 ? 0 : a.align[at] + 1;
      if (shift.target == previous) continue;
      previous = shift.target;
      const Words moved = shifted(words_, shift.start, shift.length, shift.target);
      const auto same = std::mismatch(words_.begin(), words_.end(), moved.begin()).first - words_.begin();
      shift.gain = base_ - distance_.distance(moved, same);
      ++checked_;
      if (!best || shift.rank() > best->rank()) best = shift;
    }
  }

  const Words& reference_;
  Words words_;
  BandedDistance distance_;
  int32_t base_ = 0;
  int64_t checked_ = 0;
};

}  // namespace

int64_t translation_edits(std::u32string hypothesis, const std::u32string& reference) {
  if (reference.empty()) return static_cast<int64_t>(hypothesis.size());
  return ShiftSearch(reference, std::move(hypothesis)).edits();
}

}  // namespace lookback::metrics

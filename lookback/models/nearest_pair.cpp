#include "lookback/models/nearest_pair.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

namespace lookback {
namespace {

constexpr int64_t kFar = std::numeric_limits<int64_t>::max();

// The distances of one sequence to others, each up to a limit.
class Distance {
 public:
  Distance(const Symbols& query, size_t alphabet) : query_(query), is_short_(query.size() <= 64) {
    if (!is_short_ || query.empty()) return;
    places_.resize(alphabet);
    for (size_t k = 0; k < query.size(); ++k)
      if (query[k] >= 0 && static_cast<size_t>(query[k]) < alphabet)
        places_[static_cast<size_t>(query[k])] |= uint64_t{1} << k;
  }

  // More than `limit` if the distance is more than that.
  int64_t operator()(std::span<const int32_t> other, int64_t limit) const {
    if (query_.empty()) return std::ssize(other);
    return is_short_ ? by_bits(other, limit) : by_rows(other);
  }

 private:
  // Bit k of `up` and `down` says that a column of the table rises or falls from cell k to cell k + 1; `score` is its
  // last cell.
  int64_t by_bits(std::span<const int32_t> other, int64_t limit) const {
    const uint64_t last = uint64_t{1} << (query_.size() - 1);
    uint64_t up = ~uint64_t{0}, down = 0;
    int64_t score = std::ssize(query_), left = std::ssize(other);
    for (const int32_t symbol : other) {
      const uint64_t equal = places_[static_cast<size_t>(symbol)];
      const uint64_t diagonal = (((equal & up) + up) ^ up) | equal | down;
      uint64_t rises = down | ~(diagonal | up), falls = up & diagonal;
      score += (rises & last) ? 1 : (falls & last) ? -1 : 0;
      if (score - --left > limit) return kFar;  // each further column takes off one at most
      rises = rises << 1 | 1, falls <<= 1;
      const uint64_t before = equal | down;
      up = falls | ~(before | rises);
      down = rises & before;
    }
    return score;
  }

  int64_t by_rows(std::span<const int32_t> other) const {
    std::vector<int64_t> row(query_.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (const int32_t symbol : other) {
      int64_t diagonal = row[0]++;
      for (size_t j = 1; j < row.size(); ++j) {
        const int64_t replaced = diagonal + (query_[j - 1] != symbol);
        diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
      }
    }
    return row.back();
  }

  const Symbols& query_;
  const bool is_short_;
  std::vector<uint64_t> places_;  // of each symbol, where the query has it
};

// Where the longest piece that both have begins in each, and its length.
struct Common {
  size_t a = 0, b = 0, size = 0;
};
Common longest_common(const Symbols& a, const Symbols& b) {
  Common out;
  std::vector<size_t> ends(b.size() + 1);  // the length of what is common up to here, in a and in b
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = b.size(); j-- > 0;) {
      ends[j + 1] = a[i] == b[j] ? ends[j] + 1 : 0;
      const size_t size = ends[j + 1];
      const Common now{i + 1 - size, j + 1 - size, size};
      if (size > out.size || (size == out.size && size > 0 && std::pair(now.a, now.b) < std::pair(out.a, out.b)))
        out = now;
    }
  return out;
}

}  // namespace

NearestSequence::NearestSequence(const std::vector<Symbols>& sequences) {
  std::vector<size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t k) { return sequences[k].size(); });
  for (const size_t k : order) {
    entries_.push_back({k, symbols_.size(), sequences[k].size()});
    symbols_.insert(symbols_.end(), sequences[k].begin(), sequences[k].end());
  }
  for (const int32_t symbol : symbols_) alphabet_ = std::max(alphabet_, static_cast<size_t>(symbol) + 1);
}

std::optional<size_t> NearestSequence::nearest(const Symbols& query, const std::function<bool(size_t)>& fits) const {
  const Distance distance(query, alphabet_);
  std::pair<int64_t, size_t> best{kFar, 0};
  const auto look = [&](const Entry& e) {
    const std::pair found{distance({symbols_.data() + e.begin, e.size}, best.first), e.number};
    if (found.first < kFar && found < best && (!fits || fits(e.number))) best = found;
  };
  // From lengths like the query's to others; a length that differs by more than the best distance has none as near.
  const auto gap = [&](const Entry& e) { return std::abs(static_cast<int64_t>(e.size) - std::ssize(query)); };
  auto up = std::ranges::lower_bound(entries_, query.size(), {}, &Entry::size), down = up;
  for (;;) {
    const int64_t above = up == entries_.end() ? kFar : gap(*up);
    const int64_t below = down == entries_.begin() ? kFar : gap(*std::prev(down));
    if (std::min(above, below) == kFar || std::min(above, below) > best.first) break;
    look(above <= below ? *up++ : *--down);
  }
  return best.first == kFar ? std::nullopt : std::optional(best.second);
}

int64_t edit_distance(const Symbols& a, const Symbols& b) {
  int32_t largest = 0;
  for (const int32_t symbol : b) largest = std::max(largest, symbol);
  return Distance(a, static_cast<size_t>(largest) + 1)(b, kFar - 1);
}

std::optional<Symbols> changed_alike(const Symbols& source, const Symbols& target, const Symbols& query) {
  if (query == source) return target;
  const Common stem = longest_common(source, target);
  const std::span all(source);
  const auto prefix = all.first(stem.a), suffix = all.subspan(stem.a + stem.size);
  if (stem.size == 0 || query.size() < prefix.size() + suffix.size()) return std::nullopt;
  if (!std::equal(prefix.begin(), prefix.end(), query.begin()) ||
      !std::equal(suffix.begin(), suffix.end(), query.end() - std::ssize(suffix)))
    return std::nullopt;
  Symbols out(target.begin(), target.begin() + static_cast<int64_t>(stem.b));
  out.insert(out.end(), query.begin() + std::ssize(prefix), query.end() - std::ssize(suffix));
  out.insert(out.end(), target.begin() + static_cast<int64_t>(stem.b + stem.size), target.end());
  return out;
}

}  // namespace lookback

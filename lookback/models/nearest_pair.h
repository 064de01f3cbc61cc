// Pairs of sequences that answer for others like them: by edit distance the nearest one, and its change of prefix and
// suffix. What has to be beaten where strings become strings.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace lookback {

using Symbols = std::vector<int32_t>;  // numbers of symbols, 0 or more

// Sequences, to be asked for the nearest of them.
class NearestSequence {
 public:
  explicit NearestSequence(const std::vector<Symbols>& sequences);

  // The number of the sequence with the smallest edit distance (Levenshtein's) to `query` among those that fit, all
  // unless there is a `fits`; of equals the first. Nothing if none fits. Symbols of the query may be ones that no
  // sequence has. Queries of up to 64 symbols take some operations for each symbol of a sequence that may be nearest
  // (Myers 1999, "A fast bit-vector algorithm for approximate string matching based on dynamic programming").
  std::optional<size_t> nearest(const Symbols& query, const std::function<bool(size_t)>& fits = {}) const;

 private:
  struct Entry {
    size_t number;       // as given
    size_t begin, size;  // of its symbols
  };
  std::vector<Entry> entries_;  // from short to long, equals as given
  std::vector<int32_t> symbols_;
  size_t alphabet_ = 0;  // one more than the largest symbol
};

// Levenshtein's distance.
int64_t edit_distance(const Symbols& a, const Symbols& b);

// What becomes of `query` if source became target by a change of its prefix and its suffix around the longest piece
// that both have (of equals the first): geschenkt for schenken, if kaufen became gekauft. Nothing where query does not
// begin and end as source does around that piece, or where there is none. The source itself becomes the target.
std::optional<Symbols> changed_alike(const Symbols& source, const Symbols& target, const Symbols& query);

}  // namespace lookback

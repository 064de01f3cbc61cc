// Ids and the pieces of text they stand for.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lookback::data {

// The first four ids mean the same in every tokenizer and every model.
inline constexpr int32_t kUnk = 0;  // text the vocabulary does not know
inline constexpr int32_t kBos = 1;  // begin of sequence
inline constexpr int32_t kEos = 2;  // end of sequence
inline constexpr int32_t kPad = 3;  // filler, never part of a sequence
inline constexpr int32_t kSpecials = 4;
inline constexpr std::array<std::string_view, kSpecials> kSpecialNames = {"<unk>", "<s>", "</s>", "<pad>"};

// What kUnk decodes to.
inline constexpr std::string_view kUnkSurface = "\xE2\x81\x87";  // U+2047, a double question mark
// A space, inside a piece.
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, a low block

// The four specials, then the given pieces, numbered from 4 in the given order.
class Vocab {
 public:
  // Throws FormatError for an empty piece, one given twice, or one named like a special.
  explicit Vocab(const std::vector<std::string>& pieces);

  int64_t size() const { return static_cast<int64_t>(pieces_.size()); }
  // The id of a piece; kUnk for one that is not known. Never another special: text
  // that reads "</s>" cannot end a sequence.
  int32_t id(std::string_view piece) const;
  // The piece; specials by name. Throws ShapeError for an id outside [0, size()).
  const std::string& piece(int32_t id) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  std::vector<std::string> pieces_;
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
};

// How often each piece was seen.
using PieceCounts = std::unordered_map<std::string, int64_t>;

// The pieces seen at least `min_count` times, most frequent first and equals in byte
// order, cut so that the vocabulary with its specials has at most `size` entries.
std::vector<std::string> most_frequent(const PieceCounts& counts, int64_t size, int64_t min_count);

}  // namespace lookback::data

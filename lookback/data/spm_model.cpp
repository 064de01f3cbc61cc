#include "lookback/data/spm_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/vocab.h"

namespace lookback::data {
namespace {

constexpr uint64_t kOwnField = 200;
constexpr int kMaxRuleBytes = 256;   // longest left side of a normalisation rule we follow
constexpr int kMaxRuleMatches = 32;  // SentencePiece keeps the matches of one place in an array of this size

// One field of a protocol buffer message.
struct ProtoField {
  uint64_t number = 0;
  int wire = 0;            // 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes
  uint64_t value = 0;      // of wire 0, 1, 5
  std::string_view bytes;  // of wire 2
};

class ProtoReader {
 public:
  ProtoReader(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  bool next(ProtoField& f) {
    if (bytes_.empty()) return false;
    const uint64_t tag = varint();
    f = {.number = tag >> 3, .wire = static_cast<int>(tag & 7)};
    check<FormatError>(f.number > 0, where_, ": damaged SentencePiece model (field number 0)");
    switch (f.wire) {
      case 0:
        f.value = varint();
        break;
      case 1:
        f.value = fixed(8);
        break;
      case 2:
        f.bytes = take(varint());
        break;
      case 5:
        f.value = fixed(4);
        break;
      default:
        throw FormatError(str_cat(where_, ": damaged SentencePiece model (wire type ", f.wire, ")"));
    }
    return true;
  }

 private:
  std::string_view take(uint64_t n) {
    check<FormatError>(n <= bytes_.size(), where_, ": SentencePiece model is cut short: ", n, " bytes wanted, ",
                       bytes_.size(), " left");
    const std::string_view out = bytes_.substr(0, n);
    bytes_.remove_prefix(n);
    return out;
  }
  uint64_t fixed(size_t n) {
    uint64_t out = 0;
    const std::string_view raw = take(n);
    for (size_t k = 0; k < n; ++k) out |= uint64_t{static_cast<uint8_t>(raw[k])} << (8 * k);
    return out;
  }
  uint64_t varint() {
    uint64_t out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      out |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return out;
    }
    throw FormatError(str_cat(where_, ": damaged SentencePiece model (number too long)"));
  }

  std::string_view bytes_;
  const std::string& where_;
};

SpmPiece parse_piece(std::string_view bytes, size_t id, const std::string& where) {
  SpmPiece out;
  ProtoReader reader(bytes, where);
  for (ProtoField f; reader.next(f);) {
    if (f.number == 1 && f.wire == 2) out.text = f.bytes;
    if (f.number == 2 && f.wire == 5) out.score = std::bit_cast<float>(static_cast<uint32_t>(f.value));
    if (f.number == 3 && f.wire == 0) {
      check<FormatError>(f.value >= 1 && f.value <= 6, where, ": piece ", id, " has the unknown type ", f.value);
      out.type = static_cast<SpmPieceType>(f.value);
    }
  }
  check<FormatError>(!out.text.empty(), where, ": piece ", id, " is empty");
  check<FormatError>(out.text.find('\0') == std::string::npos, where, ": piece ", id, " contains a zero byte");
  check<FormatError>(valid_utf8(out.text), where, ": piece ", id, " is not UTF-8");
  check<FormatError>(std::isfinite(out.score), where, ": the score of piece ", id, " is not a number");
  return out;
}

void parse_trainer(std::string_view bytes, SpmModel& model, const std::string& where) {
  ProtoReader reader(bytes, where);
  for (ProtoField f; reader.next(f);) {
    if (f.wire != 0) continue;
    if (f.number == 3) {
      constexpr const char* kKinds[] = {"unigram", "bpe", "word", "char"};
      check<FormatError>(f.value >= 1 && f.value <= 4, where, ": unknown model type ", f.value);
      model.kind = kKinds[f.value - 1];
    }
    if (f.number == 24) model.space_is_suffix = f.value != 0;
    if (f.number == 35) model.byte_fallback = f.value != 0;
  }
}

// The normalisation rules: a double-array trie (Darts) whose leaves are offsets into zero-terminated strings.
// SentencePiece follows it without looking at its bounds; this walks every path that a text could take.
class RuleTable {
 public:
  RuleTable(std::string_view blob, const std::string& where) : where_(where) {
    uint32_t size = 0;
    require(blob.size() >= 4, "is cut short");
    std::memcpy(&size, blob.data(), 4);
    require(size % 4 == 0 && size > 0 && size < blob.size() - 4, "has a trie larger than itself");
    units_.resize(size / 4);
    std::memcpy(units_.data(), blob.data() + 4, size);
    strings_ = blob.substr(4 + size);
    require(strings_.back() == '\0', "has no end");
    matches(offset(units_[0]), 0);
  }

 private:
  static uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }
  static uint32_t label(uint32_t unit) { return unit & ((1u << 31) | 0xFF); }
  void require(bool ok, const char* what) const {
    check<FormatError>(ok, where_, ": the normalisation table of the SentencePiece model ", what);
  }

  // How many rules can match at once below the node whose children start at `base`.
  int matches(uint32_t base, int depth) {
    require(depth < kMaxRuleBytes, "has rules without end");
    const auto [entry, fresh] = seen_.try_emplace(base, -1);
    if (!fresh) {
      require(entry->second >= 0, "runs in a circle");
      return entry->second;
    }
    int most = 0;
    for (uint32_t c = 0; c < 256; ++c) {
      require((base ^ c) < units_.size(), "points outside itself");
      const uint32_t unit = units_[base ^ c];
      if (label(unit) != c) continue;
      const uint32_t next = base ^ c ^ offset(unit);
      require(next < units_.size(), "points outside itself");
      const bool leaf = (unit >> 8) & 1;
      if (leaf) require((units_[next] & 0x7FFFFFFF) < strings_.size(), "points outside its strings");
      most = std::max(most, matches(next, depth + 1) + static_cast<int>(leaf));
    }
    require(most <= kMaxRuleMatches, "has too many rules for one place");
    return seen_[base] = most;
  }

  const std::string& where_;
  std::vector<uint32_t> units_;
  std::string_view strings_;
  std::unordered_map<uint32_t, int> seen_;  // base -> matches; -1 while being counted
};

void check_normalizer(std::string_view bytes, const std::string& where) {
  ProtoReader reader(bytes, where);
  int tables = 0;
  for (ProtoField f; reader.next(f);) {
    if (f.number != 2 || f.wire != 2) continue;
    check<FormatError>(++tables == 1, where, ": damaged SentencePiece model (two normalisation tables)");
    if (!f.bytes.empty()) RuleTable(f.bytes, where);
  }
}

bool parse_own(std::string_view bytes, const std::string& where) {
  bool lowercase = false;
  ProtoReader reader(bytes, where);
  for (ProtoField f; reader.next(f);)
    if (f.number == 1 && f.wire == 0) lowercase = f.value != 0;
  return lowercase;
}

void check_pieces(const SpmModel& model, const std::string& where) {
  const auto& pieces = model.pieces;
  for (size_t k = 0; k < kSpecialNames.size(); ++k) {
    const auto want = k == kUnk ? SpmPieceType::unknown : SpmPieceType::control;
    check<FormatError>(k < pieces.size() && pieces[k].text == kSpecialNames[k] && pieces[k].type == want, where,
                       ": piece ", k, " of the SentencePiece model must be ", kSpecialNames[k],
                       "; train it with --unk_id=0 --bos_id=1 --eos_id=2 --pad_id=3");
  }
  std::unordered_set<std::string_view> seen;
  int64_t bytes = 0;
  for (size_t k = 0; k < pieces.size(); ++k) {
    check<FormatError>(seen.insert(pieces[k].text).second, where, ": piece ", k, " '", pieces[k].text,
                       "' is there twice");
    check<FormatError>(k == kUnk || pieces[k].type != SpmPieceType::unknown, where, ": piece ", k,
                       " is a second unknown piece");
    if (pieces[k].type != SpmPieceType::byte) continue;
    check<FormatError>(spm_byte(pieces[k].text).has_value(), where, ": piece ", k, " '", pieces[k].text,
                       "' is no byte such as <0xE4>");
    ++bytes;
  }
  check<FormatError>(bytes == (model.byte_fallback ? 256 : 0), where, ": ", bytes, " byte pieces, expected ",
                     model.byte_fallback ? 256 : 0);
}

}  // namespace

SpmModel parse_spm(std::string_view bytes, const std::string& where) {
  SpmModel model;
  ProtoReader reader(bytes, where);
  std::unordered_set<uint64_t> seen;
  for (ProtoField f; reader.next(f);) {
    check<FormatError>(f.wire == 2 && (f.number <= 5 || f.number == kOwnField), where,
                       ": not a SentencePiece model (field ", f.number, ")");
    check<FormatError>(f.number == 1 || seen.insert(f.number).second, where, ": damaged SentencePiece model (field ",
                       f.number, " twice)");
    if (f.number == 1) model.pieces.push_back(parse_piece(f.bytes, model.pieces.size(), where));
    if (f.number == 2) parse_trainer(f.bytes, model, where);
    if (f.number == 3 || f.number == 5) check_normalizer(f.bytes, where);
    if (f.number == kOwnField) model.lowercase = parse_own(f.bytes, where);
  }
  check_pieces(model, where);
  return model;
}

std::optional<uint8_t> spm_byte(std::string_view piece) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') return std::nullopt;
  const size_t hi = kDigits.find(piece[3]), lo = kDigits.find(piece[4]);
  if (hi == std::string_view::npos || lo == std::string_view::npos) return std::nullopt;
  return static_cast<uint8_t>(hi * 16 + lo);
}

std::string mark_lowercase(std::string bytes) { return bytes.append("\xC2\x0C\x02\x08\x01"); }

}  // namespace lookback::data

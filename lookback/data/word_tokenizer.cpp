#include "lookback/data/word_tokenizer.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/unicode.h"
#include "lookback/data/word_rules.h"

namespace lookback::data {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // for writing; finding a key in it is a linear search

// The name of a byte, as SentencePiece has it; of printable ASCII the character.
std::string byte_piece(uint8_t byte) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  if (byte == ' ') return std::string(kSpaceMark);
  if (byte > ' ' && byte < 0x7F) return {static_cast<char>(byte)};
  return {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
}

// The byte itself, nothing for what names none.
std::optional<char> byte_of(std::string_view piece) {
  if (piece == kSpaceMark) return ' ';
  if (piece.size() == 1) return piece[0];
  unsigned byte = 0;
  if (piece.size() != 6 || std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16).ec != std::errc{}) return {};
  return static_cast<char>(byte);
}

std::vector<std::string> byte_pieces() {
  std::vector<std::string> out;
  for (int byte = 0; byte < 256; ++byte) out.push_back(byte_piece(static_cast<uint8_t>(byte)));
  return out;
}

// The same in the file: the tokenizers library writes a byte as a character that can be seen, itself in Latin-1 where
// this is one, and the others as those from U+0100 on.
std::vector<std::string> library_byte_pieces() {
  std::vector<std::string> out;
  uint32_t unseen = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool seen = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
    append_utf8(seen ? byte : unseen++, out.emplace_back());
  }
  return out;
}

// How text is cut: everything about these tokenizers but the vocabulary.
struct Rules {
  bool characters = false;
  bool graphemes = false;    // char
  bool bytes = false;        // char
  bool punctuation = false;  // word
  bool lowercase = false;
  bool nfkc = false;
  bool nmt = false;  // nmt_nfkc, with nfkc

  // Calls f with each piece of the text.
  template <class F>
  void cut(std::string_view text, F&& f) const {
    std::string normal;
    if (nfkc) text = normal = nmt ? nmt_nfkc(text) : data::nfkc(text);
    if (lowercase) text = normal = lowercased(text);
    if (!characters) {
      for (const std::string_view word : punctuation ? split_punctuation(text) : split_spaces(text)) f(word);
      return;
    }
    if (bytes) {
      for (const char c : text) f(byte_piece(static_cast<uint8_t>(c)));
      return;
    }
    for (const std::string_view c : graphemes ? data::graphemes(text) : codepoints(text)) f(c == " " ? kSpaceMark : c);
  }
};

OrderedJson part(const char* type, OrderedJson rest = OrderedJson::object()) {
  OrderedJson out = {{"type", type}};
  out.update(rest);
  return out;
}

// What nmt_nfkc (unicode.h) takes away and what it takes for a space.
constexpr const char* kNmtRemoved = "[\\x{0001}-\\x{0008}\\x{000B}\\x{000E}-\\x{001F}\\x{007F}\\x{008F}\\x{009F}]";
constexpr const char* kNmtSpaces =
    "[\\x{0009}\\x{000A}\\x{000C}\\x{000D}\\x{1680}\\x{200B}\\x{200C}\\x{200E}\\x{200F}\\x{2028}\\x{2029}\\x{2581}\\x{"
    "FEFF}"
    "\\x{FFFD}]";

// The same rules in the words of the tokenizers library.
OrderedJson library_normalizer(const Rules& r) {
  OrderedJson steps = OrderedJson::array();
  const auto replace = [](const char* kind, const std::string& pattern, const std::string& content) {
    return part("Replace", {{"pattern", {{kind, pattern}}}, {"content", content}});
  };
  if (r.nmt) {  // the library's own Nmt differs in U+200D and U+FF5E
    steps.push_back(replace("Regex", kNmtRemoved, ""));
    steps.push_back(replace("Regex", kNmtSpaces, " "));
    steps.push_back(replace("String", "\uFF5E", "\U0010FFFE"));
  }
  if (r.nfkc) steps.push_back(part("NFKC"));
  if (r.nmt) steps.push_back(replace("String", "\U0010FFFE", "\uFF5E"));
  if (r.lowercase) steps.push_back(part("Lowercase"));
  if (r.characters && !r.bytes)
    steps.push_back(part("Replace", {{"pattern", {{"String", " "}}}, {"content", kSpaceMark}}));
  return steps.empty() ? OrderedJson() : part("Sequence", {{"normalizers", steps}});
}

// Of pre-tokenizer and decoder: bytes as characters (library_byte_pieces), and back.
OrderedJson library_bytes() {
  return part("ByteLevel", {{"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}});
}

OrderedJson library_splitter(const Rules& r) {
  if (r.characters) {
    const OrderedJson split =
        part("Split",
             {{"pattern", {{"Regex", r.graphemes ? "\\X" : "(?m:.)"}}}, {"behavior", "Isolated"}, {"invert", false}});
    return r.bytes ? part("Sequence", {{"pretokenizers", OrderedJson::array({library_bytes(), split})}}) : split;
  }
  OrderedJson steps = OrderedJson::array({part("WhitespaceSplit")});
  if (r.punctuation) steps.push_back(part("Punctuation", {{"behavior", "Isolated"}}));
  return part("Sequence", {{"pretokenizers", steps}});
}

OrderedJson library_decoder(const Rules& r) {
  if (!r.characters) return OrderedJson();
  if (r.bytes) return library_bytes();
  return part(
      "Sequence",
      {{"decoders", {part("Fuse"), part("Replace", {{"pattern", {{"String", kSpaceMark}}}, {"content", " "}})}}});
}

// Everything of the file that says how text is cut.
OrderedJson library_rules(const Rules& r) {
  return {{"normalizer", library_normalizer(r)},
          {"pre_tokenizer", library_splitter(r)},
          {"post_processor", nullptr},
          {"decoder", library_decoder(r)}};
}

class WordTokenizer final : public Tokenizer {
 public:
  WordTokenizer(const Rules& rules, const std::vector<std::string>& pieces) : rules_(rules), vocab_(pieces) {}

  std::vector<int32_t> encode(std::string_view text) const override {
    check_utf8(text);
    std::vector<int32_t> out;
    rules_.cut(text, [&](std::string_view piece) { out.push_back(vocab_.id(piece)); });
    return out;
  }

  std::vector<std::string> surfaces(std::string_view text) const override {
    check_utf8(text);
    std::vector<std::string> out;
    Rules as_written = rules_;
    // Lower case is one code point for one, and moves no cut, except of bytes.
    as_written.lowercase = rules_.lowercase && rules_.bytes;
    as_written.cut(text, [&](std::string_view piece) { out.emplace_back(piece == kSpaceMark ? "" : piece); });
    return out;
  }

  std::string spelling(std::string_view surface) const override {
    return rules_.lowercase ? lowercased(surface) : std::string(surface);
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::vector<std::string_view> pieces;
    for (const int32_t id : ids) {
      if (id == kUnk) pieces.push_back(kUnkSurface);
      if (id >= kSpecials && id < size()) pieces.push_back(vocab_.piece(id));
    }
    if (rules_.punctuation) return join_punctuation(pieces);
    std::string out;
    for (const std::string_view p : pieces) {
      if (const auto byte = rules_.bytes ? byte_of(p) : std::nullopt)
        out += *byte;
      else if (rules_.characters)
        out += p == kSpaceMark ? " " : p;
      else
        out.append(out.empty() ? "" : " ").append(p);
    }
    return out;
  }

  std::string piece(int32_t id) const override { return vocab_.piece(id); }
  const Rules& rules() const { return rules_; }
  // Whether a text is one word and stands in the vocabulary, if it does, as it is.
  bool is_one_word(const std::string& text) const {
    std::vector<std::string> cut;
    if (valid_utf8(text)) rules_.cut(text, [&](std::string_view piece) { cut.emplace_back(piece); });
    return cut == std::vector<std::string>{text};
  }
  int64_t size() const override { return vocab_.size(); }
  std::string kind() const override { return rules_.characters ? "char" : "word"; }
  std::string file_name() const override { return "tokenizer.json"; }

  std::string bytes() const override {
    OrderedJson vocab = OrderedJson::object(), added = OrderedJson::array();
    auto& entries = vocab.get_ref<OrderedJson::object_t&>();
    const auto names = library_byte_pieces();
    for (int32_t id = 0; id < size(); ++id)
      entries.emplace_back(rules_.bytes && id >= kSpecials ? names[static_cast<size_t>(id - kSpecials)] : piece(id),
                           id);
    for (int32_t id = 0; id < kSpecials; ++id)
      added.push_back({{"id", id},
                       {"content", kSpecialNames[static_cast<size_t>(id)]},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", true}});
    OrderedJson all = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", added}};
    all.update(library_rules(rules_));
    all["model"] = {{"type", "WordLevel"}, {"vocab", std::move(vocab)}, {"unk_token", kSpecialNames[kUnk]}};
    return all.dump(2) + "\n";
  }

 private:
  Rules rules_;
  Vocab vocab_;
};

// The rules whose description is the file's, word for word. The library has no room for a note of our own,
// and so a file has one reading, ours and the library's.
Rules parse_rules(const Json& file) {
  check<FormatError>(file.is_object(), "is no object");
  check<FormatError>(file.at("version") == "1.0", "version must be 1.0, not ", file.at("version").dump());
  for (int bits = 0; bits < 64; ++bits) {
    const bool characters = bits & 1, second = bits & 2;
    const Rules r = {.characters = characters,
                     .graphemes = characters && second,
                     .bytes = characters && !second && (bits & 32) != 0,
                     .punctuation = !characters && second,
                     .lowercase = (bits & 4) != 0,
                     .nfkc = (bits & 8) != 0,
                     .nmt = (bits & 24) == 24};
    const Json rules = library_rules(r);
    if (std::all_of(rules.items().begin(), rules.items().end(),
                    [&](const auto& item) { return file.at(item.key()) == item.value(); }))
      return r;
  }
  throw FormatError(
      "cuts text in a way that lookback's word and char tokenizers do not know; "
      "see normalizer, pre_tokenizer, post_processor and decoder");
}

// The pieces from id 4 on. Every id from 0 must be there once.
std::vector<std::string> parse_pieces(const Json& model) {
  check<FormatError>(model.at("type") == "WordLevel", "model.type must be WordLevel, not ", model.at("type").dump());
  const Json& vocab = model.at("vocab");
  check<FormatError>(vocab.is_object(), "model.vocab must be an object");
  check<FormatError>(vocab.size() >= kSpecialNames.size(), "model.vocab lacks special pieces");
  std::vector<std::string> pieces(vocab.size());
  for (const auto& [piece, id] : vocab.items()) {
    check<FormatError>(id.is_number_unsigned() && id.get<uint64_t>() < pieces.size(), "model.vocab: '", piece,
                       "' has the id ", id, ", expected one below ", pieces.size());
    std::string& place = pieces[id.get<size_t>()];
    check<FormatError>(place.empty(), "model.vocab: '", place, "' and '", piece, "' have the same id ", id);
    check<FormatError>(!piece.empty(), "model.vocab: piece ", id, " is empty");
    place = piece;
  }
  for (size_t k = 0; k < kSpecialNames.size(); ++k)
    check<FormatError>(pieces[k] == kSpecialNames[k], "model.vocab: id ", k, " must be ", kSpecialNames[k], ", not '",
                       pieces[k], "'");
  pieces.erase(pieces.begin(), pieces.begin() + kSpecials);
  return pieces;
}

// A key given twice would quietly win or lose, whichever way the parser is built.
Json parse_strictly(std::string_view json) {
  std::vector<std::unordered_set<std::string>> keys;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key)
      check<FormatError>(keys.back().insert(parsed.get<std::string>()).second, "key ", parsed, " is there twice");
    return true;
  };
  return Json::parse(json, watch);
}

void check_byte_options(const TokenizerOptions& options) {
  constexpr int64_t kEntries = kSpecials + 256;
  check<ConfigError>(options.size >= kEntries, "tokenizer: size = ", options.size, ": unit = \"byte\" always has ",
                     kEntries, " entries, all bytes and the specials; leave size out");
  check<ConfigError>(options.min_count == 1, "tokenizer: min_count = ", options.min_count,
                     ": unit = \"byte\" has all bytes, however often they were seen; leave min_count out");
}

}  // namespace

std::unique_ptr<Tokenizer> train_word_or_char(const TokenizerOptions& options, LineSource lines) {
  const Rules rules = {.characters = options.kind == "char",
                       .graphemes = options.kind == "char" && options.unit == "grapheme",
                       .bytes = options.kind == "char" && options.unit == "byte",
                       .punctuation = options.kind == "word" && options.split == "punctuation",
                       .lowercase = options.lowercase,
                       .nfkc = options.normalization != "identity",
                       .nmt = options.normalization == "nmt_nfkc"};
  if (rules.bytes) check_byte_options(options);
  PieceCounts counts;
  for (std::string line; lines(line);)
    if (valid_utf8(line)) rules.cut(line, [&](std::string_view piece) { ++counts[std::string(piece)]; });
  check<FormatError>(!counts.empty(), "tokenizer: there is no text to learn from");
  return std::make_unique<WordTokenizer>(
      rules, rules.bytes ? byte_pieces() : most_frequent(counts, options.size, options.min_count));
}

std::unique_ptr<Tokenizer> with_words(const Tokenizer& tokenizer, std::span<const std::string> words) {
  const auto* const known = dynamic_cast<const WordTokenizer*>(&tokenizer);
  check<ConfigError>(known && tokenizer.kind() == "word", "words can be added to a tokenizer of kind word alone, not ",
                     tokenizer.kind());
  std::vector<std::string> pieces;
  for (int32_t id = kSpecials; id < tokenizer.size(); ++id) pieces.push_back(tokenizer.piece(id));
  std::unordered_set<std::string> added;
  for (const std::string& word : words)
    if (known->is_one_word(word) && known->encode(word)[0] == kUnk && added.insert(word).second) pieces.push_back(word);
  auto out = std::make_unique<WordTokenizer>(known->rules(), pieces);
  out->set_sampling(tokenizer.sampling());
  return out;
}

std::unique_ptr<Tokenizer> parse_word_or_char(std::string_view json, const std::string& where) {
  try {
    const Json all = parse_strictly(json);
    const Rules rules = parse_rules(all);
    std::vector<std::string> pieces = parse_pieces(all.at("model"));
    if (rules.bytes) {
      check<FormatError>(pieces == library_byte_pieces(), "model.vocab must be the 256 bytes in their order");
      pieces = byte_pieces();
    }
    return std::make_unique<WordTokenizer>(rules, pieces);
  } catch (const nlohmann::json::exception& e) {
    throw FormatError(where + ": " + e.what());
  } catch (const FormatError& e) {
    throw FormatError(where + ": " + e.what());
  }
}

}  // namespace lookback::data

#include "lookback/data/word_tokenizer.h"

#include "lookback/base/error.h"
#include "lookback/data/testing.h"
#include "lookback/data/unicode.h"
#include "lookback/data/word_rules.h"

namespace lookback::data {
namespace {

using Strings = std::vector<std::string>;

Strings strings(const std::vector<std::string_view>& v) { return {v.begin(), v.end()}; }

TEST(Unicode, Characters) {
  EXPECT_EQ(lowercased("ÄÖÜ ẞß ΑΒΓ İ 12"), "äöü ßß αβγ i 12");
  EXPECT_EQ(nfkc("e\u0301 ﬁ ①"), "é fi 1");
  EXPECT_EQ(strings(codepoints("aé漢😀")), (Strings{"a", "é", "漢", "😀"}));
  EXPECT_EQ(strings(graphemes("e\u0301x\U0001F469\u200D\U0001F4BB\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7")),
            (Strings{"e\u0301", "x", "\U0001F469\u200D\U0001F4BB", "\U0001F1E9\U0001F1EA", "\U0001F1EB\U0001F1F7"}));
  for (const char32_t c : {U' ', U'\t', U'\u00A0', U'\u3000', U'\u2009', U'\u0085'}) EXPECT_TRUE(is_space(c));
  for (const char32_t c : {U'a', U'\u200B', U'_', U'\u180E'}) EXPECT_FALSE(is_space(c));
  for (const char32_t c : {U'.', U'$', U'~', U'_', U'@', U'[', U'`', U'{', U'–', U'„', U'。'})
    EXPECT_TRUE(is_punctuation(c));
  for (const char32_t c : {U'a', U'Z', U'0', U'9', U' ', U'é', U'€', U'漢', U'\x7F'}) EXPECT_FALSE(is_punctuation(c));
}

TEST(WordRules, Split) {
  EXPECT_EQ(strings(split_spaces("  a.b\tc\u00A0d\u3000")), (Strings{"a.b", "c", "d"}));
  EXPECT_EQ(strings(split_punctuation("It's 3.5 km.")), (Strings{"It", "'", "s", "3", ".", "5", "km", "."}));
  EXPECT_EQ(strings(split_punctuation("(„ja“)...")), (Strings{"(", "„", "ja", "“", ")", ".", ".", "."}));
  EXPECT_EQ(split_spaces(" ").size() + split_punctuation("").size(), 0u);
}

TEST(WordRules, JoinGivesBackUsualText) {
  for (const std::string s :
       {"It's 3.5 km.", "Ein Mann, der (fast) nie lacht, sagt: \"Guten Tag!\" und geht.", "Um 12:30 Uhr; 1,000 $5?",
        "A T-shirt and/or a_b@c.", "\"a\" \"b\"", "[x] {y}", "¿Qué? ¡Sí!", "Müller’s Café – heute…"}) {
    if (s.find('@') != std::string::npos) continue;
    EXPECT_EQ(join_punctuation(split_punctuation(s)), s);
  }
  EXPECT_EQ(join_punctuation({}), "");
  EXPECT_EQ(join_punctuation({"a", ".", "b"}), "a. b");
  EXPECT_EQ(join_punctuation({"3", ".", "5", "."}), "3.5.");
}

TEST(WordTokenizer, CountsDecide) {
  const auto t =
      train_tokenizer({.kind = "word", .min_count = 2, .split = "space"}, from({"b a a b c", "a <unk> <unk>"}));
  EXPECT_EQ(t->size(), 6);
  EXPECT_EQ(t->piece(4), "a");
  EXPECT_EQ(t->encode("a b c d"), (std::vector<int32_t>{4, 5, kUnk, kUnk}));
  EXPECT_EQ(t->decode(t->encode("a c  b")), "a ⁇ b");
  const auto small = train_tokenizer({.kind = "word", .size = 5, .split = "space"}, from({"b a a"}));
  EXPECT_EQ(small->size(), 5);
  EXPECT_EQ(small->encode("a b"), (std::vector<int32_t>{4, kUnk}));
}

TEST(WordTokenizer, NormalizationIsChosen) {
  const auto plain = train_tokenizer({.kind = "char", .normalization = "identity"}, from({"ﬁx"}));
  EXPECT_EQ(plain->decode(plain->encode("ﬁ")), "ﬁ");
  const auto nfkc = train_tokenizer({.kind = "char"}, from({"ﬁx"}));
  EXPECT_EQ(nfkc->decode(nfkc->encode("ﬁ")), "fi");
}

TEST(CharTokenizer, UnitIsChosen) {
  const std::string s = "\U0001F469\u200D\U0001F4BB a";
  const auto points = train_tokenizer({.kind = "char"}, from({s}));
  const auto clusters = train_tokenizer({.kind = "char", .unit = "grapheme"}, from({s}));
  EXPECT_EQ(points->encode(s).size(), 5u);
  EXPECT_EQ(clusters->encode(s).size(), 3u);
  EXPECT_EQ(points->decode(points->encode(s)), s);
  EXPECT_EQ(clusters->decode(clusters->encode(s)), s);
}

// One file per kind of damage: `from` in a good file becomes `to`.
struct Damage {
  const char *from, *to, *told;
};

TokenizerOptions of_bytes() { return {.kind = "char", .unit = "byte"}; }

std::vector<int32_t> ids_of(std::string_view bytes) {
  std::vector<int32_t> out;
  for (const char c : bytes) out.push_back(kSpecials + static_cast<uint8_t>(c));
  return out;
}

TEST(ByteTokenizer, EachByteIsATokenWhateverWasSeen) {
  const auto t = train_tokenizer(of_bytes(), from({"a"}));
  EXPECT_EQ(t->size(), kSpecials + 256);
  EXPECT_EQ(t->kind(), "char");
  for (const std::string s : {"Der Hund", "漢字 und \U0001F469", "\x01\x7F~", "</s><0x41>", "  a  ", ""}) {
    const auto plain = train_tokenizer({.kind = "char", .normalization = "identity", .unit = "byte"}, from({"x"}));
    EXPECT_EQ(plain->encode(s), ids_of(s));
    EXPECT_EQ(plain->decode(plain->encode(s)), s);
  }
  EXPECT_EQ(t->encode("ﬁ\u200Bé"), ids_of("fi é")) << "normalised before it is cut";
  EXPECT_EQ(t->bytes(), train_tokenizer(of_bytes(), from({"other text", "b"}))->bytes());
  EXPECT_THROW(t->encode("a\xFF"), FormatError);
}

TEST(ByteTokenizer, PiecesAndSurfacesCanBeRead) {
  const auto t = train_tokenizer(of_bytes(), from({"a"}));
  EXPECT_EQ(t->pieces(t->encode("a €~")), (Strings{"a", std::string(kSpaceMark), "<0xE2>", "<0x82>", "<0xAC>", "~"}));
  EXPECT_EQ(t->piece(kSpecials), "<0x00>");
  EXPECT_EQ(t->piece(kSpecials + 0x7F), "<0x7F>");
  EXPECT_EQ(t->piece(kSpecials + 0xFF), "<0xFF>");
  EXPECT_EQ(t->surfaces("a ü"), (Strings{"a", "", "<0xC3>", "<0xBC>"}));
}

TEST(ByteTokenizer, LowerCaseMayHaveFewerBytes) {
  TokenizerOptions options = of_bytes();
  options.lowercase = true, options.normalization = "identity";
  const auto t = train_tokenizer(options, from({"a"}));
  EXPECT_EQ(t->decode(t->encode("AÄ \u212A\u1E9E")), "aä kß");
  EXPECT_EQ(t->surfaces("A\u212A\u1E9E").size(), t->encode("A\u212A\u1E9E").size());
}

TEST(ByteTokenizer, DecodeGivesBytesThatNeedNotBeText) {
  const auto t = train_tokenizer(of_bytes(), from({"a"}));
  EXPECT_EQ(t->decode(ids_of("\xE2\x82")), "\xE2\x82");
  EXPECT_EQ(t->decode(ids_of("\xFF\n\x80")), "\xFF\n\x80");
  std::vector<int32_t> ids = {kBos, kSpecials + 'a', kUnk, kEos, kPad, -1, kSpecials + 256};
  EXPECT_EQ(t->decode(ids), "a" + std::string(kUnkSurface));
}

TEST(ByteTokenizer, FilesReadBackAndHaveOneReading) {
  for (const bool lowercase : {false, true})
    for (const char* const form : {"nmt_nfkc", "nfkc", "identity"}) {
      TokenizerOptions options = of_bytes();
      options.lowercase = lowercase, options.normalization = form;
      const auto t = train_tokenizer(options, from({"a"})), again = parse_tokenizer(t->bytes(), "x");
      EXPECT_EQ(again->bytes(), t->bytes());
      EXPECT_EQ(again->encode("Ａ ﬁ Ü\u200B漢"), t->encode("Ａ ﬁ Ü\u200B漢"));
      EXPECT_EQ(again->piece(kSpecials + 0xE2), "<0xE2>");
    }
  const std::string good = train_tokenizer(of_bytes(), from({"a"}))->bytes();
  const Damage damages[] = {
      {"\"a\": 101", "\"\u4444\": 101", "256 bytes"},
      {"\"a\": 101", "\"b\": 101", "there twice"},
      {",\n      \"\u00FF\": 259", "", "256 bytes"},
      {"\"ByteLevel\"", "\"ByteFallback\"", "cuts text"},
  };
  for (const Damage& d : damages) {
    std::string bad = good;
    ASSERT_NE(bad.find(d.from), std::string::npos) << d.from;
    bad.replace(bad.find(d.from), std::string(d.from).size(), d.to);
    const std::string m = message_of<FormatError>([&] { parse_tokenizer(bad, "file.json"); });
    EXPECT_NE(m.find(d.told), std::string::npos) << d.from << ": " << m;
  }
}

TEST(ByteTokenizer, OptionsThatCannotApplyAreRefused) {
  TokenizerOptions small = of_bytes(), rare = of_bytes();
  small.size = 259, rare.min_count = 2;
  EXPECT_NE(message_of<ConfigError>([&] { train_tokenizer(small, from({"a"})); }).find("260 entries"),
            std::string::npos);
  EXPECT_NE(message_of<ConfigError>([&] { train_tokenizer(rare, from({"a"})); }).find("min_count"), std::string::npos);
  EXPECT_THROW(train_tokenizer(of_bytes(), from({})), FormatError);
  small.size = 260;
  EXPECT_EQ(train_tokenizer(small, from({"a"}))->size(), 260);
}

TEST(WordTokenizer, DamagedFiles) {
  const std::string good = train_tokenizer({.kind = "word"}, from({"a a b"}))->bytes();
  EXPECT_EQ(parse_tokenizer(good, "x")->bytes(), good);
  const Damage damages[] = {
      {"\"version\": \"1.0\"", "\"version\": \"2.0\"", "version must be 1.0"},
      {"\"version\": \"1.0\",", "", "version"},
      {"NFKC", "NFD", "cuts text"},
      {"WhitespaceSplit", "Whitespace", "cuts text"},
      {"\"decoder\": null", "\"decoder\": {}", "cuts text"},
      {"\"post_processor\": null,", "", "post_processor"},
      {"\"type\": \"WordLevel\"", "\"type\": \"BPE\"", "WordLevel"},
      {"\"vocab\": {", "\"vocab\": 3, \"old\": {", "must be an object"},
      {"\"a\": 4", "\"a\": 5", "same id"},
      {"\"a\": 4", "\"a\": 6", "below 6"},
      {"\"a\": 4", "\"a\": -4", "below 6"},
      {"\"a\": 4", "\"a\": 4.0", "below 6"},
      {"\"a\": 4", "\"a\": 18446744073709551615", "below 6"},
      {"\"a\": 4", "\"b\": 4", "there twice"},
      {"\"a\": 4", "\"\": 4", "empty"},
      {"\"a\": 4", "\"\xFF\": 4", "UTF-8"},
      {"\"<pad>\": 3", "\"pad\": 3", "must be <pad>"},
      {"\"<unk>\": 0,", "", "below 5"},
      {"}", "", "parse error"},
  };
  for (const Damage& d : damages) {
    std::string bad = good;
    ASSERT_NE(bad.find(d.from), std::string::npos) << d.from;
    bad.replace(bad.rfind(d.from), std::string(d.from).size(), d.to);
    const std::string m = message_of<FormatError>([&] { parse_tokenizer(bad, "file.json"); });
    EXPECT_EQ(m.substr(0, 11), "file.json: ") << m;
    EXPECT_NE(m.find(d.told), std::string::npos) << d.from << " -> " << d.to << ": " << m;
  }
  for (size_t n = 0; n + 2 < good.size(); ++n) EXPECT_THROW(parse_tokenizer(good.substr(0, n), "x"), FormatError) << n;
  EXPECT_THROW(parse_tokenizer(good + "{}", "x"), FormatError);
  std::string deep = "{\"version\":";
  for (int k = 0; k < 200000; ++k) deep += '[';
  EXPECT_THROW(parse_tokenizer(deep, "x"), FormatError);
}

std::string utf8(char32_t c) {
  const auto byte = [](char32_t x) { return static_cast<char>(static_cast<unsigned char>(x)); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
  if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
}

// What each character becomes in SentencePiece, as text between two letters, with the space mark.
TEST(WordTokenizer, NmtNfkcIsThatOfSentencePiece) {
  const auto lines = [] { return [n = 0](std::string& line) mutable { return line = "ab a b", n++ < 3; }; };
  const auto spm = train_tokenizer({.kind = "unigram", .size = 300, .byte_fallback = true}, lines());
  const auto ours = train_tokenizer({.kind = "word", .split = "space"}, lines());
  const auto bytes_of = [&](const Tokenizer& t, const std::string& text) {
    std::string out;
    if (t.kind() == "word") {
      for (const std::string& word : t.surfaces(text)) out += (out.empty() ? "" : " ") + word;
      return out;
    }
    return t.decode(t.encode(text));  // all bytes, since there are pieces for bytes
  };
  // New since the Unicode that SentencePiece knows, so it leaves them as they are.
  const auto is_newer = [](char32_t c) {
    return (c >= 0xA7F2 && c <= 0xA7F4) || (c >= 0x10780 && c <= 0x107BA) || (c >= 0x1E030 && c <= 0x1E06D);
  };
  Strings different;
  for (char32_t c = 1; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    const std::string text = "a" + utf8(c) + "b", theirs = bytes_of(*spm, text);
    if (theirs != bytes_of(*ours, text) && !(is_newer(c) && theirs == text)) different.push_back(utf8(c));
  }
  // White space of Unicode (U+0085) parts words; U+0344 is put together with the letter before it, which a table of
  // characters cannot; the last is no character.
  EXPECT_EQ(different, (Strings{"\u0085", "\u0344", "\U0010FFFE"}));
}

TEST(WordTokenizer, WhatShowsNothingIsNoPartOfAWord) {
  const auto words = [](const char* normalization, const std::string& text) {
    const auto t = train_tokenizer({.kind = "word", .normalization = normalization}, from({"x"}));
    const auto again = parse_tokenizer(t->bytes(), "again");
    EXPECT_EQ(again->bytes(), t->bytes());
    EXPECT_EQ(again->surfaces(text), t->surfaces(text));
    return t->surfaces(text);
  };
  EXPECT_EQ(words("nmt_nfkc",
                  "a\u200Bb\uFEFFc\x01"
                  "d ①\uFF5E"),
            (Strings{"a", "b", "cd", "1\uFF5E"}));
  EXPECT_EQ(words("nfkc", "a\u200Bb ①"), (Strings{"a\u200Bb", "1"})) << "as in models that say NFKC alone";
}

}  // namespace
}  // namespace lookback::data

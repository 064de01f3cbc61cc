#include "lookback/data/tokenizer.h"

#include <algorithm>
#include <set>

#include "lookback/base/error.h"
#include "lookback/data/spm_model.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

using namespace std::string_literals;
using Strings = std::vector<std::string>;
using Ids = std::vector<int32_t>;

const Strings kKinds = {"unigram", "bpe", "word", "char"};

std::unique_ptr<Tokenizer> trained(const std::string& kind, TokenizerOptions options = {}) {
  options.kind = kind;
  if (options.size == 8000) options.size = 300;
  return train_tokenizer(options, from(sentences()));
}

double score(const SpmModel& model, const Ids& ids) {
  double out = 0;
  for (const int32_t id : ids) out += static_cast<double>(model.pieces[static_cast<size_t>(id)].score);
  return out;
}

Strings pieces(const Tokenizer& t, const Ids& ids) {
  Strings out;
  for (const int32_t id : ids) out.push_back(t.piece(id));
  return out;
}

TEST(Tokenizer, AllKindsGiveBackTheText) {
  for (const auto& kind : kKinds) {
    const auto t = trained(kind);
    EXPECT_EQ(t->kind(), kind);
    EXPECT_LE(t->size(), 300);
    for (int32_t k = 0; k < kSpecials; ++k) EXPECT_EQ(t->piece(k), kSpecialNames[static_cast<size_t>(k)]);
    for (const auto& s : sentences()) {
      const Ids ids = t->encode(s);
      EXPECT_EQ(t->decode(ids), s) << kind;
      for (const int32_t id : ids) EXPECT_TRUE(id >= kSpecials && id < t->size()) << kind << ": " << s;
    }
  }
}

TEST(Tokenizer, TheSameTextGivesTheSameBytes) {
  for (const auto& kind : kKinds) EXPECT_EQ(trained(kind)->bytes(), trained(kind)->bytes()) << kind;
}

TEST(Tokenizer, BytesGiveTheSameTokenizer) {
  for (const auto& kind : kKinds) {
    const auto t = trained(kind, {.lowercase = true, .split = "space", .unit = "grapheme"});
    const auto again = parse_tokenizer(t->bytes(), "memory");
    EXPECT_EQ(again->kind(), kind);
    EXPECT_EQ(again->bytes(), t->bytes());
    EXPECT_EQ(again->size(), t->size());
    for (const auto& s : sentences()) EXPECT_EQ(again->encode(s), t->encode(s)) << kind;
  }
}

TEST(Tokenizer, LowercaseKeepsSharpS) {
  for (const auto& kind : kKinds) {
    const auto t = trained(kind, {.lowercase = true});
    EXPECT_EQ(t->decode(t->encode("Der Hund VERLÄßT das Haus.")), "der hund verläßt das haus.") << kind;
    Rng rng(1);
    EXPECT_EQ(t->decode(t->encode_sampled("Der Hund", rng)), "der hund") << kind;
  }
}

// Whatever a text says, it cannot end a sequence, nor pad it.
TEST(Tokenizer, TextCannotNameASpecial) {
  for (const auto& kind : kKinds) {
    auto t = trained(kind);
    if (kind == "bpe" || kind == "unigram") t->set_sampling(0.5);
    for (const std::string s : {"</s>", "Der <s> Hund </s> <pad> <unk>", "<pad>", "<0x0A>"}) {
      Rng rng(1);
      for (const Ids& ids : {t->encode(s), t->encode_sampled(s, rng)})
        for (const int32_t id : ids) EXPECT_TRUE(id == kUnk || id >= kSpecials) << kind << ": " << s;
    }
  }
}

TEST(Tokenizer, OddTextIsUnknownAndNeverAnError) {
  const Strings odd = {"",
                       " ",
                       "\t\r\n",
                       "a\0b"s,
                       "\uFEFF",
                       "\u200B",
                       "\U0001F469\u200D\U0001F4BB",
                       "e\u0301",
                       "ﬁ ½",
                       "\u0627\u0644",
                       "漢字かな",
                       "\uFFFD",
                       "\U0010FFFF",
                       "▁▁ ▁",
                       "\u2585",
                       "\u00A0",
                       std::string(20000, 'x'),
                       "\x7F\x01",
                       "𝕳𝖆𝖑𝖑𝖔",
                       "\u202Eabc"};
  for (const auto& kind : kKinds)
    for (const bool bytes : {false, true}) {
      auto t = trained(kind, {.size = 600, .byte_fallback = bytes});
      if (kind == "bpe" || kind == "unigram") t->set_sampling(0.4);
      for (const auto& s : odd) {
        Rng rng(5);
        for (const Ids& ids : {t->encode(s), t->encode_sampled(s, rng)}) {
          for (const int32_t id : ids) ASSERT_TRUE(id == kUnk || (id >= kSpecials && id < t->size())) << kind << s;
          t->decode(ids);
        }
        EXPECT_EQ(t->decode(t->encode_sampled(s, rng)), t->decode(t->encode(s))) << kind << ": " << s;
      }
    }
}

TEST(Tokenizer, InvalidUtf8IsRefused) {
  for (const auto& kind : kKinds) {
    const auto t = trained(kind);
    Rng rng(1);
    const std::string m = message_of<FormatError>([&] { t->encode("ab\xFF"); });
    EXPECT_NE(m.find("byte 2"), std::string::npos) << m;
    EXPECT_THROW(t->encode_sampled("\xED\xA0\x80", rng), FormatError);
  }
}

TEST(Tokenizer, ByteFallbackLeavesNothingUnknown) {
  for (const std::string kind : {"bpe", "unigram"}) {
    auto t = trained(kind, {.size = 600, .byte_fallback = true});
    const std::string s = "Der Hund sieht 漢字 und \U0001F469.";
    EXPECT_EQ(t->decode(t->encode(s)), s);
    t->set_sampling(0.3);
    Rng rng(2);
    for (int k = 0; k < 20; ++k) EXPECT_EQ(t->decode(t->encode_sampled(s, rng)), s);
    EXPECT_EQ(std::ranges::count(t->encode(s), kUnk), 0);
    EXPECT_GT(std::ranges::count(trained(kind)->encode(s), kUnk), 0);
  }
}

TEST(Tokenizer, DecodeLeavesOutWhatIsNotText) {
  for (const auto& kind : kKinds) {
    const auto t = trained(kind);
    Ids ids = t->encode("Der Hund");
    const Ids plain = ids;
    ids.insert(ids.begin(), {kBos, kPad});
    ids.insert(ids.end(), {kEos, kPad, -1, 1 << 30, static_cast<int32_t>(t->size())});
    EXPECT_EQ(t->decode(ids), t->decode(plain)) << kind;
    EXPECT_EQ(t->decode(Ids{}), "");
    EXPECT_NE(t->decode(Ids{kUnk}).find(kUnkSurface), std::string::npos) << kind;
    EXPECT_THROW(t->piece(-1), ShapeError);
    EXPECT_THROW(t->piece(static_cast<int32_t>(t->size())), ShapeError);
  }
}

TEST(Tokenizer, PiecesShowSpaces) {
  EXPECT_EQ(trained("bpe")->piece(trained("bpe")->encode("Der Hund")[0]).substr(0, kSpaceMark.size()), kSpaceMark);
  const auto c = trained("char");
  EXPECT_EQ(pieces(*c, c->encode("r H")), (Strings{"r", std::string(kSpaceMark), "H"}));
}

TEST(Tokenizer, SamplingZeroIsEncode) {
  for (const auto& kind : kKinds) {
    const auto t = trained(kind);
    Rng rng(1);
    for (const auto& s : sentences()) EXPECT_EQ(t->encode_sampled(s, rng), t->encode(s)) << kind;
    EXPECT_EQ(rng.position(), 0u) << "nothing was drawn";
  }
}

// The oracle of our own cutters is SentencePiece: with a chance of dropping that never comes
// true, and with a sharpness that leaves only the best cut, they must agree with it.
TEST(Tokenizer, OwnBpeAgreesWithSentencePiece) {
  for (const bool bytes : {false, true})
    for (const int64_t size : {320, 350, 450}) {
      auto t = trained("bpe", {.size = size, .byte_fallback = bytes});
      t->set_sampling(1e-300);
      Rng rng(1);
      for (const auto& s : sentences()) ASSERT_EQ(t->encode_sampled(s, rng), t->encode(s)) << s;
      for (const std::string s : {"xylophon Ünterstraße 99", "漢Hund字 字", "  zwei   Leerzeichen "})
        EXPECT_EQ(t->encode_sampled(s, rng), t->encode(s)) << s;
    }
}

TEST(Tokenizer, OwnUnigramAgreesWithSentencePiece) {
  for (const bool bytes : {false, true}) {
    auto t = trained("unigram", {.size = 400, .byte_fallback = bytes});
    t->set_sampling(1e5);
    Rng rng(1);
    const SpmModel model = parse_spm(t->bytes(), "memory");
    int64_t ties = 0;
    for (const auto& s : sentences()) {
      const Ids own = t->encode_sampled(s, rng), theirs = t->encode(s);
      ties += own != theirs;
      EXPECT_NEAR(score(model, own), score(model, theirs), 1e-3) << "only cuts of equal score may differ: " << s;
    }
    EXPECT_LT(ties, 50);
    for (const std::string s : {"漢Hund字 字", "Hund 99"}) EXPECT_EQ(t->encode_sampled(s, rng), t->encode(s)) << s;
  }
}

TEST(Tokenizer, SampledTextIsTheSameText) {
  for (const std::string kind : {"bpe", "unigram"}) {
    auto t = trained(kind);
    t->set_sampling(0.3);
    Rng rng(1), again(1);
    std::set<Ids> cuts;
    const std::string s = sentences()[10];
    for (int k = 0; k < 50; ++k) {
      const Ids ids = t->encode_sampled(s, rng);
      EXPECT_EQ(t->decode(ids), s);
      EXPECT_EQ(ids, t->encode_sampled(s, again)) << "the same state of the generator, the same cut";
      cuts.insert(ids);
    }
    EXPECT_GT(cuts.size(), 20u) << kind;
  }
}

TEST(Tokenizer, MoreDropoutMorePieces) {
  auto t = trained("bpe");
  const std::string s = sentences()[100];
  double before = static_cast<double>(t->encode(s).size());
  for (const double p : {0.1, 0.4, 0.8, 0.999999}) {
    t->set_sampling(p);
    Rng rng(1);
    double n = 0;
    for (int k = 0; k < 200; ++k) n += static_cast<double>(t->encode_sampled(s, rng).size()) / 200;
    EXPECT_GT(n, before);
    before = n;
  }
  int64_t characters = 1;  // the leading space
  for (const char c : s) characters += (c & 0xC0) != 0x80;
  EXPECT_NEAR(before, static_cast<double>(characters), 0.1) << "with every merge dropped, characters are left";
}

TEST(Tokenizer, SamplingOutOfRange) {
  EXPECT_THROW(trained("bpe")->set_sampling(1), ConfigError);
  EXPECT_THROW(trained("bpe")->set_sampling(-0.1), ConfigError);
  EXPECT_THROW(trained("unigram")->set_sampling(-1), ConfigError);
  EXPECT_THROW(trained("bpe", {.sampling = 1.5}), ConfigError);
  EXPECT_EQ(trained("bpe", {.sampling = 0.1})->sampling(), 0.1);
}

TEST(Tokenizer, OptionsAreChecked) {
  EXPECT_THROW(trained("wordpiece"), ConfigError);
  EXPECT_THROW(trained("bpe", {.size = 4}), ConfigError);
  EXPECT_THROW(trained("bpe", {.normalization = "nfd"}), ConfigError);
  EXPECT_THROW(trained("word", {.split = "letters"}), ConfigError);
  for (const std::string kind : {"bpe", "unigram"}) {
    const std::string m = message_of<ConfigError>([&] { trained(kind, {.size = 10}); });
    EXPECT_NE(m.find("size 10"), std::string::npos) << m;
  }
}

TEST(Tokenizer, LittleText) {
  for (const auto& kind : kKinds) {
    EXPECT_THROW(train_tokenizer({.kind = kind}, from({})), FormatError) << kind;
    EXPECT_THROW(train_tokenizer({.kind = kind}, from({"", "\xFF\xFE"})), FormatError) << kind;
    EXPECT_NO_THROW(train_tokenizer({.kind = kind}, from({"a\0b"s, "a"})));
    for (const Strings& lines : {Strings{"a"}, Strings{"Hallo Welt"}, Strings{"x", "\xFF", "x"}}) {
      const auto t = train_tokenizer({.kind = kind}, from(lines));
      EXPECT_LT(t->size(), 100);
      EXPECT_EQ(t->decode(t->encode(lines[0])).size(), lines[0].size()) << kind << lines[0];
    }
  }
}

TEST(Tokenizer, ErrorsOfTheSourceComeThrough) {
  for (const auto& kind : kKinds) {
    int n = 0;
    const LineSource failing = [&](std::string& line) {
      line = "eins zwei drei";
      if (++n > 3) throw IoError("the disk is gone");
      return true;
    };
    EXPECT_EQ(message_of<IoError>([&] { train_tokenizer({.kind = kind}, failing); }), "the disk is gone") << kind;
  }
}

TEST(Tokenizer, LimitOfLines) {
  TokenizerOptions options{.kind = "bpe", .size = 120, .max_lines = 101};
  const auto few = train_tokenizer(options, from(sentences())), again = train_tokenizer(options, from(sentences()));
  EXPECT_EQ(few->bytes(), again->bytes());
  options.max_lines = 100;
  EXPECT_THROW(train_tokenizer(options, from(sentences())), ConfigError);
  options.max_lines = 0;
  EXPECT_NE(few->bytes(), train_tokenizer(options, from(sentences()))->bytes());
}

class TokenizerFiles : public FolderTest {};

TEST_F(TokenizerFiles, TrainsFromFilesAndLoads) {
  std::string text;
  for (const auto& s : sentences()) text += s + "\n";
  for (const auto& kind : kKinds) {
    const Strings files = {file("a.txt", text.substr(0, text.find("Zwei"))),
                           gz("b.gz", text.substr(text.find("Zwei")))};
    const auto t = train_tokenizer({.kind = kind, .size = 300}, files);
    EXPECT_EQ(t->bytes(), trained(kind)->bytes()) << kind;
    EXPECT_EQ(load_tokenizer(file(t->file_name(), t->bytes()))->bytes(), t->bytes());
  }
}

TEST_F(TokenizerFiles, MissingAndOddFiles) {
  EXPECT_THROW(load_tokenizer(folder()), IoError);
  EXPECT_THROW(load_tokenizer(folder() + "/none"), IoError);
  EXPECT_THROW(load_tokenizer(file("empty", "")), FormatError);
  EXPECT_THROW(load_tokenizer(file("spaces", " \n")), FormatError);
  EXPECT_THROW(load_tokenizer(file("text", "hello there")), FormatError);
}

}  // namespace
}  // namespace lookback::data

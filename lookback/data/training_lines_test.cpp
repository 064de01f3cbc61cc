#include "lookback/data/training_lines.h"

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/data/testing.h"
#include "lookback/data/unicode.h"

namespace lookback::data {
namespace {

using Strings = std::vector<std::string>;

constexpr int64_t kAll = int64_t{1} << 30;

std::string repeated(const std::string& s, size_t times) {
  std::string out;
  for (size_t k = 0; k < times; ++k) out += s;
  return out;
}

std::string joined(const Strings& lines, const std::string& between = "") {
  std::string out;
  for (const std::string& l : lines) out += (out.empty() ? "" : between) + l;
  return out;
}

TEST(TrainingLines, ShortOnesStayAsTheyAre) {
  const Strings lines = {" a  b ", "ÄÖ", std::string(kMaxTrainingLine, 'x')};
  const auto t = training_lines(from({lines[0], " \t", "\xFF", lines[1], lines[2], ""}), false, kAll);
  EXPECT_EQ(t.lines, lines);
  EXPECT_EQ(describe(t), "");
  EXPECT_EQ(training_lines(from(lines), true, kAll).lines[1], "äö");
}

TEST(TrainingLines, LongOnesAreCutAtWhiteSpace) {
  std::string line;
  for (int k = 0; k < 3000; ++k) line += "w" + std::to_string(k) + (k % 2 ? " " : "\u3000");
  line.pop_back();
  const auto t = training_lines(from({line}), false, kAll);
  EXPECT_EQ(t.cut, 1);
  EXPECT_GT(t.lines.size(), 3u);
  int k = 0;
  for (const std::string& l : t.lines) {
    EXPECT_LE(l.size(), kMaxTrainingLine);
    for (size_t at = 0; (at = l.find('w', at)) != std::string::npos; ++at, ++k)
      EXPECT_EQ(l.substr(at + 1, std::to_string(k).size()), std::to_string(k));
  }
  EXPECT_EQ(k, 3000);
}

TEST(TrainingLines, AWordTooLongIsLeftOutAndCounted) {
  const std::string base64 = repeated("QUJDREVGR0g9", 8000);
  const auto t = training_lines(from({"before " + base64 + " behind", base64, "next"}), false, kAll);
  EXPECT_EQ(t.lines, (Strings{"before", "behind", "next"}));
  EXPECT_EQ(t.words_left_out, 2);
  EXPECT_EQ(describe(t),
            "2 words of more than 4192 bytes left out, the first begins with 'QUJDREVGR0g9QUJDREVGR0g9'; 2 lines of "
            "more than 4192 bytes cut");
}

TEST(TrainingLines, TextWithoutSpacesIsCutBetweenCharacters) {
  for (const std::string sentence : {"猫が好きです。", "这是一个很长的句子", "ภาษาไทยเขียนติดกัน"}) {
    const std::string all = repeated(sentence, 5000);
    const auto t = training_lines(from({all}), false, kAll);
    EXPECT_EQ(joined(t.lines), all) << "nothing is lost";
    EXPECT_EQ(t.words_left_out, 0);
    for (const std::string& l : t.lines) {
      EXPECT_LE(l.size(), kMaxTrainingLine);
      EXPECT_TRUE(valid_utf8(l));
      EXPECT_TRUE(!sentence.ends_with("。") || l.ends_with("。")) << "after a mark, where there is one";
    }
  }
  // One character with marks without end.
  const std::string marks = "か" + repeated("\u3099", 3000);
  EXPECT_EQ(joined(training_lines(from({marks}), false, kAll).lines), marks);
}

TEST(TrainingLines, OfTooMuchAPartIsKeptEvenly) {
  Strings lines;
  for (int k = 0; k < 20000; ++k) lines.push_back("line " + std::to_string(100000 + k));
  const int64_t all = 11 * std::ssize(lines);
  const auto t = training_lines(from(lines), false, all / 3);
  EXPECT_EQ(t.thinned + std::ssize(t.lines), std::ssize(lines));
  EXPECT_LE(11 * std::ssize(t.lines), all / 3);
  EXPECT_GT(11 * std::ssize(t.lines), all / 7);
  const auto half =
      std::count_if(t.lines.begin(), t.lines.end(), [](const std::string& l) { return l < "line 110000"; });
  EXPECT_NEAR(static_cast<double>(half) / static_cast<double>(t.lines.size()), 0.5, 0.03);
  EXPECT_EQ(training_lines(from(lines), false, all / 3).lines, t.lines);
  EXPECT_EQ(training_lines(from(lines), false, all).thinned, 0);
}

// What ended the program: a word of 33,000 characters in SentencePiece's trainer of bpe.
TEST(TrainingLines, TokenizersAreTrainedWhateverTheWords) {
  Strings lines;
  for (int k = 0; k < 400; ++k) lines.push_back("pair " + std::to_string(k % 17) + " of words");
  for (const std::string& word : {std::string(40000, 'x'), repeated("这是很长的一行", 10000),
                                  repeated("QUJDREVG", 12500), repeated("\uFDFA", 5000)})
    for (const std::string kind : {"bpe", "unigram", "word", "char"}) {
      Strings all = lines;
      all.push_back(word);
      std::string said;
      const auto t = train_tokenizer({.kind = kind, .size = 300}, from(all),
                                     [&](Severity, std::string_view what) { said += what; });
      EXPECT_GT(t->size(), 10);
      EXPECT_EQ(said.empty(), kind == "word" || kind == "char") << said;
      EXPECT_NE(t->encode("pair of words")[0], kUnk);
      EXPECT_FALSE(t->encode(word).empty());
    }
}

TEST(TrainingLines, TextOfWhichNothingIsLeftIsNoText) {
  for (const std::string kind : {"bpe", "unigram"})
    for (const std::string& text :
         {std::string("\x01\x02"), std::string("\u200B \uFEFF"), std::string("\u2585"), std::string("\u2581\u2581"),
          std::string("<s> </s><unk><pad>"), std::string("<0x41>")})
      EXPECT_THROW(train_tokenizer({.kind = kind}, from({text, text})), FormatError) << kind << " '" << text << "'";
}

// Names of special pieces are marks to the trainer, and a share of all characters may be nothing else.
TEST(TrainingLines, TextOfHardlyAnythingIsRefused) {
  for (const std::string kind : {"bpe", "unigram"})
    for (const std::string& text :
         {"a" + repeated("<unk>", 800), "a" + repeated(" \t", 800), "ab " + repeated("\u2585", 50)})
      EXPECT_THROW(train_tokenizer({.kind = kind, .size = 50, .character_coverage = 0.98, .normalization = "identity"},
                                   from({text, text})),
                   Error);
}

TEST(Unicode, MarksWithoutEndAreNormalisedInTime) {
  const std::string marks = "a" + repeated("\u0301\u0323", 200000);
  EXPECT_EQ(nfkc(marks).size() > 100000, true);
  EXPECT_EQ(nfkc("a\u0301\u0323"), nfkc("a\u0323\u0301"));
}

// Words of a million letters at use, in time that grows with their length.
TEST(TrainingLines, AnyWordCanBeEncoded) {
  for (const std::string kind : {"bpe", "unigram"}) {
    const auto t = train_tokenizer({.kind = kind, .size = 60, .sampling = 0.1}, from({"aab abb ab ba", "a b ab"}));
    const std::string word = repeated("ab", 500000);
    EXPECT_FALSE(t->encode(word).empty());
    EXPECT_FALSE(t->surfaces(word).empty());
    Rng rng(1, 1);
    EXPECT_FALSE(t->encode_sampled(word, rng).empty());
  }
}

}  // namespace
}  // namespace lookback::data

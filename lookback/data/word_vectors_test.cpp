#include "lookback/data/word_vectors.h"

#include <clocale>
#include <cmath>
#include <cstring>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/data/testing.h"
#include "lookback/data/vocab.h"

namespace lookback::data {
namespace {

using namespace std::string_literals;
using Words = std::vector<std::string>;
using Floats = std::vector<float>;

template <class T>
std::string raw(T value) {
  std::string out(sizeof(T), '\0');
  std::memcpy(out.data(), &value, sizeof(T));
  return out;
}
std::string raw(const Floats& values) {
  std::string out;
  for (const float v : values) out += raw(v);
  return out;
}

Floats row(const WordVectors& v, int64_t k) {
  const auto s = v.rows.rows(k, k + 1).span<float>();
  return {s.begin(), s.end()};
}

class WordVectorsTest : public FolderTest {
 protected:
  WordVectors read(const std::string& bytes, const Words& wanted) const {
    return read_word_vectors(file("vectors", bytes), wanted);
  }
  Words first(const std::string& bytes, int64_t count) const { return first_words(file("vectors", bytes), count); }
  // The message, without the folder, for a file that is to be refused.
  std::string refusal(const std::string& bytes, const Words& wanted = {"a", "b"}) const {
    const std::string path = file("vectors", bytes);
    const std::string message = message_of<FormatError>([&] { read_word_vectors(path, wanted); });
    EXPECT_EQ(message.find(path), 0u) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message.substr(std::min(path.size(), message.size()));
  }
  void refuses(const std::string& bytes, const std::string& message, const Words& wanted = {"a", "b"}) const {
    const std::string got = refusal(bytes, wanted);
    EXPECT_NE(got.find(message), std::string::npos) << got << ", not " << message;
  }
};

const std::string kGlove = "the 0.5 -1 2e-1\nof 3 4 5\nto 6 7 8.25\n";

// --- Whole files

TEST_F(WordVectorsTest, WhatIsWrittenIsReadBackToTheBit) {
  Rng rng(5);
  Words words{"the", "<unk>", "ä,", "2", "x/y"};
  Floats values;
  for (int k = 0; k < 5 * 7; ++k) values.push_back(static_cast<float>(rng.normal() * (k % 3 ? 1 : 1e-30)));
  const Tensor rows = Tensor::of({5, 7}, values);
  for (const VectorFormat format : {VectorFormat::text, VectorFormat::binary}) {
    std::string bytes;
    write_word_vectors(words, rows, format, [&](std::string_view some) { bytes += some; });
    const AllWordVectors all = read_all_word_vectors(file("vectors", bytes));
    EXPECT_EQ(all.words, words);
    EXPECT_EQ(all.width, 7);
    EXPECT_EQ(all.format, format == VectorFormat::text ? "word2vec text" : "word2vec binary");
    const auto got = all.rows.span<float>();
    EXPECT_EQ(Floats(got.begin(), got.end()), values);
  }
  EXPECT_THROW(write_word_vectors(words, rows.rows(0, 4), VectorFormat::text, [](std::string_view) {}), ShapeError);
}

TEST_F(WordVectorsTest, AllOfAFileIsEachWordOnce) {
  const AllWordVectors all = read_all_word_vectors(file("vectors", "b 1 2\na 3 4\nb 5 6\n\xff 7 8\n"));
  EXPECT_EQ(all.words, (Words{"b", "a"}));
  const auto got = all.rows.span<float>();
  EXPECT_EQ(Floats(got.begin(), got.end()), (Floats{1, 2, 3, 4}));
  EXPECT_THROW(read_all_word_vectors(file("none", "\xff 7 8\n")), FormatError);
}

// --- GloVe and word2vec text

TEST_F(WordVectorsTest, Glove) {
  for (const std::string& bytes : {kGlove, kGlove.substr(0, kGlove.size() - 1), kGlove + "\n\n"}) {
    for (const std::string& path : {file("plain.gz", bytes), gz("packed", bytes)}) {
      const WordVectors v = read_word_vectors(path, Words{"to", "absent", "the", "to"});
      EXPECT_EQ(v.format, "GloVe");
      EXPECT_EQ(v.rows.shape(), (Shape{4, 3}));
      EXPECT_EQ(v.rows.dtype(), Dtype::f32);
      EXPECT_EQ(v.width, 3);
      EXPECT_EQ(v.words_in_file, 3);
      EXPECT_EQ(v.found, (std::vector<bool>{true, false, true, true}));
      EXPECT_EQ(row(v, 0), (Floats{6, 7, 8.25}));
      EXPECT_EQ(row(v, 1), (Floats{0, 0, 0}));
      EXPECT_EQ(row(v, 2), (Floats{0.5, -1, 0.2F}));
      EXPECT_EQ(row(v, 3), row(v, 0));
      EXPECT_EQ(v.lower_cased + v.composed + v.duplicates + v.unreadable, 0);
      EXPECT_EQ(first_words(path, 2), (Words{"the", "of"}));
      EXPECT_EQ(first_words(path, 100), (Words{"the", "of", "to"}));
    }
  }
}

TEST_F(WordVectorsTest, NothingWantedOrNothingFound) {
  const WordVectors none = read(kGlove, {});
  EXPECT_EQ(none.rows.shape(), (Shape{0, 3}));
  EXPECT_EQ(none.words_in_file, 3);
  const WordVectors absent = read(kGlove, {"x", ""});
  EXPECT_EQ(absent.rows.shape(), (Shape{2, 3}));
  EXPECT_EQ(absent.found, (std::vector<bool>{false, false}));
  EXPECT_EQ(row(absent, 1), (Floats{0, 0, 0}));
  EXPECT_EQ(first(kGlove, 0), Words{});
  EXPECT_EQ(first(kGlove, -1), Words{});
}

TEST_F(WordVectorsTest, Word2vecText) {
  // With the space that fastText and word2vec.c leave at the end, with tabs, with the ends of Windows, with a mark.
  for (const std::string& bytes :
       {"2 3\n</s> 1 2 3 \na 4 5 6 \n"s, "2\t3\n</s>\t1\t2\t3\na\t4\t5\t6\n"s, "2 3\r\n</s> 1 2 3\r\na 4 5 6\r\n\r\n"s,
        "\xEF\xBB\xBF"
        "2 3 \n</s>  1 2   3\na 4 5 6"s}) {
    for (const std::string& path : {file("plain", bytes), gz("packed", bytes)}) {
      const WordVectors v = read_word_vectors(path, Words{"a", "</s>"});
      EXPECT_EQ(v.format, "word2vec text");
      EXPECT_EQ(v.words_in_file, 2);
      EXPECT_EQ(row(v, 0), (Floats{4, 5, 6}));
      EXPECT_EQ(row(v, 1), (Floats{1, 2, 3})) << "a word like others here";
      EXPECT_EQ(first_words(path, 9), Words{"a"}) << "a vocabulary has a </s> of its own";
    }
  }
}

TEST_F(WordVectorsTest, ANumberAndAVectorOfOneValueIsNoHeader) {
  const WordVectors v = read("400000 300\nfoo 0.5\n", {"400000", "foo"});
  EXPECT_EQ(v.format, "GloVe");
  EXPECT_EQ(v.width, 1);
  EXPECT_EQ(v.rows.span<float>()[0], 300);
  EXPECT_EQ(v.rows.span<float>()[1], 0.5F);
  EXPECT_EQ(read("2 1\nfoo 0.5\nbar 3\n", {}).format, "word2vec text") << "which says the truth";
  refuses("400000 300\n", ":1: the file ends after 0 words, the header says 400000");
}

TEST_F(WordVectorsTest, WordsWithSpacesAsGlove840BHasThem) {
  const std::string bytes =
      "a 1 2\n. . . 3 4\nat name@domain.com 5 6\n\xC2\xA0 7 8\nx\xC2\xA0y 9 10\nb  11  12\n2008 13 14\n. 15 16\n";
  const WordVectors v = read(bytes, {". . .", "at name@domain.com", "\xC2\xA0", "x\xC2\xA0y", "b", "2008", ".", "at"});
  EXPECT_EQ(v.words_in_file, 8);
  for (int64_t k = 0; k < 7; ++k) EXPECT_TRUE(v.found[static_cast<size_t>(k)]) << k;
  EXPECT_EQ(row(v, 0), (Floats{3, 4}));
  EXPECT_EQ(row(v, 1), (Floats{5, 6}));
  EXPECT_EQ(row(v, 3), (Floats{9, 10}));
  EXPECT_EQ(row(v, 4), (Floats{11, 12}));
  EXPECT_EQ(row(v, 5), (Floats{13, 14}));
  EXPECT_FALSE(v.found[7]);
  EXPECT_EQ(read(". . 1 2\na 3 4\nb 5 6\n", {". ."}).found[0], true) << "also in the first line";
  EXPECT_EQ(read("2 2\n. . 1 2\na 3 4\n", {". ."}).found[0], true);
}

TEST_F(WordVectorsTest, LowerCasedDuplicatesAndUnreadable) {
  const WordVectors v = read(
      "der 1\nDer 2\nder 3\nstra\xC3\x9F"
      "e 4\n\xFF 5\n\xFF 6\n 7\n\xC3\xA4hre 8\nbig 9\nBig 10\n",
      {"Der", "DER",
       "Stra\xC3\x9F"
       "e",
       "\xC3\x84hre", "der", "Gro\xC3\x9F", "\xFF", "Big"});
  EXPECT_EQ(v.words_in_file, 10);
  EXPECT_EQ(Floats(v.rows.span<float>().begin(), v.rows.span<float>().end()), (Floats{2, 1, 4, 8, 1, 0, 0, 10}));
  EXPECT_EQ(v.found, (std::vector<bool>{true, true, true, true, true, false, false, true}));
  EXPECT_EQ(v.lower_cased, 3) << "not Der and Big, which the file has after their lower-cased forms";
  EXPECT_EQ(v.duplicates, 1);
  EXPECT_EQ(v.unreadable, 3);
  EXPECT_EQ(first("b 1\na 1\nb 1\n\xFF 1\n 1\n<unk> 1\nc 1\n", 3), (Words{"b", "a", "c"}));
}

TEST_F(WordVectorsTest, NumbersAreTheNearestFloats) {
  const std::vector<std::pair<std::string, float>> numbers = {
      {"0.1", 0.1F},
      {"+0.25", 0.25F},
      {"-.5", -0.5F},
      {"3.", 3.0F},
      {"1E3", 1000.0F},
      {"16777217", 16777216.0F},                // a tie, to even
      {"16777217.0000000000001", 16777218.0F},  // just above; a float of a double would be the other one
      {"1.17549435e-38", 1.17549435e-38F},
      {"1e-45", std::numeric_limits<float>::denorm_min()},
      {"1e-60", 0.0F},
      {"-1e-400", -0.0F},
      {"0." + std::string(400, '0') + "1", 0.0F},
      {"3.4028235e38", std::numeric_limits<float>::max()},
      {"0.333333343267440795898437500000000000000000000001", 0.33333334F}};
  std::string bytes;
  Words wanted;
  for (size_t k = 0; k < numbers.size(); ++k) {
    wanted.push_back("w" + std::to_string(k));
    bytes += wanted.back() + " " + numbers[k].first + "\n";
  }
  const WordVectors v = read(bytes, wanted);
  for (size_t k = 0; k < numbers.size(); ++k) {
    EXPECT_EQ(raw(v.rows.span<float>()[k]), raw(numbers[k].second)) << numbers[k].first;
  }
}

TEST_F(WordVectorsTest, ShortNumbersAreTheNearestFloatsToo) {
  std::string bytes;
  Words wanted;
  Floats expected;
  Rng rng(1);
  for (int k = 0; k < 20000; ++k) {
    std::string number = std::to_string(rng.below(100000000)).substr(rng.below(4));
    const size_t point = rng.below(number.size() + 2);
    if (point <= number.size()) number.insert(point, ".");
    if (rng.below(2)) number.insert(0, "-");
    if (number.find_first_of("0123456789") == std::string::npos) continue;
    wanted.push_back("w" + std::to_string(k));
    bytes += wanted.back() + " " + number + "\n";
    expected.push_back(std::strtof(number.c_str(), nullptr));
  }
  const auto got = read(bytes, wanted).rows;
  for (size_t k = 0; k < wanted.size(); ++k) ASSERT_EQ(raw(got.span<float>()[k]), raw(expected[k])) << wanted[k];
}

TEST_F(WordVectorsTest, NumbersAreTheSameInEveryLocale) {
  const std::string old = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"})
    if (std::setlocale(LC_ALL, name)) break;
  EXPECT_EQ(row(read("a 0.5 1.25\n", {"a"}), 0), (Floats{0.5, 1.25}));
  refuses("a 0,5 1\nb 1 2\n", ":1: value 1 of 'a' is '0,5', which is not a number");
  std::setlocale(LC_ALL, old.c_str());
}

TEST_F(WordVectorsTest, DamagedText) {
  refuses("", ":1: the file is empty");
  refuses("\n\n", "the file has no words");
  refuses("a 1 2 3\nb 1 2\nc 1 2 3\n", ":2: 2 values, where most of the first lines have 3");
  refuses("a 1 2 3\nb 1 2 3 4\nc 1 2 3\n", ":2: 4 values, where most of the first lines have 3");
  refuses("a 1 2 3\nb\nc 1 2 3\n", ":2: 0 values");
  refuses("a 1 2 3\n\nb 1 2 3\n", ":2: an empty line");
  refuses("a 1 x\nb 1 2\n", ":1: value 2 of 'a' is 'x', which is not a number");
  refuses("a 1 2\nb nan 2\n", ":2: value 1 of 'b' is 'nan', which is not a finite number");
  refuses("a 1 2\nb 1 -inf\n", ":2: value 2 of 'b' is '-inf', which is not a finite number");
  refuses("a 1 2\nb 1 1e39\n", ":2: value 2 of 'b' is '1e39', which is not a finite number");
  for (const char* number : {"1.5x", "0x10", "+-1", "++1", "--1", "1e", "1,5", "-", "e5"})
    refuses("a 1 "s + number + "\nb 1 2\n", "which is not a number");
  refuses("just one word\nand another line of text here\n", ":1: value 1 of 'just' is 'one'", {"just"});
  refuses("{\"json\":1}\n", ":1: '{\"json\":1}' is not a word and its values; is this a file of word vectors?");
  refuses("PK\x03\x04whatever", ":1: a zip archive; unpack it first");
  EXPECT_EQ(read("a 1 2\nb nan 2\n", {"a"}).words_in_file, 2) << "values of others are only counted";
}

TEST_F(WordVectorsTest, HeadersThatLie) {
  refuses("3 2\na 1 2\nb 3 4\n", ":3: the file ends after 2 words, the header says 3");
  refuses("1 2\na 1 2\nb 3 4\n", ":3: one more line than the header says, which is 1 words");
  refuses("2 3\na 1 2\nb 3 4\n", ":2: 2 values, where the header says 3");
  refuses("2 2\na 1 2 3\nb 3 4 5\n", ":2: 3 values, where the header says 2");
  refuses("3 2\na 1\nb 1 2\nc 1 2\n", ":2: 1 value, where the header says 2");
  for (const char* header : {"0 2", "-1 2", "2 0", "2 -2", "2 65537", "4611686018427387904 2",
                             "9999999999999999999999 2", "2 99999999999999999999", "1000000000000000 65536"})
    refuses(header + "\na 1 2\nb 3 4\n"s,
            ":1: the header is not a number of words and a number of values from 1 to 65536");
  refuses("1000000000000 2\na 1 2\n", "ends after 1 words");  // and no memory is asked for
}

TEST_F(WordVectorsTest, TooWide) {
  std::string wide = "a";
  for (int k = 0; k <= 65536; ++k) wide += " 1";
  refuses(wide + "\n", ":1: 65537 values; at most 65536 are possible");
  wide.resize(wide.size() - 2);
  EXPECT_EQ(read(wide + "\n", {"a"}).width, 65536);
  EXPECT_EQ(read("1 65536\n" + wide, {"a"}).rows.span<float>()[65535], 1);
}

// --- word2vec binary

std::string binary(const std::string& header, const std::vector<std::pair<std::string, Floats>>& words,
                   const std::string& end = "\n") {
  std::string out = header + "\n";
  for (const auto& [word, vector] : words) out += word + " " + raw(vector) + end;
  return out;
}

const std::vector<std::pair<std::string, Floats>> kBinaryWords = {
    {"</s>", {1, 2, 3}}, {"New_York", {0.1F, -0.2F, 1e-30F}}, {"a", {5, 6, 7}}, {"\xFF", {1, 1, 1}}, {"a", {8, 8, 8}}};

TEST_F(WordVectorsTest, Word2vecBinary) {
  for (const std::string& end : {"\n"s, ""s}) {  // as word2vec.c and as its vectors of Google News
    const std::string bytes = binary("5 3", kBinaryWords, end);
    for (const std::string& path : {file("plain", bytes), gz("packed", bytes)}) {
      const WordVectors v = read_word_vectors(path, Words{"A", "New_York", "b", "</s>"});
      EXPECT_EQ(v.format, "word2vec binary");
      EXPECT_EQ(v.width, 3);
      EXPECT_EQ(v.words_in_file, 5);
      EXPECT_EQ(row(v, 0), (Floats{5, 6, 7}));
      EXPECT_EQ(row(v, 1), (Floats{0.1F, -0.2F, 1e-30F}));
      EXPECT_EQ(row(v, 3), (Floats{1, 2, 3}));
      EXPECT_EQ(v.found, (std::vector<bool>{true, true, false, true}));
      EXPECT_EQ(v.lower_cased, 1);
      EXPECT_EQ(v.duplicates, 1);
      EXPECT_EQ(v.unreadable, 1);
      EXPECT_EQ(first_words(path, 9), (Words{"New_York", "a"}));
    }
  }
}

TEST_F(WordVectorsTest, Word2vecBinaryAcrossBlocks) {
  std::vector<std::pair<std::string, Floats>> words;
  Words wanted;
  for (int k = 0; k < 3000; ++k) {
    words.emplace_back("word" + std::to_string(k), Floats(100, static_cast<float>(k) / 7));
    if (k % 17 == 0) wanted.push_back(words.back().first);
  }
  const WordVectors v = read(binary("3000 100", words), wanted);
  for (size_t k = 0; k < wanted.size(); ++k)
    EXPECT_EQ(row(v, static_cast<int64_t>(k)), words[k * 17].second) << wanted[k];
}

TEST_F(WordVectorsTest, DamagedBinary) {
  const std::string whole = binary("5 3", kBinaryWords, "");
  const std::string last = ": the file ends in word 5 of 5 of 3 values; it was cut short, or the header is wrong";
  for (const Words& wanted : {Words{"b"}, Words{"a", "</s>"}}) {
    for (size_t n = 10; n < whole.size(); ++n) refuses(whole.substr(0, n), "the file ends ", wanted);
    refuses(whole.substr(0, whole.size() - 1), last, wanted);
    refuses(whole + "x", ": more bytes than the header says, which is 5 words of 3 values", wanted);
    refuses(binary("6 3", kBinaryWords), "the file ends in word ", wanted);
    refuses(binary("4 3", kBinaryWords), ": more bytes than the header says, which is 4 words", wanted);
  }
  const std::string message = refusal(whole.substr(0, 30), {"</s>"});
  EXPECT_EQ(message.find(": byte "), 0u) << message;
  refuses(binary("1 2", {{"a", {1, std::nanf("")}}}), ": value 2 of 'a' is not finite");
  refuses(binary("1 2", {{"a", {-std::numeric_limits<float>::infinity(), 1}}}), ": value 1 of 'a' is not finite");
  refuses(binary("2 1", {{"a", {1}}, {std::string(70000, 'x'), {1}}}), ": a word is longer than 65536 bytes");
  refuses(binary("9000000000000000000 300", kBinaryWords), ":1: the header is not");
  refuses(binary("90000000000000 300", kBinaryWords), "the file ends in word 1 of 90000000000000");
}

// --- fastText

// What fastText calls its members, with a writer of the layout of version 12.
struct FastTextModel {
  int32_t version = 12, dim = 2, model = 2, bucket = 5, minn = 2, maxn = 3;
  std::vector<std::string> words = {"</s>", "ab", "der"};
  std::vector<std::string> labels = {};
  int64_t pruned = -1;
  bool quantised = false;
  Floats matrix = {};  // [words + bucket, dim]; thirds of their number if there are none

  Floats values() const {
    if (!matrix.empty()) return matrix;
    Floats out;
    for (size_t k = 0; k < (words.size() + static_cast<size_t>(bucket)) * static_cast<size_t>(dim); ++k)
      out.push_back(static_cast<float>(k) / 3);
    return out;
  }
  std::string head() const {
    std::string out = raw(int32_t{793712314}) + raw(version);
    for (const int32_t a : {dim, 5, 5, 1, 5, 1, 2, model, bucket, minn, maxn, 100}) out += raw(a);
    return out + raw(1e-4);
  }
  std::string dictionary() const {
    const auto w = static_cast<int32_t>(words.size()), l = static_cast<int32_t>(labels.size());
    std::string out = raw(w + l) + raw(w) + raw(l) + raw(int64_t{1000}) + raw(pruned);
    for (const auto& word : words) out += word + '\0' + raw(int64_t{7}) + '\0';
    for (const auto& label : labels) out += label + '\0' + raw(int64_t{7}) + '\1';
    for (int64_t k = 0; k < pruned; ++k) out += raw(static_cast<int32_t>(k)) + raw(static_cast<int32_t>(k));
    return out;
  }
  std::string bytes() const {
    return head() + dictionary() + raw(quantised) + raw(static_cast<int64_t>(words.size()) + bucket) +
           raw(int64_t{dim}) + raw(values()) + output();
  }
  std::string output() const {
    return raw(false) + raw(static_cast<int64_t>(words.size())) + raw(int64_t{dim}) +
           raw(Floats(words.size() * static_cast<size_t>(dim), 0.0F));
  }
  // The mean of rows as fastText computes it.
  Floats mean(const std::vector<size_t>& rows) const {
    const auto d = static_cast<size_t>(dim);
    const Floats all = values();
    Floats out(d, 0.0F);
    for (const size_t r : rows)
      for (size_t k = 0; k < d; ++k) out[k] += all[r * d + k];
    for (float& v : out) v *= static_cast<float>(1.0 / static_cast<double>(rows.size()));
    return out;
  }
  // The row of an n-gram: FNV-1a, bytes extended with their sign.
  size_t ngram(const std::string& s) const {
    uint32_t h = 2166136261U;
    for (const char c : s) h = (h ^ static_cast<uint32_t>(static_cast<signed char>(c))) * 16777619U;
    return words.size() + h % static_cast<uint32_t>(bucket);
  }
};

TEST_F(WordVectorsTest, FastText) {
  const FastTextModel m;
  const auto g = [&](const char* s) { return m.ngram(s); };
  for (const std::string& path : {file("plain", m.bytes()), gz("packed", m.bytes())}) {
    const WordVectors v = read_word_vectors(path, Words{"ab", "</s>", "Der", "x\xC3\xA4", "", "AB", "ab"});
    EXPECT_EQ(v.format, "fastText");
    EXPECT_EQ(v.rows.shape(), (Shape{7, 2}));
    EXPECT_EQ(v.words_in_file, 3);
    EXPECT_EQ(row(v, 0), m.mean({1, g("<a"), g("<ab"), g("ab"), g("ab>"), g("b>")}));
    EXPECT_EQ(row(v, 1), m.mean({0})) << "has no subwords";
    EXPECT_EQ(row(v, 2), m.mean({2, g("<d"), g("<de"), g("de"), g("der"), g("er"), g("er>"), g("r>")}))
        << "as the lower-cased form";
    EXPECT_EQ(row(v, 3), m.mean({g("<x"), g("<x\xC3\xA4"), g("x\xC3\xA4"), g("x\xC3\xA4>"), g("\xC3\xA4>")}));
    EXPECT_EQ(row(v, 4), (Floats{0, 0}));
    EXPECT_EQ(row(v, 5), row(v, 0));
    EXPECT_EQ(row(v, 6), row(v, 0));
    EXPECT_EQ(v.found, (std::vector<bool>{true, true, true, true, false, true, true}));
    EXPECT_EQ(v.composed, 1);
    EXPECT_EQ(v.lower_cased, 2);
    EXPECT_EQ(first_words(path, 5), (Words{"ab", "der"}));
  }
}

// A model that fastText wrote, and what it says of its words and of others; tools/gen_word_vectors.py.
TEST_F(WordVectorsTest, FastTextToTheBit) {
  const std::string golden = LOOKBACK_SOURCE_DIR "/tests/golden/data/fasttext";
  std::ifstream told(golden + ".txt");
  Words words;
  std::vector<std::vector<uint32_t>> expected;
  for (std::string line, word; std::getline(told, line);) {
    std::istringstream fields(line);
    fields >> word >> std::hex;
    words.push_back(word);
    expected.emplace_back();
    for (uint32_t bits = 0; fields >> bits;) expected.back().push_back(bits);
  }
  ASSERT_GT(words.size(), 30u);
  const WordVectors v = read_word_vectors(golden + ".bin", words);
  EXPECT_EQ(v.composed, 6);
  ASSERT_EQ(v.width, 5);
  for (size_t k = 0; k < words.size(); ++k) {
    const Floats got = row(v, static_cast<int64_t>(k));
    ASSERT_EQ(expected[k].size(), got.size());
    for (size_t d = 0; d < got.size(); ++d) EXPECT_EQ(raw(got[d]), raw(expected[k][d])) << words[k];
  }
}

TEST_F(WordVectorsTest, FastTextSingleCharactersAreNgramsButForTheMarks) {
  FastTextModel m;
  m.minn = 0, m.maxn = 1, m.bucket = 100;
  EXPECT_EQ(row(read(m.bytes(), {"xyz"}), 0), m.mean({m.ngram("x"), m.ngram("y"), m.ngram("z")}));
}

TEST_F(WordVectorsTest, FastTextWithoutSubwords) {
  FastTextModel m;
  m.bucket = m.maxn = 0, m.labels = {"__label__1", "__label__2"}, m.model = 3;
  const WordVectors v = read(m.bytes(), {"ab", "xyz", "__label__1"});
  EXPECT_EQ(row(v, 0), m.mean({1}));
  EXPECT_EQ(v.found, (std::vector<bool>{true, false, false}));
  EXPECT_EQ(v.words_in_file, 3) << "labels are no words";
  m = FastTextModel();
  m.version = 11, m.model = 3;
  EXPECT_EQ(row(read(m.bytes(), {"ab"}), 0), m.mean({1})) << "classifiers of version 11 have none, whatever they say";
}

TEST_F(WordVectorsTest, FastTextCutShortAnywhere) {
  FastTextModel m;
  m.labels = {"__label__1"};
  const std::string whole = m.bytes();
  for (size_t n = 8; n < whole.size() - m.output().size(); ++n) {
    refuses(whole.substr(0, n), "the file ends early", {"ab", "zz"});
    refuses(whole.substr(0, n), ": byte ", {});
  }
  EXPECT_EQ(read(whole.substr(0, whole.size() - m.output().size()), {"ab"}).found[0], true);
}

TEST_F(WordVectorsTest, FastTextModelsThatAreRefused) {
  const auto changed = [](auto change) {
    FastTextModel m;
    change(m);
    return m.bytes();
  };
  using M = FastTextModel;
  const Words ab = {"ab"};
  refuses(changed([](M& m) { m.quantised = true; }), "a quantised fastText model (.ftz), which cannot be read", ab);
  refuses(changed([](M& m) { m.quantised = true, m.pruned = 3; }), "a quantised fastText model (.ftz)", ab);
  refuses(changed([](M& m) { m.pruned = 3; }), "a pruned fastText model that is not quantised", ab);
  refuses(changed([](M& m) { m.version = 13; }), ": byte 8: a fastText model of version 13; 11 and 12 can be read", ab);
  refuses(changed([](M& m) { m.version = 10; }), "of version 10", ab);
  for (const int32_t dim : {0, -1, 65537, INT32_MAX})
    refuses(M{.dim = dim, .matrix = {1}}.head() + M().dictionary(), "the model says that vectors have", ab);
  for (const int32_t bucket : {-1, 0, INT32_MIN})
    refuses(M{.bucket = bucket, .matrix = {1}}.head() + M().dictionary(), "rows for n-grams of 2 to 3", ab);
  refuses(M{.maxn = INT32_MAX}.head() + M().dictionary(), "rows for n-grams", ab);
  refuses(changed([](M& m) { m.matrix = {std::nanf("")}, m.matrix.resize(16, 1); }), "is not finite", {"</s>"});
  refuses(changed([](M& m) { m.matrix = Floats(16, 3e38F); }), "a sum over its subwords, is not finite", ab);
  const std::string long_word = M{.words = {std::string(70000, 'x')}}.bytes();
  refuses(long_word, "a word is longer than 65536 bytes", ab);
}

TEST_F(WordVectorsTest, FastTextCountsThatCannotBe) {
  const FastTextModel m;
  const auto with_counts = [&](int32_t size, int32_t words, int32_t labels, int64_t pruned) {
    return m.head() + raw(size) + raw(words) + raw(labels) + raw(int64_t{9}) + raw(pruned) +
           m.bytes().substr(m.head().size() + 28);
  };
  const Words ab = {"ab"};
  EXPECT_EQ(with_counts(3, 3, 0, -1), m.bytes().replace(m.head().size() + 12, 8, raw(int64_t{9})));
  refuses(with_counts(4, 3, 0, -1), "which cannot be", ab);
  refuses(with_counts(2, 3, -1, -1), "which cannot be", ab);
  refuses(with_counts(-1, -1, 0, -1), "which cannot be", ab);
  refuses(with_counts(3, 3, 0, -2), "which cannot be", ab);
  refuses(with_counts(3, 3, 0, INT64_MAX), "which cannot be", ab);
  refuses(with_counts(3, 3, 0, 1000000), "the file ends early", ab);
  refuses(with_counts(INT32_MAX, INT32_MAX, 0, -1), ": byte ", ab);
  refuses(with_counts(3, 2, 1, -1), "words and labels in the wrong places", ab);
  std::string bytes = m.bytes();
  const size_t shape = m.head().size() + m.dictionary().size() + 1;
  for (const auto& [at, value] :
       std::vector<std::pair<size_t, int64_t>>{{0, INT64_MAX}, {0, -1}, {0, 9}, {8, 3}, {8, -1}})
    refuses(std::string(bytes).replace(shape + at, 8, raw(value)), "the matrix of vectors is ", ab);
}

TEST_F(WordVectorsTest, WhatCannotBeRead) {
  EXPECT_THROW(read_word_vectors(folder() + "/absent", Words{"a"}), IoError);
  EXPECT_THROW(read_word_vectors(folder(), Words{"a"}), IoError);
  EXPECT_THROW(first_words(folder() + "/absent", 1), IoError);
  for (const std::string& bytes :
       {kGlove + std::string(200000, 'x'), binary("5 3", kBinaryWords), FastTextModel().bytes()}) {
    const std::string path = gz("packed", bytes);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 9);
    EXPECT_NE(message_of<FormatError>([&] { read_word_vectors(path, Words{"a"}); }).find("compressed data ends early"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace lookback::data

#include "lookback/data/corpus.h"

#include <algorithm>
#include <set>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

using namespace std::string_literals;
using Strings = std::vector<std::string>;

std::unique_ptr<Tokenizer> words(const std::string& text) {
  return train_tokenizer({.kind = "word", .split = "space"}, from({text}));
}

std::string joined(const Strings& lines) {
  std::string out;
  for (const auto& l : lines) out += l + "\n";
  return out;
}

class CorpusTest : public FolderTest {
 protected:
  // Both sides in one vocabulary: a=4, b=5, c=6, d=7.
  std::unique_ptr<Tokenizer> tok_ = words("a a a a b b b c c d");
  Corpus read(const Strings& files, const CorpusOptions& options = {}, Keep keep = Keep::tokens) {
    return Corpus(files, *tok_, *tok_, options, keep);
  }
  Strings two(const std::string& source, const std::string& target) const {
    return {file("x.src", source), file("x.trg", target)};
  }
};

using Ids = std::vector<int32_t>;

TEST_F(CorpusTest, TwoFiles) {
  const Corpus c = read(two("a b\nc\n", "d\na a a\n"));
  ASSERT_EQ(c.size(), 2);
  EXPECT_EQ(c.pair(0).source, (Ids{4, 5}));
  EXPECT_EQ(c.pair(0).target, (Ids{7}));
  EXPECT_EQ(c.pair(1).source, (Ids{6}));
  EXPECT_EQ(c.pair(1).target, (Ids{4, 4, 4}));
  EXPECT_EQ(c.source_lengths(), (Ids{2, 1}));
  EXPECT_EQ(c.target_lengths(), (Ids{1, 3}));
  EXPECT_EQ(c.report(), (CorpusReport{.read = 2, .kept = 2, .source_tokens = 3, .target_tokens = 4}));
}

TEST_F(CorpusTest, GzipGivesTheSame) {
  const Corpus plain = read(two("a b\nc\n", "d\na\n")), zipped = read({gz("s.gz", "a b\nc\n"), gz("t.gz", "d\na\n")});
  EXPECT_EQ(plain.report(), zipped.report());
  EXPECT_EQ(plain.pair(1).target, zipped.pair(1).target);
}

TEST_F(CorpusTest, Columns) {
  const std::string f = file("x.tsv", "a b\tignored\tc\nb\tx\td d\n");
  const Corpus c = read({f}, {.columns = {"3", "1"}});
  EXPECT_EQ(c.pair(0).source, (Ids{6}));
  EXPECT_EQ(c.pair(1).target, (Ids{5}));
  const std::string named = file("named.tsv", "id\tde\ten\n1\ta\tb\n2\tc\td\n");
  const Corpus n = read({named}, {.columns = {"en", "de"}});
  EXPECT_EQ(n.size(), 2);
  EXPECT_EQ(n.pair(1).source, (Ids{7}));
  EXPECT_EQ(n.pair(1).target, (Ids{6}));
  EXPECT_EQ(read({file("plain.tsv", "a\tb\n")}).pair(0).target, (Ids{5}));
}

TEST_F(CorpusTest, WrongColumns) {
  const std::string f = file("x.tsv", "de\ten\na\tb\n");
  EXPECT_THROW(read({f}, {.columns = {"1"}}), ConfigError);
  EXPECT_THROW(read({f}, {.columns = {"0", "1"}}), ConfigError);
  EXPECT_THROW(read({f, f}, {.columns = {"1", "2"}}), ConfigError);
  EXPECT_THROW(read({}), ConfigError);
  EXPECT_THROW(read({f, f, f}), ConfigError);
  const std::string m = message_of<FormatError>([&] { read({f}, {.columns = {"de", "e"}}); });
  EXPECT_NE(m.find("x.tsv:1"), std::string::npos) << m;
  EXPECT_NE(m.find("did you mean"), std::string::npos) << m;
}

TEST_F(CorpusTest, EachBadLineIsCountedOnce) {
  const Strings files = two("a\n\xFF\na\n \t\na\n\nc c c\nd\n", "b\nb\n\xC0\x80\nb\n\u00A0\n\nd\nd\n");
  const Corpus c = read(files, {.max_bad = 0.2});
  EXPECT_EQ(c.size(), 3);
  const CorpusReport& r = c.report();
  EXPECT_EQ(r.read, 8);
  EXPECT_EQ(r.invalid_utf8, 2);
  EXPECT_EQ(r.empty_source, 2);
  EXPECT_EQ(r.empty_target, 1);
  EXPECT_EQ(r.kept + r.invalid_utf8 + r.empty_source + r.empty_target, r.read);
  EXPECT_EQ(c.pair(1).source, (Ids{6, 6, 6}));
  ASSERT_EQ(r.examples.size(), 5u);
  EXPECT_EQ(r.examples[0], files[0] + ":2: invalid UTF-8");
  EXPECT_EQ(r.examples[1], files[1] + ":3: invalid UTF-8");
  const std::string told = describe(r);
  EXPECT_NE(told.find("read 8 pairs, kept 3"), std::string::npos) << told;
  EXPECT_NE(told.find("2 invalid UTF-8, 2 with an empty source, 1 with an empty target"), std::string::npos) << told;
}

TEST_F(CorpusTest, MissingColumnIsCounted) {
  const Corpus c = read({file("x.tsv", "a\tb\na\n\nb\tb\tb\n")});
  EXPECT_EQ(c.report().missing_column, 2);
  EXPECT_EQ(c.size(), 2);
  EXPECT_NE(describe(c.report()).find("2 without both columns"), std::string::npos);
}

TEST_F(CorpusTest, StopNamesFileAndLine) {
  const CorpusOptions stop = {.bad_lines = "stop"};
  const auto told = [&](const Strings& files) { return message_of<FormatError>([&] { read(files, stop); }); };
  const auto starts = [](const std::string& s, const std::string& with) { EXPECT_EQ(s.substr(0, with.size()), with); };
  Strings f = two("a\nb\n", "a\n\xE4\n");
  starts(told(f), f[1] + ":2: invalid UTF-8");
  f = two("a\n\n", "a\na\n");
  starts(told(f), f[0] + ":2: the source is empty");
  f = two("a\na\n", "\na\n");
  starts(told(f), f[1] + ":1: the target is empty");
  f = {file("x.tsv", "a\tb\nb\n")};
  starts(told(f), f[0] + ":2: a column is missing");
  EXPECT_EQ(read(two("a\n", "b\n"), stop).size(), 1);
}

// The text with a NUL behind each byte: as UTF-16 writes ASCII.
std::string utf16(const std::string& ascii) {
  std::string out;
  for (const char c : ascii) out += {c, '\0'};
  return out;
}

TEST_F(CorpusTest, AFileInAnotherEncodingIsAnError) {
  const auto told = [&](const Strings& files, const CorpusOptions& options = {}) {
    return message_of<FormatError>([&] { read(files, options); });
  };
  std::string good, latin1;
  for (int k = 0; k < 10; ++k)
    good += "a\nb\n", latin1 +=
                      "a\n\xE4"
                      "b\n";
  Strings f = two(good, latin1);
  EXPECT_EQ(told(f), f[1] +
                         ": 10 of 20 lines are not UTF-8, the first is line 2; it looks like Latin-1 (ISO-8859-1 or "
                         "Windows-1252); convert it (iconv -f WINDOWS-1252 -t UTF-8), or set data.max_bad = 1 to leave "
                         "such lines out");
  EXPECT_EQ(read(f, {.max_bad = 0.5}).report().invalid_utf8, 10);
  f = {file("s", good), gz("t.gz", latin1)};
  EXPECT_EQ(told(f).find(f[1] + ": 10 of 20 lines"), 0u);
  // A UTF-16 file has a line more by its last NUL; that it is UTF-16 is what matters.
  f = two(good, "\xFF\xFE" + utf16(good));
  EXPECT_EQ(told(f).find(f[1] + ": 20 of 20 lines are not UTF-8, the first is line 1; it looks like UTF-16;"), 0u);
  f = two(utf16(good), good);
  EXPECT_NE(told(f).find("UTF-16, little-endian"), std::string::npos);
  EXPECT_NE(told(f, {.bad_lines = "stop"}).find(":1: NUL bytes, as UTF-16 has"), std::string::npos);
  EXPECT_EQ(read({f[0], f[0]}, {.max_bad = 1}).size(), 0);
}

TEST_F(CorpusTest, ATsvFileInAnotherEncodingIsAnError) {
  const auto told = [&](const std::string& bytes, const CorpusOptions& options = {}) {
    return message_of<FormatError>([&] { read({file("x.tsv", bytes)}, options); });
  };
  EXPECT_NE(told("a\tb\na\t\xE4"
                 "b\n")
                .find("x.tsv: 1 of 2 lines are not UTF-8, the first is line 2; it looks like Latin"),
            std::string::npos);
  EXPECT_NE(told("\xFF\xFE" + utf16("a\tb\nb\tb\n")).find("2 of 3 lines"), std::string::npos);
  EXPECT_NE(told(utf16("de\ten\na\tb\n"), {.columns = {"de", "en"}}).find("has no column 'de'; the line is not UTF-8"),
            std::string::npos);
}

TEST_F(CorpusTest, LinesOfASideAreHeldToTheSameShare) {
  const auto count = [](const LineSource& lines) {
    int out = 0;
    for (std::string l; lines(l);) ++out;
    return out;
  };
  const Strings files = two("a\nb\n\xE4\nc\n", "a\nb\nc\nd\n");
  const Strings tsv = {file("x.tsv", "a\tb\nb\t\xE4\nb\n")};
  for (const Side side : {Side::source, Side::both}) {
    const std::string m = message_of<FormatError>([&] { count(side_lines(files, {}, side)); });
    EXPECT_EQ(m.find(files[0] + ": 1 of 4 lines"), 0u) << m;
    EXPECT_EQ(message_of<FormatError>([&] { count(side_lines(tsv, {}, side)); }).find(tsv[0] + ": 1 of 3 lines"), 0u);
    EXPECT_EQ(message_of<FormatError>([&] {
                count(side_lines(files, {.bad_lines = "stop"}, side));
              }).find(files[0] + ":3: invalid UTF-8"),
              0u);
  }
  EXPECT_EQ(count(side_lines(files, {}, Side::target)), 4);
  EXPECT_EQ(count(side_lines(files, {.max_bad = 0.25}, Side::both)), 7);
  EXPECT_EQ(count(side_lines(tsv, {.max_bad = 0.5}, Side::both)), 3);
}

TEST_F(CorpusTest, UnequalLineCounts) {
  const Strings files = two("a\na\na\n", "b\n");
  const std::string m = message_of<FormatError>([&] { read(files); });
  EXPECT_NE(m.find(files[0] + " has 3 lines"), std::string::npos) << m;
  EXPECT_NE(m.find(files[1] + " has 1:"), std::string::npos) << m;
  const Corpus c = read(files, {.unequal = "truncate"});
  EXPECT_EQ(c.size(), 1);
  EXPECT_EQ(c.report().unpaired, 2);
  EXPECT_NE(describe(c.report()).find("2 lines"), std::string::npos);
  const Corpus other = read(two("a\n", "b\nb\nb\nb\n"), {.unequal = "truncate"});
  EXPECT_EQ(other.report().unpaired, 3);
  EXPECT_EQ(other.pair(0).target, (Ids{5}));
}

TEST_F(CorpusTest, Filters) {
  const Strings files = two("a a a a\na\na a\n", "b\nb b b\nb b\n");
  const Corpus c = read(files, {.max_length = 3, .max_ratio = 2});
  EXPECT_EQ(c.report().too_long, 1);
  EXPECT_EQ(c.report().too_uneven, 1);
  EXPECT_EQ(c.size(), 1);
  EXPECT_EQ(read(files, {.max_length = 4}).size(), 3);
  EXPECT_EQ(read(files, {.max_length = 0}).size(), 3);
  const LengthFilter f{.max_source = 2, .max_target = 3, .max_ratio = 1.5};
  EXPECT_FALSE(f.too_long(2, 3));
  EXPECT_TRUE(f.too_long(3, 3));
  EXPECT_TRUE(f.too_long(2, 4));
  EXPECT_FALSE(f.too_uneven(2, 3));
  EXPECT_TRUE(f.too_uneven(2, 4));
  EXPECT_TRUE(f.too_uneven(4, 2));
}

TEST_F(CorpusTest, TextIsKeptOnlyWhenAsked) {
  const Strings files = two("a  b\n\nä c\r\n", "b\nb\nc!\n");
  const Corpus with = read(files, {}, Keep::tokens_and_text);
  EXPECT_EQ(with.source_text(0), "a  b");
  EXPECT_EQ(with.source_text(1), "ä c");
  EXPECT_EQ(with.target_text(1), "c!");
  EXPECT_THROW(with.source_text(2), ShapeError);
  EXPECT_THROW(with.pair(-1), ShapeError);
  EXPECT_THROW(read(files).source_text(0), ConfigError);
}

TEST_F(CorpusTest, NothingInNothingOut) {
  const Corpus c = read(two("", ""));
  EXPECT_EQ(c.size(), 0);
  EXPECT_EQ(c.report(), CorpusReport{});
  EXPECT_THROW(read({file("a", "a\n"), folder() + "/none"}), IoError);
  EXPECT_THROW(read(two("a\n", "b\n"), {.bad_lines = "perhaps"}), ConfigError);
}

// More rows than one block, and the temporary file: the same pairs either way.
TEST_F(CorpusTest, ManyRowsInMemoryAndInAFile) {
  Strings source, target;
  for (int k = 0; k < 40000; ++k) {
    source.push_back(std::string(static_cast<size_t>(k % 7), ' ') + (k % 2 ? "a b c" : "d"));
    target.push_back(k % 3 ? "b" : "c c d d");
  }
  const Strings files = two(joined(source), joined(target));
  const Corpus memory = read(files, {}, Keep::tokens_and_text);
  const Corpus spilled = read(files, {.memory_mb = 0}, Keep::tokens_and_text);
  EXPECT_FALSE(memory.spilled());
  EXPECT_TRUE(spilled.spilled());
  ASSERT_EQ(memory.size(), 40000);
  for (int64_t i = 0; i < 40000; ++i) {
    ASSERT_EQ(memory.pair(i).source, (i % 2 ? Ids{4, 5, 6} : Ids{7}));
    ASSERT_EQ(spilled.pair(i).source, memory.pair(i).source);
    ASSERT_EQ(spilled.pair(i).target, memory.pair(i).target);
    ASSERT_EQ(spilled.source_text(i), source[static_cast<size_t>(i)]);
  }
}

TEST_F(CorpusTest, LargeVocabulariesNeedWiderIds) {
  std::string many;
  for (int k = 0; k < 66000; ++k) many += "w" + std::to_string(k) + " ";
  const auto big = train_tokenizer({.kind = "word", .size = 100000, .split = "space"}, from({many}));
  ASSERT_GT(big->size(), 65536);
  const std::string last = big->piece(static_cast<int32_t>(big->size()) - 1);
  const Corpus c({file("s", last + "\n"), file("t", "w1\n")}, *big, *big, {});
  EXPECT_EQ(c.pair(0).source, (Ids{static_cast<int32_t>(big->size()) - 1}));
}

TEST_F(CorpusTest, ThreadsDoNotMatter) {
  Strings lines;
  for (int k = 0; k < 3; ++k)
    for (const auto& s : sentences()) lines.push_back(s);
  const auto bpe = train_tokenizer({.size = 200, .sampling = 0.2}, from(lines));
  const Strings files = two(joined(lines), joined(lines));
  const auto all = [&](int threads) {
    const ThreadScope scope(threads);
    const Corpus c(files, *bpe, *bpe, {});
    std::vector<Ids> out;
    for (int64_t i = 0; i < c.size(); ++i) out.push_back(c.pair(i).source), out.push_back(c.pair(i, 3, 1).target);
    return out;
  };
  EXPECT_EQ(all(1), all(3));
}

// A sampled pair depends on (seed, epoch, i), not on what was fetched before.
TEST_F(CorpusTest, SamplingIsAFunctionOfSeedEpochAndPair) {
  const Strings lines = sentences();
  const auto bpe = train_tokenizer({.size = 200, .sampling = 0.3}, from(lines));
  const Corpus c(two(joined(lines), joined(lines)), *bpe, *bpe, {});
  std::vector<Ids> forward, backward;
  int64_t by_epoch = 0, by_seed = 0, by_side = 0, by_pair = 0;
  const int64_t n = c.size();
  for (int64_t i = 0; i < n; ++i) {
    const Pair p = c.pair(i, 1, 0);
    forward.push_back(p.source);
    EXPECT_EQ(bpe->decode(p.source), lines[static_cast<size_t>(i)]);
    by_epoch += p.source != c.pair(i, 1, 1).source;
    by_seed += p.source != c.pair(i, 2, 0).source;
    by_side += p.source != p.target;
    by_pair += p.source != c.pair(i).source;
  }
  for (int64_t i = n; i-- > 0;) backward.push_back(c.pair(i, 1, 0).source);
  std::reverse(backward.begin(), backward.end());
  EXPECT_EQ(forward, backward);
  for (const int64_t differing : {by_epoch, by_seed, by_side, by_pair}) EXPECT_GT(differing, n * 3 / 4);
}

TEST_F(CorpusTest, EqualLinesAreSampledApart) {
  const auto bpe = train_tokenizer({.size = 200, .sampling = 0.3}, from(sentences()));
  const std::string same = joined(Strings(50, sentences()[30]));
  const Corpus c(two(same, same), *bpe, *bpe, {});
  std::set<Ids> cuts;
  for (int64_t i = 0; i < c.size(); ++i) cuts.insert(c.pair(i, 1, 0).source);
  EXPECT_GT(cuts.size(), 20u);
}

// To a char tokenizer a space is a token; a line of spaces is empty all the same.
TEST_F(CorpusTest, WhiteSpaceIsEmptyForEveryTokenizer) {
  const auto chars = train_tokenizer({.kind = "char"}, from({"a b\t"}));
  const Corpus c(two("  \t\na\n", "a\na\n"), *chars, *chars, {});
  EXPECT_EQ(c.report().empty_source, 1);
  EXPECT_EQ(c.size(), 1);
}

TEST_F(CorpusTest, BatchesGatherPairs) {
  const Corpus c = read(two("a b\nc\nd\n", "d\na a a\nb b\n"));
  const Batch b = c.batch({2, 0});
  EXPECT_EQ(b.index, (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(b.source, (std::vector<Ids>{{7}, {4, 5}}));
  EXPECT_EQ(b.target, (std::vector<Ids>{{5, 5}, {7}}));
  EXPECT_EQ(b.source_tokens, 3);
  EXPECT_EQ(b.target_tokens, 3);
  EXPECT_EQ(c.batch({2, 0}, 1, 1).source, b.source);
}

TEST_F(CorpusTest, LinesOfASide) {
  const auto all = [](const LineSource& lines) {
    Strings out;
    for (std::string l; lines(l);) out.push_back(l);
    return out;
  };
  const Strings files = two("a\nb\n", "c\n");
  EXPECT_EQ(all(side_lines(files, {}, Side::source)), (Strings{"a", "b"}));
  EXPECT_EQ(all(side_lines(files, {}, Side::target)), (Strings{"c"}));
  EXPECT_EQ(all(side_lines(files, {}, Side::both)), (Strings{"a", "b", "c"}));
  const Strings tsv = {file("x.tsv", "a\tx y\nshort\nb\tz\n")};
  EXPECT_EQ(all(side_lines(tsv, {}, Side::source)), (Strings{"a", "b"}));
  EXPECT_EQ(all(side_lines(tsv, {}, Side::both)), (Strings{"a", "b", "x y", "z"}));
  EXPECT_EQ(all(side_lines(tsv, {.columns = {"2", "1"}}, Side::source)), (Strings{"x y", "z"}));
}

}  // namespace
}  // namespace lookback::data

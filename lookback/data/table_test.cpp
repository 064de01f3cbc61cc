#include "lookback/data/table.h"

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

std::vector<Column> both(const Tokenizer& t) { return {{"source", &t}, {"target", &t}}; }

class TableTest : public FolderTest {
 protected:
  // Both sides in one vocabulary: a=4, b=5, c=6, d=7.
  std::unique_ptr<Tokenizer> tok_ = words("a a a a b b b c c d");
  Table read(const Strings& files, const TableOptions& options = {}, Keep keep = Keep::tokens) {
    return Table({{files}}, both(*tok_), options, keep);
  }
  Strings two(const std::string& source, const std::string& target) const {
    return {file("x.src", source), file("x.trg", target)};
  }
};

TEST_F(TableTest, TwoFiles) {
  const Table c = read(two("a b\nc\n", "d\na a a\n"));
  ASSERT_EQ(c.size(), 2);
  EXPECT_EQ(c.ids(0, 0), (Ids{4, 5}));
  EXPECT_EQ(c.ids(1, 0), (Ids{7}));
  EXPECT_EQ(c.ids(0, 1), (Ids{6}));
  EXPECT_EQ(c.ids(1, 1), (Ids{4, 4, 4}));
  EXPECT_EQ(c.lengths(0), (Ids{2, 1}));
  EXPECT_EQ(c.lengths(1), (Ids{1, 3}));
  EXPECT_EQ(c.report(), (TableReport{.read = 2, .kept = 2, .tokens = {{"source", 3}, {"target", 4}}}));
}

TEST_F(TableTest, GzipGivesTheSame) {
  const Table plain = read(two("a b\nc\n", "d\na\n")), zipped = read({gz("s.gz", "a b\nc\n"), gz("t.gz", "d\na\n")});
  EXPECT_EQ(plain.report(), zipped.report());
  EXPECT_EQ(plain.ids(1, 1), zipped.ids(1, 1));
}

TEST_F(TableTest, Columns) {
  const std::string f = file("x.tsv", "a b\tignored\tc\nb\tx\td d\n");
  const Table c = read({f}, {.columns = {"3", "1"}});
  EXPECT_EQ(c.ids(0, 0), (Ids{6}));
  EXPECT_EQ(c.ids(1, 1), (Ids{5}));
  const std::string named = file("named.tsv", "id\tde\ten\n1\ta\tb\n2\tc\td\n");
  const Table n = read({named}, {.columns = {"en", "de"}});
  EXPECT_EQ(n.size(), 2);
  EXPECT_EQ(n.ids(0, 1), (Ids{7}));
  EXPECT_EQ(n.ids(1, 1), (Ids{6}));
  EXPECT_EQ(read({file("plain.tsv", "a\tb\n")}).ids(1, 0), (Ids{5}));
}

TEST_F(TableTest, WrongColumns) {
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

TEST_F(TableTest, EachBadLineIsCountedOnce) {
  const Strings files = two("a\n\xFF\na\n \t\na\n\nc c c\nd\n", "b\nb\n\xC0\x80\nb\n\u00A0\n\nd\nd\n");
  const Table c = read(files, {.max_bad = 0.2});
  EXPECT_EQ(c.size(), 3);
  const TableReport& r = c.report();
  EXPECT_EQ(r.read, 8);
  EXPECT_EQ(r.left_out_for("invalid UTF-8"), 2);
  EXPECT_EQ(r.left_out_for("the source is empty"), 2);
  EXPECT_EQ(r.left_out_for("the target is empty"), 1);
  EXPECT_EQ(r.kept + 2 + 2 + 1, r.read);
  EXPECT_EQ(c.ids(0, 1), (Ids{6, 6, 6}));
  ASSERT_EQ(r.examples.size(), 5u);
  EXPECT_EQ(r.examples[0], files[0] + ":2: invalid UTF-8");
  EXPECT_EQ(r.examples[1], files[1] + ":3: invalid UTF-8");
  const std::string told = describe(r);
  EXPECT_NE(told.find("read 8 examples, kept 3"), std::string::npos) << told;
  EXPECT_NE(told.find("invalid UTF-8: 2; the source is empty: 2; the target is empty: 1"), std::string::npos) << told;
}

TEST_F(TableTest, MissingColumnIsCounted) {
  const Table c = read({file("x.tsv", "a\tb\na\n\nb\tb\tb\n")});
  EXPECT_EQ(c.report().left_out_for("a column is missing"), 2);
  EXPECT_EQ(c.size(), 2);
  EXPECT_NE(describe(c.report()).find("a column is missing: 2"), std::string::npos);
}

TEST_F(TableTest, StopNamesFileAndLine) {
  const TableOptions stop = {.bad_lines = "stop"};
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

TEST_F(TableTest, AFileInAnotherEncodingIsAnError) {
  const auto told = [&](const Strings& files, const TableOptions& options = {}) {
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
  EXPECT_EQ(read(f, {.max_bad = 0.5}).report().left_out_for("invalid UTF-8"), 10);
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

TEST_F(TableTest, ATsvFileInAnotherEncodingIsAnError) {
  const auto told = [&](const std::string& bytes, const TableOptions& options = {}) {
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

LineSource lines_of(const Strings& files, const TableOptions& options, const std::vector<size_t>& wanted) {
  return column_lines({{files}}, {"source", "target"}, wanted, options);
}

TEST_F(TableTest, LinesOfAColumnAreHeldToTheSameShare) {
  const auto count = [](const LineSource& lines) {
    int out = 0;
    for (std::string l; lines(l);) ++out;
    return out;
  };
  const Strings files = two("a\nb\n\xE4\nc\n", "a\nb\nc\nd\n");
  const Strings tsv = {file("x.tsv", "a\tb\nb\t\xE4\nb\n")};
  for (const std::vector<size_t>& wanted : {std::vector<size_t>{0}, {0, 1}}) {
    const std::string m = message_of<FormatError>([&] { count(lines_of(files, {}, wanted)); });
    EXPECT_EQ(m.find(files[0] + ": 1 of 4 lines"), 0u) << m;
    EXPECT_EQ(message_of<FormatError>([&] { count(lines_of(tsv, {}, wanted)); }).find(tsv[0] + ": 1 of 3 lines"), 0u);
    EXPECT_EQ(message_of<FormatError>([&] {
                count(lines_of(files, {.bad_lines = "stop"}, wanted));
              }).find(files[0] + ":3: invalid UTF-8"),
              0u);
  }
  EXPECT_EQ(count(lines_of(files, {.max_bad = 0.25}, {0, 1})), 6);
  EXPECT_EQ(count(lines_of(tsv, {.max_bad = 0.5}, {0, 1})), 2);
}

TEST_F(TableTest, UnequalLineCounts) {
  const Strings files = two("a\na\na\n", "b\n");
  const std::string m = message_of<FormatError>([&] { read(files); });
  EXPECT_NE(m.find(files[0] + " has 3 lines"), std::string::npos) << m;
  EXPECT_NE(m.find(files[1] + " has 1:"), std::string::npos) << m;
  const Table c = read(files, {.unequal = "truncate"});
  EXPECT_EQ(c.size(), 1);
  EXPECT_EQ(c.report().unpaired, 2);
  EXPECT_NE(describe(c.report()).find("2 lines"), std::string::npos);
  const Table other = read(two("a\n", "b\nb\nb\nb\n"), {.unequal = "truncate"});
  EXPECT_EQ(other.report().unpaired, 3);
  EXPECT_EQ(other.ids(1, 0), (Ids{5}));
}

TEST_F(TableTest, Filters) {
  const Strings files = two("a a a a\na\na a\n", "b\nb b b\nb b\n");
  const Table c = read(files, {.max_length = 3, .max_ratio = 2});
  EXPECT_EQ(c.report().left_out_for("too long"), 1);
  EXPECT_EQ(c.report().left_out_for("the lengths are too uneven"), 1);
  EXPECT_EQ(c.size(), 1);
  EXPECT_EQ(read(files, {.max_length = 4}).size(), 3);
  EXPECT_EQ(read(files, {.max_length = 0}).size(), 3);
  EXPECT_EQ(read(files, {.max_ratio = 3}).size(), 2);
  EXPECT_EQ(read(files, {.max_ratio = 4}).size(), 3);
}

TEST_F(TableTest, TextIsKeptOnlyWhenAsked) {
  const Strings files = two("a  b\n\nä c\r\n", "b\nb\nc!\n");
  const Table with = read(files, {}, Keep::tokens_and_text);
  EXPECT_EQ(with.text(0, 0), "a  b");
  EXPECT_EQ(with.text(0, 1), "ä c");
  EXPECT_EQ(with.text(1, 1), "c!");
  EXPECT_THROW(with.text(0, 2), ShapeError);
  EXPECT_THROW(with.ids(0, -1), ShapeError);
  EXPECT_THROW(read(files).text(0, 0), ConfigError);
}

TEST_F(TableTest, NothingInNothingOut) {
  const Table c = read(two("", ""));
  EXPECT_EQ(c.size(), 0);
  EXPECT_EQ(c.report(), (TableReport{.tokens = {{"source", 0}, {"target", 0}}}));
  EXPECT_THROW(read({file("a", "a\n"), folder() + "/none"}), IoError);
  EXPECT_THROW(read(two("a\n", "b\n"), {.bad_lines = "perhaps"}), ConfigError);
}

// More rows than one block, and the temporary file: the same pairs either way.
TEST_F(TableTest, ManyRowsInMemoryAndInAFile) {
  Strings source, target;
  for (int k = 0; k < 40000; ++k) {
    source.push_back(std::string(static_cast<size_t>(k % 7), ' ') + (k % 2 ? "a b c" : "d"));
    target.push_back(k % 3 ? "b" : "c c d d");
  }
  const Strings files = two(joined(source), joined(target));
  const Table memory = read(files, {}, Keep::tokens_and_text);
  const Table spilled = read(files, {.memory_mb = 0}, Keep::tokens_and_text);
  EXPECT_FALSE(memory.spilled());
  EXPECT_TRUE(spilled.spilled());
  ASSERT_EQ(memory.size(), 40000);
  for (int64_t i = 0; i < 40000; ++i) {
    ASSERT_EQ(memory.ids(0, i), (i % 2 ? Ids{4, 5, 6} : Ids{7}));
    ASSERT_EQ(spilled.ids(0, i), memory.ids(0, i));
    ASSERT_EQ(spilled.ids(1, i), memory.ids(1, i));
    ASSERT_EQ(spilled.text(0, i), source[static_cast<size_t>(i)]);
  }
}

TEST_F(TableTest, LargeVocabulariesNeedWiderIds) {
  std::string many;
  for (int k = 0; k < 66000; ++k) many += "w" + std::to_string(k) + " ";
  const auto big = train_tokenizer({.kind = "word", .size = 100000, .split = "space"}, from({many}));
  ASSERT_GT(big->size(), 65536);
  const std::string last = big->piece(static_cast<int32_t>(big->size()) - 1);
  const Table c({{{file("s", last + "\n"), file("t", "w1\n")}}}, both(*big), {});
  EXPECT_EQ(c.ids(0, 0), (Ids{static_cast<int32_t>(big->size()) - 1}));
}

TEST_F(TableTest, ThreadsDoNotMatter) {
  Strings lines;
  for (int k = 0; k < 3; ++k)
    for (const auto& s : sentences()) lines.push_back(s);
  const auto bpe = train_tokenizer({.size = 200, .sampling = 0.2}, from(lines));
  const Strings files = two(joined(lines), joined(lines));
  const auto all = [&](int threads) {
    const ThreadScope scope(threads);
    const Table c({{files}}, both(*bpe), {});
    std::vector<Ids> out;
    for (int64_t i = 0; i < c.size(); ++i) out.push_back(c.ids(0, i)), out.push_back(c.ids(1, i, 3, 1));
    return out;
  };
  EXPECT_EQ(all(1), all(3));
}

// A sampled cell depends on (seed, epoch, i), not on what was fetched before.
TEST_F(TableTest, SamplingIsAFunctionOfSeedEpochAndRow) {
  const Strings lines = sentences();
  const auto bpe = train_tokenizer({.size = 200, .sampling = 0.3}, from(lines));
  const Table c({{two(joined(lines), joined(lines))}}, both(*bpe), {});
  std::vector<Ids> forward, backward;
  int64_t by_epoch = 0, by_seed = 0, by_side = 0, by_pair = 0;
  const int64_t n = c.size();
  for (int64_t i = 0; i < n; ++i) {
    const Ids source = c.ids(0, i, 1, 0);
    forward.push_back(source);
    EXPECT_EQ(bpe->decode(source), lines[static_cast<size_t>(i)]);
    by_epoch += source != c.ids(0, i, 1, 1);
    by_seed += source != c.ids(0, i, 2, 0);
    by_side += source != c.ids(1, i, 1, 0);
    by_pair += source != c.ids(0, i);
  }
  for (int64_t i = n; i-- > 0;) backward.push_back(c.ids(0, i, 1, 0));
  std::reverse(backward.begin(), backward.end());
  EXPECT_EQ(forward, backward);
  for (const int64_t differing : {by_epoch, by_seed, by_side, by_pair}) EXPECT_GT(differing, n * 3 / 4);
}

TEST_F(TableTest, EqualLinesAreSampledApart) {
  const auto bpe = train_tokenizer({.size = 200, .sampling = 0.3}, from(sentences()));
  const std::string same = joined(Strings(50, sentences()[30]));
  const Table c({{two(same, same)}}, both(*bpe), {});
  std::set<Ids> cuts;
  for (int64_t i = 0; i < c.size(); ++i) cuts.insert(c.ids(0, i, 1, 0));
  EXPECT_GT(cuts.size(), 20u);
}

// To a char tokenizer a space is a token; a line of spaces is empty all the same.
TEST_F(TableTest, WhiteSpaceIsEmptyForEveryTokenizer) {
  const auto chars = train_tokenizer({.kind = "char"}, from({"a b\t"}));
  const Table c({{two("  \t\na\n", "a\na\n")}}, both(*chars), {});
  EXPECT_EQ(c.report().left_out_for("the source is empty"), 1);
  EXPECT_EQ(c.size(), 1);
}

TEST_F(TableTest, BatchesGatherRows) {
  const Table c = read(two("a b\nc\nd\n", "d\na a a\nb b\n"));
  const Batch b = c.batch({2, 0});
  EXPECT_EQ(b.index, (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(b.columns[0], (std::vector<Ids>{{7}, {4, 5}}));
  EXPECT_EQ(b.columns[1], (std::vector<Ids>{{5, 5}, {7}}));
  EXPECT_EQ(b.tokens(0), 3);
  EXPECT_EQ(b.tokens(1), 3);
  EXPECT_EQ(c.batch({2, 0}, 1, 1).columns, b.columns);
}

TEST_F(TableTest, LinesOfAColumn) {
  const auto all = [](const LineSource& lines) {
    Strings out;
    for (std::string l; lines(l);) out.push_back(l);
    return out;
  };
  const Strings files = two("a\nb\n", "c\nd\n");
  EXPECT_EQ(all(lines_of(files, {}, {0})), (Strings{"a", "b"}));
  EXPECT_EQ(all(lines_of(files, {}, {1})), (Strings{"c", "d"}));
  EXPECT_EQ(all(lines_of(files, {}, {0, 1})), (Strings{"a", "b", "c", "d"}));
  const Strings tsv = {file("x.tsv", "a\tx y\nshort\nb\tz\n")};
  EXPECT_EQ(all(lines_of(tsv, {}, {0})), (Strings{"a", "b"}));
  EXPECT_EQ(all(lines_of(tsv, {}, {0, 1})), (Strings{"a", "b", "x y", "z"}));
  EXPECT_EQ(all(lines_of(tsv, {.columns = {"2", "1"}}, {0})), (Strings{"x y", "z"}));
  EXPECT_EQ(all(column_lines({{tsv}}, {"text", "label"}, {1}, {})), (Strings{"x y", "z"}));
}

TEST_F(TableTest, OneColumnIsLinesOfAFile) {
  const Table c({{{file("x.txt", "a\tb\nc\n")}}}, {{"text", tok_.get()}}, {});
  EXPECT_EQ(c.ids(0, 0), (Ids{4, 5}));
  const Table second({{{file("x.tsv", "a\tb\nc\td\n")}}}, {{"text", tok_.get()}}, {.columns = {"2"}});
  EXPECT_EQ(second.ids(0, 1), (Ids{7}));
}

TEST_F(TableTest, Csv) {
  const std::string f =
      file("x.csv", "id,target,source\n1,b,\"a, \"\"b\"\"\"\n2,\"c\nd\",a\n3,b\n4,\"b\"c,a\n5,,a\n6,b,\"a\n");
  const Table c = read({f}, {}, Keep::tokens_and_text);
  ASSERT_EQ(c.size(), 2);
  EXPECT_EQ(c.text(0, 0), "a, \"b\"");
  EXPECT_EQ(c.text(1, 1), "c\nd");
  EXPECT_EQ(c.report().left_out, (std::vector<std::pair<std::string, int64_t>>{{"a column is missing", 1},
                                                                               {"something follows a closed quote", 1},
                                                                               {"the target is empty", 1},
                                                                               {"a quote is not closed", 1}}));
  EXPECT_EQ(c.report().examples[2], f + ":7: the target is empty");
  EXPECT_EQ(read({f}, {.columns = {"3", "2"}}).ids(1, 0), (Ids{5}));
  EXPECT_NE(message_of<FormatError>([&] {
              read({f}, {.columns = {"source", "tarjet"}});
            }).find("'target'"),
            std::string::npos);
  EXPECT_EQ(message_of<FormatError>([&] { read({f}, {.bad_lines = "stop"}); }).find(f + ":5: a column is missing;"),
            0u);
  EXPECT_THROW(read({file("none.csv", "")}), FormatError);
}

TEST_F(TableTest, JsonLines) {
  const std::string f = file("x.jsonl",
                             "{\"target\": \"b\", \"source\": \"a \\u0062\", \"id\": [1]}\n"
                             "{\"source\": 7, \"target\": true}\n"
                             "{\"source\": \"a\"}\n{\"source\": \"a\", \"target\": null}\n"
                             "{\"source\": [7], \"target\": \"b\"}\n[1]\n{\"source\n\n");
  const Table c = read({f}, {}, Keep::tokens_and_text);
  ASSERT_EQ(c.size(), 2);
  EXPECT_EQ(c.text(0, 0), "a b");
  EXPECT_EQ(c.text(0, 1), "7");
  EXPECT_EQ(c.text(1, 1), "true");
  EXPECT_EQ(c.report().left_out_for("a column is missing"), 2);
  EXPECT_EQ(c.report().left_out_for("'source' is neither text, nor a list of texts, nor a number"), 1);
  EXPECT_EQ(c.report().left_out_for("no JSON object"), 1);
  EXPECT_EQ(c.report().read, 8);
  const std::string lists = file("lists.jsonl", "{\"target\": [\"b\", \"c\"], \"source\": \"a\"}\n");
  EXPECT_EQ(read({lists}, {}, Keep::tokens_and_text).text(1, 0), "b,c");
  EXPECT_EQ(read({f}, {.columns = {"target", "source"}}).ids(0, 0), (Ids{5}));
}

TEST_F(TableTest, PartsFollowEachOther) {
  const RowSource rows{{{file("1.s", "a\n"), file("1.t", "b\n")}, {file("2.s", "c\n\n"), file("2.t", "d\nb\n")}}};
  const Table c(rows, both(*tok_), {});
  EXPECT_EQ(c.ids(0, 1), (Ids{6}));
  EXPECT_EQ(c.report().examples, (Strings{rows.parts[1][0] + ":2: the source is empty"}));
}

// Shares of one file have every row once, and equal rows together, whatever stands around them.
TEST_F(TableTest, SharesPartTheRows) {
  Strings source, target;
  for (int k = 0; k < 3000; ++k)
    source.push_back("a " + std::to_string(k % 1000)), target.push_back("b " + std::to_string(k % 1000));
  const Strings files = two(joined(source), joined(target));
  std::set<std::string> seen;
  int64_t all = 0;
  for (const auto& [from, to] : {std::pair{0.0, 0.1}, {0.1, 0.3}, {0.3, 1.0}}) {
    const Table part({{files}, from, to}, both(*tok_), {}, Keep::tokens_and_text);
    std::set<std::string> own;
    for (int64_t i = 0; i < part.size(); ++i) own.emplace(part.text(0, i));
    EXPECT_EQ(part.size(), 3 * std::ssize(own));
    EXPECT_NEAR(static_cast<double>(own.size()), 1000 * (to - from), 40);
    all += std::ssize(own);
    seen.insert(own.begin(), own.end());
  }
  EXPECT_EQ(all, 1000);
  EXPECT_EQ(seen.size(), 1000u);
  const auto first = [&](double from, double to) {
    std::string line;
    return column_lines({{files}, from, to}, {"source", "target"}, {0}, {})(line) ? line : "";
  };
  EXPECT_NE(first(0, 0.5), first(0.5, 1));
  EXPECT_NE(rows_sha256({{files}, 0, 0.5}, {"source", "target"}, {}), rows_sha256({{files}}, {"source", "target"}, {}));
}

// A second form of a column's cells: as many ids as the text has bytes.
struct Bytes final : CellEncoder {
  std::vector<int32_t> encode(std::string_view cell) const override { return std::vector<int32_t>(cell.size(), 1); }
  int64_t size() const override { return 2; }
};

TEST_F(TableTest, AColumnInAnotherFormJudgesNoRow) {
  const std::string f = file("x.tsv", "a b\tb\n\tb\na a a a\tb\n");
  const auto words = train_tokenizer({.kind = "word"}, {f});
  const Bytes bytes;
  const Table t({.parts = {{f}}}, {{"source", words.get()}, {"target", words.get()}, {"source", &bytes}},
                {.max_length = 3}, Keep::tokens_and_text);
  ASSERT_EQ(t.size(), 1);
  EXPECT_EQ(t.report().tokens.size(), 2u);
  EXPECT_EQ(t.ids(2, 0).size(), 3u);
  EXPECT_EQ(t.batch({0}).columns.size(), 3u);
  EXPECT_EQ(t.report().left_out_for("too long"), 1);
  EXPECT_EQ(t.report().left_out_for("the source is empty"), 1);
}

}  // namespace
}  // namespace lookback::data

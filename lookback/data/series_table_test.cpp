#include "lookback/data/series_table.h"

#include <sstream>

#include "lookback/base/error.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

const SeriesOptions kLong;
const SeriesOptions kWide{.id = "", .targets = {"*"}};
const SeriesOptions kSteps{.id = "", .time = "", .targets = {"*"}};
const SeriesOptions kLenient{.missing = "mask", .infinite = "mask", .duplicates = "last"};

// "a 2024-01-01 D: 1 (1) 2; b ...": id, start, frequency, and the values, those that are not known in brackets.
std::string shown(const SeriesTable& t) {
  std::ostringstream out;
  out.precision(17);
  for (const Series& s : t.series) {
    out << (&s == t.series.data() ? "" : "; ") << s.id << ' ' << t.stamp(s, 0) << ' '
        << (t.frequency ? frequency_alias(*t.frequency) : "-") << ':';
    EXPECT_EQ(s.values.size(), s.known.size());
    for (size_t k = 0; k < s.values.size(); ++k)
      s.known[k] ? out << ' ' << s.values[k] : out << " (" << s.values[k] << ')';
  }
  return out.str();
}

// Counts that are not 0.
std::string counts(const SeriesReport& r) {
  std::string out = str_cat(r.rows, " rows, ", r.values, " values");
  const std::pair<int64_t, const char*> all[] = {{r.gaps, "gaps"},         {r.missing, "missing"},
                                                 {r.infinite, "infinite"}, {r.duplicates, "duplicates"},
                                                 {r.unsorted, "unsorted"}, {std::ssize(r.empty), "empty"}};
  for (const auto& [count, what] : all)
    if (count > 0) out += str_cat(", ", count, ' ', what);
  return out;
}

class SeriesTableTest : public FolderTest {
 protected:
  SeriesTable table(const std::string& text, const SeriesOptions& options = kLong) const {
    return read_series({file("x.csv", text)}, options);
  }
  std::string read(const std::string& text, const SeriesOptions& options = kLong) const {
    return shown(table(text, options));
  }
  // The rows of one long series of dates, as "01-31,5\n".
  SeriesTable rows(const std::string& rows, const SeriesOptions& options = kLong) const {
    std::istringstream lines(rows);
    std::string text = "unique_id,ds,y\n", line;
    while (std::getline(lines, line)) text += "a,2024-" + line + "\n";
    return table(text, options);
  }
  // The message, without the folder.
  template <class E = FormatError>
  std::string refused(const std::string& text, const SeriesOptions& options = kLong) const {
    return local(message_of<E>([&] { table(text, options); }));
  }
};

TEST_F(SeriesTableTest, LongTables) {
  const std::string text = "unique_id,ds,y\nb,2024-01-01,1\na,2024-01-02,2\nb,2024-01-02,3\na,2024-01-03,4.5\n";
  const std::string want = "b 2024-01-01 D: 1 3; a 2024-01-02 D: 2 4.5";
  EXPECT_EQ(read(text), want);
  std::string tabs = text;
  std::ranges::replace(tabs, ',', '\t');
  EXPECT_EQ(read(tabs), want);
  EXPECT_EQ(shown(read_series({gz("x.csv.gz", text)}, kLong)), want);
  std::string windows;
  for (const char c : text) windows += c == '\n' ? "\r\n" : std::string(1, c);
  EXPECT_EQ(read("\xEF\xBB\xBF" + windows), want);
  EXPECT_EQ(read("y,extra,unique_id,ds\n1,x,a,2024\n2,,a,2025\n"), "a 2024 YS-JAN: 1 2") << "columns by name";
}

TEST_F(SeriesTableTest, SeveralTargetsOfALongTable) {
  const std::string text = "unique_id,ds,y,z,w\na,2024-01,1,10,x\nb,2024-01,2,,x\na,2024-02,3,30,x\nb,2024-02,4,40,x\n";
  EXPECT_EQ(read(text, {.targets = {"z", "y"}}),
            "a/z 2024-01 MS: 10 30; a/y 2024-01 MS: 1 3; b/z 2024-01 MS: (40) 40; b/y 2024-01 MS: 2 4");
  EXPECT_EQ(read(text, {.targets = {"z"}}), "a 2024-01 MS: 10 30; b 2024-01 MS: (40) 40");
}

TEST_F(SeriesTableTest, WideTables) {
  const std::string text = "ds,north,south\n2024-01-01 00:00,1,2\n2024-01-01 01:00,3,4\n";
  EXPECT_EQ(read(text, kWide), "north 2024-01-01 00:00 h: 1 3; south 2024-01-01 00:00 h: 2 4");
  EXPECT_EQ(read(text, {.id = "", .targets = {"south"}}), "south 2024-01-01 00:00 h: 2 4");
  EXPECT_EQ(read("a,b\n1,x\n2,y\n", {.id = "", .time = "", .targets = {"a"}}), "a 0 1: 1 2") << "rows are steps";
  EXPECT_EQ(read("\"x, y\",ds\n1,1\n2,2\n", kWide), "x, y 1 1: 1 2");
}

TEST_F(SeriesTableTest, NumbersWithoutNames) {
  EXPECT_EQ(read("1,2\n3,4\n", kSteps), "1 0 1: 1 3; 2 0 1: 2 4");
  EXPECT_EQ(read("7\n8\n\n9\n", kSteps), "1 0 1: 7 8 9");
  EXPECT_EQ(read("1990,2\n1991,4\n", {.id = "", .time = "1", .targets = {"2"}}), "2 1990 YS-JAN: 2 4");
  EXPECT_EQ(read("1,2,3\n", {.id = "", .time = "", .targets = {"3"}}), "3 0 -: 3") << "its only row is no header";
  EXPECT_EQ(read("1\t2\n\t\n5\t6\n", kSteps), "1 0 1: 1 (1) 5; 2 0 1: 2 (2) 6") << "a row of tabs is a row";
}

TEST_F(SeriesTableTest, SeveralFiles) {
  const std::string one = file("1.csv", "ds,y\n1,10\n2,20\n"), two = file("2.tsv", "ds\ty\n3\t30\n4\t40\n");
  const SeriesTable t = read_series({one, two}, {.id = ""});
  EXPECT_EQ(shown(t), "y 1 1: 10 20 30 40");
  EXPECT_EQ(t.report.rows, 4);
  EXPECT_EQ(shown(read_series({file("3.csv", "1,2\n"), file("4.csv", "3,4\n")}, kSteps)), "1 0 1: 1 3; 2 0 1: 2 4");
  const std::string other = file("5.csv", "ds,x\n3,30\n");
  EXPECT_EQ(local(message_of<FormatError>([&] {
              read_series({one, other}, {.id = ""});
            })),
            "5.csv: has other columns than the file before it");
  EXPECT_EQ(local(message_of<FormatError>([&] {
              read_series({one, one}, {.id = ""});
            })),
            "1.csv:2: a second row of its series and time; data.duplicates = \"last\" takes the last one");
  EXPECT_THROW(read_series({folder() + "/none.csv"}, kLong), IoError);
}

// How stamps are written, and what follows the last one.
TEST_F(SeriesTableTest, StampsAsTheTableWritesThem) {
  const struct {
    const char *first, *second, *frequency, *third;
  } cases[] = {{"3", "5", "2", "7"},
               {"2023", "2024", "YS-JAN", "2025"},
               {"2024-11", "2024-12", "MS", "2025-01"},
               {"2024/02/28", "2024/02/29", "D", "2024/03/01"},
               {"2023-02-27", "2023-02-28", "D", "2023-03-01"},
               {"2024-01-31", "2024-02-29", "ME", "2024-03-31"},
               {"2023-12-31", "2024-03-31", "QE-DEC", "2024-06-30"},
               {"2024-02-26", "2024-03-04", "W-MON", "2024-03-11"},
               {"2024-12-31T23:30", "2024-12-31T23:45", "15min", "2025-01-01T00:00"},
               {"2024-01-01T00:00:00.000Z", "2024-01-01T06:00:00.000Z", "6h", "2024-01-01T12:00:00.000Z"},
               {"2024-01-01 00:00+02:00", "2024-01-01 01:00+02:00", "h", "2024-01-01 02:00+02:00"},
               {"2024-10-27 02:00+02:00", "2024-10-27 02:00+01:00", "h", "2024-10-27 02:00+00:00"}};
  for (const auto& c : cases) {
    const SeriesTable t = table(str_cat("ds,y\n", c.first, ",1\n", c.second, ",2\n"), kWide);
    EXPECT_EQ(frequency_alias(*t.frequency), c.frequency);
    EXPECT_EQ(t.stamp(t.series[0], 2), c.third);
    EXPECT_EQ(t.series[0].size(), 2);
  }
}

TEST_F(SeriesTableTest, BusinessDays) {
  const std::string text = "ds,y\n2024-01-04,1\n2024-01-05,2\n2024-01-08,3\n2024-01-10,5\n";
  const SeriesTable t = table(text, kWide);
  EXPECT_EQ(shown(t), "y 2024-01-04 B: 1 2 3 (3) 5");
  EXPECT_EQ(t.stamp(t.series[0], 7), "2024-01-15");
  EXPECT_EQ(read(text, {.id = "", .frequency = "D"}), "y 2024-01-04 D: 1 2 (2) (2) 3 (3) 5");
  EXPECT_EQ(refused("ds,y\n2024-01-05,1\n2024-01-06,2\n", {.id = "", .frequency = "B"}),
            "2024-01-06, after 2024-01-05, is not on a grid of B");
}

TEST_F(SeriesTableTest, GapsByEachPolicy) {
  const std::string month = "02-27,1\n02-28,2\n03-01,4\n";  // without the leap day
  const SeriesTable t = rows(month);
  EXPECT_EQ(shown(t), "a 2024-02-27 D: 1 2 (2) 4");
  EXPECT_EQ(counts(t.report), "3 rows, 3 values, 1 gaps");
  EXPECT_EQ(local(t.report.examples[0]), "x.csv:4: no row for 2024-02-29 before it");
  const SeriesTable filled = rows(month, {.gaps = "fill"});
  EXPECT_EQ(shown(filled), "a 2024-02-27 D: 1 2 2 4");
  EXPECT_EQ(counts(filled.report), "3 rows, 4 values, 1 gaps");
  EXPECT_EQ(local(message_of<FormatError>([&] { rows(month, {.gaps = "error"}); })),
            "x.csv:4: no row for 2024-02-29 before it; data.gaps = \"mask\" leaves it out, \"fill\" takes the last "
            "value");
}

TEST_F(SeriesTableTest, MissingValuesByEachPolicy) {
  const std::string days = "01-01,\n01-02,NaN\n01-03,3\n01-04,NA\n01-05, null \n01-06,6\n01-07,None\n";
  const SeriesTable t = rows(days);
  EXPECT_EQ(shown(t), "a 2024-01-01 D: (3) (3) 3 (3) (3) 6 (6)");
  EXPECT_EQ(counts(t.report), "7 rows, 2 values, 5 missing");
  const SeriesTable filled = rows(days, {.missing = "fill"});
  EXPECT_EQ(shown(filled), "a 2024-01-01 D: (3) (3) 3 3 3 6 6") << "nothing to fill the first with";
  EXPECT_EQ(counts(filled.report), "7 rows, 5 values, 5 missing");
  EXPECT_EQ(local(message_of<FormatError>([&] { rows(days, {.missing = "error"}); })),
            "x.csv:2: no value; data.missing = \"mask\" leaves it out, \"fill\" takes the last value");
}

TEST_F(SeriesTableTest, InfiniteValuesByEachPolicy) {
  const std::string days = "01-01,inf\n01-02,2\n01-03,-inf\n01-04,4\n";
  EXPECT_EQ(local(message_of<FormatError>([&] { rows(days); })),
            "x.csv:2: an infinite value; data.infinite = \"mask\" leaves it out, \"fill\" takes the last value");
  const SeriesTable t = rows(days, {.infinite = "mask"});
  EXPECT_EQ(shown(t), "a 2024-01-01 D: (2) 2 (2) 4");
  EXPECT_EQ(counts(t.report), "4 rows, 2 values, 2 infinite");
  EXPECT_EQ(shown(rows(days, {.infinite = "fill"})), "a 2024-01-01 D: (2) 2 2 4");
}

TEST_F(SeriesTableTest, DuplicatesByEachPolicy) {
  const std::string days = "01-01,1\n01-02,2\n01-02,\n01-02,20\n01-03,3\n";
  EXPECT_EQ(local(message_of<FormatError>([&] { rows(days); })),
            "x.csv:4: a second row of its series and time; data.duplicates = \"last\" takes the last one");
  for (const char* missing : {"mask", "fill", "error"}) {  // there is none that counts
    const SeriesTable last = rows(days, {.missing = missing, .duplicates = "last"});
    EXPECT_EQ(shown(last), "a 2024-01-01 D: 1 20 3");
    EXPECT_EQ(counts(last.report), "5 rows, 3 values, 2 duplicates");
    const SeriesTable masked = rows(days, {.missing = missing, .duplicates = "mask"});
    EXPECT_EQ(shown(masked), "a 2024-01-01 D: 1 (1) 3");
    EXPECT_EQ(counts(masked.report), "5 rows, 2 values, 2 duplicates");
  }
  EXPECT_EQ(read("ds,y\n2024-10-27 01:00,1\n2024-10-27 02:00,2\n2024-10-27 02:00,3\n2024-10-27 03:00,4\n",
                 {.id = "", .duplicates = "last"}),
            "y 2024-10-27 01:00 h: 1 3 4")
      << "the hour that comes twice";
  EXPECT_EQ(shown(rows("01-01,1\n01-02,2\n01-02,\n", kLenient)), "a 2024-01-01 D: 1 (1)") << "the last one is missing";
}

TEST_F(SeriesTableTest, RowsInAnyOrder) {
  const std::string days = "01-03,3\n01-01,1\n01-04,4\n01-02,2\n";
  const SeriesTable t = rows(days);
  EXPECT_EQ(shown(t), "a 2024-01-01 D: 1 2 3 4");
  EXPECT_EQ(counts(t.report), "4 rows, 4 values, 2 unsorted");
  EXPECT_EQ(local(message_of<FormatError>([&] { rows(days, {.unsorted = "error"}); })),
            "x.csv:3: goes back in time; data.unsorted = \"sort\" allows that");
  EXPECT_EQ(shown(rows("01-02,2\n01-01,1\n01-02,3\n", kLenient)), "a 2024-01-01 D: 1 3") << "last in the file";
}

TEST_F(SeriesTableTest, Frequencies) {
  EXPECT_EQ(read("ds,y\n2024-01-01 00:00,1\n2024-01-01 00:30,2\n2024-01-01 01:00,3\n2024-01-01 02:00,4\n", kWide),
            "y 2024-01-01 00:00 30min: 1 2 3 (3) 4")
      << "half hours, then hours";
  EXPECT_EQ(
      refused("ds,y\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2024-01-01 02:00,3\n2024-01-01 02:30,4\n", kWide),
      "the times are not regular: most are a multiple of h apart, but 2024-01-01 02:00 and 2024-01-01 02:30 are no "
      "whole number of steps of h apart; correct them, or give the frequency");
  EXPECT_EQ(refused("unique_id,ds,y\na,2024-01,1\nb,2024-01-02,1\n"),
            "x.csv:3: '2024-01-02' is no time like the others (YYYY-MM): written as YYYY-MM-DD, its column as YYYY-MM");
  EXPECT_EQ(refused<ConfigError>("ds,y\n2024-01-01,1\n2024-01-02,2\n", {.id = "", .frequency = "1"}),
            "data.frequency = 1 counts steps, and the rows have times");
  EXPECT_EQ(refused<ConfigError>("ds,y\n1,1\n2,2\n", {.id = "", .frequency = "h"}),
            "data.frequency = h is one of times, and the rows count steps");
  EXPECT_EQ(read("ds,y\n1,1\n3,2\n", {.id = "", .frequency = "1"}), "y 1 1: 1 (1) 2");
}

TEST_F(SeriesTableTest, OnePointHasNoFrequency) {
  const SeriesTable t = table("unique_id,ds,y\na,2024-01-01,7\n");
  EXPECT_EQ(shown(t), "a 2024-01-01 -: 7");
  EXPECT_EQ(message_of<FormatError>([&] { static_cast<void>(t.stamp(t.series[0], 1)); }),
            "series 'a': no series has two values, so that the time from one to the next is not known");
  EXPECT_EQ(read("unique_id,ds,y\na,2024-01-01,7\na,2024-01-01,8\nb,2024-03-01,9\n", kLenient),
            "a 2024-01-01 -: 8; b 2024-03-01 -: 9");
  const SeriesTable given = table("unique_id,ds,y\na,2024-01-01,7\n", {.frequency = "MS"});
  EXPECT_EQ(given.stamp(given.series[0], 2), "2024-03-01");
}

TEST_F(SeriesTableTest, ValuesOfAllSizes) {
  EXPECT_EQ(shown(rows("01-01,1e300\n01-02,-1e-300\n01-03,+5\n01-04, 0.1 \n01-05,1E3\n")),
            "a 2024-01-01 D: 1.0000000000000001e+300 -1e-300 5 0.10000000000000001 1000");
  EXPECT_EQ(shown(rows("01-01,3\n01-02,3\n01-03,3\n")), "a 2024-01-01 D: 3 3 3");
  for (const char* cell : {"1e400", "+-5", "1,5", "0x10", "1.5.2", "5 000", "abc"})
    EXPECT_EQ(refused(str_cat("unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,\"", cell, "\"\n")),
              str_cat("x.csv:3: '", cell, "' in column 'y' is no number"));
}

TEST_F(SeriesTableTest, SeriesWithoutAnyValueAreLeftOut) {
  const SeriesTable t = table("ds,a,b,c\n1,,1,NA\n2,,2,\n", kWide);
  EXPECT_EQ(shown(t), "b 1 1: 1 2");
  EXPECT_EQ(t.report.empty, (StringList{"a", "c"}));
  EXPECT_EQ(counts(t.report), "2 rows, 2 values, 4 missing, 2 empty");
  EXPECT_EQ(t.report.series, 1);
  EXPECT_EQ(refused("ds,a\n1,\n2,\n", kWide), "no series has a value");
  EXPECT_EQ(refused("ds,a\n1,\n2,\n", {.id = "", .targets = {"a"}, .missing = "fill"}), "no series has a value");
}

TEST_F(SeriesTableTest, QuotesAndBlankLines) {
  EXPECT_EQ(read("\n  \nunique_id,ds,y\n\n\"a, \"\"b\"\"\",2024,\"1\"\n   \n\"a, \"\"b\"\"\",2025,2\n\n"),
            "a, \"b\" 2024 YS-JAN: 1 2");
  EXPECT_EQ(read("unique_id,ds,y\n\"a\nb\",1,1\n"), "a\nb 1 -: 1");
  EXPECT_EQ(refused("unique_id,ds,y\n\"a\nb\",1,x\n"), "x.csv:2: 'x' in column 'y' is no number") << "where it begins";
  EXPECT_EQ(refused("unique_id,ds,y\n\"a,1,1\n"), "x.csv:2: a quote is not closed");
}

TEST_F(SeriesTableTest, WrongRows) {
  const std::string head = "unique_id,ds,y\na,2024-01-01,1\n";
  EXPECT_EQ(refused(head + "a,2024-01-02\n"), "x.csv:3: 2 cells, but there are 3 columns");
  EXPECT_EQ(refused(head + "\na,2024-01-02,1,5\n"), "x.csv:4: 4 cells, but there are 3 columns");
  EXPECT_EQ(refused(head + "a,2024-13-01,1\n"),
            "x.csv:3: '2024-13-01' is no time like the others (YYYY-MM-DD): there is no month 13");
  EXPECT_EQ(refused(head + "a,2023-02-29,1\n"),
            "x.csv:3: '2023-02-29' is no time like the others (YYYY-MM-DD): the month has no day 29");
  EXPECT_EQ(refused(head + "a,,1\n"), "x.csv:3: '' is no time like the others (YYYY-MM-DD): the time is empty");
  EXPECT_EQ(refused("ds,y\n20240131,1\n20240201,2\n", kWide),
            "column 'ds': numbers that look like dates without separators; write 2024-01-31, not 20240131");
  EXPECT_EQ(refused("ds,y\n,1\n", kWide), "column 'ds': no cell is a time: all are empty");
  EXPECT_EQ(refused(""), "x.csv: is empty");
  EXPECT_EQ(refused("\n \n"), "x.csv: is empty");
  EXPECT_EQ(refused("unique_id,ds,y\n"), "data.train: no rows");
  EXPECT_EQ(refused(head + "\xFF,2024-01-02,1\n"), "x.csv:3: is not UTF-8");
  EXPECT_EQ(refused(head + "\"a\n\xFF\",2024-01-02,1\n"), "x.csv:4: is not UTF-8") << "within quotes, too";
}

TEST_F(SeriesTableTest, WrongColumns) {
  const std::string text = "unique_id,ds,sales\na,1,1\n";
  EXPECT_EQ(refused<ConfigError>(text, {.targets = {"sale"}}),
            "x.csv: no column 'sale', which data.targets names; did you mean 'sales'?");
  EXPECT_EQ(refused<ConfigError>(text, {.id = "uniqe_id", .targets = {"sales"}}),
            "x.csv: no column 'uniqe_id', which data.id names; did you mean 'unique_id'?");
  EXPECT_EQ(refused<ConfigError>(text, {.time = "timestamp", .targets = {"sales"}}),
            "x.csv: no column 'timestamp', which data.time names");
  EXPECT_EQ(refused<ConfigError>(text, {.time = "", .targets = {"sales"}}),
            "data.time: a long table needs a column of time stamps");
  EXPECT_EQ(refused<ConfigError>(text, {.targets = {}}), "data.targets names no column");
  EXPECT_EQ(refused<ConfigError>("unique_id,ds\na,1\n", {.targets = {"*"}}),
            "x.csv: no column is left for data.targets = \"*\"");
  EXPECT_EQ(refused<ConfigError>(text, {.targets = {"*", "sales"}}),
            "x.csv: column 'sales' is twice among those of data.targets");
  EXPECT_EQ(refused<ConfigError>("ds,y,y\n1,2,3\n", kWide), "x.csv: column 'y' is twice among those of data.targets");
}

// It would cost the memory of all stamps up to it.
TEST_F(SeriesTableTest, AWrongStampFarAway) {
  const std::string rows = "ds,y\n2024-01-01 00:00,1\n2024-01-01 00:01,2\n";
  EXPECT_EQ(refused(rows + "2042-01-01 00:00,3\n", kWide),
            "x.csv:4: 9467998 stamps without a row before it; is its time right?");
  const std::string steps = "ds,y\n0,1\n1,2\n";
  EXPECT_EQ(refused(steps + "1000003,3\n", kWide),
            "x.csv:4: 1000001 stamps without a row before it; is its time right?");
  EXPECT_EQ(table(steps + "1000002,3\n", kWide).series[0].size(), 1000003);
}

TEST_F(SeriesTableTest, AReportForAPerson) {
  EXPECT_EQ(describe(rows("01-01,1\n01-02,2\n").report), "1 series, 2 values of 2 rows");
  const SeriesTable t = table("unique_id,ds,y\na,3,3\na,1,1\na,5,inf\na,6,\na,6,\na,7,7\na,12,12\nb,1,\n", kLenient);
  EXPECT_EQ(shown(t), "a 1 1: 1 (1) 3 (3) (3) (3) 7 (7) (7) (7) (7) 12");
  EXPECT_EQ(local(describe(t.report)),
            "1 series, 4 values of 8 rows; 6 stamps without a row; 2 missing values; 1 infinite values; 1 rows of a "
            "stamp that there was; 1 rows that go back in time; 1 series without any value, left out\n"
            "  x.csv:2: no row for 2 before it\n"
            "  x.csv:4: no row for 4 before it\n"
            "  x.csv:4: an infinite value\n"
            "  x.csv:6: no value\n"
            "  x.csv:8: no row for 8 before it");
}

}  // namespace
}  // namespace lookback::data

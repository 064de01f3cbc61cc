#include <sstream>

#include "lookback/base/error.h"
#include "lookback/data/series_table.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

const SeriesOptions kShop{
    .past = {"heat"}, .future = {"price", "day"}, .fixed = {"kind", "size"}, .categorical = {"day", "kind"}};

// Columns of each series: "a: heat 1 2 | price 3 4 5 | day 0 0 1 | kind 0 size 7 | ahead 1".
std::string shown(const SeriesTable& t) {
  std::ostringstream out;
  const auto column = [&](const SeriesColumn& c, const std::vector<double>& values) {
    out << " | " << c.name;
    for (const double x : values) out << ' ' << x;
  };
  for (const Series& s : t.series) {
    out << (&s == t.series.data() ? "" : "; ") << s.id;
    for (size_t k = 0; k < t.past.size(); ++k) column(t.past[k], s.past[k]);
    for (size_t k = 0; k < t.future.size(); ++k) column(t.future[k], s.future[k]);
    for (size_t k = 0; k < t.fixed.size(); ++k) column(t.fixed[k], {s.fixed[k]});
    if (s.ahead) out << " | ahead " << s.ahead;
  }
  return out.str();
}

class CovariateColumnsTest : public FolderTest {
 protected:
  SeriesTable table(const std::string& text, const SeriesOptions& options = kShop) const {
    return read_series({file("x.csv", text)}, options);
  }
  std::string read(const std::string& text, const SeriesOptions& options = kShop) const {
    return shown(table(text, options));
  }
  template <class E = FormatError>
  std::string refused(const std::string& text, const SeriesOptions& options = kShop) const {
    return local(message_of<E>([&] { table(text, options); }));
  }
};

const std::string kHeader = "unique_id,ds,y,heat,price,day,kind,size\n";

TEST_F(CovariateColumnsTest, AreOnTheGridOfTheirSeries) {
  const SeriesTable t = table(kHeader +
                              "a,2024-01-01,1,20,3,mon,big,7\n"
                              "a,2024-01-02,2,21,4,tue,big,7\n"
                              "b,2024-01-02,5,30,6,tue,small,2\n"
                              "b,2024-01-01,4,29,5,mon,small,2\n");
  EXPECT_EQ(shown(t),
            "a | heat 20 21 | price 3 4 | day 0 1 | kind 0 | size 7; b | heat 29 30 | price 5 6 | day 0 1 | "
            "kind 1 | size 2");
  EXPECT_EQ(t.future[1].names, (StringList{"mon", "tue"}));
  EXPECT_EQ(t.fixed[0].names, (StringList{"big", "small"}));
  EXPECT_TRUE(t.future[0].names.empty() && !t.future[0].categorical && t.fixed[0].categorical);
  EXPECT_EQ(t.report.covariates, 0);
}

// Rows behind the last target are the steps to come; where nothing is known of these they are missing values.
TEST_F(CovariateColumnsTest, RowsAheadHaveWhatIsKnownOfThem) {
  const std::string text = kHeader +
                           "a,2024-01-01,1,20,3,mon,big,7\n"
                           "a,2024-01-02,,21,4,tue,,7\n"
                           "a,2024-01-03,3,,5,wed,big,\n"
                           "a,2024-01-04,,,6,thu,big,7\n"
                           "a,2024-01-06,NA,,8,sat,big,7\n";
  const SeriesTable t = table(text);
  EXPECT_EQ(shown(t), "a | heat 20 21 21 | price 3 4 5 6 6 8 | day 0 1 2 3 3 4 | kind 0 | size 7 | ahead 3");
  EXPECT_EQ(t.series[0].values, (std::vector<double>{1, 1, 3}));
  EXPECT_EQ(t.report.missing, 1);
  EXPECT_EQ(t.report.gaps, 0) << "the day that is not there is ahead";
  EXPECT_EQ(t.report.covariates, 1);
  SeriesOptions past = kShop;
  past.past = {"heat", "price"}, past.future = {}, past.categorical = {"kind"};
  const SeriesTable without = table(text, past);
  EXPECT_EQ(without.series[0].size(), 6);
  EXPECT_EQ(without.series[0].ahead, 0);
}

// A table of several targets has them all alike; one that has a target there is no step to come of another.
TEST_F(CovariateColumnsTest, OfWideTablesAreOfAllTargets) {
  const SeriesOptions wide{.id = "", .targets = {"*"}, .past = {"heat"}, .future = {"price"}};
  const std::string header = "ds,one,two,heat,price\n";
  EXPECT_EQ(read(header + "2024-01-01,1,2,3,4\n2024-01-02,,5,6,7\n2024-01-03,,,8,9\n", wide),
            "one | heat 3 6 | price 4 7 9 | ahead 1; two | heat 3 6 | price 4 7 9 | ahead 1");
}

// What is missing, infinite or between rows takes up the last value before it; what leads, the first one.
TEST_F(CovariateColumnsTest, TakeUpTheLastValue) {
  const std::string text = kHeader +
                           "a,2024-01-01,1,NaN,,,,\n"
                           "a,2024-01-02,2,21,4,tue,,\n"
                           "a,2024-01-04,3,inf,,,,\n";
  SeriesOptions lenient = kShop;
  lenient.infinite = "mask";
  const SeriesTable t = table(text, lenient);
  EXPECT_EQ(shown(t), "a | heat 21 21 21 21 | price 4 4 4 4 | day 0 0 0 0 | kind -1 | size 0");
  EXPECT_EQ(t.report.covariates, 6);
  EXPECT_NE(describe(t.report).find("6 cells of other columns without a value"), std::string::npos);
  EXPECT_EQ(refused(text),
            "x.csv:4: an infinite value in column 'heat'; data.infinite = \"fill\" takes the last value");
  lenient.missing = "error";
  EXPECT_EQ(refused(text, lenient), "x.csv:2: no value in column 'heat'; data.missing = \"fill\" takes the last value");
  // Of two rows of one time neither counts, if so wished.
  lenient = kShop, lenient.duplicates = "mask";
  EXPECT_EQ(read(kHeader + "a,2024-01-01,1,20,3,mon,big,7\na,2024-01-02,2,21,4,tue,big,7\n"
                           "a,2024-01-02,2,22,5,tue,big,7\na,2024-01-03,2,23,6,wed,big,7\n",
                 lenient),
            "a | heat 20 20 23 | price 3 3 6 | day 0 0 2 | kind 0 | size 7");
}

// What comes later changes nothing that was there before.
TEST_F(CovariateColumnsTest, DoNotLookAhead) {
  std::string before = kHeader, same = kHeader, other = kHeader;
  for (int d = 1; d <= 20; ++d) {
    const std::string day = str_cat("a,2024-01-", d < 10 ? "0" : "", d, ",");
    const std::string row =
        str_cat(day, d, ",", d % 3 ? str_cat(10 * d) : "", ",", d % 4 ? str_cat(d * d) : "", ",d", d % 5, ",x,1\n");
    same += row;
    other += d <= 12 ? row : str_cat(day, -d, ",", 999, ",", 888, ",d", 4 - d % 5, ",x,1\n");
  }
  const Series a = table(same).series[0], b = table(other).series[0];
  for (size_t k = 0; k < 12; ++k) {
    EXPECT_EQ(a.past[0][k], b.past[0][k]);
    EXPECT_EQ(a.future[0][k], b.future[0][k]);
    EXPECT_EQ(a.future[1][k], b.future[1][k]);
  }
  EXPECT_NE(a.past[0][12], b.past[0][12]);
}

TEST_F(CovariateColumnsTest, WhatIsWrongIsSaid) {
  const std::string row = "a,2024-01-01,1,20,3,mon,big,7\n";
  EXPECT_EQ(refused(kHeader + row + "a,2024-01-02,1,hot,3,mon,big,7\n"),
            "x.csv:3: 'hot' in column 'heat' is no number; data.categorical = [\"heat\"] takes names");
  EXPECT_EQ(refused(kHeader + row + "a,2024-01-02,1,20,3,mon,small,7\n"),
            "x.csv:3: static column 'kind' of series 'a' was big and is now small");
  EXPECT_EQ(refused(kHeader + row + "a,2024-01-02,1,20,3,mon,big,8\n"),
            "x.csv:3: static column 'size' of series 'a' was 7 and is now 8");
  SeriesOptions o = kShop;
  o.past = {"heet"};
  EXPECT_NE(refused<ConfigError>(kHeader + row, o).find("x.csv: no column 'heet', which data.past names"),
            std::string::npos);
  o.past = {"price"};
  EXPECT_EQ(refused<ConfigError>(kHeader + row, o), "data.future: column 'price' is in data.past too");
  o.past = {"ds"};
  EXPECT_EQ(refused<ConfigError>(kHeader + row, o), "data.past: column 'ds' is data.time too");
  o.past = {"y"};
  EXPECT_EQ(refused<ConfigError>(kHeader + row, o),
            "x.csv: column 'y' is a target and in data.past, data.future or data.static too");
  o = kShop, o.categorical = {"y"};
  EXPECT_EQ(refused<ConfigError>(kHeader + row, o),
            "data.categorical: column 'y' is in none of data.past, data.future and data.static; did you mean 'day'?");
}

}  // namespace
}  // namespace lookback::data

#include "lookback/tasks/data_options.h"

#include "lookback/tasks/testing.h"

namespace lookback::tasks {
namespace {

using Parts = std::vector<StringList>;

const StringList kPair = {"source", "target"};

class DataOptionsTest : public ::testing::Test {
 protected:
  Parts parts(const StringList& names, const data::TableOptions& table = {}) const {
    return rows_of(names, "data.train", kPair, table, folder_.path()).parts;
  }
  static std::string refused(const DataOptions& options) {
    return message_of<ConfigError>([&] { options.validate(kPair); });
  }
  io::TempFolder folder_;
};

TEST_F(DataOptionsTest, AFileForEachColumnOrFilesWithAll) {
  const auto at = [&](const char* name) { return folder_ / name; };
  EXPECT_EQ(parts({"a.de", "a.en"}), (Parts{{at("a.de"), at("a.en")}}));
  EXPECT_EQ(parts({"a.tsv", "b.tsv.gz"}), (Parts{{at("a.tsv")}, {at("b.tsv.gz")}}));
  EXPECT_EQ(parts({"a.txt"}, {.columns = {"1", "2"}}), (Parts{{at("a.txt")}}));
  EXPECT_EQ(parts({"/x.csv"}), (Parts{{"/x.csv"}}));
}

TEST_F(DataOptionsTest, AStarStandsForFilesInTheOrderOfTheirNames) {
  for (const char* name : {"p2.de", "p1.de", "p1.en", "p2.en", "q.tsv", "p.jsonl", ".p3.de"}) folder_.file(name, "x\n");
  EXPECT_EQ(parts({"p*.de", "p*.en"}),
            (Parts{{folder_ / "p1.de", folder_ / "p1.en"}, {folder_ / "p2.de", folder_ / "p2.en"}}));
  EXPECT_EQ(parts({"*.tsv", "*.jsonl"}), (Parts{{folder_ / "q.tsv"}, {folder_ / "p.jsonl"}}));
  EXPECT_NE(message_of<IoError>([&] { parts({"z*.de", "p*.en"}); }).find("z*.de"), std::string::npos);
  EXPECT_THROW(parts({"x*/p.de", "p*.en"}), ConfigError);
  folder_.file("p3.en", "x\n");
  EXPECT_NE(message_of<ConfigError>([&] {
              parts({"p*.de", "p*.en"});
            }).find("2 files and p*.en for 3"),
            std::string::npos);
}

TEST_F(DataOptionsTest, SharesAreTakenFromTheTrainingFiles) {
  const DataOptions options{.train = {"a.tsv"}, .valid = {"10 %"}, .test = {"2.5%"}};
  options.validate(kPair);
  const auto train = options.rows(Split::train, kPair, "/d"), valid = options.rows(Split::valid, kPair, "/d"),
             test = options.rows(Split::test, kPair, "/d");
  for (const auto& rows : {train, valid, test}) EXPECT_EQ(rows.parts, (Parts{{"/d/a.tsv"}}));
  EXPECT_EQ(valid.from, 0);
  EXPECT_EQ(valid.to, 0.1);
  EXPECT_EQ(test.from, valid.to);
  EXPECT_EQ(test.to, train.from);
  EXPECT_DOUBLE_EQ(train.from, 0.125);
  EXPECT_EQ(train.to, 1);
  const DataOptions files{.train = {"a.tsv"}, .valid = {"b.tsv"}, .test = {"20 %"}};
  EXPECT_EQ(files.rows(Split::valid, kPair, "").parts, (Parts{{"b.tsv"}}));
  EXPECT_EQ(files.rows(Split::valid, kPair, "").from, 0);
  EXPECT_EQ(files.rows(Split::train, kPair, "").from, 0.2);
}

TEST_F(DataOptionsTest, WhatCannotBeIsNamed) {
  EXPECT_NE(
      refused({.train = {"a.de"}, .valid = {"v.tsv"}}).find("data.train must name a file each for source and target"),
      std::string::npos);
  EXPECT_NE(refused({.train = {"a.tsv"}, .valid = {}}).find("data.valid"), std::string::npos);
  EXPECT_NE(refused({.train = {"a.tsv"}, .valid = {"10 %"}, .test = {"x", "y", "z"}}).find("data.test"),
            std::string::npos);
  for (const char* share : {"0 %", "100 %", "x %", "%", "-1 %"})
    EXPECT_NE(refused({.train = {"a.tsv"}, .valid = {share}}).find("no share"), std::string::npos) << share;
  EXPECT_NE(refused({.train = {"a.tsv"}, .valid = {"60 %"}, .test = {"40 %"}}).find("nothing to learn from"),
            std::string::npos);
  EXPECT_NE(refused({.train = {"10 %"}, .valid = {"10 %"}}).find("data.train"), std::string::npos);
}

// Trained on a part of one file, scored on another part that training never saw.
TEST_F(DataOptionsTest, EvaluateTakesTheTestPartUnlessToldOtherwise) {
  write_small_data(folder_);
  Settings settings = small_recipe();
  settings["data.train"] = "train.tsv", settings["data.valid"] = "10 %", settings["data.test"] = "20 %";
  settings["train.max_steps"] = "200", settings["train.keep"] = "loss";
  train_small(folder_.path(), folder_ / "m", settings);
  const auto model = load({folder_ / "m"});
  const auto part = model->evaluate({}), all = model->evaluate({folder_ / "train.tsv"});
  EXPECT_NE(part[0].value, all[0].value);
  // A bad line belongs to the training part: scoring another one does not mind it.
  const std::string before = io::slurp(folder_ / "train.tsv");
  folder_.file("train.tsv", before + "no second column\n");
  EXPECT_EQ(model->evaluate({})[0].value, part[0].value);
  EXPECT_NE(message_of<FormatError>([&] {
              model->evaluate({folder_ / "train.tsv"});
            }).find("train.tsv:501: a column is missing"),
            std::string::npos);
  folder_.file("train.tsv", "s1\n");
  EXPECT_THROW(model->evaluate({}), FormatError);
  std::filesystem::remove(folder_ / "train.tsv");
  EXPECT_THROW(model->evaluate({}), IoError);
}

}  // namespace
}  // namespace lookback::tasks

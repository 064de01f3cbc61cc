#include "lookback/data/stories.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"
#include "lookback/data/row_reader.h"
#include "lookback/data/testing.h"
#include "lookback/data/vocab.h"

namespace lookback::data {
namespace {

constexpr const char* kFile =
    "1 Ana went to the attic.\n2 Bo took the lamp.\n3 Where is Ana? \tattic\t1\n4 Bo went out.\n"
    "5 What has Bo?\tlamp,coat\t2 4\n1 Cy sat down.\n2 Where is Cy?\tchair\n";

class StoriesTest : public FolderTest {
 protected:
  static const StringList names() { return {"question", "story", "answer"}; }
};

TEST_F(StoriesTest, QuestionsAreRowsOfWhatWasToldBefore) {
  for (const std::string& path : {gz("qa1.txt.gz", kFile), file("qa1.txt", kFile)}) {
    RowReader reader({{{path}}}, names(), {.layout = "babi"});
    RowReader::Row row;
    ASSERT_TRUE(reader.next(row));
    EXPECT_EQ(row.cells, (StringList{"Where is Ana?", "Ana went to the attic.\nBo took the lamp.", "attic"}));
    EXPECT_EQ(reader.where(row, 0), path + ":3");
    ASSERT_TRUE(reader.next(row));
    EXPECT_EQ(row.cells[1], "Ana went to the attic.\nBo took the lamp.\nBo went out.");
    EXPECT_EQ(row.cells[2], "lamp,coat");
    ASSERT_TRUE(reader.next(row));
    EXPECT_EQ(row.cells, (StringList{"Where is Cy?", "Cy sat down.", "chair"}));
    EXPECT_FALSE(reader.next(row));
  }
}

TEST_F(StoriesTest, AFileDoesNotGoOnWithTheStoryOfTheOneBefore) {
  const std::string first = file("a.txt", "1 Ana left.\n"), second = file("b.txt", "2 Who left?\tAna\t1\n");
  RowReader reader({{{first}, {second}}}, names(), {.layout = "babi"});
  RowReader::Row row;
  ASSERT_TRUE(reader.next(row));
  EXPECT_EQ(row.cells[1], "");
}

TEST_F(StoriesTest, BrokenLinesAreCountedAsSuch) {
  for (const char* line : {"Ana left.", "1", "1 ", "", "1 \tx\t1", "1 Who?\t\t1", "1.5 Ana left."}) {
    const std::string path = file("bad.txt", std::string(line) + "\n2 Who?\tAna\n");
    RowReader reader({{{path}}}, names(), {.layout = "babi"});
    RowReader::Row row;
    ASSERT_TRUE(reader.next(row)) << line;
    EXPECT_NE(row.problem, "") << line;
    ASSERT_TRUE(reader.next(row)) << line;
    EXPECT_EQ(row.problem, "");
    EXPECT_THROW(RowReader({{{path}}}, names(), {.layout = "babi", .bad_lines = "stop"}).next(row), FormatError);
  }
  const std::string path = file("latin.txt", "1 Caf\xe9.\n2 Who?\tAna\n");
  RowReader reader({{{path}}}, names(), {.layout = "babi", .max_bad = 1});
  RowReader::Row row;
  ASSERT_TRUE(reader.next(row));
  EXPECT_NE(row.problem.find("UTF-8"), std::string::npos);
}

TEST_F(StoriesTest, OtherColumnsAreRefused) {
  const std::string path = file("qa1.txt", kFile);
  RowReader::Row row;
  EXPECT_THROW(RowReader({{{path}}}, {"source", "target"}, {.layout = "babi"}).next(row), FormatError);
}

TEST(StoryTokens, SentencesComeBack) {
  const std::shared_ptr<Tokenizer> words = train_tokenizer({.kind = "word"}, from({"Ana left . Bo came ."}));
  const StoryTokens tokens(words);
  const auto ids = tokens.encode("Ana left.\n \nBo came.\r\n");
  EXPECT_EQ(std::ranges::count(ids, kEos), 2);
  EXPECT_EQ(StoryTokens::sentences(ids),
            (std::vector<std::vector<int32_t>>{words->encode("Ana left."), words->encode("Bo came.")}));
  EXPECT_TRUE(tokens.encode(" \n").empty());
  EXPECT_TRUE(StoryTokens::sentences({}).empty());
}

}  // namespace
}  // namespace lookback::data

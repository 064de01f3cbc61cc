#include "lookback/data/seen_dialogues.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"
#include "lookback/data/table.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

const TableOptions kDialogues = {.layout = "dialogues"};

class SeenDialoguesTest : public FolderTest {};

TEST_F(SeenDialoguesTest, ArePassedOverAndCounted) {
  const std::string train = file("train.txt",
                                 "Grüß dich , Jo ! __eou__ Hi . __eou__\n"
                                 "one __eou__ two __eou__ three __eou__\n"
                                 "... __eou__ ?! __eou__\n");
  const std::string test = file("test.txt",
                                "GRÜSS dich Jo __eou__ hi __eou__\n"             // ß is no ss
                                "GRÜß dich , Jo __eou__ hi ! ! __eou__\n"        // seen
                                "one __eou__ two __eou__\n"                      // a beginning is another dialogue
                                "One ! __eou__ t wo __eou__ three €? __eou__\n"  // seen
                                "One two __eou__ three __eou__\n"                // seen
                                "alone\n"                                        // no dialogue
                                "!!! __eou__ ... __eou__\n");                    // nothing to compare
  const auto seen = dialogues_of({{{train}}}, kDialogues);
  EXPECT_EQ(seen->size(), 2U);
  RowSource source{{{test}}};
  source.without = seen;
  RowReader reader(source, {"reply"}, kDialogues);
  std::vector<int64_t> lines;
  StringList replies;
  for (RowReader::Row row; reader.next(row);)
    lines.push_back(row.lines[0]), replies.push_back(row.problem.empty() ? row.cells[0] : "");
  EXPECT_EQ(lines, (std::vector<int64_t>{1, 3, 5, 6, 7}));
  EXPECT_EQ(replies, (StringList{"hi", "two", "three", "", "..."}));
  EXPECT_EQ(reader.dialogues_passed_over(), 2);
}

TEST_F(SeenDialoguesTest, OfSeveralFilesAndShapes) {
  const std::string a = file("a.txt", "1 hi\thello\n2 bye\tbye\n\n1 x\ty\n"), b = file("b.txt", "1 p\tq\n");
  const std::string test =
      file("test.txt", "Hi ! __eou__ hello __eou__ bye __eou__ bye __eou__\nx __eou__ z __eou__\n");
  RowSource source{{{test}, {b}, {a}}};
  source.without = dialogues_of({{{a}, {b}}}, kDialogues);
  EXPECT_EQ(source.without->size(), 3U);
  RowReader reader(source, {"history"}, kDialogues);
  RowReader::Row row;
  ASSERT_TRUE(reader.next(row));
  EXPECT_EQ(row.cells[0], "x");
  EXPECT_FALSE(reader.next(row));
  EXPECT_EQ(reader.dialogues_passed_over(), 4);
  // Other columns of the recipe do not matter; other layouts do.
  EXPECT_EQ(dialogues_of({{{b}}}, {.columns = {"history", "reply"}, .layout = "dialogues"})->size(), 1U);
  EXPECT_THROW(dialogues_of({{{a}}}, {}), ConfigError);
  EXPECT_THROW(RowReader(source, {"history"}, {}), ConfigError);
}

// A part of training that was split off shares none with the rest.
TEST_F(SeenDialoguesTest, SharesOfOneFileHaveNoneInCommon) {
  std::string bytes;
  for (int k = 0; k < 300; ++k)
    bytes += "turn " + std::to_string(k % 150) + (k < 150 ? " " : " !") + "__eou__ yes __eou__\n";
  const std::string path = file("all.txt", bytes);
  RowSource valid{{{path}}, 0, 0.3};
  const size_t held_out = dialogues_of(valid, kDialogues)->size();
  EXPECT_GT(held_out, 20U);
  const RowSource train{{{path}}, 0.3, 1};
  EXPECT_EQ(dialogues_of(train, kDialogues)->size(), 150 - held_out);
  valid.without = dialogues_of(train, kDialogues);
  RowReader reader(valid, {"reply"}, kDialogues);
  int64_t rows = 0;
  for (RowReader::Row row; reader.next(row);) ++rows;
  EXPECT_EQ(rows, static_cast<int64_t>(2 * held_out));
}

}  // namespace
}  // namespace lookback::data

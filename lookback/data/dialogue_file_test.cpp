#include "lookback/data/dialogue_file.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "lookback/base/error.h"
#include "lookback/data/row_reader.h"
#include "lookback/data/table.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

const StringList kNames = {"history", "knowledge", "reply"};

class DialogueFileTest : public FolderTest {
 protected:
  // "LINE: cell | cell" or "LINE: problem".
  StringList rows(RowSource source, const StringList& names = kNames, TableOptions options = {}) const {
    options.layout = "dialogues";
    options.max_bad = 1;
    RowReader reader(std::move(source), names, options);
    StringList out;
    for (RowReader::Row row; reader.next(row);) {
      std::string text = row.problem.empty() ? joined(row.cells, " | ") : row.problem;
      std::ranges::replace(text, '\n', '/');
      out.push_back(std::to_string(row.lines[0]) + ": " + text);
    }
    return out;
  }
  StringList rows_of(const std::string& bytes) const { return rows({{{gz("d.txt.gz", bytes)}}}); }
};

TEST_F(DialogueFileTest, NumberedTurns) {
  EXPECT_EQ(
      rows_of("\n"
              "1 <SILENCE>\t hello \r\n"
              "2 the west please\tapi_call west\n"
              "3 prezzo R_area west\n"
              "4 api_call no result\n"
              "5 \tprezzo it is\n"
              "6 thanks\tbye\n"
              "\n\n"
              "1 chop_house R_area east\n"
              "3 hi\thello\n"
              "1 hi, a number that is not above\tstarts anew\n"
              "2 bye\tbye"),
      (StringList{
          "2: <SILENCE> |  | hello",
          "3: <SILENCE>/hello/the west please |  | api_call west",
          "6: <SILENCE>/hello/the west please/api_call west/ | prezzo R_area west/api_call no result | prezzo it is",
          "7: <SILENCE>/hello/the west please/api_call west//prezzo it is/thanks | prezzo R_area west/api_call no "
          "result | bye",
          "11: hi | chop_house R_area east | hello",
          "12: hi, a number that is not above |  | starts anew",
          "13: hi, a number that is not above/starts anew/bye |  | bye",
      }));
}

TEST_F(DialogueFileTest, NumberedLinesThatAreNone) {
  EXPECT_EQ(
      rows_of(
          "1 a\tb\n2 c\td\te\nno number\n3\tc\td\n4 \xFF\td\n5 \n6 e\tf\n\n1 known only\n2 too\n\n1 known\n1 a\tb\n"),
      (StringList{
          "1: a |  | b",
          "2: a turn has more than one tab",
          "3: a line of a dialogue begins with no number and a blank",
          "4: a line of a dialogue begins with no number and a blank",
          "5: invalid UTF-8",
          "6: nothing follows the number",
          "7: a/b/e |  | f",
          "10: a dialogue without a tab has no reply",
          "12: a dialogue without a tab has no reply",
          "13: a |  | b",
      }));
}

TEST_F(DialogueFileTest, TurnsThatEnd) {
  EXPECT_EQ(rows_of(" \nHi , you . __eou__ What ?__eou__ 3 things __eou__\n\n"
                    "1 alone __eou__\n"
                    "No end __eou__ here\n"
                    "\xFF __eou__ a __eou__\n"
                    "a __eou__ __eou__ b __eou__ \n"),
            (StringList{
                "2: Hi , you . |  | What ?",
                "2: Hi , you ./What ? |  | 3 things",
                "4: a dialogue of one turn has no reply",
                "5: the last turn does not end with __eou__",
                "6: invalid UTF-8",
                "7: a |  | ",
                "7: a/ |  | b",
            }));
}

TEST_F(DialogueFileTest, OtherFilesAndColumnsAreRefused) {
  EXPECT_EQ(rows_of("").size(), 0U);
  EXPECT_EQ(local(message_of<FormatError>([&] { rows_of("\nhello\tyou\n"); })),
            "d.txt.gz:2: begins no dialogue: a line is a number, a blank, a turn, a tab and its reply, or a dialogue "
            "whose turns each end with __eou__");
  const std::string path = file("d.txt", "1 a\tb\n2 c\td\n");
  EXPECT_EQ(rows({{{path}}}, {"source", "target"}, {.columns = {"history", "reply"}}),
            (StringList{"1: a | b", "2: a/b/c | d"}));
  EXPECT_EQ(rows({{{path}}}, {"text"}, {.columns = {"reply"}}), (StringList{"1: b", "2: d"}));
  EXPECT_EQ(message_of<ConfigError>([&] {
              rows({{{path}}}, {"source", "target"});
            }),
            "data.layout = 'dialogues' has no column 'source', but history, knowledge and reply; data.columns says "
            "which of them the columns source and target are");
  EXPECT_THROW(rows({{{path, path, path}}}), ConfigError);
  const std::string bad = file("bad.txt", "1 a\tb\n2 c\td\te\n");
  EXPECT_EQ(local(message_of<FormatError>([&] {
              rows({{{bad}}}, kNames, {.bad_lines = "stop"});
            })).find("bad.txt:2: a turn has more than one tab"),
            0U);
  const std::string latin = file("latin.txt", "1 sch\xF6n\tgr\xFC\xDF\n2 a\tb\n");
  RowReader reader({{{latin}}}, kNames, {.layout = "dialogues", .max_bad = 0.2});
  RowReader::Row row;
  EXPECT_TRUE(reader.next(row));
  EXPECT_TRUE(reader.next(row));
  EXPECT_THROW(reader.next(row), FormatError);
}

// Turns of one dialogue never stand on both sides.
TEST_F(DialogueFileTest, SharesPartTheDialogues) {
  std::string bytes;
  for (int k = 0; k < 400; ++k)
    for (int turn = 1; turn < 5; ++turn)
      bytes += std::to_string(turn) + " user " + std::to_string(k) + "\tbot " + std::to_string(turn) + "\n";
  const std::string path = file("d.txt", bytes);
  std::set<std::string> seen;
  size_t all = 0;
  for (const auto& [from, to] : {std::pair{0.0, 0.25}, {0.25, 1.0}}) {
    std::set<std::string> here;
    for (const std::string& row : rows({{{path}}, from, to})) {
      const size_t at = row.find("user ");
      here.insert(row.substr(at, row.find_first_of(" /", at + 5) - at)), ++all;
    }
    for (const std::string& d : here) EXPECT_TRUE(seen.insert(d).second) << d;
    EXPECT_NEAR(static_cast<double>(here.size()), 400 * (to - from), 40);
  }
  EXPECT_EQ(all, 1600U);
  EXPECT_EQ(seen.size(), 400U);
}

TEST_F(DialogueFileTest, ListsOfObjectsAreLines) {
  const std::string path =
      file("d.jsonl", R"({"history": ["hi", "", "how\nare, you"], "knowledge": ["a b c", "d e f"], "reply": "fine"})"
                      "\n"
                      R"({"history": "hi\nyou", "knowledge": [], "reply": ["a", "b"]})"
                      "\n"
                      R"({"history": ["hi"], "reply": "x"})"
                      "\n"
                      R"({"history": ["hi"], "knowledge": null, "reply": "x"})"
                      "\n"
                      R"({"knowledge": ["hi"], "reply": "x"})"
                      "\n"
                      R"({"history": [1], "reply": "x"})"
                      "\n");
  RowReader reader({{{path}}}, kNames, {});
  StringList found;
  for (RowReader::Row row; reader.next(row);)
    found.push_back(row.problem.empty() ? joined(row.cells, " | ") : row.problem);
  EXPECT_EQ(found, (StringList{"hi\n\nhow are, you | a b c\nd e f | fine", "hi\nyou |  | a,b", "hi |  | x", "hi |  | x",
                               "a column is missing", "'history' is neither text, nor a list of texts, nor a number"}));
  // Under other keys, too.
  const std::string renamed = file("r.jsonl", R"({"context": ["a", "b"], "answer": "c"})"
                                              "\n");
  RowReader other({{{renamed}}}, kNames, {.columns = {"context", "facts", "answer"}});
  RowReader::Row row;
  ASSERT_TRUE(other.next(row));
  EXPECT_EQ(row.cells, (StringList{"a\nb", "", "c"}));
}

// One id for each byte; blank cells are examples.
class Bytes final : public CellEncoder {
 public:
  std::vector<int32_t> encode(std::string_view cell) const override { return {cell.begin(), cell.end()}; }
  bool encodes_blank() const override { return true; }
  int64_t size() const override { return 256; }
};
class Needed final : public CellEncoder {
 public:
  std::vector<int32_t> encode(std::string_view cell) const override { return {cell.begin(), cell.end()}; }
  int64_t size() const override { return 256; }
};

TEST_F(DialogueFileTest, ATableKeepsRowsWithoutKnowledge) {
  const std::string path = file("d.txt", "1 aaaa\tbbbb\n2 c\td\n\n1 k k k\n2 \te\n");
  const Needed needed;
  const Bytes bytes;
  const std::vector<Column> columns = {{"history", &needed}, {"knowledge", &bytes}, {"reply", &needed}};
  const Table table({{{path}}}, columns, {.layout = "dialogues"}, Keep::tokens_and_text);
  ASSERT_EQ(table.size(), 2);
  EXPECT_EQ(table.report().left_out_for("the history is empty"), 1);
  EXPECT_EQ(table.text(1, 0), "");
  EXPECT_TRUE(table.ids(1, 0).empty());
  const Table even({{{path}}}, columns, {.layout = "dialogues", .max_ratio = 2}, Keep::tokens);
  EXPECT_EQ(even.size(), 1) << "blank cells have no length to compare";
  const Table all_needed({{{path}}}, {{"history", &needed}, {"knowledge", &needed}, {"reply", &needed}},
                         {.layout = "dialogues"});
  EXPECT_EQ(all_needed.report().left_out_for("the knowledge is empty"), 2);
}

}  // namespace
}  // namespace lookback::data

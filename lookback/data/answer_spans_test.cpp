#include "lookback/data/answer_spans.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"
#include "lookback/data/row_reader.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

std::shared_ptr<Tokenizer> words() {
  return train_tokenizer({.kind = "word", .lowercase = true, .normalization = "identity"},
                         from({"the river rises in the hills"}));
}

TEST(TokenSpans, AreWhereTheTokensStand) {
  const std::string text = "Die  Flüsse (zwei), steigen!";
  const auto spans = token_spans(*words(), text);
  StringList found;
  for (const TextSpan& s : spans)
    found.push_back(text.substr(static_cast<size_t>(s.begin), static_cast<size_t>(s.end - s.begin)));
  EXPECT_EQ(found, (StringList{"Die", "Flüsse", "(", "zwei", ")", ",", "steigen", "!"}));
  const auto changing = train_tokenizer({.kind = "word", .normalization = "nfkc"}, from({"ﬁne"}));
  EXPECT_THROW(token_spans(*changing, "a ﬁne day"), FormatError);
}

TEST(AnswerSpans, TokensThatHoldTheAnswer) {
  const AnswerSpans spans(words(), false);
  const std::string passage = "The Größe of Rex-Hill is 30m, of Rex 20m.";
  const auto of = [&](const std::string& answers) { return spans.encode_beside(answers, passage); };
  EXPECT_EQ(of("Größe"), (std::vector<int32_t>{1, 1}));
  EXPECT_EQ(of("Rex"), (std::vector<int32_t>{3, 3}));
  // A start counts code points; one that is wrong is passed over.
  EXPECT_EQ(of(R"([{"text": "Rex", "answer_start": 33}])"), (std::vector<int32_t>{10, 10}));
  EXPECT_EQ(of(R"([{"text": "Rex", "answer_start": 2}])"), (std::vector<int32_t>{3, 3}));
  // Part of a token stands for all of it.
  EXPECT_EQ(of("Hill is 30"), (std::vector<int32_t>{5, 7}));
  EXPECT_EQ(of(R"(["nowhere", "of Rex 20m"])"), (std::vector<int32_t>{9, 11}));
  EXPECT_TRUE(of("nowhere").empty());
  EXPECT_TRUE(of("[]").empty());
  EXPECT_EQ(AnswerSpans(words(), true).encode_beside("[]", passage), (std::vector<int32_t>{13, 13}));
}

TEST(GoldAnswers, OfEveryShape) {
  EXPECT_EQ(gold_answers("30 m")[0].text, "30 m");
  EXPECT_EQ(gold_answers("[sic] 30 m")[0].text, "[sic] 30 m");
  EXPECT_EQ(gold_answers(R"(["a", "b"])").size(), 2U);
  EXPECT_EQ(gold_answers(R"([{"text": "a", "answer_start": 7}])")[0].start, 7);
  EXPECT_TRUE(gold_answers(" ").empty());
  EXPECT_THROW(gold_answers("[1]"), FormatError);
}

class SquadFileTest : public FolderTest {};

TEST_F(SquadFileTest, QuestionsAreRows) {
  const std::string path = gz("train.json.gz", R"({"version": "1.1", "data": [{"title": "Rivers", "paragraphs": [
    {"context": "It rises in the hills.", "qas": [
      {"id": "a", "question": "Where?", "answers": [{"text": "the hills", "answer_start": 12}]},
      {"id": "b", "question": "Why?", "answers": []}]}]}]})");
  RowReader reader({{{path}}}, {"question", "context", "answer"}, {});
  RowReader::Row row;
  ASSERT_TRUE(reader.next(row));
  EXPECT_EQ(row.cells[0], "Where?");
  EXPECT_EQ(row.cells[1], "It rises in the hills.");
  EXPECT_EQ(gold_answers(row.cells[2])[0].text, "the hills");
  EXPECT_EQ(reader.where(row, 0), path + ":1");
  ASSERT_TRUE(reader.next(row));
  EXPECT_EQ(row.cells[2], "[]");
  EXPECT_FALSE(reader.next(row));
  EXPECT_THROW(RowReader({{{path}}}, {"question", "text"}, {}).next(row), FormatError);
}

TEST_F(SquadFileTest, OtherFilesAreRefused) {
  RowReader::Row row;
  for (const char* bytes :
       {"", "[]", "{\"data\": 1}", R"({"data": [{"paragraphs": [{"qas": []}]}]})",
        R"({"data": [{"paragraphs": [{"context": "c", "qas": [{"id": "1", "question": "q"}]}]}]})"}) {
    const std::string path = file("bad.json", bytes);
    EXPECT_THROW(RowReader({{{path}}}, {"question", "context", "answer"}, {}).next(row), FormatError) << bytes;
  }
}

}  // namespace
}  // namespace lookback::data

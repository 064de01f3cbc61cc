#include "lookback/tasks/input.h"

#include <gtest/gtest.h>

#include "lookback/io/temp_folder.h"

namespace lookback::tasks {
namespace {

const InputFields kText = {{"source", "the text"}, {"prefix", "how it begins", false}};
const InputFields kTwo = {{"question", "what is asked"}, {"context", "where to look"}, {"hint", "", false}};

TEST(Input, LinesAreTheOneRequiredField) {
  EXPECT_EQ(input_format("auto", "x.txt", kText), "lines");
  EXPECT_EQ(input_format("auto", "x.tsv", kText), "lines");
  const Input in = parse_input("a\tb", "lines", kText);
  EXPECT_EQ(*in.find("source"), "a\tb");
  EXPECT_EQ(in.find("prefix"), nullptr);
}

TEST(Input, SeveralFieldsAreColumnsInOrder) {
  EXPECT_EQ(input_format("auto", "-", kTwo), "tsv");
  EXPECT_NE(message_of<ConfigError>([] { input_format("lines", "-", kTwo); }).find("question, context"),
            std::string::npos);
  const Input in = parse_input("why?\tbecause", "tsv", kTwo);
  EXPECT_EQ(*in.find("question"), "why?");
  EXPECT_EQ(*in.find("context"), "because");
  EXPECT_EQ(*parse_input("\t", "tsv", kTwo).find("context"), "");
  EXPECT_EQ(message_of<FormatError>([] { parse_input("why?", "tsv", kTwo); }),
            "has fewer columns than question, context");
  EXPECT_EQ(message_of<FormatError>([] { parse_input("a\tb\tc", "tsv", kTwo); }),
            "has more columns than question, context");
}

TEST(Input, ListsOfADialogueAreLines) {
  const InputFields chat = {{"history", "what was said"}, {"knowledge", "what is known", false}};
  const Input in = parse_input(R"({"history": ["hi", "a, b"], "knowledge": []})", "jsonl", chat);
  EXPECT_EQ(*in.find("history"), "hi\na, b");
  EXPECT_EQ(*in.find("knowledge"), "");
  EXPECT_EQ(*parse_input(R"({"question": ["a", "b"], "context": "c"})", "jsonl", kTwo).find("question"), "a,b");
}

TEST(Input, JsonLinesHoldAnyFields) {
  EXPECT_EQ(input_format("auto", "x.jsonl.gz", kText), "jsonl");
  const Input in = parse_input(R"({"id": [1], "hint": "h", "context": "c", "question": 7})", "jsonl", kTwo);
  EXPECT_EQ(in.fields.size(), 3U);
  EXPECT_EQ(*in.find("question"), "7");
  EXPECT_EQ(message_of<FormatError>([] { parse_input(R"({"question": "q"})", "jsonl", kTwo); }),
            "has no 'context'; an input has question, context, hint");
  EXPECT_EQ(message_of<FormatError>([] { parse_input("why?", "jsonl", kTwo); }), "not JSON, at byte 1");
  EXPECT_THROW(parse_input("[]", "jsonl", kTwo), FormatError);
}

TEST(Input, FieldsOfTheCommandLine) {
  Input in;
  set_input_field(in, "question=a=b", kTwo);
  EXPECT_EQ(*in.find("question"), "a=b");
  EXPECT_NE(message_of<ConfigError>([&] { set_input_field(in, "contxt=c", kTwo); }).find("did you mean 'context'"),
            std::string::npos);
  EXPECT_THROW(set_input_field(in, "context", kTwo), ConfigError);
  EXPECT_EQ(message_of<ConfigError>([&] { check_input(in, kTwo, "explain"); }),
            "explain: the field 'context' is missing (where to look); give it with --field context=VALUE");
  set_input_field(in, "context=", kTwo);
  EXPECT_NO_THROW(check_input(in, kTwo, "explain"));
}

}  // namespace
}  // namespace lookback::tasks

#include "lookback/cli/conversation.h"

#include <gtest/gtest.h>

namespace lookback::cli {
namespace {

void exchange(Conversation& c, const std::string& said, const std::string& reply) {
  c.ask(said);
  c.reply(reply);
}

std::string history(const Conversation& c) { return *c.input().find("history"); }

TEST(Conversation, HistoryIsEveryTurnUpToTheOneToReplyTo) {
  Conversation c;
  EXPECT_TRUE(c.empty());
  c.ask("a");
  EXPECT_EQ(history(c), "a");
  EXPECT_EQ(c.input().find("knowledge"), nullptr);
  c.reply("b");
  EXPECT_EQ(history(c), "a") << "what the reply was for stays the same";
  exchange(c, "c", "d");
  EXPECT_EQ(history(c), "a\nb\nc");
  EXPECT_EQ(c.last_reply(), "d");
}

TEST(Conversation, NewestTurnsOnly) {
  for (const auto& [turns, expected] :
       {std::pair(1, "e"), {2, "d\ne"}, {3, "c\nd\ne"}, {5, "a\nb\nc\nd\ne"}, {9, "a\nb\nc\nd\ne"}}) {
    Conversation c({}, turns);
    exchange(c, "a", "b");
    exchange(c, "c", "d");
    c.ask("e");
    EXPECT_EQ(history(c), expected) << turns;
    c.reply("f");
    c.undo();
    c.undo();
    EXPECT_EQ(history(c), "a") << "what was left out is still there";
  }
}

TEST(Conversation, KnowledgeIsWhatWasKnownThen) {
  Conversation c({"one"});
  exchange(c, "a", "b");
  c.know("two");
  EXPECT_EQ(*c.input().find("knowledge"), "one");
  exchange(c, "c", "d");
  EXPECT_EQ(*c.input().find("knowledge"), "one\ntwo");
  c.undo();
  EXPECT_EQ(*c.input().find("knowledge"), "one");
  c.ask("e");
  EXPECT_EQ(*c.input().find("knowledge"), "one\ntwo") << "undo takes back an exchange, not what is known";
}

TEST(Conversation, UndoAndReset) {
  Conversation c({"one"});
  EXPECT_FALSE(c.undo());
  exchange(c, "a", "b");
  exchange(c, "c", "d");
  EXPECT_TRUE(c.undo());
  EXPECT_EQ(c.last_reply(), "b");
  EXPECT_TRUE(c.undo());
  EXPECT_FALSE(c.undo());
  exchange(c, "e", "f");
  EXPECT_EQ(history(c), "e");
  c.know("two");
  c.reset();
  EXPECT_TRUE(c.empty());
  c.ask("g");
  EXPECT_EQ(history(c), "g");
  EXPECT_EQ(*c.input().find("knowledge"), "one") << "what was known from the start stays";
}

TEST(Conversation, EveryTurnHasANumberOfItsOwn) {
  Conversation c;
  exchange(c, "a", "b");
  EXPECT_EQ(c.input().line, 1);
  exchange(c, "c", "d");
  EXPECT_EQ(c.input().line, 2);
  c.undo();
  EXPECT_EQ(c.input().line, 1);
  c.ask("c");
  EXPECT_EQ(c.input().line, 3) << "said again";
  c.reset();
  c.ask("a");
  EXPECT_EQ(c.input().line, 4);
}

TEST(Conversation, RowsAreTrainingData) {
  Conversation c({"k \"1\""}, 2);
  exchange(c, "a", "b");
  EXPECT_EQ(c.row(), R"({"history": ["a"], "knowledge": ["k \"1\""], "reply": "b"})");
  exchange(c, "ä", "");
  EXPECT_EQ(c.row(), R"({"history": ["b", "ä"], "knowledge": ["k \"1\""], "reply": ""})");
  Conversation plain;
  exchange(plain, "a", "b");
  EXPECT_EQ(plain.row(), R"({"history": ["a"], "knowledge": [], "reply": "b"})");
}

TEST(Conversation, LineEndsAreSpaces) {
  Conversation c({"k\nl"});
  c.know("m\r\nn");
  exchange(c, "a\nb", "c\rd");
  c.ask("e");
  EXPECT_EQ(history(c), "a b\nc d\ne");
  EXPECT_EQ(*c.input().find("knowledge"), "k l\nm  n");
}

}  // namespace
}  // namespace lookback::cli

#include "lookback/data/delexicaliser.h"

#include <gtest/gtest.h>

namespace lookback::data {
namespace {

const char* const kKnowledge =
    "prezzo R_cuisine italian\n"
    "prezzo R_location west\n"
    "prezzo R_phone prezzo_phone\n"
    "prezzo R_rating 9\n"
    "api_call no result\n"
    "chop_house R_cuisine british\n"
    "chop_house R_location west\n"
    "chop_house R_phone 01223355\n"
    "\n"
    "four words are none\n"
    "chop_house R_part west\n"
    "chop_house R_part east\n"
    "größe R_price é\r\n"
    "größe  R_price\tgünstig";

TEST(Delexicaliser, ValuesHavePlaceholdersByRelation) {
  const Delexicaliser d(kKnowledge);
  const auto both = [&](const std::string& text, const std::string& want) {
    EXPECT_EQ(d.encode(text), want);
    EXPECT_EQ(d.decode(want), text);
  };
  both("prezzo is italian , chop_house is british", "@name#1 is @R_cuisine#1 , @name#2 is @R_cuisine#2");
  both("prezzo_phone\n 01223355\t günstig \n", "@R_phone#1\n @R_phone#2\t @R_price#1 \n");
  both("the west, the (east)? größe!", "the @R_location#1, the (@R_part#2)? @name#3!");
  both("prezzos no-prezzo Prezzo words four", "prezzos no-prezzo Prezzo words four");
  both("api_call italian R_location , no result", "api_call @R_cuisine#1 R_location , no result");
  both("9 é 9.", "9 é 9.");
  both("", "");
  both(" ... \n", " ... \n");
  // The second relation's name for a value stands for it, though encode never writes it.
  EXPECT_EQ(d.decode("@R_part#1 @R_part#2"), "west east");
  EXPECT_EQ(d.decode("@name#4 @name#1x @none#1 @name#2."), "@name#4 @name#1x @none#1 chop_house.");
}

TEST(Delexicaliser, SubjectsAndTheRelationNameCountTogether) {
  const Delexicaliser d("r1 name Prezzo\nr2 name Mario\nr2 likes r1");
  EXPECT_EQ(d.encode("r1 Prezzo r2 Mario"), "@name#1 @name#2 @name#3 @name#4");
  EXPECT_EQ(d.decode("@likes#1"), "r1");
}

TEST(Delexicaliser, OfNothing) {
  EXPECT_EQ(Delexicaliser("").encode("prezzo"), "prezzo");
  EXPECT_EQ(Delexicaliser("").decode("@name#1"), "@name#1");
  EXPECT_EQ(Delexicaliser("\n\na b\n").encode("a b"), "a b");
}

}  // namespace
}  // namespace lookback::data

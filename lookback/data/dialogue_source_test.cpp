#include "lookback/data/dialogue_source.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

const StringList kSaid = {"hello , where to ?", "to Bonn please", "what time ?", "at nine please"};

std::shared_ptr<const Tokenizer> learn(const TokenizerOptions& options, const StringList& lines = kSaid) {
  return train_tokenizer(options, from(lines));
}

std::shared_ptr<const Tokenizer> words() { return learn({.kind = "word", .split = "space"}); }

std::shared_ptr<const DialogueSource> source_of(std::shared_ptr<const Tokenizer> tokenizer,
                                                const DialogueOptions& options = {}) {
  return std::make_shared<DialogueSource>(std::move(tokenizer), options);
}

using Cells = std::vector<std::string_view>;

Cells one(const std::string& cell) { return {cell}; }

// "ROLE:TEXT" of each part.
StringList parts_of(const DialogueOptions& options, std::string_view knowledge, std::string_view history) {
  StringList out;
  for (const DialogueSource::Part& part : source_of(words(), options)->parts(knowledge, history))
    out.push_back(std::string(1, "<>k"[part.role]) + ":" + part.text);
  return out;
}

TEST(DialogueSource, KnowledgeStandsBeforeTurnsAndTheLastTurnIsTheirs) {
  EXPECT_EQ(parts_of({}, "train1 goes Bonn\ntrain2 goes Kiel", "a\nb\nc"),
            (StringList{"k:train1 goes Bonn", "k:train2 goes Kiel", "<:a", ">:b", "<:c"}));
  EXPECT_EQ(parts_of({}, "", "a\nb"), (StringList{">:a", "<:b"}));
  EXPECT_EQ(parts_of({}, "known", ""), (StringList{"k:known"}));
  EXPECT_TRUE(parts_of({}, "", "").empty());
}

TEST(DialogueSource, TheLastTurnsAreReadAndAllKnowledge) {
  EXPECT_EQ(parts_of({.turns = 1}, "x\ny", "a\nb\nc"), (StringList{"k:x", "k:y", "<:c"}));
  EXPECT_EQ(parts_of({.turns = 2}, "", "a\nb\nc"), (StringList{">:b", "<:c"}));
  EXPECT_EQ(parts_of({.turns = 9}, "", "a\nb\nc"), (StringList{"<:a", ">:b", "<:c"}));
}

TEST(DialogueSource, BlankLinesArePassedOver) {
  EXPECT_EQ(parts_of({}, "\n \nx\n\t\r\n", "\na\n\n \t\nb\r\nc\n"), (StringList{"k:x", "<:a", ">:b\r", "<:c"}));
  // A blank turn is none of the last ones either.
  EXPECT_EQ(parts_of({.turns = 2}, "", "a\nb\n\nc\n \n"), (StringList{">:b", "<:c"}));
}

TEST(DialogueSource, ValuesStandAsPlaceholders) {
  const std::string known = "train1 goes Bonn\ntrain2 goes Kiel\ntrain1 platform 3";
  const DialogueOptions options{.delexicalise = true};
  EXPECT_EQ(parts_of(options, known, "to Kiel, please\nis train1 fine ?\nBonn !"),
            (StringList{"k:@name#1 goes @goes#1", "k:@name#2 goes @goes#2", "k:@name#1 platform 3",
                        "<:to @goes#2, please", ">:is @name#1 fine ?", "<:@goes#1 !"}));
  // A knowledge base of no rows has no values, and turns that are not read change none.
  EXPECT_EQ(parts_of(options, "", "to Kiel"), (StringList{"<:to Kiel"}));
  EXPECT_EQ(parts_of({.turns = 1, .delexicalise = true}, "t goes Kiel", "Bonn\nKiel"),
            (StringList{"k:t goes @goes#1", "<:@goes#1"}));
}

TEST(DialogueSource, RepliesAreWrittenWithPlaceholdersAndSaidWithValues) {
  const std::string known = "train1 goes Bonn\ntrain2 goes Kiel", reply = "take train2 to Kiel.";
  const auto plain = source_of(words()), open = source_of(words(), {.delexicalise = true});
  EXPECT_EQ(plain->reply_in(known, reply), reply);
  EXPECT_EQ(plain->reply_out(known, "take @name#2"), "take @name#2");
  EXPECT_EQ(open->reply_in(known, reply), "take @name#2 to @goes#2.");
  EXPECT_EQ(open->reply_out(known, open->reply_in(known, reply)), reply);
  EXPECT_EQ(open->reply_out(known, "take @name#3"), "take @name#3");  // there is none
  EXPECT_EQ(open->reply_out("bus9 goes Ulm", "take @name#1 to @goes#1."), "take bus9 to Ulm.");
}

struct Case {
  TokenizerOptions tokenizer;
  DialogueOptions dialogue = {};
};

std::vector<Case> cases() {
  return {{{.kind = "word", .split = "space"}},
          {{.kind = "word", .lowercase = true, .split = "punctuation"}},
          {{.kind = "char"}},
          {{.kind = "char", .unit = "byte"}},
          {{.kind = "bpe", .size = 40}},
          {{.kind = "unigram", .size = 34}},
          {{.kind = "word", .split = "space"}, {.turns = 2}},
          {{.kind = "word", .split = "space"}, {.turns = 3, .delexicalise = true}}};
}

const StringList kHistories = {"", "hello , where to ?", "hello\n\n  to  Bonn please \nZürich?\r\nno , Kiel.\n",
                               "what time ?\nat nine please\nat nine ?\nplease ,\n\xE2\x81\x87 ok"};
const StringList kKnowledge = {"", "\n", "train1 goes Kiel\ntrain2 goes Bonn", "Zürich no row\n \nplease wait"};

// The slice of `all` that each segment has.
std::vector<std::vector<int32_t>> cut(const std::vector<int32_t>& all, const std::vector<int32_t>& segments) {
  std::vector<std::vector<int32_t>> out;
  auto at = all.begin();
  for (size_t k = 1; k < segments.size(); k += 2) {
    EXPECT_LE(segments[k], all.end() - at);
    out.emplace_back(at, at + segments[k]);
    at += segments[k];
  }
  EXPECT_EQ(at, all.end());
  return out;
}

TEST(DialogueSource, SegmentsCutTokensIntoParts) {
  for (const Case& c : cases()) {
    const auto tokenizer = learn(c.tokenizer);
    const auto source = source_of(tokenizer, c.dialogue);
    const DialogueForms forms(source, nullptr);
    for (const std::string& history : kHistories)
      for (const std::string& knowledge : kKnowledge) {
        const std::vector<int32_t> segments = source->segments(knowledge, history);
        std::vector<int32_t> roles;
        std::vector<std::vector<int32_t>> expected;
        for (const auto& part : source->parts(knowledge, history))
          if (const auto ids = tokenizer->encode(part.text); !ids.empty())
            roles.push_back(part.role), expected.push_back(ids);
        const std::vector<int32_t> tokens = source->tokens(knowledge, history);
        EXPECT_EQ(cut(tokens, segments), expected) << c.tokenizer.kind << ' ' << history;
        for (size_t k = 0; k < roles.size(); ++k) EXPECT_EQ(segments.at(2 * k), roles[k]) << history;
        EXPECT_EQ(forms.history.encode_beside(history, one(knowledge)), tokens);
        EXPECT_EQ(forms.segments.encode_beside(knowledge, one(history)), segments);
      }
  }
}

TEST(DialogueSource, CopiesAreAlignedWithTokens) {
  for (const Case& c : cases()) {
    const auto tokenizer = learn(c.tokenizer);
    const auto source = source_of(tokenizer, c.dialogue);
    const auto extended = std::make_shared<ExtendedVocabulary>(tokenizer, tokenizer, 0, true);
    const DialogueForms forms(source, extended);
    for (const std::string& history : kHistories)
      for (const std::string& knowledge : kKnowledge) {
        const std::vector<int32_t> tokens = source->tokens(knowledge, history),
                                   copies = forms.copies.encode_beside(history, one(knowledge));
        ASSERT_EQ(copies.size(), tokens.size()) << c.tokenizer.kind << ' ' << history;
        // What the vocabulary knows is itself, all else is numbered behind it.
        for (size_t k = 0; k < tokens.size(); ++k)
          EXPECT_TRUE(tokens[k] == kUnk ? copies[k] >= tokenizer->size() : copies[k] == tokens[k])
              << c.tokenizer.kind << ' ' << history << ' ' << k;
        const auto most = std::ranges::max_element(copies);
        const auto own = std::ssize(extended->read(source->text(knowledge, history)).own_words);
        EXPECT_LT(most == copies.end() ? 0 : *most, tokenizer->size() + own);
      }
  }
}

// Pieces of subwords must not depend on what the line before ended with.
TEST(DialogueSource, PartsAreCutByThemselves) {
  for (const char* kind : {"word", "char", "bpe", "unigram"}) {
    const auto tokenizer = learn({.kind = kind, .size = 40});
    const auto source = source_of(tokenizer);
    std::vector<int32_t> both = source->tokens("", "to Bonn"), second = source->tokens("", "please");
    both.insert(both.end(), second.begin(), second.end());
    EXPECT_EQ(source->tokens("", "to Bonn\nplease"), both) << kind;
    EXPECT_EQ(source->tokens("to Bonn", "please"), both) << kind;
  }
}

TEST(DialogueSource, RepliesCopyFromKnowledgeAndTurns) {
  const auto tokenizer = words();
  const auto source = source_of(tokenizer);
  const DialogueForms forms(source, std::make_shared<ExtendedVocabulary>(tokenizer, tokenizer, 0, true));
  const auto V = static_cast<int32_t>(tokenizer->size());
  const Cells cells = {"train1 goes Kiel", "hello\nto Ulm please"};  // knowledge, history
  const auto please = tokenizer->encode("please")[0];
  // Of their own are, as they stand: train1 goes Kiel hello Ulm, of which hello is known.
  EXPECT_EQ(forms.reply.encode_beside("Kiel Ulm train1 Rome please", cells),
            (std::vector<int32_t>{V + 2, V + 3, V, kUnk, please}));
  EXPECT_EQ(forms.reply.encode("Kiel please"), (std::vector<int32_t>{kUnk, please}));  // beside nothing
  EXPECT_EQ(forms.reply.size(), int64_t{1} << 31);
}

TEST(DialogueSource, TurnsThatAreNotReadCannotBeCopied) {
  const auto tokenizer = words();
  const DialogueForms forms(source_of(tokenizer, {.turns = 1}),
                            std::make_shared<ExtendedVocabulary>(tokenizer, tokenizer, 0, true));
  const Cells cells = {"", "to Ulm\nto Kiel"};
  EXPECT_EQ(forms.reply.encode_beside("Ulm Kiel", cells),
            (std::vector<int32_t>{kUnk, static_cast<int32_t>(tokenizer->size())}));
}

TEST(DialogueSource, RepliesHavePlaceholders) {
  const auto tokenizer = learn({.kind = "word", .split = "space"}, {"take @name#1 to @goes#1"});
  const auto source = source_of(tokenizer, {.delexicalise = true});
  const auto extended = std::make_shared<ExtendedVocabulary>(tokenizer, tokenizer, 0, true);
  const Cells cells = {"bus9 goes Ulm\nbus8 goes Jena", "to Ulm"};
  const auto expected = tokenizer->encode("take @name#1 to @goes#1");
  ASSERT_EQ(std::ranges::count(expected, kUnk), 0);
  EXPECT_EQ(DialogueForms(source, nullptr).reply.encode_beside("take bus9 to Ulm", cells), expected);
  const DialogueForms copying(source, extended);
  EXPECT_EQ(copying.reply.encode_beside("take bus9 to Ulm", cells), expected);
  // A placeholder that training has not seen stands in the knowledge, and is copied from there.
  const auto second = copying.reply.encode_beside("take bus8", cells);
  ASSERT_GE(second[1], tokenizer->size());
  EXPECT_EQ(
      extended->read(source->text(cells[0], cells[1])).own_words.at(static_cast<size_t>(second[1] - tokenizer->size())),
      "@name#2");
}

TEST(DialogueSource, WhatIsNoTextIsSaid) {
  const auto source = source_of(words());
  EXPECT_THROW(source->tokens("", "a\n\xFF"), FormatError);
  EXPECT_THROW(source->tokens("\xFF", "a"), FormatError);
  EXPECT_THROW(source->segments("", "\xFF"), FormatError);
}

}  // namespace
}  // namespace lookback::data

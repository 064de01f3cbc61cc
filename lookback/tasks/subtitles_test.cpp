#include "lookback/tasks/subtitles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

using Words = std::vector<TimedWord>;
using Lines = std::vector<std::string>;

// Words of `seconds` each, one right after another.
Words evenly(const std::string& text, double seconds, double from = 0) {
  Words out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const double begin = from + seconds * static_cast<double>(out.size());
    out.push_back({text.substr(at, end - at), begin, begin + seconds});
    at = end + 1;
  }
  return out;
}

std::vector<Lines> lines_of(const Words& words) {
  std::vector<Lines> out;
  for (const SubtitleCue& cue : subtitle_cues(words)) out.push_back(cue.lines);
  return out;
}

TEST(Subtitles, Srt) {
  const Words words{
      {"Hello", 0.5, 0.9}, {"there.", 1.0, 1.5004}, {"How", 1.6, 1.8}, {"are", 1.8, 2}, {"you?", 2, 2.25}};
  EXPECT_EQ(to_srt(words),
            "1\n"
            "00:00:00,500 --> 00:00:01,500\n"
            "Hello there.\n"
            "\n"
            "2\n"
            "00:00:01,600 --> 00:00:02,250\n"
            "How are you?\n");
  EXPECT_EQ(to_srt({}), "");
}

TEST(Subtitles, VttEscapes) {
  const Words words{{"AT&T", 0, 0.2}, {"<b>", 0.2, 0.3}, {"-->", 0.3, 0.4}, {"&amp;", 0.4, 0.5}};
  EXPECT_EQ(to_vtt(words),
            "WEBVTT\n"
            "\n"
            "00:00:00.000 --> 00:00:00.500\n"
            "AT&amp;T &lt;b&gt; --&gt; &amp;amp;\n");
  EXPECT_EQ(to_vtt({}), "WEBVTT\n");
}

TEST(Subtitles, BreaksAtPausesAndSentences) {
  EXPECT_EQ(lines_of({{"a", 0, 1}, {"b", 1.59, 2}, {"c", 2.6, 3}}), (std::vector<Lines>{{"a b"}, {"c"}}));
  EXPECT_EQ(lines_of(evenly("a. b? c! d… (e.) f.” g, 3.14 h。 i: j", 0.1)),
            (std::vector<Lines>{{"a."}, {"b?"}, {"c!"}, {"d…"}, {"(e.)"}, {"f.”"}, {"g, 3.14 h。"}, {"i: j"}}));
}

TEST(Subtitles, TwoEvenLines) {
  EXPECT_EQ(lines_of(evenly("the quick brown fox jumps over the lazy dog and runs away", 0.1)),
            (std::vector<Lines>{{"the quick brown fox jumps over", "the lazy dog and runs away"}}));
  const std::string forty_two = "1234567890 1234567890 1234567890 123456789";
  EXPECT_EQ(lines_of(evenly(forty_two, 0.1)), (std::vector<Lines>{{forty_two}}));
  EXPECT_EQ(lines_of(evenly(forty_two + " " + forty_two + " x", 0.1)),
            (std::vector<Lines>{{forty_two, forty_two}, {"x"}}));
}

TEST(Subtitles, SevenSecondsAtMost) {
  const auto cues = subtitle_cues(evenly("a b c d e f g h i j", 1));
  ASSERT_EQ(cues.size(), 2u);
  EXPECT_EQ(cues[0].lines, Lines{"a b c d e f g"});
  EXPECT_EQ(cues[0].end, 7000);
  EXPECT_EQ(cues[1].begin, 7000);
  const auto one = subtitle_cues(Words{{"a", 1, 20}});
  EXPECT_EQ(one[0].end, 8000);
}

TEST(Subtitles, HoursBeyondNinetyNine) {
  EXPECT_EQ(to_srt(Words{{"a", 360000 + 61.25, 360000 + 62}}), "1\n100:01:01,250 --> 100:01:02,000\na\n");
  EXPECT_EQ(to_vtt(Words{{"a", 3599.9996, 3600.5}}), "WEBVTT\n\n01:00:00.000 --> 01:00:00.500\na\n");
}

TEST(Subtitles, WordsTooWideAreBroken) {
  const auto cues = subtitle_cues(Words{{std::string(126, 'x'), 0, 3}});
  ASSERT_EQ(cues.size(), 2u);
  EXPECT_EQ(cues[0].lines, (Lines{std::string(42, 'x'), std::string(42, 'x')}));
  EXPECT_EQ(cues[0].end, 2000);
  EXPECT_EQ(cues[1].lines, Lines{std::string(42, 'x')});
  std::string wide;
  for (int k = 0; k < 22; ++k) wide += "猫";
  EXPECT_EQ(subtitle_cues(Words{{wide, 0, 1}})[0].lines[1], "猫") << "21 of them are 42 columns";
}

TEST(Subtitles, TextIsCleaned) {
  EXPECT_EQ(lines_of({{" a\n\nb\t", 0, 1}, {"", 1, 2}, {" ", 1, 2}, {"c\xFF", 1, 2}}),
            (std::vector<Lines>{{"a b c\uFFFD"}}));
  EXPECT_EQ(lines_of({{" ", 1, 2}}), std::vector<Lines>{});
}

TEST(Subtitles, CuesDoNotOverlapAndTakeTime) {
  const auto cues = subtitle_cues(Words{{"a.", 0, 2}, {"b.", 1, 1}, {"c.", 1, 1.5}});
  ASSERT_EQ(cues.size(), 3u);
  EXPECT_EQ(cues[0].end, 1000);
  EXPECT_EQ(cues[1].end, 1001);
}

TEST(Subtitles, WhateverTheWordsTheRulesHold) {
  Rng rng(11);
  for (int round = 0; round < 300; ++round) {
    Words words;
    std::string said, shown;
    double now = rng.uniform() * 1000;
    for (uint64_t k = rng.below(60); k > 0; --k) {
      std::string text(1 + rng.below(rng.below(9) ? 9 : 120), static_cast<char>('a' + rng.below(26)));
      if (rng.below(8) == 0) text += '.';
      now += rng.below(5) ? 0.05 : 0.9;
      words.push_back({text, now, now + 0.1 + rng.uniform()});
      now = words.back().end;
      said += text;
    }
    int64_t before = 0;
    for (const SubtitleCue& cue : subtitle_cues(words)) {
      EXPECT_GE(cue.begin, before);
      EXPECT_GT(cue.end, cue.begin);
      EXPECT_LE(cue.end - cue.begin, 7001);
      EXPECT_GE(cue.lines.size(), 1u);
      EXPECT_LE(cue.lines.size(), 2u);
      before = cue.end;
      for (const std::string& line : cue.lines) {
        EXPECT_LE(viz::display_width(line), 42);
        EXPECT_FALSE(line.empty());
        for (const char c : line)
          if (c != ' ') shown += c;
      }
    }
    EXPECT_EQ(shown, said);
  }
}

TEST(Subtitles, RefuseTimesThatCannotBe) {
  const auto contains = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  contains(message_of<NumericError>([] { subtitle_cues(Words{{"a", 0, std::nan("")}}); }), "word 1 'a' has a time of");
  contains(message_of<NumericError>([] { subtitle_cues(Words{{"a", -1, 0}}); }), "-1 s");
  contains(message_of<NumericError>([] {
             subtitle_cues(Words{{"a", 0, std::numeric_limits<double>::infinity()}});
           }),
           "inf");
  contains(message_of<FormatError>([] { subtitle_cues(Words{{"a", 0, 1}, {"b\n", 2, 1}}); }), "word 2 'b");
  contains(message_of<FormatError>([] { subtitle_cues(Words{{"a", 2, 3}, {"b", 1, 4}}); }), "in which they begin");
}

}  // namespace
}  // namespace lookback::tasks

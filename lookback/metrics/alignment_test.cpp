// Also against what jiwer itself said: tests/golden/metrics/wer.json, recorded by tools/gen_wer_vectors.py.
#include "lookback/metrics/alignment.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

using Json = nlohmann::json;

const Json& vectors() {
  static const Json json = [] {
    std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/metrics/wer.json");
    return Json::parse(in);
  }();
  return json;
}

LineAlignment line(const std::string& hypothesis, const std::string& reference, const ErrorRateOptions& options = {}) {
  return align_words(hypothesis, Lines{reference}, options);
}

std::string repeated(const std::string& words, int times) {
  std::string out;
  for (int k = 0; k < times; ++k) out += words + " ";
  return out;
}

bool same(const EditCounts& a, const EditCounts& b) { return a.stats() == b.stats(); }

void expect_jiwer(const EditCounts& got, const Json& want, bool one_alignment, const Json& segment) {
  const auto n = want.get<std::vector<int64_t>>();
  EXPECT_EQ(got.errors(), n[1] + n[2] + n[3]) << segment;
  EXPECT_EQ(got.reference_length(), n[0] + n[1] + n[2]) << segment;
  EXPECT_GE(got.hits, n[0]) << segment;
  if (one_alignment) {
    EXPECT_EQ(got.stats(), Stats(n.begin(), n.end())) << segment;
  }
}

TEST(Jiwer, CountsOfSegments) {
  EXPECT_EQ(vectors()["jiwer"], "4.0.0");
  ASSERT_GT(vectors()["segments"].size(), 150u);
  for (const Json& s : vectors()["segments"]) {
    expect_jiwer(word_edits(s["hyp"].get<std::string>(), s["ref"].get<std::string>()), s["words"], s["alignments"] == 1,
                 s);
    expect_jiwer(char_edits(s["hyp"].get<std::string>(), s["ref"].get<std::string>()), s["chars"], false, s);
  }
}

TEST(Jiwer, RatesOfCorpora) {
  Lines hypotheses, references;
  for (const Json& s : vectors()["segments"]) hypotheses.push_back(s["hyp"]), references.push_back(s["ref"]);
  EXPECT_NEAR(corpus_wer(hypotheses, {references}).value, 100 * vectors()["wer"].get<double>(), 1e-9);
  EXPECT_NEAR(corpus_cer(hypotheses, {references}).value, 100 * vectors()["cer"].get<double>(), 1e-9);
}

TEST(Jiwer, TextOfAlignmentsWithoutRivals) {
  int compared = 0;
  for (const Json& s : vectors()["segments"]) {
    const LineAlignment got = line(s["hyp"], s["ref"]);
    const bool narrow = terminal_width(decode_utf8(s["hyp"].get<std::string>() + s["ref"].get<std::string>())) ==
                        std::ssize(decode_utf8(s["hyp"].get<std::string>() + s["ref"].get<std::string>()));
    if (s["alignments"] != 1 || got.counts().errors() == 0 || !narrow) continue;  // jiwer pads by code points
    const auto want = s["text"].get<std::vector<std::string>>();
    EXPECT_EQ(alignment_text(got), want[0] + "\n" + want[1] + "\n" + want[2] + "\n");
    ++compared;
  }
  EXPECT_GT(compared, 30);
}

TEST(Alignment, CountsAsTheMetricDoes) {
  Rng rng(5);
  for (int round = 0; round < 400; ++round) {
    std::vector<std::string> h, r;
    for (auto* words : {&h, &r})
      for (uint64_t k = rng.below(9); k > 0; --k)
        words->push_back(std::string(1, static_cast<char>('a' + rng.below(3))));
    LineAlignment got{.hypothesis = h, .reference = r, .tokens = aligned(h, r)};
    std::vector<int64_t> h_ids, r_ids;
    for (const auto& w : h) h_ids.push_back(w[0]);
    for (const auto& w : r) r_ids.push_back(w[0]);
    EXPECT_TRUE(same(got.counts(), edit_counts(h_ids, r_ids))) << alignment_text(got);
    int64_t i = 0, j = 0;  // every word of both sides once, in order
    for (const AlignedToken& t : got.tokens) {
      EXPECT_EQ(t.reference, t.kind == EditKind::insertion ? -1 : i++);
      EXPECT_EQ(t.hypothesis, t.kind == EditKind::deletion ? -1 : j++);
      if (t.reference >= 0 && t.hypothesis >= 0) {
        EXPECT_EQ(t.kind == EditKind::hit, r[t.reference] == h[t.hypothesis]);
      }
    }
    EXPECT_EQ(i, std::ssize(r));
    EXPECT_EQ(j, std::ssize(h));
  }
}

TEST(Alignment, OfEqualsTheFirstPlaceIsDeletedOrInserted) {
  using enum EditKind;
  EXPECT_EQ(line("a", "a a").tokens, (std::vector<AlignedToken>{{0, -1, deletion}, {1, 0, hit}}));
  EXPECT_EQ(line("b b", "b").tokens, (std::vector<AlignedToken>{{-1, 0, insertion}, {0, 1, hit}}));
  EXPECT_EQ(line("", "").tokens.size(), 0u);
}

TEST(Alignment, TakesTheReferenceTheMetricTakes) {
  const Lines references{"x y z", "the  Cat sat", "the cat"};
  const LineAlignment got = align_words("THE cat, sat", references, {.lowercase = true, .no_punct = true});
  EXPECT_EQ(got.reference, (std::vector<std::string>{"the", "cat", "sat"}));
  EXPECT_EQ(got.counts().errors(), 0);
  EXPECT_THROW(align_words("a", {}), FormatError);
  EXPECT_THROW(align_words("\xFF", references), FormatError);
}

TEST(AlignmentText, EndsWordsInTheSameColumn) {
  EXPECT_EQ(alignment_text(line("the chats is sat", "the cat sat")),
            "REF: the ***** cat sat\n"
            "HYP: the chats  is sat\n"
            "             I   S\n");
  EXPECT_EQ(alignment_text(line("a 東京", "a 学 b")),  // wide characters take two columns
            "REF: a 学    b\n"
            "HYP: a ** 東京\n"
            "        D    S\n");
  EXPECT_EQ(alignment_text(line("e\u0301", "cafe\u0301")),  // marks none
            "REF: cafe\u0301\n"
            "HYP:    e\u0301\n"
            "        S\n");
  EXPECT_EQ(alignment_text(line("", "")), "REF:\nHYP:\n\n");
  EXPECT_EQ(alignment_text(line("\033[31m", "x")),
            "REF:     x\n"
            "HYP: \uFFFD[31m\n"
            "         S\n");
}

TEST(Confusions, MostFrequentFirst) {
  using enum EditKind;
  const std::vector<LineAlignment> lines{line("a x c", "a b c"), line("x", "b"),     line("a q", "a"),
                                         line("a q", "a"),       line("a", "a the"), line("y", "b")};
  EXPECT_EQ(confusions(lines), (std::vector<Confusion>{{substitution, "b", "x", 2},
                                                       {insertion, "", "q", 2},
                                                       {substitution, "b", "y", 1},
                                                       {deletion, "the", "", 1}}));
  EXPECT_TRUE(confusions({}).empty());
}

TEST(AttentionFailures, SkipsAreThreeWordsInARow) {
  EXPECT_TRUE(has_skip(line("a f", "a c d e f")));
  EXPECT_FALSE(has_skip(line("a f", "a c d f")));
  EXPECT_FALSE(has_skip(line("a c f", "a b c d e f"))) << "one, and then two";
  EXPECT_TRUE(has_skip(line("", "a b c")));
}

TEST(AttentionFailures, LoopsSayMoreThanTheReference) {
  EXPECT_TRUE(has_loop(line("a b b b b c", "a b c")));
  EXPECT_FALSE(has_loop(line("a b b b c", "a b c"))) << "two words more";
  EXPECT_TRUE(has_loop(line("a b c b c b c d", "a b c d")));
  EXPECT_FALSE(has_loop(line("a b c b c d", "a b c d"))) << "once more";
  EXPECT_FALSE(has_loop(line("b b b b b", "b b b b"))) << "the reference says it, too";
  EXPECT_FALSE(has_loop(line("bye bye bye", "ciao")));
  EXPECT_TRUE(has_loop(line("by by by by", "ciao ciao ciao ciao"))) << "of another word";
  EXPECT_TRUE(has_loop(line("a b c c c c c", "a b c d e f g"))) << "in the place of what was skipped";
  EXPECT_TRUE(has_loop(line("x " + repeated("a b c d e", 3), "x a b c d e")));
  EXPECT_FALSE(has_loop(line("x " + repeated("a b c d e", 3), "x " + repeated("a b c d e", 2))));
  EXPECT_FALSE(has_loop(line("", "a")));
}

TEST(AttentionFailures, CountsLines) {
  const std::vector<LineAlignment> lines{line("a f", "a c d e f"), line("a a a a a", "a"), line("a", "a"),
                                         line("a a a a", "a q w e r t y")};
  const AttentionFailures got = attention_failures(lines);
  EXPECT_EQ(got.skips, 2);
  EXPECT_EQ(got.loops, 2);
}

}  // namespace
}  // namespace lookback::metrics

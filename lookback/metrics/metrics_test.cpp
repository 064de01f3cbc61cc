#include <gtest/gtest.h>

#include <cmath>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"
#include "lookback/metrics/perplexity.h"
#include "lookback/metrics/registry.h"
#include "lookback/metrics/significance.h"
#include "lookback/metrics/tokenize.h"
#include "lookback/metrics/unicode.h"

namespace lookback::metrics {
namespace {

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\n  lacks: " << part;
}

std::string repeated(std::string_view word, int64_t times) {
  std::string out;
  for (int64_t k = 0; k < times; ++k) out += std::string(k ? " " : "") + std::string(word);
  return out;
}

// A metric that knows the labels of these files, if it has to.
std::unique_ptr<CorpusMetric> metric_for(const std::string& name, const std::vector<Lines>& files) {
  MetricOptions options;
  for (const Lines& lines : files) learn_lines(name, lines, options);
  return make_metric(name, options);
}

// ---- characters ----

// As Python's str.lower() has them.
TEST(Unicode, SigmaIsAnotherLetterAtTheEndOfAWord) {
  const auto lowered = [](std::u32string_view text) { return encode_utf8(lower(text)); };
  EXPECT_EQ(lowered(U"ὈΔΥΣΣΕΎΣ ΣΑΣ."), "ὀδυσσεύς σας.");
  EXPECT_EQ(lowered(U"Σ ΑΣ'Β ΑΣ' 'Σ Α'Σ ΑΣ\u0301 1Σ ⓐΣ"), "σ ασ'β ας' 'σ α'ς ας\u0301 1σ ⓐς");
  EXPECT_EQ(lowered(U"İ ǅ Ⅷ"), "i\u0307 ǆ ⅷ");
}

TEST(Unicode, ClassesAndWidths) {
  for (const char32_t c : U"¡«—_༺") EXPECT_EQ(is_punctuation(c), c != 0) << static_cast<uint32_t>(c);
  for (const char32_t c : U"+¢^©") EXPECT_EQ(is_symbol(c), c != 0) << static_cast<uint32_t>(c);
  for (const char32_t c : U"7²Ⅷ٣") EXPECT_EQ(is_number(c), c != 0) << static_cast<uint32_t>(c);
  for (const char32_t c : U"aʰ東ǅ") EXPECT_EQ(is_letter(c), c != 0) << static_cast<uint32_t>(c);
  EXPECT_FALSE(is_letter(U'\u0301') || is_punctuation(U'+') || is_symbol(U'-') || is_number(U'a'));
  EXPECT_EQ(terminal_width(U"a東e\u0301\u200Dｱ"), 5);
}

// ---- editing distances ----

// Every alignment, by brute force: the fewest errors, then the most hits.
EditCounts all_alignments(std::u32string_view h, std::u32string_view r) {
  if (h.empty() || r.empty())
    return {.deletions = static_cast<int64_t>(r.size()), .insertions = static_cast<int64_t>(h.size())};
  EditCounts replace = all_alignments(h.substr(1), r.substr(1));
  (h[0] == r[0] ? replace.hits : replace.substitutions) += 1;
  EditCounts remove = all_alignments(h, r.substr(1)), insert = all_alignments(h.substr(1), r);
  ++remove.deletions, ++insert.insertions;
  EditCounts best = replace;
  for (const EditCounts& e : {remove, insert})
    if (e.errors() < best.errors() || (e.errors() == best.errors() && e.hits > best.hits)) best = e;
  return best;
}

TEST(EditDistance, EqualsBruteForce) {
  Rng rng(3);
  for (int round = 0; round < 300; ++round) {
    std::u32string h, r;
    for (auto* s : {&h, &r})
      for (uint64_t k = rng.below(7); k > 0; --k) s->push_back(U'a' + static_cast<char32_t>(rng.below(3)));
    const EditCounts got = edit_counts(h, r), want = all_alignments(h, r);
    EXPECT_EQ(got.errors(), want.errors());
    EXPECT_EQ(got.hits, want.hits);
    EXPECT_EQ(got.substitutions, want.substitutions);
    EXPECT_EQ(got.deletions, want.deletions);
    EXPECT_EQ(got.insertions, want.insertions);
    EXPECT_EQ(got.reference_length(), static_cast<int64_t>(r.size()));
  }
}

TEST(EditDistance, CountsByHand) {
  const EditCounts e = word_edits("the cat sit on mat today", "the cat sat on the mat");
  EXPECT_EQ(e.hits, 4);
  EXPECT_EQ(e.substitutions, 1);
  EXPECT_EQ(e.deletions, 1);
  EXPECT_EQ(e.insertions, 1);
  EXPECT_DOUBLE_EQ(e.rate(), 0.5);
  EXPECT_EQ(char_edits(" kitten\t", "sitting").errors(), 3);
  EXPECT_EQ(char_edits("a  b", "a b").errors(), 0);
  EXPECT_EQ(char_edits("naïve", "naive").errors(), 1);  // one code point, not two bytes
  EXPECT_EQ(word_edits("Hello, World!", "hello world", {.lowercase = true, .no_punct = true}).errors(), 0);
  const int64_t h[] = {5, 6, 7}, r[] = {5, 7};
  EXPECT_EQ(edit_counts(h, r).insertions, 1);
}

TEST(EditDistance, EmptySides) {
  EXPECT_EQ(word_edits("", "").rate(), 0);
  EXPECT_EQ(word_edits("a b", "").rate(), 1);
  EXPECT_EQ(word_edits("", "a b").rate(), 1);
}

TEST(EditDistance, CorpusRateAddsBeforeDividing) {
  const Score wer = corpus_wer({"a b c d", "x"}, {{"a b c d", "y"}});
  EXPECT_DOUBLE_EQ(wer.value, 20);
  EXPECT_EQ(wer.text, "WER = 20.00 (sub = 1 del = 0 ins = 0 ref_len = 5)");
  EXPECT_EQ(wer.signature, "nrefs:1|case:mixed|punct:yes|version:lookback-0.1.0");
  // Each segment takes its best reference.
  EXPECT_DOUBLE_EQ(corpus_wer({"a b", "c d"}, {{"a b", "x y"}, {"u v", "c d"}}).value, 0);
  EXPECT_DOUBLE_EQ(corpus_cer({"abcd"}, {{"abxd"}}).value, 25);
}

// ---- accuracy and perplexity ----

TEST(Accuracy, ExactMatch) {
  const Score score = corpus_accuracy({" yes ", "No", "maybe"}, {{"yes", "no", "perhaps"}, {"y", "n", "maybe"}});
  EXPECT_DOUBLE_EQ(score.value, 200.0 / 3);
  EXPECT_EQ(score.text, "accuracy = 66.67 (2 of 3)");
  EXPECT_DOUBLE_EQ(corpus_accuracy({"No"}, {{"no"}}, {.lowercase = true}).value, 100);
  const int64_t a[] = {1, 2, 3, 4}, b[] = {1, 2, 0, 4};
  EXPECT_DOUBLE_EQ(label_accuracy(a, b), 75);
  EXPECT_THROW(label_accuracy(a, std::span(b).first(3)), ShapeError);
  EXPECT_THROW(label_accuracy({}, {}), ShapeError);
}

// ---- labels ----

TEST(LabelMetrics, ByHand) {
  const Lines gold{"a", "a", " b", "b\t", "c"}, predicted{"a ", "b", "b", "b", "a"};
  const auto score = [&](const std::string& name) {
    return corpus_score(*metric_for(name, {gold, predicted}), predicted, References{gold});
  };
  // F1: a 2 / (2 + 2), b 4 / (2 + 3), c 0.
  EXPECT_NEAR(score("macro_f1").value, 100 * (0.5 + 0.8 + 0) / 3, 1e-12);
  EXPECT_NEAR(score("micro_f1").value, 60, 1e-12);
  EXPECT_NEAR(score("mcc").value, (3 * 5 - (2 * 2 + 3 * 2)) / std::sqrt((25 - 13) * (25 - 9)), 1e-12);
  EXPECT_EQ(score("macro_f1").text, "macro_f1 = 43.33 (3 of 5, 3 labels)");
  EXPECT_EQ(score("mcc").signature, "nrefs:1|case:mixed|version:lookback-0.1.0");
}

TEST(LabelMetrics, OnlyWhatIsScoredCounts) {
  const Lines gold{"a", "b"}, good{"a", "b"}, other{"a", "x"};
  for (const std::string name : {"macro_f1", "micro_f1", "mcc"})
    EXPECT_EQ(corpus_score(*metric_for(name, {gold, good, other}), good, References{gold}).value,
              name == "mcc" ? 1 : 100);
  // Of several references the one that is equal.
  EXPECT_EQ(corpus_score(*metric_for("macro_f1", {gold, good, other}), other, References{gold, other}).value, 100);
}

TEST(LabelMetrics, IntervalsAndPairs) {
  Lines gold, good, bad, swapped;
  for (int i = 0; i < 120; ++i) {
    gold.push_back(str_cat("label ", i % 3));
    good.push_back(i % 10 < 9 ? gold.back() : "label 1");
    bad.push_back(i % 10 < 5 ? gold.back() : "another");
    swapped.push_back(str_cat("label ", (i + 1) % 3));
  }
  for (const std::string name : {"macro_f1", "micro_f1", "mcc"}) {
    const auto metric = metric_for(name, {gold, good, bad, swapped});
    const PairedReport report = paired_test(*metric, {{"good", good}, {"bad", bad}}, {gold});
    EXPECT_LT(*report.results[1].p_value, 0.01) << name;
    const Score score = corpus_score_with_interval(*metric, good, {gold}, {.samples = 200});
    EXPECT_NEAR(score.mean, score.value, score.ci) << name;
  }
  // An interval below 0 is shown like any other.
  const Score score = corpus_score_with_interval(*metric_for("mcc", {gold, swapped}), swapped, {gold}, {.samples = 50});
  EXPECT_NEAR(score.value, -0.5, 1e-12);
  expect_contains(score.text, "mcc = -0.50 (μ = -0.5");
}

TEST(LabelMetrics, RefuseWhatIsNoLabel) {
  const auto metric = metric_for("macro_f1", {{"a", "b"}});
  expect_contains(message_of<FormatError>([&] {
                    corpus_score(*metric, {"a", "c"}, References{{"a", "b"}});
                  }),
                  "hypotheses line 2: 'c' is none of the 2 labels");
  expect_contains(message_of<FormatError>([&] { sentence_score(*metric, "a", {"c"}); }), "reference 1 line 1: 'c'");
  Lines lines;
  for (int i = 0; i <= 1000; ++i) lines.push_back(std::to_string(i));
  expect_contains(message_of<FormatError>([&] { metric_for("mcc", {lines}); }), "1001 different labels");
}

TEST(LabelMetrics, SeveralLabelsOnALine) {
  const Lines gold{"a,b", "", "c", "b , a"}, predicted{"b", "a", "c", "a,b"};
  MetricOptions options;
  options.label.separator = ",";
  for (const std::string name : {"macro_f1", "micro_f1"}) {
    learn_lines(name, gold, options), learn_lines(name, predicted, options);
    EXPECT_EQ(options.label.labels, (LabelSet{"a", "b", "c"}));
    const Score score = corpus_score(*make_metric(name, options), predicted, References{gold});
    // a 1 of 2 and 2, b 2 of 2 and 2, c 1 of 1 and 1.
    EXPECT_NEAR(score.value, name == "macro_f1" ? 100 * (0.5 + 1 + 1) / 3 : 100 * 8.0 / 10, 1e-12) << name;
    expect_contains(score.signature, "labels:several");
  }
  EXPECT_NE(message_of<ConfigError>([&] { make_metric("mcc", options); }), "");
}

TEST(Perplexity, OfUniformModelIsItsSize) {
  LikelihoodSum sum;
  sum.add(3 * std::log(50.0), 3);
  sum.add(7 * std::log(50.0), 7);
  EXPECT_NEAR(perplexity(sum), 50, 1e-12);
  EXPECT_NEAR(bits_per(sum, 20), 0.5 * std::log2(50.0), 1e-12);
  EXPECT_THROW(perplexity(LikelihoodSum{}), ShapeError);
  EXPECT_THROW(bits_per(sum, 0), ShapeError);
  EXPECT_THROW(sum.add(std::nan(""), 1), NumericError);
  EXPECT_THROW(sum.add(1.0, -1), ShapeError);
}

TEST(Perplexity, IsOfWordsAndCharactersWhateverTheTokens) {
  TextSize text;
  text.add(" the  cat\u3000sat ");  // 3 words, 14 characters
  text.add("");
  text.add("na\u00EFve \U0001F600");  // 2 words, 7 characters
  EXPECT_EQ(text.lines, 3);
  EXPECT_EQ(text.words, 5);
  EXPECT_EQ(text.characters, 21);
  // 40 tokens, subwords say, of 2 nats each.
  LikelihoodSum sum;
  sum.add(80, 40);
  EXPECT_NEAR(word_perplexity(sum, text), std::exp(80.0 / 8), 1e-9);
  EXPECT_NEAR(bits_per_character(sum, text), 80 / std::log(2.0) / 24, 1e-12);
  // Tokens that are words and line ends: the perplexity there is.
  LikelihoodSum by_word;
  by_word.add(80, 8);
  EXPECT_EQ(word_perplexity(by_word, text), perplexity(by_word));
  EXPECT_THROW(word_perplexity(sum, TextSize{}), ShapeError);
  EXPECT_THROW(bits_per_character(sum, TextSize{}), ShapeError);
  EXPECT_THROW(text.add("a\xFF"), FormatError);
}

// ---- bad input, one test per kind ----

TEST(BadInput, InvalidUtf8NamesItsLine) {
  const std::string bad[] = {"ok \xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"};
  for (const std::string& line : bad) {
    for (const std::string& name : metric_names()) {
      const auto metric = metric_for(name, {{"a", "b"}, {line, "b"}});
      expect_contains(message_of<FormatError>([&] {
                        corpus_score(*metric, {"a", line}, References{{"a", "b"}});
                      }),
                      "hypotheses line 2: byte ");
      expect_contains(message_of<FormatError>([&] {
                        corpus_score(*metric, {"a", "b"}, References{{"a", "b"}, {line, "b"}});
                      }),
                      "reference 2 line 1: byte ");
    }
  }
  EXPECT_THROW(tokenize_text("\xff", "13a"), FormatError);
}

TEST(BadInput, CountsThatDiffer) {
  const auto metric = make_bleu();
  expect_contains(message_of<FormatError>([&] {
                    corpus_score(*metric, {"a", "b"}, References{{"a"}});
                  }),
                  "2 hypotheses");
  expect_contains(message_of<FormatError>([&] {
                    corpus_score(*metric, {"a"}, References{{"a"}, {"a", "b"}});
                  }),
                  "reference 2 has 2 lines");
}

TEST(BadInput, NothingToScore) {
  const auto metric = make_ter();
  EXPECT_THROW(corpus_score(*metric, {}, References{{}}), FormatError);
  EXPECT_THROW(corpus_score(*metric, {"a"}, References{}), FormatError);
  EXPECT_THROW(sentence_score(*metric, "a", {}), FormatError);
  EXPECT_THROW(bootstrap_scores(*metric, {}), FormatError);
}

TEST(BadInput, UnknownNames) {
  expect_contains(message_of<ConfigError>([] { make_metric("blue"); }), "did you mean 'bleu'?");
  expect_contains(message_of<ConfigError>([] { make_bleu({.tokenize = "13b"}); }), "did you mean '13a'?");
  expect_contains(message_of<ConfigError>([] { make_bleu({.smooth = "flor"}); }), "did you mean 'floor'?");
  expect_contains(message_of<ConfigError>([] { tokenize(U"a", "intk"); }), "did you mean 'intl'?");
}

TEST(BadInput, OptionsOutOfRange) {
  EXPECT_THROW(make_bleu({.smooth_value = -0.5}), ConfigError);
  EXPECT_THROW(make_bleu({.max_order = 0}), ConfigError);
  EXPECT_THROW(make_chrf({.char_order = 0, .word_order = 0}), ConfigError);
  EXPECT_THROW(make_chrf({.char_order = -1}), ConfigError);
  EXPECT_THROW(make_chrf({.beta = 0}), ConfigError);
}

// ---- what must hold whatever the text ----

TEST(CorpusMetric, ThreadsDoNotChangeAScore) {
  const StringList tags{"O", "O", "B-x", "I-x", "B-y", "I-y"};
  const StringList forms{"lower", "Capital", "lower,", "lower.", "UPPER?", "Capital!"};
  for (const std::string& name : metric_names()) {
    const bool is_of_tags = name.starts_with("span_") || name.starts_with("tag_");
    const bool is_of_forms = name == "capital_f1" || name == "mark_f1";
    Rng rng(9);
    Lines hypotheses, references;
    for (int i = 0; i < 200; ++i)
      for (Lines* lines : {&hypotheses, &references}) {
        std::string line;
        for (uint64_t k = 2 + rng.below(18); k > 0; --k) {
          const uint64_t word = rng.below(12);
          line += (is_of_tags ? tags[word % 6] : is_of_forms ? forms[word % 6] : "w" + std::to_string(word)) + " ";
        }
        lines->push_back(line);
      }
    const auto metric = metric_for(name, {hypotheses, references});
    double one, two;
    {
      ThreadScope threads(1);
      one = corpus_score(*metric, hypotheses, References{references}).value;
    }
    {
      ThreadScope threads(2);
      two = corpus_score(*metric, hypotheses, References{references}).value;
    }
    EXPECT_EQ(one, two) << name;
    if (name == "cider_d") continue;  // is highest for what is rare
    const double perfect = corpus_score(*metric, references, References{references}).value;
    EXPECT_NEAR(perfect, name == "mcc" ? 1 : metric->higher_is_better() ? 100 : 0, 1e-9) << name;
  }
}

TEST(CorpusMetric, RegistryKnowsItsMetrics) {
  std::string got;
  for (const std::string& name : metric_names()) got += make_metric(name)->name() + " ";
  EXPECT_EQ(
      got,
      "BLEU chrF2 chrF2++ TER WER CER accuracy word_error_rate symbol_error_rate rouge1 rouge2 rougeL rougeLsum "
      "exact_match f1 macro_f1 micro_f1 mcc span_f1 span_precision span_recall accuracy macro_f1 capital_f1 mark_f1 "
      "bleu1 bleu2 bleu3 bleu4 rouge_l cider_d ");
}

TEST(CorpusMetric, FormatsAsOneLine) {
  Score score = corpus_bleu({"a b c d e"}, {{"a b c d f"}});
  EXPECT_EQ(format_score(score, 1),
            "BLEU = 66.9 80.0/75.0/66.7/50.0 (BP = 1.000 ratio = 1.000 hyp_len = 5 ref_len = 5)");
  EXPECT_EQ(format_score(score, 1, "nrefs:1").substr(0, 19), "BLEU|nrefs:1 = 66.9");
  score.mean = 66.5, score.ci = 2.25;
  EXPECT_EQ(format_score(score, 1).find("BLEU = 66.9 (μ = 66.5 ± 2.2) 80.0/"), 0u);
}

TEST(Ter, LongLinesStayAffordable) {
  const std::string h = repeated("a b", 3000), r = repeated("b a", 3000);
  EXPECT_GT(sentence_ter(h, {r}).value, 0);
}

// ---- significance ----

std::vector<Stats> coin_stats(int64_t n, double share) {
  std::vector<Stats> out;
  for (int64_t i = 0; i < n; ++i)
    out.push_back({static_cast<double>(i) < share * static_cast<double>(n) ? 1.0 : 0.0, 1.0});
  return out;
}

TEST(Significance, IntervalOfAProportion) {
  // 95 % of a proportion p over n draws: 1.96 sqrt(p (1 - p) / n).
  const auto metric = make_accuracy();
  const Interval interval = bootstrap_interval(*metric, coin_stats(400, 0.3));
  const double expected = 196 * std::sqrt(0.3 * 0.7 / 400);
  EXPECT_NEAR(interval.mean, 30, 0.3);
  EXPECT_NEAR(interval.ci, expected, 0.15 * expected);
  EXPECT_LT(interval.lower, 30);
  EXPECT_GT(interval.upper, 30);
}

TEST(Significance, SameSeedSameNumbers) {
  const auto metric = make_accuracy();
  const auto stats = coin_stats(50, 0.5);
  EXPECT_EQ(bootstrap_scores(*metric, stats), bootstrap_scores(*metric, stats));
  EXPECT_NE(bootstrap_scores(*metric, stats), bootstrap_scores(*metric, stats, {.seed = 1}));
}

TEST(Significance, TellsSystemsApart) {
  Lines reference, good, bad, same_level;
  for (int i = 0; i < 100; ++i) {
    reference.push_back("yes");
    good.push_back(i % 10 < 9 ? "yes" : "no");
    bad.push_back(i % 10 < 5 ? "yes" : "no");
    same_level.push_back(i % 10 > 0 || i == 0 ? "yes" : "no");
  }
  const std::vector<System> systems{{"good", good}, {"bad", bad}, {"same level", same_level}, {"copy", good}};
  for (const std::string test : {"bs", "ar"}) {
    const PairedReport report = paired_test(*make_accuracy(), systems, {reference}, {.test = test});
    EXPECT_FALSE(report.results[0].p_value);
    EXPECT_LT(*report.results[1].p_value, 0.01) << test;
    EXPECT_GT(*report.results[2].p_value, 0.3) << test;
    EXPECT_EQ(*report.results[3].p_value, 1) << test;
    EXPECT_EQ(report.results[0].interval.has_value(), test == "bs");
  }
  const PairedReport ar =
      paired_test(*make_accuracy(), systems, {reference}, {.test = "ar", .samples = 100, .confidence = 200});
  EXPECT_EQ(ar.signature, "nrefs:1|bs:200|ar:100|seed:12345|case:mixed|version:lookback-0.1.0");
  EXPECT_TRUE(ar.results[0].interval && ar.results[1].interval);
}

TEST(Significance, BadOptions) {
  const auto metric = make_accuracy();
  EXPECT_THROW(paired_test(*metric, {{"a", {"x"}}}, {{"x"}}), ConfigError);
  EXPECT_THROW(paired_test(*metric, {{"a", {"x"}}, {"b", {"x"}}}, {{"x"}}, {.test = "t"}), ConfigError);
  EXPECT_THROW(paired_test(*metric, {{"a", {"x"}}, {"b", {"x"}}}, {{"x"}}, {.samples = -1}), ConfigError);
  EXPECT_THROW(bootstrap_scores(*metric, coin_stats(3, 1), {.samples = 0}), ConfigError);
  expect_contains(message_of<FormatError>([&] {
                    paired_test(*metric, {{"a", {"x"}}, {"b", {"x", "y"}}}, {{"x"}});
                  }),
                  "system 'b': ");
}

TEST(Bootstrap, OfAnyScoreIsThatOfAMetric) {
  const auto stats = coin_stats(100, 0.3);
  const auto metric = make_metric("accuracy");
  const Interval of_stats = bootstrap_interval(*metric, stats, {.samples = 100});
  const Interval of_any = bootstrap_interval(std::ssize(stats),
                                             [&](std::span<const int64_t> drawn) {
                                               Stats sum(stats[0].size());
                                               for (const int64_t k : drawn)
                                                 for (size_t i = 0; i < sum.size(); ++i)
                                                   sum[i] += stats[static_cast<size_t>(k)][i];
                                               return metric->score(sum);
                                             },
                                             {.samples = 100});
  EXPECT_EQ(of_any.mean, of_stats.mean);
  EXPECT_EQ(of_any.lower, of_stats.lower);
  EXPECT_EQ(of_any.upper, of_stats.upper);
  EXPECT_THROW(bootstrap_interval(0, [](auto) { return 0.0; }), FormatError);
}

}  // namespace
}  // namespace lookback::metrics

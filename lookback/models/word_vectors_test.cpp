#include "lookback/models/word_vectors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"
#include "lookback/data/character_ngrams.h"
#include "lookback/models/subword_rows.h"
#include "lookback/models/window_sampler.h"

namespace lookback {
namespace {

using Words = std::vector<std::string>;

// As read_word_corpus would have it, words in order of frequency.
data::WordCorpus corpus_of(const std::vector<Words>& sentences) {
  std::map<std::string, int64_t> counts;
  for (const Words& s : sentences)
    for (const std::string& w : s) ++counts[w];
  data::WordCorpus out;
  for (const auto& [w, n] : counts) out.words.push_back(w);
  std::ranges::stable_sort(out.words, std::greater<>(), [&](const std::string& w) { return counts[w]; });
  for (const std::string& w : out.words) out.counts.push_back(counts[w]);
  out.sentences.push_back(0);
  for (const Words& s : sentences) {
    for (const std::string& w : s)
      out.tokens.push_back(static_cast<int32_t>(std::ranges::find(out.words, w) - out.words.begin()));
    out.sentences.push_back(std::ssize(out.tokens));
  }
  return out;
}

// Six topics of ten words, a sentence being eight words of one topic; "glad" and "happy" both stand in topic 0, never
// in one sentence, "sad" in topic 1.
std::vector<Words> topics(int64_t count) {
  Rng rng(11);
  std::vector<Words> out;
  for (int64_t s = 0; s < count; ++s) {
    const uint64_t topic = rng.below(6);
    Words words;
    for (int k = 0; k < 8; ++k) words.push_back("t" + std::to_string(topic) + "w" + std::to_string(rng.below(10)));
    if (topic == 0) words[rng.below(8)] = rng.below(2) ? "glad" : "happy";
    if (topic == 1) words[rng.below(8)] = "sad";
    out.push_back(std::move(words));
  }
  return out;
}

double cosine(const Tensor& rows, const data::WordCorpus& text, const std::string& a, const std::string& b) {
  const auto row = [&](const std::string& w) {
    const auto k = std::ranges::find(text.words, w) - text.words.begin();
    return rows.rows(k, k + 1).span<float>();
  };
  double ab = 0, aa = 0, bb = 0;
  for (size_t d = 0; d < row(a).size(); ++d)
    ab += row(a)[d] * row(b)[d], aa += row(a)[d] * row(a)[d], bb += row(b)[d] * row(b)[d];
  return ab / std::sqrt(aa * bb);
}

std::string nearest(const Tensor& rows, const data::WordCorpus& text, const std::string& word) {
  std::string best;
  for (const std::string& w : text.words)
    if (w != word && (best.empty() || cosine(rows, text, word, w) > cosine(rows, text, word, best))) best = w;
  return best;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.bytes(), b.bytes(), static_cast<size_t>(a.byte_size())) == 0;
}

TEST(WordVectors, WordsOfOneTopicAreNear) {
  const data::WordCorpus text = corpus_of(topics(4000));
  for (const bool subwords : {false, true}) {
    const auto trained = train_skip_gram(text, {.dim = 20, .epochs = 3, .sample = 0, .lr = 0.05, .subwords = subwords});
    ASSERT_TRUE(trained);
    ASSERT_EQ(trained->words.shape(), (Shape{63, 20}));
    ASSERT_EQ(trained->contexts.shape(), (Shape{63, 20}));
    if (!subwords) {
      EXPECT_EQ(nearest(trained->words, text, "glad"), "happy");
      EXPECT_EQ(nearest(trained->words, text, "happy"), "glad");
    }
    EXPECT_GT(cosine(trained->words, text, "glad", "happy"), 0.9);
    EXPECT_LT(cosine(trained->words, text, "glad", "sad"), 0.6);
    EXPECT_GT(cosine(trained->words, text, "t3w1", "t3w7"), cosine(trained->words, text, "t3w1", "t4w1") + 0.2);
  }
}

TEST(WordVectors, BitsDependOnTheSeedAndNotOnThreads) {
  const data::WordCorpus text = corpus_of(topics(1500));
  for (const bool subwords : {false, true}) {
    SkipGramOptions options{.dim = 40, .epochs = 2, .subwords = subwords, .seed = 3};
    std::optional<SkipGramVectors> alone;
    for (const int n : {1, 2, 3}) {
      const ThreadScope threads(n);
      const auto trained = train_skip_gram(text, options);
      if (!alone) alone = trained;
      EXPECT_TRUE(same_bits(trained->words, alone->words)) << n;
      EXPECT_TRUE(same_bits(trained->contexts, alone->contexts)) << n;
    }
    options.seed = 4;
    EXPECT_FALSE(same_bits(train_skip_gram(text, options)->words, alone->words));
  }
}

TEST(WordVectors, LossFallsRateFallsAndTrainingCanBeStopped) {
  const data::WordCorpus text = corpus_of(topics(20'000));
  std::vector<SkipGramProgress> seen;
  const SkipGramOptions options{.dim = 16, .epochs = 2};
  ASSERT_TRUE(train_skip_gram(text, options, [&](const SkipGramProgress& p) { return seen.push_back(p), true; }));
  ASSERT_GE(seen.size(), 4u);
  EXPECT_EQ(seen.back().tokens, 2 * 8 * 20'000);
  EXPECT_EQ(seen.back().tokens, seen.back().all_tokens);
  EXPECT_DOUBLE_EQ(seen.back().epochs, 2);
  EXPECT_DOUBLE_EQ(seen.back().lr, 0.025 * 1e-4);
  EXPECT_LT(seen.back().loss, 0.9 * 6 * std::log(2.0));  // of vectors that say nothing
  int calls = 0;
  EXPECT_FALSE(train_skip_gram(text, options, [&](const SkipGramProgress&) { return ++calls < 2; }));
  EXPECT_EQ(calls, 2);
}

// A word's vector is the mean of its rows, so words share what their n-grams have learnt.
TEST(WordVectors, WordsShareTheRowsOfTheirNgrams) {
  const Words words{"walking", "talking", "talk"};
  const SubwordRows rows(words, 3, 6, 2'000'000);
  const auto set_of = [&](int32_t w) { return std::set<int32_t>(rows.of(w).begin(), rows.of(w).end()); };
  std::vector<int32_t> shared;
  std::ranges::set_intersection(set_of(0), set_of(1), std::back_inserter(shared));
  // alk, lki, kin, ing, ng>; alki, lkin, king, ing>; alkin, lking, king>; alking, lking>
  EXPECT_EQ(shared.size(), 14u);
  EXPECT_EQ(rows.of(2)[0], 2);
  // Of "<talk>": four of three, three of four, two of five, one of six characters.
  EXPECT_EQ(std::ssize(rows.of(2)), 1 + 10);
  std::set<int32_t> all;
  for (const int32_t w : {0, 1, 2}) all.merge(set_of(w));
  EXPECT_EQ(rows.rows(), std::ssize(all));

  const Tensor table = Tensor::zeros({rows.rows(), 16});
  for (int64_t k = 0; k < table.size(); ++k) table.data<float>()[k] = static_cast<float>(k % 13);
  std::vector<float> before(16), after(16), gain(16, 1.0f);
  rows.compose(2, table, before.data());
  double mean = 0;
  for (const int32_t row : rows.of(2)) mean += table.data<float>()[row * 16 + 5] / 11.0;
  EXPECT_NEAR(before[5], mean, 1e-5);
  // What a word has learnt moves its own vector by as much, and that of a word with shared n-grams by their share.
  rows.compose(0, table, before.data());
  rows.add(1, gain.data(), 0, 16, table);
  rows.compose(0, table, after.data());
  EXPECT_NEAR(after[3] - before[3], 14.0 / static_cast<double>(rows.of(0).size()), 1e-5);

  const SubwordRows few(words, 3, 6, 2);
  EXPECT_EQ(few.rows(), 3 + 2);
}

// Against the formulas, on a text whose words have the shares 8/15, 4/15, 2/15 and 1/15.
TEST(WindowSampler, DrawsAsTheFormulasSay) {
  Words line;
  for (const auto& [word, n] : {std::pair("a", 8), {"b", 4}, {"c", 2}, {"d", 1}}) line.insert(line.end(), n, word);
  const data::WordCorpus text = corpus_of(std::vector<Words>(2000, line));
  const WindowSampler sampler(text, {.window = 3, .negatives = 4, .sample = 0.1});
  double total = 0, kept = 0;
  std::vector<double> keep, power;
  for (const double f : {8 / 15.0, 4 / 15.0, 2 / 15.0, 1 / 15.0}) {
    keep.push_back(std::min(1.0, (std::sqrt(f / 0.1) + 1) * 0.1 / f));
    power.push_back(std::pow(f, 0.75));
    total += power.back(), kept += f * keep.back();
  }
  std::vector<double> targets(4), negatives(4);
  int64_t windows = 0, draws = 0, tokens = 0;
  Windows piece;
  for (int64_t p = 0; p < sampler.pieces(); ++p) {
    Rng rng(1, static_cast<uint64_t>(p));
    sampler.draw(p, rng, piece);
    tokens += piece.tokens;
    for (int64_t n = 0; n < piece.size(); ++n, ++windows) {
      const auto k = static_cast<size_t>(n);
      ASSERT_GE(piece.begin[k + 1] - piece.begin[k], 1);
      ASSERT_LE(piece.begin[k + 1] - piece.begin[k], 6);
      const int32_t word = piece.outputs[k * 5];
      ++targets[static_cast<size_t>(word)];
      for (size_t j = 1; j < 5; ++j) {
        ASSERT_NE(piece.outputs[k * 5 + j], word);
        if (word == 3) ++negatives[static_cast<size_t>(piece.outputs[k * 5 + j])], ++draws;
      }
    }
  }
  EXPECT_EQ(tokens, std::ssize(text.tokens));
  for (size_t w = 0; w < 4; ++w) {
    const double share = std::vector<double>{8, 4, 2, 1}[w] / 15 * keep[w] / kept;
    EXPECT_NEAR(targets[w] / static_cast<double>(windows), share, 0.01) << w;
    EXPECT_NEAR(sampler.share(static_cast<int32_t>(w)), share, 1e-9) << w;
    EXPECT_NEAR(sampler.negative_share(static_cast<int32_t>(w)), power[w] / total, 1e-9) << w;
    if (w < 3) {
      EXPECT_NEAR(negatives[w] / static_cast<double>(draws), power[w] / (total - power[3]), 0.02) << w;
    }
  }
}

TEST(WindowSampler, InputsOfABlockAreNumbered) {
  Windows windows{.begin = {0, 2, 3, 5}, .inputs = {7, 3, 3, 9, 7}, .outputs = {}};
  windows.number_inputs(2);
  EXPECT_EQ(windows.inputs, (std::vector<int32_t>{1, 0, 0, 1, 0}));
  EXPECT_EQ(windows.block_words, (std::vector<int32_t>{3, 7, 7, 9}));
  EXPECT_EQ(windows.block_begin, (std::vector<int64_t>{0, 2, 4}));
}

TEST(WordVectors, WhatCannotBeLearntFromIsRefused) {
  const auto refusal = [](const std::vector<Words>& sentences) {
    return message_of<FormatError>([&] { train_skip_gram(corpus_of(sentences), {}); });
  };
  EXPECT_NE(refusal({{"a", "a"}}).find("the text has one word"), std::string::npos);
  EXPECT_NE(refusal({{"a"}, {"b"}}).find("no line of the text has two words"), std::string::npos);
  const data::WordCorpus text = corpus_of({{"a", "b"}});
  EXPECT_THROW(train_skip_gram(text, {.subwords = true, .min_n = 4, .max_n = 3}), ConfigError);
  EXPECT_THROW(train_skip_gram(text, {.window = 200}), ConfigError);
}

}  // namespace
}  // namespace lookback

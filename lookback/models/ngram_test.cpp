#include "lookback/models/ngram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numbers>
#include <set>
#include <sstream>
#include <unordered_map>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/base/testing.h"
#include "lookback/data/vocab.h"

namespace lookback {
namespace {

using Ids = std::vector<int32_t>;

// ---- KenLM's models: tests/golden/model/ngram.txt, recorded by tools/gen_ngram.py ----

struct RecordedCase {
  std::string unit;
  int64_t order = 0;
  std::vector<double> sizes, discounts, perplexity;
  std::vector<std::pair<double, int64_t>> scores;  // of each test sentence: log10 p, unknown words
};

struct Recorded {
  std::vector<std::string> train, test;
  std::vector<RecordedCase> cases;
};

std::vector<double> numbers_of(std::istream& in) {
  std::vector<double> out;
  for (double v; in >> v;) out.push_back(v);
  return out;
}

Recorded recorded() {
  std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/model/ngram.txt");
  Recorded out;
  for (std::string line; std::getline(in, line);) {
    std::istringstream rest(line);
    std::string what;
    rest >> what;
    RecordedCase* const last = out.cases.empty() ? nullptr : &out.cases.back();
    const std::string text = line.size() > what.size() ? line.substr(what.size() + 1) : "";
    if (what == "train") out.train.push_back(text);
    if (what == "test") out.test.push_back(text);
    if (what == "case") rest >> out.cases.emplace_back().unit >> out.cases.back().order;
    if (what == "sizes") last->sizes = numbers_of(rest);
    if (what == "discounts") last->discounts = numbers_of(rest);
    if (what == "perplexity") last->perplexity = numbers_of(rest);
    if (what == "p") {
      const auto values = numbers_of(rest);
      last->scores.emplace_back(values.at(0), static_cast<int64_t>(values.at(1)));
    }
  }
  return out;
}

// Words or characters by number; those not seen in training are kUnk.
class Numbers {
 public:
  Sentences learn(const std::vector<std::string>& lines, const std::string& unit) { return read(lines, unit, true); }
  Sentences find(const std::vector<std::string>& lines, const std::string& unit) { return read(lines, unit, false); }
  int64_t size() const { return data::kSpecials + std::ssize(ids_); }

 private:
  Sentences read(const std::vector<std::string>& lines, const std::string& unit, bool learn) {
    Sentences out;
    for (const std::string& line : lines) {
      out.emplace_back();
      for (const std::string& token : tokens(line, unit)) {
        if (learn) ids_.emplace(token, static_cast<int32_t>(size()));
        const auto found = ids_.find(token);
        out.back().push_back(found == ids_.end() ? data::kUnk : found->second);
      }
    }
    return out;
  }
  static std::vector<std::string> tokens(const std::string& line, const std::string& unit) {
    std::vector<std::string> out;
    if (unit == "characters") {
      for (const char c : line) out.emplace_back(1, c);
    } else {
      std::istringstream in(line);
      for (std::string word; in >> word;) out.push_back(word);
    }
    return out;
  }
  std::unordered_map<std::string, int32_t> ids_;
};

void expect_relative(double value, double expected, double error, const std::string& where) {
  EXPECT_NEAR(value, expected, error * std::abs(expected)) << where;
}

void expect_equal(const RecordedCase& c, const NgramModel& model, const Sentences& test) {
  const std::string name = c.unit + " " + std::to_string(c.order);
  for (int64_t n = 1; n <= c.order; ++n) {
    const auto at = static_cast<size_t>(n - 1);
    EXPECT_EQ(static_cast<double>(model.size(n) + (n == 1 ? 2 : 0)), c.sizes[at]) << name;  // KenLM counts <unk>, <s>
    for (size_t k = 0; k < 3; ++k)
      expect_relative(model.discounts(n).d[k], c.discounts[3 * at + k], 1e-5, name + ": a discount");
  }
  ASSERT_EQ(c.scores.size(), test.size());
  for (size_t k = 0; k < test.size(); ++k) {
    const std::string where = name + ": sentence " + std::to_string(k);
    expect_relative(model.sentence_log_prob(test[k]) / std::numbers::ln10, c.scores[k].first, 1e-5, where);
    EXPECT_EQ(model.score(test[k]).unknown, c.scores[k].second) << where;
  }
  const NgramScore all = model.score(test);
  const auto per = [](double nats, int64_t tokens) { return std::exp(nats / static_cast<double>(tokens)); };
  expect_relative(per(all.nats, all.tokens), c.perplexity[0], 1e-5, name + ": perplexity");
  expect_relative(per(all.nats - all.unknown_nats, all.tokens - all.unknown), c.perplexity[1], 1e-5,
                  name + ": perplexity of known words");
}

TEST(Ngram, EqualsKenLm) {
  const Recorded r = recorded();
  ASSERT_EQ(r.cases.size(), 5u);
  for (const RecordedCase& c : r.cases) {
    Numbers numbers;
    const Sentences train = numbers.learn(r.train, c.unit);
    const NgramModel model = NgramModel::fit(train, numbers.size(), {.order = c.order});
    expect_equal(c, model, numbers.find(r.test, c.unit));
  }
}

// ---- the formulas, in the plainest way ----

// Words of some sentences, the frequent ones first; a third of them repeats.
Sentences drawn(uint64_t seed, int64_t sentences, int32_t words) {
  Rng rng(seed);
  Sentences out;
  for (int64_t s = 0; s < sentences; ++s) {
    if (s % 3 == 2) {
      out.push_back(out[static_cast<size_t>(s / 3)]);
      continue;
    }
    out.emplace_back();
    for (uint64_t left = rng.next() % 9; left > 0; --left) {
      const auto first = static_cast<int32_t>(rng.next() % static_cast<uint64_t>(words));
      const auto second = static_cast<int32_t>(rng.next() % static_cast<uint64_t>(words));
      out.back().push_back(data::kSpecials + std::min(first, second));
    }
  }
  return out;
}

class Plain {
 public:
  Plain(const Sentences& sentences, int64_t vocabulary, int64_t order) : vocabulary_(vocabulary), order_(order) {
    std::map<Ids, int64_t> times;
    std::map<Ids, std::set<int32_t>> before;
    for (Ids s : sentences) {
      s.insert(s.begin(), data::kBos), s.push_back(data::kEos);
      for (size_t begin = 0; begin < s.size(); ++begin)
        for (size_t end = begin + 1; end <= std::min(s.size(), begin + static_cast<size_t>(order)); ++end) {
          const Ids gram(s.begin() + static_cast<int64_t>(begin), s.begin() + static_cast<int64_t>(end));
          ++times[gram];
          if (begin > 0) before[gram].insert(s[begin - 1]);
        }
    }
    for (const auto& [gram, n] : times) {
      if (gram == Ids{data::kBos}) continue;
      const bool as_it_stands = std::ssize(gram) == order || gram[0] == data::kBos;
      count_[gram] = as_it_stands ? n : std::ssize(before[gram]);
    }
    for (int64_t n = 1; n <= order; ++n) discounts_.push_back(discounts_of(n));
  }

  double p(Ids context, int32_t word) const {
    if (std::ssize(context) >= order_) context.erase(context.begin(), context.end() - (order_ - 1));
    const auto& d = discounts_[context.size()];
    double total = 0, kept = 0, own = 0;
    for (int32_t v = 0; v < vocabulary_; ++v) {
      Ids gram = context;
      gram.push_back(v);
      const auto found = count_.find(gram);
      if (found == count_.end()) continue;
      const auto c = static_cast<double>(found->second), off = d[static_cast<size_t>(std::min<double>(c, 3)) - 1];
      total += c, kept += off;
      if (v == word) own = c - off;
    }
    const double lower =
        context.empty() ? 1 / static_cast<double>(vocabulary_ - 2) : p(Ids(context.begin() + 1, context.end()), word);
    return total == 0 ? lower : own / total + kept / total * lower;
  }

 private:
  std::array<double, 3> discounts_of(int64_t n) const {
    double n1 = 0, n2 = 0, n3 = 0, n4 = 0;
    for (const auto& [gram, c] : count_)
      if (std::ssize(gram) == n) n1 += c == 1, n2 += c == 2, n3 += c == 3, n4 += c == 4;
    const double y = n1 / (n1 + 2 * n2);
    const std::array<double, 3> d = {1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3};
    for (size_t k = 0; k < 3; ++k)
      if (!(d[k] >= 0 && d[k] <= static_cast<double>(k + 1))) return {0.5, 1, 1.5};
    return d;
  }

  std::map<Ids, int64_t> count_;
  std::vector<std::array<double, 3>> discounts_;
  int64_t vocabulary_, order_;
};

// Contexts of a text, at the begin of a sentence and within, and some that it does not have.
std::vector<Ids> contexts_of(const Sentences& sentences) {
  std::vector<Ids> out = {{}, {data::kBos}, {data::kUnk}, {data::kBos, data::kUnk}, {data::kBos, 4, data::kUnk, 4}};
  for (Ids s : sentences) {
    s.insert(s.begin(), data::kBos);
    for (size_t end = 1; end <= s.size(); end += 2) out.emplace_back(s.begin(), s.begin() + static_cast<int64_t>(end));
    std::swap(s.front(), s.back());
    s.pop_back();
    out.push_back(s);
  }
  return out;
}

TEST(Ngram, IsTheFormulaOfThePaper) {
  const int64_t vocabulary = 4 + 13;  // of which the last word never comes
  const Sentences train = drawn(3, 150, 12), other = drawn(4, 6, 13);
  for (int64_t order = 1; order <= kMaxNgramOrder; ++order) {
    const NgramModel model = NgramModel::fit(train, vocabulary, {.order = order});
    const Plain plain(train, vocabulary, order);
    for (const Ids& context : contexts_of(other))
      for (const int32_t word : {data::kUnk, data::kEos, 4, 5, 9, 16})
        EXPECT_NEAR(model.log_prob(context, word), std::log(plain.p(context, word)), 1e-12)
            << "order " << order << ", word " << word;
  }
}

TEST(Ngram, ProbabilitiesSumToOne) {
  const int64_t vocabulary = 4 + 20;
  for (const int64_t sentences : {1, 5, 200})
    for (const int64_t order : {1, 2, 3, 5, 8}) {
      const NgramModel model = NgramModel::fit(drawn(5, sentences, 16), vocabulary, {.order = order});
      for (const Ids& context : contexts_of(drawn(6, 8, 20))) {
        double sum = 0;
        for (int32_t word = 0; word < vocabulary; ++word)
          if (word != data::kBos && word != data::kPad) sum += std::exp(model.log_prob(context, word));
        EXPECT_NEAR(sum, 1, 1e-12) << sentences << " sentences, order " << order;
      }
    }
}

// ---- what the numbers are of ----

TEST(Ngram, ASentenceIsTheSumOfItsWords) {
  const NgramModel model = NgramModel::fit(drawn(7, 80, 10), 20, {.order = 4});
  const Sentences sentences = {{4, 5, 0, 6}, {}, {19, 4}};
  NgramScore sum;
  for (const Ids& s : sentences) {
    Ids before = {data::kBos};
    double log_prob = 0;
    for (const int32_t word : s) log_prob += model.log_prob(before, word), before.push_back(word);
    log_prob += model.log_prob(before, data::kEos);
    EXPECT_DOUBLE_EQ(model.sentence_log_prob(s), log_prob);
    sum += model.score(s);
  }
  const NgramScore all = model.score(sentences);
  EXPECT_EQ(all.nats, sum.nats);
  EXPECT_EQ(all.tokens, 4 + 2 + 3);
  EXPECT_EQ(all.unknown, 2);  // 0 and 19
  EXPECT_DOUBLE_EQ(all.unknown_nats, -model.log_prob(Ids{data::kBos, 4, 5}, 0) - model.log_prob(Ids{data::kBos}, 19));
}

TEST(Ngram, OfOneWordByHand) {
  // Counts 2 and 1 of 4 and </s>; the discounts are 1 and 0.5, and the 1.5 of 3 that they free go to 4, </s>, <unk> and
  // 5 in equal parts.
  const NgramModel model = NgramModel::fit({{4, 4}}, 6, {.order = 1});
  const double freed = 1.5 / 3 / 4, of_4 = 1.0 / 3 + freed, of_end = 0.5 / 3 + freed;
  const NgramScore text = model.score(Sentences{{4, 5}, {4}});
  EXPECT_EQ(text.tokens, 5);
  EXPECT_EQ(text.unknown, 1);
  EXPECT_NEAR(text.nats, -2 * std::log(of_4) - 2 * std::log(of_end) - std::log(freed), 1e-12);
  EXPECT_NEAR(text.unknown_nats, -std::log(freed), 1e-12);
}

TEST(Ngram, UnknownWordsShareTheUniformPart) {
  const NgramModel model = NgramModel::fit(drawn(8, 80, 10), 20, {.order = 3});
  EXPECT_FALSE(model.known(data::kUnk));
  EXPECT_FALSE(model.known(19));
  EXPECT_TRUE(model.known(4));
  EXPECT_EQ(model.log_prob(Ids{4, 5}, 19), model.log_prob(Ids{4, 5}, data::kUnk));
  EXPECT_LT(model.log_prob(Ids{4, 5}, 19), model.log_prob(Ids{4, 5}, 12));
  // A text in which the unknown word stands has learnt it.
  Sentences text = drawn(8, 80, 10);
  text.push_back({4, data::kUnk, data::kUnk});
  EXPECT_TRUE(NgramModel::fit(text, 20).known(data::kUnk));
}

TEST(Ngram, TheOrderOfSentencesDoesNotMatter) {
  Sentences text = drawn(9, 120, 15);
  const NgramModel one = NgramModel::fit(text, 20, {.order = 5});
  std::ranges::reverse(text);
  const NgramModel two = NgramModel::fit(text, 20, {.order = 5});
  for (const Ids& s : drawn(10, 40, 16)) EXPECT_EQ(one.sentence_log_prob(s), two.sentence_log_prob(s));
}

TEST(Ngram, ContextsEndAtTheOrder) {
  const NgramModel model = NgramModel::fit(drawn(11, 120, 6), 20, {.order = 3});
  EXPECT_EQ(model.log_prob(Ids{data::kBos, 7, 8, 4, 5}, 6), model.log_prob(Ids{4, 5}, 6));
  EXPECT_NE(model.log_prob(Ids{5}, 6), model.log_prob(Ids{4, 5}, 6));
  EXPECT_NE(model.log_prob(Ids{data::kBos, 5}, 6), model.log_prob(Ids{5}, 6));
}

TEST(Ngram, RefusesWhatItCannotCount) {
  const Sentences text = {{4, 5}};
  const auto fit = [](const Sentences& sentences, int64_t vocabulary, int64_t order) {
    return NgramModel::fit(sentences, vocabulary, {.order = order});
  };
  EXPECT_EQ(message_of<ConfigError>([&] { fit(text, 10, 9); }), "n-grams: order 9; it must lie between 1 and 8");
  EXPECT_NE(message_of<ConfigError>([&] { fit(text, 10, 0); }), "");
  EXPECT_NE(message_of<ConfigError>([&] { fit({}, 3, 2); }), "");
  EXPECT_EQ(message_of<FormatError>([&] { fit({}, 10, 2); }), "n-grams: there is no text to learn from");
  EXPECT_EQ(message_of<ShapeError>([&] { fit({{4, 10}}, 10, 2); }), "n-grams: word 10 is not in a vocabulary of 10");
  EXPECT_EQ(message_of<ShapeError>([&] { fit({{4, data::kEos}}, 10, 2); }), "n-grams: </s> stands in a sentence");
  const NgramModel model = fit(text, 10, 3);
  EXPECT_THROW(model.log_prob(Ids{}, data::kBos), ShapeError);
  EXPECT_THROW(model.log_prob(Ids{4, data::kBos}, 4), ShapeError);
  EXPECT_THROW(model.log_prob(Ids{-1}, 4), ShapeError);
  EXPECT_THROW(model.sentence_log_prob(Ids{data::kPad}), ShapeError);
  EXPECT_THROW(model.size(4), ShapeError);
  EXPECT_THROW(model.discounts(0), ShapeError);
}

}  // namespace
}  // namespace lookback

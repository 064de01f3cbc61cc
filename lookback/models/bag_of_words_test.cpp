#include "lookback/models/bag_of_words.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rng.h"

namespace lookback {
namespace {

Words words_of(const std::string& text) {
  std::istringstream in(text);
  Words out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::vector<double> numbers_of(const Words& words, size_t from) {
  std::vector<double> out;
  for (size_t k = from; k < words.size(); ++k) out.push_back(std::stod(words[k]));
  return out;
}

// ---- what scikit-learn learnt: tests/golden/model/bag_of_words.txt, recorded by tools/gen_bag_of_words.py ----

struct RecordedCase {
  std::string name, method;
  int64_t classes = 0;
  BagOfWordsOptions options;
  std::vector<std::vector<double>> probabilities;  // of each text, then of each test
  std::vector<double> bias;
  std::vector<std::pair<std::string, std::vector<double>>> weights;
};

struct Recorded {
  std::vector<Words> texts, tests;
  std::vector<int64_t> two, three;  // labels
  std::vector<RecordedCase> cases;
};

RecordedCase case_of(const std::string& line, const Words& w) {
  RecordedCase out{.name = line, .method = w[1], .classes = std::stoll(w[4])};
  out.options.binary = w[2] == "binary", out.options.bigrams = w[3] == "bigrams";
  (out.method == "bayes" ? out.options.alpha : out.options.inverse_penalty) = std::stod(w[5]);
  return out;
}

Recorded recorded() {
  std::ifstream in(LOOKBACK_SOURCE_DIR "/tests/golden/model/bag_of_words.txt");
  Recorded out;
  for (std::string line; std::getline(in, line);) {
    const Words w = words_of(line);
    if (w[0] == "train") {
      out.two.push_back(std::stoll(w[1])), out.three.push_back(std::stoll(w[2]));
      out.texts.emplace_back(w.begin() + 3, w.end());
    } else if (w[0] == "test") {
      out.tests.emplace_back(w.begin() + 1, w.end());
    } else if (w[0] == "case") {
      out.cases.push_back(case_of(line, w));
    } else if (w[0] == "p") {
      out.cases.back().probabilities.push_back(numbers_of(w, 1));
    } else if (w[0] == "bias") {
      out.cases.back().bias = numbers_of(w, 1);
    } else {
      out.cases.back().weights.emplace_back(w[1], numbers_of(w, 2));
    }
  }
  return out;
}

int32_t feature_of(const BagFeatures& features, const std::string& name) {
  const size_t plus = name.find('+');
  if (plus == std::string::npos) return features.word(name);
  return features.bigram(std::string_view(name).substr(0, plus), std::string_view(name).substr(plus + 1));
}

// Of two classes scikit-learn has one row, that of the second.
void expect_weights(std::span<const double> got, const std::vector<double>& want, double bound) {
  const size_t first = got.size() - want.size();
  for (size_t k = 0; k < want.size(); ++k) EXPECT_NEAR(got[first + k], want[k], bound);
  EXPECT_TRUE(first == 0 || got[0] == 0);
}

TEST(BagOfWords, EqualsScikitLearn) {
  const Recorded r = recorded();
  ASSERT_EQ(r.cases.size(), 13u);
  for (const RecordedCase& c : r.cases) {
    SCOPED_TRACE(c.name);
    const LabelledTexts data{r.texts, c.classes == 2 ? r.two : r.three, c.classes};
    const bool bayes = c.method == "bayes";
    const double bound = bayes ? 1e-12 : 1e-5;
    const BagOfWords model = bayes ? train_naive_bayes(data, c.options) : train_logistic_regression(data, c.options);
    std::vector<Words> texts = r.texts;
    texts.insert(texts.end(), r.tests.begin(), r.tests.end());
    ASSERT_EQ(texts.size(), c.probabilities.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::vector<double> p = model.predict(texts[i]);
      ASSERT_EQ(p.size(), c.probabilities[i].size());
      for (size_t k = 0; k < p.size(); ++k) EXPECT_NEAR(p[k], c.probabilities[i][k], bound) << i;
    }
    if (bayes) continue;
    EXPECT_EQ(model.features().size(), std::ssize(c.weights));
    expect_weights(model.bias(), c.bias, bound);
    for (const auto& [name, weights] : c.weights) {
      const int32_t feature = feature_of(model.features(), name);
      ASSERT_GE(feature, 0) << name;
      expect_weights(model.weights(feature), weights, bound);
    }
  }
}

// ---- what follows from the definitions ----

// Some words of the label among many that say nothing, and an order that says the rest.
LabelledTexts drawn(int64_t count, int64_t classes, uint64_t seed) {
  Rng rng(seed);
  LabelledTexts out{.classes = classes};
  for (int64_t n = 0; n < count; ++n) {
    const auto label = static_cast<int64_t>(rng.below(static_cast<uint64_t>(classes)));
    Words text;
    for (uint64_t length = 5 + rng.below(20); length > 0; --length) {
      const bool tells = rng.below(5) == 0;
      text.push_back(tells ? str_cat("c", label, "_", rng.below(50)) : str_cat("w", rng.below(3000)));
    }
    out.texts.push_back(text);
    out.labels.push_back(rng.below(20) == 0 ? 0 : label);
  }
  return out;
}

int64_t best(const std::vector<double>& p) { return std::ranges::max_element(p) - p.begin(); }

double accuracy(const BagOfWords& model, const LabelledTexts& data) {
  double right = 0;
  for (size_t n = 0; n < data.texts.size(); ++n) right += best(model.predict(data.texts[n])) == data.labels[n];
  return right / static_cast<double>(data.texts.size());
}

TEST(BagOfWords, LearnsWhatCanBeLearnt) {
  for (const int64_t classes : {2, 4}) {
    const LabelledTexts train = drawn(2000, classes, 1), test = drawn(500, classes, 2);
    const double majority = accuracy(train_majority(train), test);
    EXPECT_LT(majority, 0.65);
    for (const bool binary : {false, true}) {
      EXPECT_GT(accuracy(train_naive_bayes(train, {.binary = binary}), test), 0.75);
      EXPECT_GT(accuracy(train_logistic_regression(train, {.binary = binary}), test), 0.75);
    }
  }
}

TEST(BagOfWords, PairsTellWhatWordsDoNot) {
  const LabelledTexts data{{{"a", "b"}, {"b", "a"}, {"a", "b", "x"}, {"x", "b", "a"}}, {0, 1, 0, 1}, 2};
  for (const auto train : {train_naive_bayes, train_logistic_regression}) {
    EXPECT_EQ(accuracy(train(data, {.bigrams = true}), data), 1);
    EXPECT_NEAR(train(data, {.bigrams = false}).predict({"a", "b"})[0], 0.5, 1e-6);
  }
}

TEST(BagOfWords, ThreadsDoNotChangeABit) {
  const LabelledTexts data = drawn(300, 3, 3);
  for (const auto train : {train_naive_bayes, train_logistic_regression}) {
    std::vector<double> first;
    for (const int threads : {1, 2, 3}) {
      const ThreadScope scope(threads);
      const std::vector<double> p = train(data, {}).predict(data.texts[0]);
      if (first.empty()) first = p;
      EXPECT_EQ(p, first);
    }
  }
}

TEST(BagOfWords, MajorityIsTheSharesOfTheLabels) {
  const BagOfWords model = train_majority({{{"a"}, {}, {"b"}, {"c"}}, {2, 0, 2, 2}, 3});
  const std::vector<double> p = model.predict({"a", "b"});
  EXPECT_NEAR(p[0], 0.25, 1e-15);
  EXPECT_EQ(p[1], 0);
  EXPECT_NEAR(p[2], 0.75, 1e-15);
}

TEST(BagOfWords, ClassesWithoutTexts) {
  const LabelledTexts data{{{"a"}, {"b"}, {"b", "b"}}, {0, 2, 2}, 4};
  EXPECT_EQ(train_naive_bayes(data).predict({"b"})[1], 0);
  const BagOfWords model = train_logistic_regression(data);
  EXPECT_EQ(best(model.predict({"b"})), 2);
  EXPECT_LT(model.predict({"b"})[3], 1e-3);
  EXPECT_EQ(train_logistic_regression({{{"a"}, {}}, {0, 0}, 1}).predict({"a"}), std::vector<double>{1});
  EXPECT_GT(train_logistic_regression({{{"a"}, {}}, {1, 1}, 2}).predict({"b"})[1], 0.999);
}

TEST(BagOfWords, TextsWithoutWords) {
  const LabelledTexts data{{{}, {}, {}}, {0, 1, 1}, 2};
  for (const auto train : {train_naive_bayes, train_logistic_regression})
    EXPECT_NEAR(train(data, {}).predict({"a"})[1], 2.0 / 3, 1e-6);
}

TEST(BagOfWords, BadData) {
  for (const auto train : {train_naive_bayes, train_logistic_regression}) {
    EXPECT_THROW(train({{}, {}, 2}, {}), ShapeError);
    EXPECT_THROW(train({{{"a"}}, {0, 1}, 2}, {}), ShapeError);
    EXPECT_THROW(train({{{"a"}}, {2}, 2}, {}), ShapeError);
    EXPECT_THROW(train({{{"a"}}, {-1}, 2}, {}), ShapeError);
    EXPECT_THROW(train({{{"a"}}, {0}, 2}, {.alpha = 0, .inverse_penalty = 0}), ConfigError);
  }
  EXPECT_THROW(train_majority({{}, {}, 2}), ShapeError);
  EXPECT_THROW(BagOfWords(BagFeatures(), {1}, {0, 0}), ShapeError);
}

}  // namespace
}  // namespace lookback

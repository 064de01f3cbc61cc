// Bad options, bad sources, bad decoders: one test per kind of damage.
#include <gtest/gtest.h>

#include <limits>

#include "lookback/decode/fake_decoder.h"

namespace lookback::decode {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

const std::vector<FakeSentence> kSentences = {{11, 3}, {12, 7}, {13, 1}, {14, 5}, {15, 2}, {16, 9}};

template <class E>
std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing was thrown";
}

void expect_in(const std::string& message, const std::vector<std::string>& words) {
  for (const std::string& word : words) EXPECT_NE(message.find(word), std::string::npos) << word << " in: " << message;
}

TEST(Search, NotANumberInAttentionIsNamedWhereItMatters) {
  struct Bad final : StepDecoder {
    StepOutput step(std::span<const int32_t> tokens, int64_t) override {
      const int64_t N = static_cast<int64_t>(tokens.size());
      return {Tensor::zeros({N, 6}), Tensor::full({N, 2}, std::numeric_limits<double>::quiet_NaN())};
    }
    void reorder(std::span<const int32_t>) override {}
    int64_t vocabulary() const override { return 6; }
  } decoder;
  SearchOptions o = beam_of(2);
  o.coverage_penalty = 1;
  expect_in(message_of<NumericError>([&] { search(decoder, {{.source_length = 2}}, o); }), {"sentence 0", "attention"});
  expect_in(message_of<NumericError>([&] { force_score(decoder, {{.source_length = 2}}, {{4}}, o); }),
            {"sentence 0", "attention"});
}

TEST(Search, NotANumberNamesTheSentenceAndTheStep) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity})
    for (const bool sample : {false, true}) {
      FakeModel model;
      model.edit = [&](uint64_t key, const std::vector<int32_t>& history, std::vector<float>& logits) {
        if (key == 13 && history.size() == 3) std::fill(logits.begin(), logits.end(), bad);
        logits[2] = history.size() < 6 ? -30.0f : 30.0f;
        if (key == 13 && history.size() == 3) logits[2] = bad;
      };
      SearchOptions o = beam_of(sample ? 1 : 2);
      o.sample = sample;
      FakeDecoder decoder(model, kSentences);
      expect_in(message_of<NumericError>([&] { search(decoder, sources_of(kSentences), o); }),
                {"sentence 2", "step 2", bad == -kInfinity ? "every logit is -inf" : "NaN or +inf"});
    }
}

TEST(Search, MinusInfinityIsJustImpossible) {
  FakeModel model;
  model.edit = [](uint64_t, const std::vector<int32_t>&, std::vector<float>& logits) { logits[4] = -kInfinity; };
  for (const Hypothesis& h : search_one(model, {3, 9}, beam_of(4, 4))) {
    EXPECT_EQ(std::count(h.tokens.begin(), h.tokens.end(), 4), 0);
    EXPECT_TRUE(std::isfinite(h.score));
  }
}

TEST(Search, RefusesWhatCannotWork) {
  const auto refuse = [](const std::function<void(SearchOptions&)>& change, const std::vector<std::string>& words) {
    SearchOptions o;
    change(o);
    expect_in(message_of<ConfigError>([&] { search_one({}, {3, 9}, o); }), words);
  };
  refuse([](auto& o) { o.n_best = 5; }, {"n_best = 5", "beam = 4"});
  refuse([](auto& o) { o.sample = true; }, {"sample", "beam = 4"});
  refuse([](auto& o) { o.temperature = 0.5; }, {"temperature", "sample = true"});
  refuse([](auto& o) { o.top_k = 5; }, {"top_k", "sample = true"});
  refuse([](auto& o) { o.top_p = 0.5; }, {"top_p", "sample = true"});
  refuse([](auto& o) { o.min_p = 0.5; }, {"min_p", "sample = true"});
  refuse([](auto& o) { o.sample = true, o.beam = 1, o.min_p = 1.5; }, {"min_p", "1.5"});
  refuse([](auto& o) { o.sample = true, o.beam = 1, o.min_p = -0.1; }, {"min_p", "-0.1"});
  refuse([](auto& o) { o.repetition_penalty = 0; }, {"repetition_penalty", "0"});
  refuse([](auto& o) { o.repetition_penalty = -1; }, {"repetition_penalty", "-1"});
  refuse([](auto& o) { o.repetition_penalty = std::nan(""); }, {"repetition_penalty"});
  refuse([](auto& o) { o.top_p = 0; }, {"top_p"});
  refuse([](auto& o) { o.min_length = 300; }, {"min_length = 300", "max_length = 200"});
  refuse([](auto& o) { o.length_penalty = -0.5; }, {"length_penalty", "-0.5"});
  refuse([](auto& o) { o.length_penalty = std::nan(""); }, {"length_penalty"});
  refuse([](auto& o) { o.coverage_penalty = -1; }, {"coverage_penalty"});
  refuse([](auto& o) { o.length_norm = "averge"; }, {"length_norm", "average"});
  refuse([](auto& o) { o.stop = "later"; }, {"stop", "exact"});
  refuse([](auto& o) { o.beam = 0; }, {"beam"});
  refuse([](auto& o) { o.specials.bos = 6; }, {"6", "vocabulary"});
  refuse([](auto& o) { o.specials.bos = -1; }, {"bos"});
}

TEST(Search, RefusesSourcesThatDoNotFit) {
  const SearchOptions plain = beam_of(2);
  expect_in(message_of<ConfigError>([&] {
              search_one({}, {3, 9}, plain, {4, 77});
            }),
            {"sentence 0", "prefix[1]", "77"});
  expect_in(message_of<ConfigError>([&] { search_one({}, {3, 9}, plain, {-1}); }), {"prefix[0]"});
  expect_in(message_of<ConfigError>([&] { search_one({}, {3, 9}, plain, {4, 2}); }), {"prefix[1]", "eos"});
  for (const int32_t token : {6, -1})
    expect_in(message_of<ConfigError>([&] {
                search_with({}, {3, 9}, plain, {.context = {4, token}});
              }),
              {"sentence 0", "context[1]", std::to_string(token), "vocabulary of 6"});
  SearchOptions two = plain;
  two.beam = 1, two.sample = true, two.n_best = 2;
  for (const SearchOptions& o : {plain, two})
    expect_in(message_of<ConfigError>([&] {
                search_with({}, {3, 9}, o, {.on_token = [](int32_t) {}});
              }),
              {"sentence 0", "on_token", "beam = 1", "n_best = 1"});
  FakeDecoder narrow({}, {{3, 4}});
  expect_in(message_of<ShapeError>([&] { search(narrow, {{.source_length = 5}}, plain); }), {"sentence 0", "5", "4"});

  SearchOptions coverage = plain;
  coverage.coverage_penalty = 1;
  FakeDecoder without({}, {{3, 4}}, false), unknown({}, {{3, 4}});
  expect_in(message_of<ConfigError>([&] { search(without, {{.source_length = 4}}, coverage); }),
            {"coverage_penalty", "attention"});
  expect_in(message_of<ConfigError>([&] { search(unknown, {SourceInfo{}}, coverage); }),
            {"coverage_penalty", "source_length"});
}

// What a decoder may get wrong, one at a time.
struct Wrong final : StepDecoder {
  int kind;
  int steps = 0;
  explicit Wrong(int k) : kind(k) {}
  StepOutput step(std::span<const int32_t> tokens, int64_t) override {
    const int64_t N = static_cast<int64_t>(tokens.size());
    ++steps;
    switch (kind) {
      case 0:
        return {Tensor::zeros({N + 1, 6}), {}};
      case 1:
        return {Tensor::zeros({N, 5}), {}};
      case 2:
        return {Tensor::zeros({N, 6}, Dtype::f64), {}};
      case 3:
        return {Tensor::zeros({N, 6}), Tensor::zeros({N + 1, 3})};
      case 4:
        return {Tensor::zeros({N, 6}), Tensor::zeros({N})};
      default:
        return {Tensor::zeros({N, 6}), steps == 2 ? Tensor() : Tensor::zeros({N, 3})};
    }
  }
  void reorder(std::span<const int32_t>) override {}
  int64_t vocabulary() const override { return 6; }
};

TEST(Search, RefusesOutputOfTheWrongShape) {
  for (int kind = 0; kind < 6; ++kind) {
    Wrong decoder(kind);
    EXPECT_THROW(search(decoder, {{.source_length = 3}}, beam_of(2)), ShapeError) << kind;
  }
  for (int kind = 0; kind < 6; ++kind) {
    Wrong decoder(kind);
    EXPECT_THROW(force_score(decoder, {{.source_length = 3}}, {{4, 5, 4}}), ShapeError) << kind;
  }
}

TEST(Search, OptionsDescribeThemselves) {
  SearchOptions o;
  auto fields = fields_of(o);
  set_field_text(find_field(fields, "beam", "test"), "7", "test");
  EXPECT_EQ(o.beam, 7);
  for (const Field& f : fields) EXPECT_FALSE(f.help.empty()) << f.path;
}

}  // namespace
}  // namespace lookback::decode

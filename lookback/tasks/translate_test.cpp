// Translation from text files to a model folder and back to text.
#include <fstream>

#include "lookback/base/utf8.h"
#include "lookback/tasks/testing.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;
using io::slurp;

// Two models that differ in their seed, trained once for all tests.
class TranslateTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    data_ = new io::TempFolder();
    write_small_data(*data_);
    result_ = new train::TrainResult(train_small(data_->path(), *data_ / "one", small_recipe()));
    Settings other = small_recipe();
    other["train.seed"] = "2";
    train_small(data_->path(), *data_ / "two", other);
  }
  static void TearDownTestSuite() { delete result_, delete data_; }

  static std::string one() { return *data_ / "one"; }
  static std::string two() { return *data_ / "two"; }
  static inline io::TempFolder* data_ = nullptr;
  static inline train::TrainResult* result_ = nullptr;
};

TEST_F(TranslateTest, TrainingFillsAModelFolder) {
  for (const char* name : {"config.json", "generation_config.json", "model.safetensors", "README.md",
                           "source/tokenizer.json", "target/tokenizer.json", "training/log.jsonl"})
    EXPECT_TRUE(fs::exists(fs::path(one()) / name)) << name;
  EXPECT_EQ(result_->reason, "max_steps");
  EXPECT_GT(result_->best_score, 60) << "BLEU";
  const auto& scores = result_->history.back().scores;
  for (const char* name : {"loss", "ppl", "accuracy_token", "bleu"}) EXPECT_TRUE(scores.contains(name)) << name;
  EXPECT_NE(slurp(fs::path(one()) / "README.md").find("test.toml"), std::string::npos);
  EXPECT_STREQ(task_of_model(one()).name, "translate");
}

TEST_F(TranslateTest, TranslatesInOrderOneForEachInput) {
  const auto model = load({one()});
  EXPECT_EQ(model->model->task(), "translate");
  const auto out = model->predict(inputs_of({"s1 s2", "", "s3", "   ", "s4 s5 s6"}));
  ASSERT_EQ(out.size(), 5U);
  const std::vector<std::string> want = {"t1 t2", "", "t3", "", "t4 t5 t6"};
  for (size_t k = 0; k < want.size(); ++k) {
    EXPECT_EQ(out[k].outputs[0].text, want[k]) << k;
    EXPECT_EQ(out[k].line, static_cast<int64_t>(k) + 1);
  }
  EXPECT_EQ(out[0].details.text(), R"({"source": ["s1", "s2"]})");
  EXPECT_TRUE(out[0].outputs[0].details.text().starts_with(R"({"tokens": ["t1", "t2"], "token_log_probs": [-)"));
  EXPECT_EQ(out[1].details.text(), R"({"source": []})");
  const auto map = std::get<viz::HeatMap>(model->model->explain(inputs_of({"s1 s2"})[0], *model->options));
  EXPECT_EQ(map.weights.shape(), (Shape{3, 2}));
  EXPECT_EQ(map.columns.tokens, (std::vector<std::string>{"s1", "s2"}));
  EXPECT_EQ(map.rows.tokens, (std::vector<std::string>{"t1", "t2", "</s>"}));
  EXPECT_EQ(map.row_scores.size(), 3U);
  EXPECT_TRUE(model->predict({}).empty());
}

TEST_F(TranslateTest, InvalidUtf8IsReadAsReplacementCharacters) {
  const auto model = load({one()});
  const auto out = model->predict(inputs_of({"s1 \xFF\xFE", "\x80", "s2"}));
  ASSERT_EQ(out.size(), 3U);
  for (const Prediction& p : out) EXPECT_TRUE(valid_utf8(p.outputs[0].text));
  EXPECT_EQ(out[2].outputs[0].text, "t2");
}

TEST_F(TranslateTest, NeitherBatchNorCompanyChangesAResult) {
  std::vector<std::string> lines;
  Rng rng(4);
  for (int k = 0; k < 23; ++k) {
    std::string line = "s" + std::to_string(rng.below(10));
    for (uint64_t w = rng.below(6); w > 0; --w) line += " s" + std::to_string(rng.below(10));
    lines.push_back(line);
  }
  for (const std::vector<std::string>& models : {std::vector{one()}, {one(), two()}}) {
    const auto whole = load(models, {{"beam", "3"}, {"n_best", "3"}})->predict(inputs_of(lines));
    for (const char* batch : {"1", "7"}) {
      const auto out = load(models, {{"beam", "3"}, {"n_best", "3"}, {"batch", batch}})->predict(inputs_of(lines));
      for (size_t k = 0; k < lines.size(); ++k)
        EXPECT_EQ(format_prediction(out[k], "jsonl"), format_prediction(whole[k], "jsonl")) << batch;
    }
  }
}

TEST_F(TranslateTest, SamplesDependOnTheLineAndTheSeed) {
  const auto draw = [&](const char* seed) {
    const auto model = load({one()}, {{"beam", "1"}, {"sample", "true"}, {"temperature", "5"}, {"seed", seed}});
    std::string all;
    for (const Prediction& p : model->predict(inputs_of({"s1 s2", "s1 s2", "s1 s2"})))
      all += format_prediction(p, "text");
    return all;
  };
  EXPECT_EQ(draw("1"), draw("1"));
  EXPECT_NE(draw("1"), draw("2"));
}

TEST_F(TranslateTest, ThePrefixComesFirst) {
  const auto model = load({one()});
  EXPECT_TRUE(best(*model, {.line = 1, .fields = {{"source", "s1 s2 s3"}, {"prefix", "t7"}}}).starts_with("t7"));
  EXPECT_EQ(best(*model, {.line = 1, .fields = {{"source", "s1 s2 s3"}, {"prefix", "t1 t2"}}}), "t1 t2 t3");
}

TEST_F(TranslateTest, WhatIsUnknownInAPrefixIsTold) {
  const auto model = load({one()});
  const std::vector<Input> inputs = {{.line = 1, .fields = {{"source", "s1"}, {"prefix", "t1 zebra t2 gnu"}}},
                                     {.line = 2, .fields = {{"source", "s1"}, {"prefix", "t1"}}}};
  const auto found = model->predict(inputs);
  ASSERT_EQ(found[0].warnings.size(), 1U);
  EXPECT_EQ(found[0].warnings[0].first, "prefix");
  EXPECT_TRUE(found[0].warnings[0].second.starts_with("the model does not know 'zebra', 'gnu';"));
  EXPECT_TRUE(found[1].warnings.empty());
}

TEST_F(TranslateTest, AGivenTargetIsScored) {
  const auto model = load({one()}, {{"beam", "1"}});
  const std::string right = "t1 t2", wrong = "t5 t5";
  const auto found = model->predict(inputs_of({"s1 s2"}))[0].outputs[0];
  const std::vector<Input> inputs = {{.line = 1, .fields = {{"source", "s1 s2"}, {"score", right}}},
                                     {.line = 2, .fields = {{"source", "s1 s2"}, {"score", wrong}}}};
  const auto out = model->predict(inputs);
  EXPECT_EQ(found.text, right);
  EXPECT_EQ(out[0].outputs[0].text, right);
  EXPECT_EQ(out[0].outputs[0].log_prob, found.log_prob);
  EXPECT_EQ(out[0].outputs[0].score, found.score);
  EXPECT_EQ(out[1].outputs[0].text, wrong);
  EXPECT_LT(out[1].outputs[0].log_prob, found.log_prob - 3);
  // Some inputs may be searched for while others are scored.
  const std::vector<Input> mixed = {inputs[1], inputs_of({"s1 s2"})[0], inputs_of({""})[0]};
  const auto both = model->predict(mixed);
  EXPECT_EQ(both[0].outputs[0].log_prob, out[1].outputs[0].log_prob);
  EXPECT_EQ(both[1].outputs[0].log_prob, found.log_prob);
  EXPECT_EQ(both[2].outputs[0].text, "");
}

// One loaded model answers two callers who ask in two ways, whatever the options of its folder.
TEST_F(TranslateTest, OptionsBelongToTheCallAndNotToTheModel) {
  const auto greedy = load({one()}, {{"beam", "1"}}), wide = load({one()}, {{"beam", "4"}, {"n_best", "4"}});
  const auto inputs = inputs_of({"s1 s2 s3", "s4"});
  const auto a = greedy->model->predict(inputs, *greedy->options), b = greedy->model->predict(inputs, *wide->options);
  const auto want = wide->predict(inputs);
  for (size_t k = 0; k < inputs.size(); ++k) {
    EXPECT_EQ(a[k].outputs.size(), 1U);
    ASSERT_EQ(b[k].outputs.size(), 4U);
    for (size_t n = 0; n < 4; ++n) EXPECT_EQ(b[k].outputs[n].log_prob, want[k].outputs[n].log_prob);
  }
  struct Other final : PredictOptions {
    Fields fields() override { return {}; }
  };
  EXPECT_THROW(greedy->model->predict(inputs, Other()), Error);
}

TEST_F(TranslateTest, UnknownWordsAreCopiedWhenAsked) {
  const Input input{.line = 1, .fields = {{"source", "s1 Zanzibar s2"}}};
  EXPECT_EQ(best(*load({one()}), input), "t1 \xE2\x81\x87 t2");
  EXPECT_EQ(best(*load({one()}, {{"replace_unk", "true"}}), input), "t1 Zanzibar t2");
}

TEST_F(TranslateTest, AnEnsembleOfOneModelTwiceSaysWhatItSays) {
  for (const char* mean : {"probability", "log_probability"}) {
    const auto single = load({one()}), twice = load({one(), one()}, {{"ensemble", mean}});
    for (const char* line : {"s1 s2 s3", "s9", "Zanzibar s4"}) {
      const auto a = single->predict(inputs_of({line}))[0].outputs[0],
                 b = twice->predict(inputs_of({line}))[0].outputs[0];
      EXPECT_EQ(a.text, b.text);
      EXPECT_NEAR(a.log_prob, b.log_prob, 1e-5);
    }
  }
}

TEST_F(TranslateTest, AnEnsembleOfTwoModelsTranslates) {
  const auto both = load({one(), two()});
  EXPECT_EQ(best(*both, {.line = 1, .fields = {{"source", "s1 s2 s3"}}}), "t1 t2 t3");
  const auto a = load({one()})->predict(inputs_of({"s1 s2"}))[0].outputs[0].log_prob;
  const auto b = load({two()})->predict(inputs_of({"s1 s2"}))[0].outputs[0].log_prob;
  const auto mean = both->predict(inputs_of({"s1 s2"}))[0].outputs[0].log_prob;
  EXPECT_GT(mean, std::min(a, b) - 1e-3);
  EXPECT_LT(mean, std::max(a, b) + 1e-3);
}

TEST_F(TranslateTest, EvaluateScoresFiles) {
  const auto model = load({one()});
  const auto lines = model->evaluate({*data_ / "valid.s", *data_ / "valid.t"});
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].name, "bleu");
  EXPECT_GT(lines[0].value, 60);
  EXPECT_TRUE(lines[0].signature.starts_with("nrefs:1|")) << lines[0].signature;
  const auto from_tsv = model->evaluate({*data_ / "valid.tsv"});
  EXPECT_EQ(from_tsv[0].value, lines[0].value);
  const auto with = model->model->evaluate({.files = {*data_ / "valid.tsv"}, .resamples = 100}, *model->options).lines;
  EXPECT_EQ(with[0].value, lines[0].value);
  EXPECT_GT(with[0].interval->ci, 0);
  EXPECT_THROW(model->evaluate({*data_ / "valid.s"}), ConfigError);
  const std::string shorter = data_->file("shorter.t", "t1\n");
  EXPECT_NE(message_of<FormatError>([&] {
              model->evaluate({*data_ / "valid.s", shorter});
            }).find("shorter.t has 1"),
            std::string::npos);
  EXPECT_THROW(model->evaluate({*data_ / "no.s", *data_ / "valid.t"}), IoError);
  EXPECT_NE(message_of<ConfigError>([&] { model->evaluate({}); }).find("data.test"), std::string::npos);
  EXPECT_THROW(model->evaluate({data_->file("empty.tsv", "")}), FormatError);
}

TEST_F(TranslateTest, OptionsThatDoNotGoTogetherAreRefused) {
  EXPECT_THROW(load({one()}, {{"beam", "2"}, {"n_best", "3"}}), ConfigError);
  EXPECT_THROW(load({one()}, {{"bean", "2"}}), ConfigError);
  EXPECT_THROW(load({one()}, {{"batch", "0"}}), ConfigError);
}

// A copy of a model folder with one file changed.
std::string damaged(const io::TempFolder& data, const std::string& model, const std::string& file,
                    const std::string& bytes) {
  const std::string copy = data / "damaged";
  fs::remove_all(copy);
  fs::copy(model, copy, fs::copy_options::recursive);
  std::ofstream(copy + "/" + file, std::ios::binary) << bytes;
  return copy;
}

std::string replaced(std::string s, const std::string& from, const std::string& to) {
  const size_t at = s.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? s : s.replace(at, from.size(), to);
}

TEST_F(TranslateTest, DamagedModelFoldersAreRefusedByName) {
  const auto refused = [&](const std::string& file, const std::string& bytes) {
    const std::string folder = damaged(*data_, one(), file, bytes);
    return message_of<FormatError>([&] { load({folder}); });
  };
  const std::string config = slurp(one() + "/config.json");
  EXPECT_NE(refused("config.json", "{}").find("no \"task\""), std::string::npos);
  EXPECT_NE(refused("config.json", "{").find("config.json"), std::string::npos);
  EXPECT_NE(refused("config.json", replaced(config, "\"translate\"", "\"translat\"")).find("'translate'"),
            std::string::npos);
  EXPECT_NE(refused("config.json", replaced(config, "\"translate\"", "7")).find("task"), std::string::npos);
  EXPECT_NE(refused("config.json", replaced(config, "\"format\": 1", "\"format\": 2")).find("format"),
            std::string::npos);
  EXPECT_NE(refused("config.json", replaced(config, "\"embedding\"", "\"embeding\"")).find("embedding"),
            std::string::npos);
  EXPECT_NE(
      refused("config.json", replaced(config, "\"embedding\": 16", "\"embedding\": 17")).find("model.safetensors"),
      std::string::npos);
  EXPECT_NE(refused("config.json", replaced(config, "\"general\"", "\"dot\"")).find("model.safetensors"),
            std::string::npos);
  EXPECT_NE(refused("config.json", replaced(config, "\"source_vocabulary\": 1", "\"source_vocabulary\": 9"))
                .find("vocabularies"),
            std::string::npos);
  EXPECT_NE(refused("generation_config.json", "{\"beam\": -1}").find("generation_config.json:1"), std::string::npos);
  EXPECT_NE(refused("source/tokenizer.json", "{}").find("tokenizer.json"), std::string::npos);
  EXPECT_NE(refused("model.safetensors", "short").find("model.safetensors"), std::string::npos);
}

TEST_F(TranslateTest, MissingPartsAreNamed) {
  const auto without = [&](const char* file) {
    const std::string folder = damaged(*data_, one(), file, "");
    fs::remove(folder + "/" + file);
    return message_of<IoError>([&] { load({folder}); });
  };
  for (const char* file : {"config.json", "model.safetensors"})
    EXPECT_NE(without(file).find(file), std::string::npos) << without(file);
  EXPECT_NE(without("target/tokenizer.json").find("target"), std::string::npos);
  EXPECT_THROW(task_of_model(*data_ / "nowhere"), IoError);
}

}  // namespace
}  // namespace lookback::tasks

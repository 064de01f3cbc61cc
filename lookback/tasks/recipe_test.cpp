// What recipes of translation may and may not say.
#include "lookback/tasks/testing.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;
using io::slurp;

class RecipeTest : public ::testing::Test {
 protected:
  RecipeTest() { write_small_data(data_); }

  static Settings with(Settings changes, Settings settings = small_recipe()) {
    for (const auto& [k, v] : changes) settings[k] = v;
    return settings;
  }
  train::TrainResult train(const Settings& s, const std::string& folder = "model") {
    return train_small(data_.path(), data_ / folder, s);
  }
  template <class E>
  std::string refused(const Settings& changes) {
    const std::string folder = "refused";
    const std::string message = message_of<E>([&] { train(with(changes), folder); });
    EXPECT_FALSE(fs::exists(data_ / folder + "/model.safetensors"));
    return message;
  }

  io::TempFolder data_;
};

const Settings kShort = {{"train.max_steps", "6"}, {"train.validate_every", "3"}};

TEST_F(RecipeTest, ATsvAndOneSampledVocabulary) {
  const Settings s = with({{"data.train", "train.tsv"},
                           {"data.valid", "valid.tsv"},
                           {"data.columns", "1,2"},
                           {"tokenizer.kind", "bpe"},
                           {"tokenizer.joint", "true"},
                           {"tokenizer.size", "80"},
                           {"tokenizer.sampling", "0.2"},
                           {"model.tie", "all"},
                           {"train.max_steps", "10"},
                           {"train.validate_every", "5"}});
  const auto a = train(s, "a"), b = train(s, "b");
  ASSERT_EQ(a.history.size(), b.history.size());
  ASSERT_GE(a.history.size(), 2U);
  for (size_t k = 0; k < a.history.size(); ++k) EXPECT_EQ(a.history[k].scores, b.history[k].scores);
  EXPECT_EQ(slurp(data_ / "a" + "/model.safetensors"), slurp(data_ / "b" + "/model.safetensors"));
  EXPECT_TRUE(fs::exists(data_ / "a" + "/spm.model"));
  const auto model = load({data_ / "a"});
  EXPECT_EQ(model->predict(inputs_of({"s1", "", "s2 s3"})).size(), 3U);
}

TEST_F(RecipeTest, OtherTokenizersAreNoEnsemble) {
  train(with(kShort), "words");
  train(with({{"tokenizer.min_count", "1"}}, with(kShort)), "more_words");
  EXPECT_NE(message_of<FormatError>([&] {
              load({data_ / "words", data_ / "more_words"});
            }).find("more_words"),
            std::string::npos);
}

TEST_F(RecipeTest, EveryValidationMetric) {
  for (const char* metric : {"chrf", "ter", "wer", "accuracy"}) {
    const auto result =
        train(with({{"valid.metric", metric}, {"train.keep", metric}, {"valid.lines", "5"}}, with(kShort)), metric);
    EXPECT_TRUE(result.history.back().scores.contains(metric));
  }
  const auto none = train(with({{"valid.metric", "none"}, {"train.keep", "loss"}}, with(kShort)), "none");
  EXPECT_FALSE(none.history.back().scores.contains("bleu"));
}

TEST_F(RecipeTest, AResumedRunTakesTheDataAndOptionsOfTheRun) {
  train(with(kShort));
  const auto resumed = [&](const Settings& changes) -> std::string {
    Settings now = with(changes, with(kShort));
    now["train.max_steps"] = "9";
    try {
      return str_cat(train_small(data_.path(), data_ / "model", now, train::FolderMode::resume).steps, " steps");
    } catch (const ConfigError& e) {
      return e.what();
    }
  };
  const auto names = [&](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  names(resumed({{"tokenizer.kind", "char"}, {"loss.smoothing", "0.5"}, {"model.dropout", "0.4"}}),
        "loss.smoothing = 0.5 (was 0.0), model.dropout = 0.4 (was ");
  names(resumed({{"tokenizer.joint", "true"}}), "tokenizer.joint = true (was false)");
  names(resumed({{"train.batch", "7"}}), "train.batch = 7 (was 25)");
  names(resumed({{"decode.beam", "7"}}), "decode.beam = 7");
  const std::string source = slurp(data_ / "train.s");
  data_.file("train.s", small_language(500, 9).source);
  names(resumed({}), "data.train's SHA-256");
  data_.file("elsewhere.s", source);
  data_.file("valid.t", small_language(20, 9).target);
  names(resumed({{"data.train", "elsewhere.s,train.t"}}), "data.valid's SHA-256");
  data_.file("valid.t", small_language(20, 2).target);
  // The same lines in another place, and what changes no result.
  EXPECT_EQ(resumed({{"data.train", "elsewhere.s,train.t"}, {"valid.batch", "3"}, {"data.memory_mb", "1"}}), "9 steps");
}

TEST_F(RecipeTest, MissingAndSurplusFilesAreNamed) {
  EXPECT_NE(refused<ConfigError>({{"data.train", ""}}).find("data.train"), std::string::npos);
  EXPECT_NE(refused<ConfigError>({{"data.valid", "valid.s"}}).find("data.columns"), std::string::npos);
  EXPECT_NE(refused<FormatError>({{"data.columns", "1,2"}}).find("no text"), std::string::npos);
  EXPECT_NE(refused<IoError>({{"data.train", "no.s,train.t"}}).find("no.s"), std::string::npos);
  EXPECT_NE(refused<IoError>({{"data.valid", "valid.s,no.t"}}).find("no.t"), std::string::npos);
}

TEST_F(RecipeTest, BadDataIsNamed) {
  data_.file("short.t", "t1\nt2\n");
  EXPECT_NE(refused<FormatError>({{"data.valid", "valid.s,short.t"}}).find("short.t"), std::string::npos);
  data_.file("empty.s", ""), data_.file("empty.t", "");
  EXPECT_NE(refused<FormatError>({{"data.valid", "empty.s,empty.t"}}).find("data.valid"), std::string::npos);
  EXPECT_NE(refused<FormatError>({{"data.train", "empty.s,empty.t"}}).find("no text"), std::string::npos);
  data_.file("bad.s", "s1\n\xFF\n"), data_.file("bad.t", "t1\nt2\n");
  EXPECT_NE(refused<FormatError>({{"data.valid", "bad.s,bad.t"}, {"data.bad_lines", "stop"}}).find("bad.s:2"),
            std::string::npos);
}

TEST_F(RecipeTest, OptionsThatDoNotGoTogetherAreNamed) {
  EXPECT_NE(refused<ConfigError>({{"model.tie", "all"}}).find("tokenizer.joint"), std::string::npos);
  EXPECT_NE(refused<ConfigError>({{"model.score", "dot"}, {"model.decoder.hidden", "20"}}).find("model.score"),
            std::string::npos);
  EXPECT_NE(refused<ConfigError>({{"model.decoder.bridge", "copy"}, {"model.decoder.hidden", "20"}}).find("bridge"),
            std::string::npos);
  EXPECT_NE(refused<ConfigError>({{"train.keep", "bleuu"}}).find("bleu"), std::string::npos);
  EXPECT_NE(refused<ConfigError>({{"train.keep", "ter"}}).find("valid.metric"), std::string::npos);
  EXPECT_NE(refused<ConfigError>({{"decode.n_best", "9"}}).find("n_best"), std::string::npos);
  EXPECT_NE(refused<ConfigError>({{"model.score", "generl"}}).find("general"), std::string::npos);
  EXPECT_NE(refused<ConfigError>({{"model.encodr.layers", "2"}}).find("model.encoder.layers"), std::string::npos);
}

TEST_F(RecipeTest, AFolderWithAModelIsNotOverwrittenUnasked) {
  train(with(kShort));
  EXPECT_THROW(train(with(kShort)), ConfigError);
}

TEST(Registry, TasksByName) {
  EXPECT_FALSE(task_kinds().empty());
  EXPECT_STREQ(find_task("translate", "here").name, "translate");
  EXPECT_EQ(message_of<ConfigError>([] { find_task("translat", "recipe.toml:1"); }).find("recipe.toml:1"), 0U);
}

}  // namespace
}  // namespace lookback::tasks

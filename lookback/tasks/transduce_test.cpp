// Strings to strings: columns, features, several references, and what is taken out of targets.
#include "lookback/tasks/transduce.h"

#include "lookback/io/temp_folder.h"
#include "lookback/tasks/testing.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;

// Words of four letters; the form of "case=UP" is in upper case, that of "case=TWICE" has each letter twice.
std::string inflections(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::string out;
  for (int64_t k = 0; k < count; ++k) {
    std::string lemma, upper, twice;
    for (uint64_t n = 1 + rng.below(4); n > 0; --n) {
      const char c = static_cast<char>('a' + rng.below(4));
      lemma += c, upper += static_cast<char>(c - 32), twice += std::string(2, c);
    }
    const bool up = rng.below(2) == 0;
    out += lemma + "\tpos=X,case=" + (up ? "UP" : "TWICE") + "\t" + (up ? upper : twice) + "\n";
  }
  return out;
}

Settings small(const std::string& steps) {
  return {{"data.train", "train.tsv"},     {"data.valid", "valid.tsv"},    {"data.features", "true"},
          {"model.encoder.hidden", "16"},  {"model.decoder.hidden", "32"}, {"model.embedding", "16"},
          {"loss.smoothing", "0"},         {"train.batch", "25"},          {"train.max_steps", steps},
          {"train.validate_every", steps}, {"train.optimizer.lr", "0.01"}, {"train.keep", "word_error_rate"}};
}

train::TrainResult trained(const std::string& data, const std::string& folder, const Settings& settings) {
  const auto task = find_task("transduce", "test").make();
  auto fields = task->fields();
  for (const auto& [path, value] : settings) set_field_text(find_field(fields, path, "test"), value, "test");
  return task->train({.context = {.folder = folder, .mode = train::FolderMode::create},
                      .data_root = data,
                      .recipe_name = "test.toml",
                      .fields = fields,
                      .log = [](auto, auto) {}});
}

std::string refused(const Settings& settings) {
  const auto task = find_task("transduce", "test").make();
  auto fields = task->fields();
  for (const auto& [path, value] : settings) set_field_text(find_field(fields, path, "test"), value, "test");
  return message_of<ConfigError>([&] { task->validate(); });
}

Input asked(const std::string& source, const std::string& features) {
  return {.line = 1, .fields = {{"source", source}, {"features", features}}};
}

// A model trained once for all tests.
class TransduceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    data_ = new io::TempFolder();
    data_->file("train.tsv", inflections(600, 1)), data_->file("valid.tsv", inflections(60, 2));
    result_ = new train::TrainResult(trained(data_->path(), *data_ / "one", small("400")));
  }
  static void TearDownTestSuite() { delete result_, delete data_; }

  static std::string one() { return *data_ / "one"; }
  static inline io::TempFolder* data_ = nullptr;
  static inline train::TrainResult* result_ = nullptr;
};

TEST_F(TransduceTest, FeaturesDecideWhatBecomesOfASource) {
  EXPECT_LT(result_->best_score, 10) << "word error rate, in percent";
  const auto model = load({one()});
  EXPECT_EQ(best(*model, asked("abca", "pos=X,case=UP")), "ABCA");
  EXPECT_EQ(best(*model, asked("bad", " pos=X , case=TWICE")), "bbaadd");
  EXPECT_EQ(best(*model, asked("", "pos=X,case=UP")), "") << "an empty input has an empty output";
}

TEST_F(TransduceTest, FeaturesAreFieldsOfInputsAndShown) {
  const auto model = load({one()});
  const auto fields = model->model->input_fields();
  ASSERT_EQ(fields.size(), 4U);
  EXPECT_EQ(fields[1].name, "features");
  EXPECT_TRUE(fields[0].required && fields[1].required && !fields[2].required);
  const Input input = asked("ab", "pos=X,case=UP");
  EXPECT_EQ(model->predict(std::vector{input})[0].details.text(), R"({"source": ["pos=X", "case=UP", "a", "b"]})");
  const auto map = std::get<viz::HeatMap>(model->model->explain(input, *model->options));
  EXPECT_EQ(map.columns.tokens, (std::vector<std::string>{"pos=X", "case=UP", "a", "b"}));
  EXPECT_EQ(map.weights.shape(), (Shape{3, 4}));
  const Input without{.line = 7, .fields = {{"source", "ab"}}};
  EXPECT_NE(message_of<ConfigError>([&] { model->predict(std::vector{without}); }).find("'features'"),
            std::string::npos);
}

TEST_F(TransduceTest, WhatTrainingHasNotIsReadAsUnknown) {
  const auto model = load({one()});
  const auto found = model->predict(std::vector{asked("ab", "pos=X,case=DOWN,number=3"), asked("a\u00e9b", "case=UP")});
  ASSERT_EQ(found[0].warnings.size(), 1U);
  EXPECT_EQ(found[0].warnings[0].first, "features");
  EXPECT_EQ(found[0].warnings[0].second, "the model does not know the feature 'case=DOWN', 'number=3'");
  EXPECT_EQ(found[0].details.text(), R"({"source": ["pos=X", "<unk>", "<unk>", "a", "b"]})");
  EXPECT_TRUE(found[1].warnings.empty());
  EXPECT_EQ(found[1].details.text(), R"({"source": ["case=UP", "a", "<unk>", "b"]})");
}

TEST_F(TransduceTest, NeitherBatchNorCompanyChangesAResult) {
  std::vector<Input> inputs;
  for (const char* source : {"a", "abcd", "", "dd", "bca", "cab"})
    for (const char* features : {"pos=X,case=UP", "case=TWICE"}) inputs.push_back(asked(source, features));
  const auto whole = load({one()}, {{"beam", "3"}})->predict(inputs);
  const auto alone = load({one()}, {{"beam", "3"}, {"batch", "1"}})->predict(inputs);
  for (size_t k = 0; k < inputs.size(); ++k)
    EXPECT_EQ(format_prediction(alone[k], "jsonl"), format_prediction(whole[k], "jsonl"));
}

TEST_F(TransduceTest, EachSourceCountsOnceAndAnyReferenceIsRight) {
  const auto model = load({one()});
  const std::string file = data_->file("alternatives.tsv",
                                       "ab\tcase=UP\tno\n"
                                       "ab\tcase=UP\tAB\n"
                                       "ab\tcase=TWICE\tno\n"
                                       "ab\tcase=UP\tno\n"
                                       "cd\tcase=UP\tCD\n");
  const auto lines = model->evaluate({file});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].name, "word_error_rate");
  EXPECT_NEAR(lines[0].value, 100.0 / 3, 1e-9);
  EXPECT_TRUE(lines[0].signature.starts_with("nrefs:var|unit:char|")) << lines[0].signature;
  EXPECT_EQ(lines[1].name, "symbol_error_rate");
  EXPECT_NEAR(lines[1].value, 400.0 / 6, 1e-9) << "aabb for no: four edits; two and two characters are right";
  const auto with = model->model->evaluate({.files = {file}, .resamples = 100}, *model->options).lines;
  EXPECT_GT(with[0].interval->ci, 0);
}

TEST_F(TransduceTest, ConfigurationsThatCannotBeAreRefusedByName) {
  const std::string config = io::slurp(one() + "/config.json");
  const auto refused_with = [&](const std::string& from, const std::string& to) {
    const std::string copy = *data_ / "damaged";
    fs::remove_all(copy);
    fs::copy(one(), copy, fs::copy_options::recursive);
    std::string text = config;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    data_->file("damaged/config.json", text);
    return message_of<FormatError>([&] { load({copy}); });
  };
  EXPECT_NE(refused_with("\"case=UP\"", "\"case=TWICE\"").find("there twice"), std::string::npos);
  EXPECT_NE(refused_with("\"case=UP\",", "").find("vocabularies"), std::string::npos);
  EXPECT_NE(refused_with("\"joint\": false", "\"joint\": true").find("tokenizer"), std::string::npos);
  EXPECT_NE(refused_with("\"target_remove\": \"\"", "\"target_remove\": \"[\"").find("no regular expression"),
            std::string::npos);
}

TEST(Transduce, WhatIsRemovedOfTargetsCountsNowhere) {
  io::TempFolder data;
  std::string rows;
  for (int k = 0; k < 40; ++k) rows += k % 2 ? "ab\tA1 B0\n" : "ba\tB2 A\n";
  data.file("train.tsv", rows), data.file("valid.tsv", "ab\tA B9\nab\tA0 B\nba\t3\n");
  Settings settings = small("60");
  settings["data.features"] = "false", settings["tokenizer.target.kind"] = "word";
  settings["data.target_remove"] = "[0-9]";
  trained(data.path(), data / "model", settings);
  const auto model = load({data / "model"});
  EXPECT_EQ(best(*model, {.line = 1, .fields = {{"source", "ab"}}}), "A B");
  const auto scored = model->predict(std::vector<Input>{{.line = 1, .fields = {{"source", "ab"}, {"score", "A1 B2"}}},
                                                        {.line = 2, .fields = {{"source", "ab"}}}});
  EXPECT_EQ(scored[0].outputs[0].log_prob, scored[1].outputs[0].log_prob);
  const auto lines = model->evaluate({data / "valid.tsv"});
  EXPECT_NEAR(lines[0].value, 50, 1e-9) << "two sources; of ba nothing is left, which no output equals";
  EXPECT_TRUE(lines[0].signature.starts_with("removed:[0-9]|nrefs:1|unit:word|")) << lines[0].signature;
  settings["data.target_remove"] = ".*";
  EXPECT_NE(message_of<FormatError>([&] { trained(data.path(), data / "none", settings); }).find("leaves nothing"),
            std::string::npos);
}

TEST(Transduce, RecipesThatDoNotGoTogetherAreRefused) {
  const Settings good = small("1");
  const auto with = [&](const char* key, const char* value) {
    Settings s = good;
    s[key] = value;
    return refused(s);
  };
  EXPECT_NE(with("data.target_remove", "[0-9").find("data.target_remove = '[0-9' is no regular"), std::string::npos);
  EXPECT_NE(with("model.tie", "all").find("one vocabulary"), std::string::npos);
  EXPECT_NE(with("model.capitals", "4").find("model.capitals"), std::string::npos);
  EXPECT_NE(with("data.max_ratio", "3").find("data.max_ratio"), std::string::npos);
  EXPECT_NE(with("data.feature_separator", "").find("data.feature_separator"), std::string::npos);
  Settings plain = good;
  plain["data.features"] = "false", plain["data.feature_separator"] = ";";
  EXPECT_NE(refused(plain).find("needs data.features"), std::string::npos);
}

TEST(Transduce, TheNearestPairAnswers) {
  io::TempFolder data;
  data.file("train.tsv", "kaufen\tPST\tgekauft\nkaufen\tPRS\tkaufe\nlaufen\tPST\tgelaufen\n");
  data.file("valid.tsv", "raufen\tPST\tgerauft\nsaufen\tPRS\tsaufe\nraufen\tOTHER\traufe\n");
  const auto task = find_task("transduce", "test").make();
  auto fields = task->fields();
  for (const auto& [path, value] : small("1")) set_field_text(find_field(fields, path, "test"), value, "test");
  const auto scores = task->baselines({.data_root = data.path(), .log = [](auto, auto) {}});
  ASSERT_EQ(scores.size(), 3U);
  EXPECT_EQ(scores[0].name, "copy");
  EXPECT_NEAR(scores[0].scores[0].value, 100, 1e-9);
  EXPECT_EQ(scores[1].name, "nearest pair");
  EXPECT_NEAR(scores[1].scores[0].value, 100, 1e-9);
  EXPECT_EQ(scores[2].name, "nearest pair's change");
  EXPECT_NEAR(scores[2].scores[0].value, 100.0 / 3, 1e-9) << "for OTHER all pairs count: gerauft";
}

}  // namespace
}  // namespace lookback::tasks

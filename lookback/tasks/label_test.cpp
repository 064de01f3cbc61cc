// Sequence labelling: what is scored, what an ensemble is, what does not go together.
#include "lookback/tasks/label.h"

#include "lookback/base/parallel.h"
#include "lookback/io/temp_folder.h"
#include "lookback/tasks/testing.h"

namespace lookback::tasks {
namespace {

// "name" is followed by a name of one or two words of any letters, "other" by a word that is none.
std::string sentences(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::string out;
  for (int64_t k = 0; k < count; ++k) {
    for (uint64_t n = 1 + rng.below(3); n > 0; --n) {
      const auto word = [&] { return std::string(1, static_cast<char>('a' + rng.below(8))); };
      if (rng.below(2) == 0)
        out += "other O\n" + word() + " O\n";
      else
        out += "name O\n" + word() + " B-N\n" + (rng.below(2) == 0 ? word() + " I-N\n" : "") + "end O\n";
    }
    out += "\n";
  }
  return out;
}

Settings small(const std::string& steps) {
  return {{"data.layout", "conll"},       {"data.train", "train.conll"}, {"data.valid", "valid.conll"},
          {"model.encoder.hidden", "12"}, {"model.embedding", "12"},     {"model.forbid", "bio"},
          {"train.batch", "20"},          {"train.max_steps", steps},    {"train.validate_every", steps},
          {"train.optimizer.lr", "0.02"}, {"train.keep", "span_f1"},     {"valid.metric", "span_f1"}};
}

std::unique_ptr<Task> task_with(Settings settings, std::vector<Field>& fields) {
  auto task = find_task("label", "test").make();
  fields = task->fields();
  for (const auto& [path, value] : settings) set_field_text(find_field(fields, path, "test"), value, "test");
  return task;
}

train::TrainResult trained(const std::string& data, const std::string& folder, const Settings& settings) {
  std::vector<Field> fields;
  return task_with(settings, fields)
      ->train({.context = {.folder = folder, .mode = train::FolderMode::create},
               .data_root = data,
               .recipe_name = "test.toml",
               .fields = fields,
               .log = [](auto, auto) {}});
}

class LabelTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    data_ = new io::TempFolder();
    data_->file("train.conll", sentences(300, 1)), data_->file("valid.conll", sentences(60, 2));
    result_ = new train::TrainResult(trained(data_->path(), *data_ / "one", small("200")));
    Settings other = small("60");
    other["train.seed"] = "2";
    trained(data_->path(), *data_ / "two", other);
  }
  static void TearDownTestSuite() { delete result_, delete data_; }

  static Input asked(const std::string& tokens) { return {.line = 1, .fields = {{"tokens", tokens}}}; }
  static inline io::TempFolder* data_ = nullptr;
  static inline train::TrainResult* result_ = nullptr;
};

TEST_F(LabelTest, LearnsAndScores) {
  EXPECT_GT(result_->best_score, 97);
  const auto model = load({*data_ / "one"});
  EXPECT_EQ(best(*model, asked("other c name d end")), "other/O c/O name/O d/B-N end/O");
  EXPECT_EQ(best(*model, asked("name d a end")), "name/O d/B-N a/I-N end/O");
  EXPECT_EQ(best(*model, asked("name\nd\na\nend")), "name/O d/B-N a/I-N end/O");
  EXPECT_EQ(best(*model, asked(" ")), "");
  const auto lines = model->evaluate({*data_ / "valid.conll"});
  EXPECT_EQ(lines[0].name, "span_f1");
  EXPECT_NEAR(lines[0].value, result_->best_score, 1e-9);
  EXPECT_EQ(lines[3].name, "accuracy");
  EXPECT_EQ(lines[4].name, "macro_f1");
}

// A tag that training has not counts as wrong.
TEST_F(LabelTest, UnseenTags) {
  const auto model = load({*data_ / "one"});
  const auto lines = model->evaluate({data_->file("unseen.conll", "name O\na B-X\nend O\n")});
  EXPECT_EQ(lines[0].value, 0);
  EXPECT_NEAR(lines[3].value, 200 / 3.0, 1e-9);
  const auto report =
      model->model->evaluate({.files = {data_->file("unseen.conll", "name O\na B-X\nend O\n")}}, *model->options);
  EXPECT_NE(report.table.find("B-X"), std::string::npos);
}

TEST_F(LabelTest, AnEnsembleIsTheMeanOfScores) {
  const auto both = load({*data_ / "one", *data_ / "two"}), one = load({*data_ / "one"});
  EXPECT_EQ(best(*both, asked("name d a end")), best(*one, asked("name d a end")));
  const auto same = load({*data_ / "one", *data_ / "one"});
  EXPECT_EQ(same->predict(std::vector{asked("name d a end")})[0].details.text().substr(0, 60),
            one->predict(std::vector{asked("name d a end")})[0].details.text().substr(0, 60));
}

// Batches run side by side, and what one has met helps the others.
TEST_F(LabelTest, TagsAreTheSameOnAnyNumberOfThreads) {
  Rng rng(5);
  std::vector<Input> inputs;
  for (int k = 0; k < 300; ++k) {
    std::string text;
    for (uint64_t n = rng.below(12); n > 0; --n)
      text += rng.below(2) == 0 ? "name " : std::string{static_cast<char>('a' + rng.below(9)), ' '};
    inputs.push_back(asked(text));
  }
  const auto details = [&](int threads) {
    const ThreadScope scope(threads);
    StringList out;
    for (const Prediction& p : load({*data_ / "one", *data_ / "two"})->predict(inputs)) out.push_back(p.details.text());
    return out;
  };
  const StringList one = details(1);
  for (const int threads : {2, 3}) EXPECT_EQ(details(threads), one) << threads;
}

TEST_F(LabelTest, ExplainShowsTagsAndProbabilities) {
  const auto model = load({*data_ / "one"});
  const auto map = std::get<viz::HeatMap>(model->model->explain(asked("name d end"), *model->options));
  EXPECT_EQ(map.columns.tokens, (StringList{"name/O", "d/B-N", "end/O"}));
  EXPECT_EQ(map.rows.tokens, (StringList{"B-N", "I-N", "O"}));
  for (int64_t column = 0; column < 3; ++column) {
    double sum = 0;
    for (int64_t row = 0; row < 3; ++row) sum += map.weights.data<float>()[row * 3 + column];
    EXPECT_NEAR(sum, 1, 1e-5);
  }
  const auto empty = std::get<viz::HeatMap>(model->model->explain(asked(""), *model->options));
  EXPECT_TRUE(empty.columns.tokens.empty());
}

TEST_F(LabelTest, ALongText) {
  std::string text;
  for (int k = 0; k < 100'000; ++k) text += k % 3 == 0 ? "name " : k % 3 == 1 ? "a " : "end ";
  const auto model = load({*data_ / "one"});
  const auto found = model->model->predict(std::vector{asked(text)}, *model->options, TaskModel::Detail::text_only);
  EXPECT_TRUE(found[0].outputs[0].text.starts_with("name/O a/B-N end/O"));
}

TEST(Label, WhatDoesNotGoTogetherIsNamed) {
  const auto refused = [](const Settings& settings) {
    Settings all = {{"data.train", "a.jsonl"}, {"data.valid", "b.jsonl"}, {"train.max_steps", "5"}};
    for (const auto& [key, value] : settings) all[key] = value;
    std::vector<Field> fields;
    const auto task = task_with(all, fields);
    try {
      task->validate();
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(refused({}), "");
  EXPECT_EQ(
      refused({{"tokenizer.kind", "bpe"}}),
      "model.unit = 'token' reads tokens that are cut already: set tokenizer.kind = \"word\" and tokenizer.split = "
      "\"space\"");
  EXPECT_EQ(refused({{"model.unit", "text"}, {"tokenizer.kind", "bpe"}}), "");
  EXPECT_EQ(refused({{"data.layout", "babi"}}),
            "data.layout = 'babi' has no tags; choose columns, conll, conllu, tagged, restore, turns or slots");
  EXPECT_EQ(refused({{"data.layout", "restore"}, {"model.unit", "text"}}),
            "data.layout = 'restore' has a tag for each token: set model.unit = \"token\"");
  EXPECT_EQ(
      refused({{"data.layout", "restore"}, {"model.forbid", "bio"}}),
      "model.forbid = 'bio' is of tags that mark spans; those of data.layout = 'restore' are case and punctuation");
  EXPECT_EQ(
      refused({{"valid.metric", "mark_f1"}}),
      "valid.metric = 'mark_f1': outputs of this task are scored by span_f1, span_precision, span_recall, accuracy, "
      "macro_f1");
}

}  // namespace
}  // namespace lookback::tasks

// A transcriber that searches with a language model beside it.
#include "lookback/base/elementary.h"
#include "lookback/sound/testing.h"
#include "lookback/tasks/testing.h"

namespace lookback::tasks {
namespace {

constexpr int64_t kRate = 8000;
const StringList kTexts = {"ab", "ba", "abc", "cab", "bca", "acb", "cc", "bb a", "a c", "cba"};

// A tone for each letter, a pause for a space.
std::string sound_of(const std::string& text) {
  std::vector<double> out;
  for (const char c : text)
    for (int64_t t = 0; t < kRate / 8; ++t)
      out.push_back(c == ' ' ? 0
                             : 0.4 * elementary::sin(2 * 3.141592653589793 * (300.0 + 400 * (c - 'a')) *
                                                     static_cast<double>(t) / kRate));
  return sound::wav(out, {.rate = kRate});
}

void trained(const char* task, const io::TempFolder& data, const std::string& folder, const Settings& settings) {
  const auto made = find_task(task, "test").make();
  auto fields = made->fields();
  for (const auto& [path, value] : settings) set_field_text(find_field(fields, path, "test"), value, "test");
  made->train({.context = {.folder = folder, .mode = train::FolderMode::create},
               .data_root = data.path(),
               .recipe_name = "test.toml",
               .fields = fields,
               .log = [](auto, auto) {}});
}

// Some recordings, transcribers and language models, trained once.
class Fusion : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    data_ = new io::TempFolder();
    std::string list, upper;
    for (size_t k = 0; k < kTexts.size(); ++k) {
      data_->file(str_cat(k, ".wav"), sound_of(kTexts[k]));
      list += str_cat(k, ".wav\t", kTexts[k], "\n");
    }
    data_->file("list.tsv", list);
    // A language of its own: mostly c's.
    std::string text;
    for (int k = 0; k < 40; ++k) text += k % 4 ? "cccc c\n" : "ccb cc\n";
    for (char& c : upper = text) c = static_cast<char>(c == 'c' ? 'C' : c == 'b' ? 'B' : c);
    data_->file("text.txt", text), data_->file("upper.txt", upper), data_->file("strange.txt", "xyz\nzyx\nxxx yy\n");
    Settings speech = {
        {"data.train", "list.tsv"},      {"data.valid", "list.tsv"},     {"features.sample_rate", "8000"},
        {"features.bins", "12"},         {"model.encoder.hidden", "8"},  {"model.decoder.hidden", "12"},
        {"model.embedding", "6"},        {"model.attention", "8"},       {"train.batch", "5"},
        {"train.max_steps", "60"},       {"train.validate_every", "60"}, {"train.optimizer.lr", "0.01"},
        {"valid.metric", "none"},        {"loss.smoothing", "0"},        {"tokenizer.kind", "char"},
        {"model.location.filters", "2"}, {"model.dropout", "0"}};
    for (const char* kind : {"joint", "attention", "ctc"}) {
      Settings s = speech;
      s["model.kind"] = kind;
      if (std::string(kind) == "ctc")
        for (const char* of_decoder :
             {"model.decoder.hidden", "model.embedding", "model.attention", "model.location.filters"})
          s.erase(of_decoder);
      trained("transcribe", *data_, folder(kind), s);
    }
    speech["tokenizer.kind"] = "word", speech["train.max_steps"] = "1";
    trained("transcribe", *data_, folder("words"), speech);
    const auto language = [&](const char* name, const std::string& file, Settings more) {
      Settings s = {{"data.train", file},           {"data.valid", file},           {"tokenizer.kind", "char"},
                    {"model.embedding", "8"},       {"model.hidden", "8"},          {"model.layers", "1"},
                    {"train.batch", "2"},           {"train.bptt", "10"},           {"train.max_steps", "60"},
                    {"train.validate_every", "60"}, {"train.optimizer.lr", "0.02"}, {"valid.batch", "1"}};
      for (const auto& [key, value] : more) s[key] = value;
      trained("language-model", *data_, folder(name), s);
    };
    language("lm", "text.txt", {});
    language("upper", "upper.txt", {{"tokenizer.lowercase", "true"}});
    language("strange", "strange.txt",
             {{"train.max_steps", "1"}, {"tokenizer.kind", "word"}, {"train.bptt", "3"}, {"train.batch", "1"}});
    language("lm-bytes", "text.txt", {{"train.max_steps", "1"}, {"tokenizer.unit", "byte"}});
    language("lm-words", "text.txt", {{"train.max_steps", "1"}, {"tokenizer.kind", "word"}, {"train.bptt", "3"}});
  }
  static void TearDownTestSuite() { delete data_; }

  static std::string folder(const std::string& name) { return data_->path() + "/" + name; }
  static std::vector<Input> inputs() {
    std::vector<Input> out;
    for (size_t k = 0; k < kTexts.size(); ++k)
      out.push_back(
          {.line = static_cast<int64_t>(k) + 1, .fields = {{"audio", str_cat(data_->path(), "/", k, ".wav")}}});
    return out;
  }
  static std::vector<Prediction> said(const StringList& models, const Settings& settings) {
    return load(models, settings)->predict(inputs());
  }
  // How a language model scores a line.
  static double score(const std::string& lm, const std::string& text) {
    return load({folder(lm)})
        ->predict(std::vector<Input>{{.line = 1, .fields = {{"score", text}}}})[0]
        .outputs[0]
        .log_prob;
  }
  static std::string refusal(const StringList& models, const Settings& settings) {
    try {
      load(models, settings);
      return "";
    } catch (const ConfigError& e) {
      return e.what();
    }
  }

  static inline io::TempFolder* data_ = nullptr;
};

TEST_F(Fusion, WithoutWeightNothingChanges) {
  for (const char* kind : {"joint", "attention", "ctc"}) {
    const auto plain = said({folder(kind)}, {}),
               with = said({folder(kind)}, {{"lm", folder("lm")}, {"lm_weight", "0"}});
    for (size_t k = 0; k < plain.size(); ++k) {
      EXPECT_EQ(with[k].outputs[0].text, plain[k].outputs[0].text) << kind;
      EXPECT_EQ(with[k].outputs[0].score, plain[k].outputs[0].score) << kind;
    }
  }
}

TEST_F(Fusion, WeightMakesOutputsLikelierInTheLanguage) {
  for (const char* kind : {"joint", "attention", "ctc"}) {
    double before = -1e9;
    for (const char* weight : {"0", "0.5", "5"}) {
      double sum = 0, letters = 0;
      for (const Prediction& p : said({folder(kind)}, {{"lm", folder("lm")}, {"lm_weight", weight}}))
        sum += score("lm", p.outputs[0].text), letters += static_cast<double>(p.outputs[0].text.size()) + 1;
      EXPECT_GE(sum / letters, before - 1e-9) << kind << ' ' << weight;
      if (std::string(weight) == "5") {
        EXPECT_GT(sum / letters, before) << kind;
      }
      before = sum / letters;
    }
  }
}

// (1 - c) attention + c CTC + weight LM: what a text is given is the sum of what each says of it.
TEST_F(Fusion, TheScoreIsTheWeightedSum) {
  const Settings search = {{"beam", "3"}, {"n_best", "3"}};
  const auto model = load({folder("joint")}, search);
  Settings with = search;
  with["lm"] = folder("lm"), with["lm_weight"] = "0.001";
  const auto plain = model->predict(inputs()), fused = said({folder("joint")}, with);
  int64_t compared = 0;
  for (size_t k = 0; k < plain.size(); ++k)
    for (const Output& a : plain[k].outputs)
      for (const Output& b : fused[k].outputs)
        if (a.text == b.text && a.text.size() < 4) {
          EXPECT_NEAR(b.log_prob, a.log_prob + 0.001 * score("lm", a.text), 1e-4) << a.text;
          ++compared;
        }
  EXPECT_GT(compared, 3);
}

TEST_F(Fusion, AResultDoesNotDependOnItsCompany) {
  const auto model =
      load({folder("joint"), folder("joint")}, {{"lm", folder("lm")}, {"lm_weight", "0.7"}, {"beam", "3"}});
  const auto all = model->predict(inputs());
  for (size_t k = 0; k < all.size(); ++k) {
    const auto alone = model->predict(std::vector<Input>{inputs()[k]})[0];
    EXPECT_EQ(alone.outputs[0].text, all[k].outputs[0].text);
    EXPECT_EQ(alone.outputs[0].score, all[k].outputs[0].score);
  }
}

// Characters are found in the case that the language model reads.
TEST_F(Fusion, TokensThatItDoesNotHaveAreItsUnknownWord) {
  const auto warnings = [](const std::string& lm) {
    const auto model = load({folder("joint")}, {{"lm", folder(lm)}});
    StringList out;
    model->model->validate(*model->options, [&](Severity, std::string_view line) { out.emplace_back(line); });
    return out;
  };
  ASSERT_EQ(warnings("lm").size(), 1U);
  EXPECT_EQ(warnings("lm")[0],
            str_cat("lm = ", folder("lm"), ": does not know 1 of this model's 4 tokens, such as 'a'"));
  EXPECT_EQ(warnings("upper").size(), 1U);
}

TEST_F(Fusion, WhatCannotBeIsRefused) {
  EXPECT_EQ(refusal({folder("joint")}, {{"lm", folder("lm")}}), "");
  EXPECT_EQ(refusal({folder("words")}, {{"lm", folder("lm-words")}}), "");
  EXPECT_EQ(refusal({folder("joint")}, {{"lm_weight", "0.5"}}),
            "lm_weight = 0.5 needs lm, the folder of a language model");
  EXPECT_EQ(refusal({folder("joint")}, {{"lm", folder("lm-words")}}),
            str_cat("lm = ", folder("lm-words"),
                    ": its tokenizer's kind is 'word' and this model's is 'char': train a "
                    "language model with tokenizer.kind = 'char'"));
  EXPECT_NE(refusal({folder("joint")}, {{"lm", folder("lm-bytes")}}).find("tokenizer.unit has to be the same"),
            std::string::npos);
  EXPECT_NE(refusal({folder("words")}, {{"lm", folder("strange")}}).find("has none of this model's tokens"),
            std::string::npos);
  EXPECT_NE(refusal({folder("words")}, {{"lm", folder("lm")}}).find("this model's is 'word'"), std::string::npos);
  EXPECT_NE(refusal({folder("joint")}, {{"lm", folder("ctc")}}).find("is a model of task transcribe"),
            std::string::npos);
  EXPECT_THROW(load({folder("joint")}, {{"lm", folder("nothing")}}), IoError);
}

TEST_F(Fusion, StreamingRefusesIt) {
  const auto model = load({folder("ctc")}, {{"lm", folder("lm")}});
  try {
    model->model->listen(data_->path() + "/0.wav", *model->options, [](std::string_view) {});
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("--lm"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace lookback::tasks

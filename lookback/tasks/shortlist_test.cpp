#include "lookback/tasks/shortlist.h"

#include <fstream>

#include "lookback/io/safetensors.h"
#include "lookback/tasks/testing.h"
#include "lookback/tasks/text_to_text.h"

namespace lookback::tasks {
namespace {

// A model with a shortlist, trained once for all tests.
class ShortlistTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    data_ = new io::TempFolder();
    write_small_data(*data_);
    Settings recipe = small_recipe();
    recipe["shortlist.per_token"] = "3", recipe["shortlist.frequent"] = "1";
    train_small(data_->path(), *data_ / "with", recipe);
    recipe = small_recipe();
    recipe["train.max_steps"] = "1";
    train_small(data_->path(), *data_ / "without", recipe);
  }
  static void TearDownTestSuite() { delete data_; }

  static std::string with() { return *data_ / "with"; }
  static std::string file() { return with() + "/" + kShortlistFile; }
  static Seq2Seq::Vocabularies sizes() { return Tokenizers::load(io::ModelFolder(with()), false).vocabularies(); }
  static inline io::TempFolder* data_ = nullptr;
};

TEST_F(ShortlistTest, KnowsWhatAWordBecomes) {
  const Shortlist shortlist(io::SafetensorsFile(file()), sizes());
  EXPECT_EQ(shortlist.per_token(), 3);
  const Tokenizers tokenizers = Tokenizers::load(io::ModelFolder(with()), false);
  for (int word = 0; word < 10; ++word) {
    const auto id = [&](const char* side, const data::Tokenizer& t) {
      return t.encode(side + std::to_string(word)).at(0);
    };
    const auto list = shortlist.candidates({id("s", *tokenizers.source)}, {}, 1);
    EXPECT_TRUE(std::binary_search(list.begin(), list.end(), id("t", *tokenizers.target))) << word;
    EXPECT_LE(list.size(), 4U + 1 + 1) << "specials, the most frequent, the likeliest";
    EXPECT_TRUE(std::is_sorted(list.begin(), list.end()));
  }
  const auto list = shortlist.candidates({}, {9, 5, 9}, 3);
  EXPECT_TRUE(std::binary_search(list.begin(), list.end(), 9) && std::binary_search(list.begin(), list.end(), 5));
}

TEST_F(ShortlistTest, TranslatesAndNeitherBatchNorCompanyChangesAResult) {
  std::vector<std::string> lines;
  Rng rng(4);
  for (int k = 0; k < 23; ++k) {
    std::string line = "s" + std::to_string(rng.below(10));
    for (uint64_t w = rng.below(6); w > 0; --w) line += " s" + std::to_string(rng.below(10));
    lines.push_back(line);
  }
  const auto whole = load({with()})->predict(inputs_of(lines));
  for (const std::vector<std::string>& models : {std::vector{with()}, {with(), with()}}) {
    const auto some = load(models, {{"beam", "3"}, {"shortlist", "2"}})->predict(inputs_of(lines));
    for (const char* batch : {"1", "7"}) {
      const auto out = load(models, {{"beam", "3"}, {"shortlist", "2"}, {"batch", batch}})->predict(inputs_of(lines));
      for (size_t k = 0; k < lines.size(); ++k)
        EXPECT_EQ(format_prediction(out[k], "jsonl"), format_prediction(some[k], "jsonl")) << batch;
    }
    for (size_t k = 0; k < lines.size(); ++k) EXPECT_EQ(some[k].outputs[0].text, whole[k].outputs[0].text);
  }
}

TEST_F(ShortlistTest, PrefixesAreAllowedAndGivenTargetsScoredByTheWholeVocabulary) {
  const auto model = load({with()}, {{"shortlist", "1"}});
  EXPECT_TRUE(best(*model, {.line = 1, .fields = {{"source", "s1 s2 s3"}, {"prefix", "t7"}}}).starts_with("t7"));
  const std::string target = "t1 t2";
  const std::vector<Input> inputs = {{.line = 1, .fields = {{"source", "s1 s2"}, {"score", target}}}};
  EXPECT_EQ(model->predict(inputs)[0].outputs[0].log_prob, load({with()})->predict(inputs)[0].outputs[0].log_prob);
}

TEST_F(ShortlistTest, IsRefusedWhereThereIsNone) {
  EXPECT_FALSE(std::filesystem::exists(*data_ / "without" + kShortlistFile));
  EXPECT_NE(message_of<ConfigError>([&] {
              load({*data_ / "without"}, {{"shortlist", "2"}});
            }).find("shortlist.per_token"),
            std::string::npos);
  EXPECT_NE(message_of<ConfigError>([&] { load({with()}, {{"shortlist", "4"}}); }).find("3 tokens"), std::string::npos);
}

TEST_F(ShortlistTest, DamagedFilesAreRefusedByName) {
  const auto V = static_cast<int32_t>(sizes().target);
  const auto refused = [&](const Tensor& likeliest, const Tensor& frequent) {
    const std::string path = *data_ / "damaged.safetensors";
    io::write_safetensors(path, std::vector<io::NamedTensor>{{"likeliest", likeliest}, {"frequent", frequent}});
    return message_of<FormatError>([&] { Shortlist(io::SafetensorsFile(path), sizes()); });
  };
  const Tensor good = io::SafetensorsFile(file()).load("likeliest"), one = Tensor::of({1}, std::vector<int32_t>{5});
  const auto changed = [&](int64_t at, int32_t value) {
    Tensor out = good.clone();
    out.data<int32_t>()[at] = value;
    return out;
  };
  for (const int32_t bad : {-2, V, 1 << 30}) {
    EXPECT_NE(refused(changed(0, bad), one).find("no token"), std::string::npos);
    EXPECT_NE(refused(good, Tensor::of({1}, std::vector<int32_t>{bad})).find("frequent"), std::string::npos);
  }
  Tensor after = changed(0, -1);
  after.data<int32_t>()[1] = 5;
  EXPECT_NE(refused(after, one).find("after -1"), std::string::npos);
  EXPECT_NE(refused(good.rows(1, good.dim(0)), one).find("source vocabulary"), std::string::npos);
  EXPECT_NE(refused(Tensor::zeros(good.shape()), one).find("i32"), std::string::npos);
  EXPECT_NE(refused(good.reshape({good.size()}), one).find("dimensions"), std::string::npos);
  std::ofstream(*data_ / "short.safetensors") << "short";
  EXPECT_NE(message_of<FormatError>([&] {
              Shortlist(io::SafetensorsFile(*data_ / "short.safetensors"), sizes());
            }).find("short.safetensors"),
            std::string::npos);
}

}  // namespace
}  // namespace lookback::tasks

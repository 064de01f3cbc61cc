// Exported models: what is in the folder, and that it predicts what the trained one does.
#include "lookback/base/precision.h"
#include "lookback/io/safetensors.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/testing.h"

namespace lookback::tasks {
namespace {

namespace fs = std::filesystem;
using io::slurp;

class ExportTest : public ::testing::Test {
 protected:
  ExportTest() { write_small_data(folder_); }

  // A model of a few steps; what it says matters less than that it says it twice.
  std::string trained(const std::string& name, const Settings& changes) const {
    Settings settings = small_recipe();
    settings["train.max_steps"] = "40", settings["train.validate_every"] = "40";
    for (const auto& [path, value] : changes) settings[path] = value;
    train_small(folder_.path(), folder_ / name, settings);
    return folder_ / name;
  }
  std::string exported(const std::string& model, const std::string& weights) const {
    const std::string out = model + "-" + weights;
    fs::create_directory(out);
    task_of_model(model).export_model(model, out, {.weights = weights});
    return out;
  }
  static std::string said(const std::string& model, const Settings& settings = {}) {
    Settings all = {{"beam", "3"}, {"n_best", "2"}, {"max_length", "12"}};
    all.insert(settings.begin(), settings.end());
    std::string out;
    for (const Prediction& p : load({model}, all)->predict(inputs_of({"s1 s2 s3", "", "Name7 s4", "s5"})))
      out += format_prediction(p, "jsonl");
    return out;
  }

  io::TempFolder folder_;
};

TEST_F(ExportTest, WithoutQuantisationTheFilesAreThoseOfTheModel) {
  const std::string model = trained("m", {}), out = exported(model, "as_trained");
  for (const char* name :
       {"config.json", "generation_config.json", "model.safetensors", "source/tokenizer.json", "target/tokenizer.json"})
    EXPECT_EQ(slurp(out + "/" + name), slurp(model + "/" + name)) << name;
  EXPECT_FALSE(fs::exists(out + "/training"));
  EXPECT_EQ(slurp(out + "/README.md").find(slurp(model + "/README.md")), 0U);
  EXPECT_EQ(said(out), said(model));
}

TEST_F(ExportTest, AShortlistGoesWithTheModel) {
  const std::string model = trained("m", {{"shortlist.per_token", "3"}});
  for (const char* weights : {"as_trained", "int8"}) {
    const std::string out = exported(model, weights);
    EXPECT_EQ(slurp(out + "/shortlist.safetensors"), slurp(model + "/shortlist.safetensors"));
    EXPECT_FALSE(said(out, {{"shortlist", "2"}}).empty());
  }
}

TEST_F(ExportTest, Int8ModelsSayWhatTheTrainedOneSaysInInt8) {
  const std::vector<Settings> models = {
      {},
      {{"model.decoder.attention", "bahdanau"}, {"model.score", "additive"}, {"model.decoder.readout", "maxout"}},
      {{"model.encoder.cell", "gru"}, {"model.decoder.cell", "gru"}, {"model.score", "concat"}},
      {{"model.tie", "decoder"}},
      {{"model.tie", "all"}, {"tokenizer.joint", "true"}, {"model.decoder.layers", "2"}},
      {{"model.encoder.residual", "true"}, {"model.encoder.hidden", "8"}, {"model.encoder.layers", "2"}},
      {{"model.encoder.residual", "true"},
       {"model.encoder.hidden", "8"},
       {"model.tie", "all"},
       {"tokenizer.joint", "true"},
       {"model.decoder.layer_norm", "true"}}};
  for (size_t k = 0; k < models.size(); ++k) {
    const std::string model = trained("m" + std::to_string(k), models[k]), out = exported(model, "int8");
    EXPECT_EQ(said(model, {{"precision", "int8"}}) == said(out), ops::available_precision("int8") == Precision::int8)
        << k;
    EXPECT_NE(said(model), said(out)) << k;
  }
}

TEST_F(ExportTest, EveryMatrixIsInt8RowsAndScalesInAQuarterOfTheSpace) {
  const std::string model = trained("m", {{"model.decoder.hidden", "128"}}), out = exported(model, "int8");
  const io::SafetensorsFile before(model + "/model.safetensors"), after(out + "/model.safetensors");
  for (const io::TensorEntry& e : before.entries()) {
    const io::TensorEntry *stored = after.find(e.name), *scales = after.find(io::scale_name(e.name));
    ASSERT_NE(stored, nullptr) << e.name;
    EXPECT_EQ(stored->shape, e.shape);
    EXPECT_EQ(stored->dtype, e.shape.rank() == 2 ? Dtype::i8 : Dtype::f32) << e.name;
    ASSERT_EQ(scales != nullptr, e.shape.rank() == 2) << e.name;
    if (scales) {
      EXPECT_EQ(scales->shape, Shape{e.shape[0]});
    }
  }
  EXPECT_NE(after.metadata().at("quantization").find("int8"), std::string::npos);
  EXPECT_LT(fs::file_size(out + "/model.safetensors"),
            0.3 * static_cast<double>(fs::file_size(model + "/model.safetensors")));
  EXPECT_NE(slurp(out + "/README.md").find("--quantize int8"), std::string::npos);
}

TEST_F(ExportTest, AnInt8ModelTakesEveryPrecisionAndExportsAsItIs) {
  const std::string model = trained("m", {}), out = exported(model, "int8");
  EXPECT_EQ(said(out, {{"precision", "int8"}}), said(out));
  EXPECT_NE(said(out, {{"precision", "f32"}}), said(model));
  EXPECT_EQ(said(out, {{"precision", "f32"}}), said(out, {{"precision", "f32"}, {"batch", "1"}}));
  EXPECT_FALSE(said(out, {{"precision", "bf16"}}).empty());
  const std::string again = exported(out, "int8"), plain = exported(out, "as_trained");
  for (const std::string& copy : {again, plain})
    for (const char* name : {"model.safetensors", "README.md", "config.json"})
      EXPECT_EQ(slurp(copy + "/" + name), slurp(out + "/" + name)) << name;
}

TEST_F(ExportTest, InAnEnsembleTheFirstFolderSetsThePrecision) {
  const std::string model = trained("m", {}), out = exported(model, "int8");
  const auto precision = [](const std::vector<std::string>& folders) {
    const auto models = load(folders);
    auto fields = models->options->fields();
    return std::get<std::string>(field_value(find_field(fields, "precision", "test")));
  };
  EXPECT_EQ(precision({out, model}), "int8");
  EXPECT_EQ(precision({model, out}), precision({model}));
  EXPECT_NE(precision({model}), "int8");
}

TEST_F(ExportTest, WeightsThatAreNotFiniteAreRefused) {
  const std::string model = trained("m", {}), path = model + "/model.safetensors";
  std::vector<io::NamedTensor> tensors;
  {
    const io::SafetensorsFile file(path);
    for (const io::TensorEntry& e : file.entries()) tensors.push_back({e.name, file.load(e)});
  }
  for (const io::NamedTensor& t : tensors)
    if (t.name == "output.weight") t.value.data<float>()[3] = std::numeric_limits<float>::infinity();
  io::write_safetensors(path, tensors);
  EXPECT_EQ(message_of<FormatError>([&] { exported(model, "int8"); }),
            path + ": output.weight has a value that is not finite");
}

}  // namespace
}  // namespace lookback::tasks

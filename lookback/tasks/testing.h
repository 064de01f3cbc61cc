// For tests of tasks: folders, a small language, and models trained on it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lookback/base/rng.h"
#include "lookback/io/temp_folder.h"
#include "lookback/tasks/task.h"

namespace lookback::tasks {

using Settings = std::map<std::string, std::string>;

// Lines of a language of ten words, s0 to s9, that translate to t0 to t9 one by one; now and then
// a name, which stays as it is and is seen once.
struct Lines {
  std::string source, target, tsv;
};

inline Lines small_language(int64_t count, uint64_t seed) {
  Rng rng(seed);
  Lines out;
  for (int64_t k = 0; k < count; ++k) {
    std::string s, t;
    const uint64_t n = 1 + rng.below(4);
    for (uint64_t w = 0; w < n; ++w) {
      const uint64_t word = rng.below(12);
      const std::string name = "Name" + std::to_string(rng.below(1000000)), digit = std::to_string(word);
      s += (w ? " " : "") + (word < 10 ? "s" + digit : name);
      t += (w ? " " : "") + (word < 10 ? "t" + digit : name);
    }
    out.source += s + "\n", out.target += t + "\n", out.tsv += s + "\t" + t + "\n";
  }
  return out;
}

// A small model that learns that language in a few seconds, with a vocabulary for each side.
inline Settings small_recipe() {
  return {{"data.train", "train.s,train.t"}, {"data.valid", "valid.s,valid.t"},
          {"tokenizer.kind", "word"},        {"tokenizer.joint", "false"},
          {"tokenizer.min_count", "2"},      {"model.encoder.hidden", "16"},
          {"model.decoder.hidden", "32"},    {"model.embedding", "16"},
          {"loss.smoothing", "0"},           {"train.batch", "25"},
          {"train.max_steps", "400"},        {"train.validate_every", "200"},
          {"train.optimizer.lr", "0.01"},    {"train.keep", "bleu"}};
}

// Trains a translation model with these settings; data files lie in `data`.
inline train::TrainResult train_small(const std::string& data, const std::string& folder, const Settings& settings,
                                      train::FolderMode mode = train::FolderMode::create) {
  const auto task = find_task("translate", "test").make();
  auto fields = task->fields();
  for (const auto& [path, value] : settings) set_field_text(find_field(fields, path, "test"), value, "test");
  return task->train({.context = {.folder = folder, .mode = mode},
                      .data_root = data,
                      .recipe_name = "test.toml",
                      .fields = fields,
                      .log = [](auto, auto) {}});
}

inline void write_small_data(const io::TempFolder& folder) {
  const Lines train = small_language(500, 1), valid = small_language(20, 2);
  folder.file("train.s", train.source), folder.file("train.t", train.target), folder.file("train.tsv", train.tsv);
  folder.file("valid.s", valid.source), folder.file("valid.t", valid.target), folder.file("valid.tsv", valid.tsv);
}

// A model, and the options it is asked with.
struct ModelWithOptions {
  std::unique_ptr<TaskModel> model;
  std::unique_ptr<PredictOptions> options;

  std::vector<Prediction> predict(std::span<const Input> inputs) const { return model->predict(inputs, *options); }
  std::vector<EvaluationLine> evaluate(const std::vector<std::string>& files) const {
    return model->evaluate({.files = files}, *options).lines;
  }
};

inline std::unique_ptr<ModelWithOptions> load(const std::vector<std::string>& folders, const Settings& settings = {}) {
  auto out = std::make_unique<ModelWithOptions>();
  out->model = task_of_model(folders[0]).load(folders), out->options = out->model->options();
  auto fields = out->options->fields();
  for (const auto& [path, value] : settings) set_field_text(find_field(fields, path, "test"), value, "test");
  out->model->validate(*out->options, [](Severity, std::string_view) {});
  return out;
}

inline std::vector<Input> inputs_of(const std::vector<std::string>& lines) {
  std::vector<Input> out;
  for (const std::string& l : lines)
    out.push_back({.line = static_cast<int64_t>(out.size()) + 1, .fields = {{"source", l}}});
  return out;
}

inline std::string best(const ModelWithOptions& model, const Input& input) {
  return model.predict(std::vector<Input>{input})[0].outputs[0].text;
}

}  // namespace lookback::tasks

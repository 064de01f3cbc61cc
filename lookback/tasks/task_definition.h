// Private to tasks: a task from a definition of what is its own. Reading, batches, training, validation, samples, the
// model folder, ensembles, prediction, evaluation and export are written once around it, here and in recipe_task.
//
// A definition T is a struct of types and static functions:
//
//   kName, kSummary, kUnit   "translate", a line for help, what the loss is a mean over: "target tokens"
//   Recipe                   fields(v); data, train (TrainGroup), valid (with `batch`)
//   Network                  a model with all that prediction needs: parameters(), has_attention(), kept_from_int8(),
//                            check_ensemble(other, ...), save(folder), open(folder)
//   Options                  of prediction, a PredictOptions
//   Data, Batch              examples of one part of the data, and some of them: size(), report(), batch(index, seed,
//                            epoch), batch(index)
//   input_fields(), output_name()   see TaskModel; input_fields(network) where inputs depend on the recipe
//   validate(recipe), validate_data(recipe)   throw ConfigError for options that do not go together
//   open(recipe, network, split, root)   the Data of a part; files start at `root`
//   learn_from_files(recipe, root, log)   a network with fresh parameters, and what it needs to know of training data
//   with_assets_of(folder, recipe, log)   the same with what another folder knows
//   learn_from(network, recipe, data)    what is learnt from training data as it is read: a shortlist
//   costs(data), keys(data), units(batch), example(network, data, k, seed)   see Batcher, Trainable, TrainedModel
//   loss(network, recipe, batch, scale, noise)   a Loss; without noise: held-out examples
//   Carried                  instead, where a batch goes on from the one before it: loss(network, recipe, batch,
//   carried,
//                            scale, noise). Empty at first; tensors() and Network::model->state_of(tensors) keep it
//   sums()                   which of the sums are scores of validation; "nll" is always one, as "ppl"
//   output_scores(recipe), score_outputs(network, recipe, valid, out)   scores that need predictions
//   finish(network, valid, log)   what is learnt of held-out examples after training
//   check_test_files, test_report, data_digests (recipe, root); free_options(), free_data_options()   see RecipeTask
//   options(network, int8), check_options(networks, options, log)
//   predict(networks, inputs, options, detail), explain(...), steps(...), evaluate(networks, folder, what, options);
//                            a task whose input is a whole table: predict_table(networks, file, format, options),
//                            explain_table(networks, file, series, options), backtest(networks, folder, what, train,
//                            options)
//                            a task that tags tokens: predict_columns(networks, file, what, options, emit)
//                            a task that writes running text: stream(networks, options)
//                            a task that hears sound as it comes: listen(networks, file, options, emit)
//   tables()                 what evaluate's table can go by: "label"
//   all_baselines(recipe, root, log)
//
// OverCells has those that are about data, for tasks whose examples are rows of text and labels.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lookback/base/elementary.h"
#include "lookback/data/prefetcher.h"
#include "lookback/tasks/evaluation.h"
#include "lookback/tasks/export.h"
#include "lookback/tasks/folder_parts.h"
#include "lookback/tasks/recipe_task.h"
#include "lookback/train/parameters.h"

namespace lookback::tasks {

template <class T>
struct CarriedOf {
  struct Nothing {};
  using Type = Nothing;
};
template <class T>
requires requires { typename T::Carried; }
struct CarriedOf<T> {
  using Type = typename T::Carried;
};
template <class T>
constexpr bool carries_state = requires {
  typename T::Carried;
};

// A network while it is trained.
template <class T>
class TrainedOf final : public TrainedModel {
 public:
  using Recipe = typename T::Recipe;
  using Network = typename T::Network;

  TrainedOf(const Recipe& recipe, Network network, const std::string& root)
      : recipe_(recipe),
        root_(root),
        network_(std::move(network)),
        train_(T::open(recipe, network_, Split::train, root)),
        valid_(T::open(recipe, network_, Split::valid, root)),
        batches_({T::costs(train_), T::keys(train_), recipe.train.batches, seed_of(recipe.train)},
                 [this](std::vector<int64_t> index, int64_t epoch) {
                   return train_.batch(std::move(index), seed_of(recipe_.train), epoch);
                 }) {
    check<FormatError>(valid_.size() > 0, "data.valid: no example is left after filtering");
    T::learn_from(network_, recipe, train_);
  }

  std::vector<NamedVar> parameters() override { return network_.parameters(); }
  std::string unit() const override { return T::kUnit; }
  int64_t batches(int64_t epoch) override { return batches_.batches_in(epoch); }
  int64_t units(int64_t epoch, int64_t batch) override { return T::units(batches_.peek({epoch, batch})); }

  train::BatchResult run(int64_t epoch, int64_t batch, double scale, Noise& noise) override {
    if (batch == 0) carried_ = {};
    auto loss = loss_of(batches_.take({epoch, batch}), carried_, scale, &noise);
    backward(loss.loss);
    return loss.sums;
  }

  std::vector<io::NamedTensor> carried() override {
    std::vector<io::NamedTensor> out;
    if constexpr (carries_state<T>)
      for (auto& [name, tensor] : carried_.tensors()) out.push_back({name, tensor});
    return out;
  }
  void load_carried(const std::vector<io::NamedTensor>& tensors, const std::string& origin) override {
    if constexpr (carries_state<T>) {
      std::vector<std::pair<std::string, Tensor>> found;
      for (const io::NamedTensor& t : tensors) found.emplace_back(t.name, t.value);
      try {
        carried_ = network_.model->state_of(found);
      } catch (const FormatError& e) {
        throw FormatError(origin + ": " + e.what());
      }
    } else {
      Trainable::load_carried(tensors, origin);
    }
  }

  train::Validation validate() override {
    const NoGrad off;
    train::BatchResult sum;
    Carried carried;
    for (const auto& index : data::costliest_first(T::costs(valid_), recipe_.valid.batch))
      sum.add(loss_of(valid_.batch(index), carried, 1, nullptr).sums);
    const double n = static_cast<double>(sum.units);
    train::Validation out{.scores = {{"loss", sum.loss / n}}};
    for (const auto& [name, x] : sum.sums)
      name == "nll" ? out.scores["ppl"] = elementary::exp(x / n) : out.scores[name] = x / n;
    T::score_outputs(network_, recipe_, valid_, out);
    return out;
  }

  std::vector<train::ScoreKind> scores() const override { return scores_of(recipe_); }
  static std::vector<train::ScoreKind> scores_of(const Recipe& recipe) {
    std::vector<train::ScoreKind> out{{"loss", false}, {"ppl", false}};
    for (const train::ScoreKind& s : T::sums()) out.push_back(s);
    for (const train::ScoreKind& s : T::output_scores(recipe)) out.push_back(s);
    return out;
  }

  StringList save_model_files(const std::string& folder) override {
    StringList names = network_.save(folder);
    names.push_back(save_data_of_run(folder, root_, recipe_.data));
    return names;
  }

  StringList data_reports() const override {
    return {data::describe(train_.report()), data::describe(valid_.report())};
  }
  StringList example(int64_t k) const override {
    return k < train_.size() ? T::example(network_, train_, k, seed_of(recipe_.train)) : StringList();
  }
  void finish(const std::string& folder, const LogSink& log) override {
    T::finish(network_, valid_, log);
    network_.save(folder);
  }

 private:
  using Carried = typename CarriedOf<T>::Type;

  Loss loss_of(typename T::Batch batch, [[maybe_unused]] Carried& carried, double scale, Noise* noise) const {
    if constexpr (carries_state<T>)
      return T::loss(network_, recipe_, std::move(batch), carried, scale, noise);
    else
      return T::loss(network_, recipe_, std::move(batch), scale, noise);
  }

  const Recipe& recipe_;
  const std::string root_;
  Network network_;
  typename T::Data train_, valid_;
  Carried carried_;
  data::Prefetcher<typename T::Batch> batches_;
};

// A recipe of the task.
template <class T>
class TaskOf final : public RecipeTask {
 public:
  TaskOf() = default;
  explicit TaskOf(const typename T::Recipe& recipe) : recipe_(recipe) {}
  Fields fields() override { return fields_of(recipe_); }

  void validate() override {
    T::validate_data(recipe_);
    train::resolved(recipe_.train.options);
    train::find_score(TrainedOf<T>::scores_of(recipe_), recipe_.train.options.keep);
    T::validate(recipe_);
  }

  std::unique_ptr<PredictOptions> predict_options() const override { return std::make_unique<typename T::Options>(); }

  std::vector<BaselineScores> baselines(const TrainRun& run) override {
    return T::all_baselines(recipe_, run.data_root, run.log);
  }

 protected:
  const char* name() const override { return T::kName; }
  const train::TrainOptions& train_options() const override { return recipe_.train.options; }

  std::unique_ptr<TrainedModel> prepare(const TrainRun& run) const override {
    T::check_test_files(recipe_, run.data_root);
    return std::make_unique<TrainedOf<T>>(recipe_, network(run), run.data_root);
  }

  StringList free_options() const override {
    StringList out = T::free_options();
    for (std::string& key : T::free_data_options()) out.push_back(std::move(key));
    return out;
  }
  StringList test_report(const TrainRun& run) const override { return T::test_report(recipe_, run.data_root); }
  StringList data_digests(const TrainRun& run) const override { return T::data_digests(recipe_, run.data_root); }

 private:
  typename T::Network network(const TrainRun& run) const {
    const std::string& folder = run.context.folder;
    if (run.context.mode == train::FolderMode::resume && std::filesystem::exists(folder + "/config.json"))
      return T::with_assets_of(io::ModelFolder(folder), recipe_, [](Severity, std::string_view) {});
    if constexpr (requires { recipe_.vectors; })
      check<ConfigError>(run.from.empty() || !recipe_.vectors.any(),
                         "vectors: these do not go with --from, for the embeddings are those of that model");
    if (!run.from.empty()) return T::with_assets_of(io::ModelFolder(run.from), recipe_, run.log);
    return T::learn_from_files(recipe_, run.data_root, run.log);
  }

  typename T::Recipe recipe_;
};

// A network with the weights of a model folder.
template <class T>
struct Loaded {
  typename T::Network network;
  bool int8 = false;                            // whether matrices are stored as int8 rows
  std::map<std::string, std::string> metadata;  // of the file

  explicit Loaded(const io::ModelFolder& folder) : network(T::Network::open(folder)) {
    io::SafetensorsFile weights(folder.open(kWeightsFile));
    int8 = train::map_parameters(weights, network.parameters());
    metadata = weights.metadata();
  }
};

template <class T>
constexpr bool reads_tables = requires {
  &T::predict_table;
};
template <class T>
constexpr bool reads_columns = requires {
  &T::predict_columns;
};
template <class T>
constexpr bool streams_text = requires {
  &T::stream;
};
template <class T>
constexpr bool streams_sound = requires {
  &T::listen;
};

// One trained network, or an ensemble.
template <class T>
class ModelOf final : public TaskModel {
 public:
  explicit ModelOf(const std::vector<std::string>& folders) : folder_(folders[0]) {
    std::vector<io::ModelFolder> opened(folders.begin(), folders.end());
    for (const io::ModelFolder& folder : opened) models_.emplace_back(folder);
    for (size_t k = 1; k < models_.size(); ++k)
      models_[0].network.check_ensemble(models_[k].network, folders[0], folders[k]);
    for (const Loaded<T>& m : models_) networks_.push_back(&m.network);
  }

  std::string task() const override { return T::kName; }
  std::vector<InputField> input_fields() const override {
    if constexpr (requires { T::input_fields(models_[0].network); })
      return T::input_fields(models_[0].network);
    else
      return T::input_fields();
  }
  std::string output_name() const override { return T::output_name(); }
  std::unique_ptr<PredictOptions> options() const override {
    return std::make_unique<typename T::Options>(T::options(models_[0].network, models_[0].int8));
  }
  void validate(const PredictOptions& options, const LogSink& log) const override {
    T::check_options(networks_, own(options), log);
  }

  std::vector<Prediction> predict(std::span<const Input> inputs, const PredictOptions& options,
                                  Detail detail) const override {
    check_quietly(options);
    return T::predict(networks_, inputs, own(options), detail);
  }

  std::string predict_table(const std::string& file, std::string_view format,
                            const PredictOptions& options) const override {
    check_quietly(options);
    if constexpr (reads_tables<T>) return T::predict_table(networks_, file, format, own(options));
    throw ConfigError(str_cat("a model of task ", T::kName, " reads inputs one by one"));
  }

  void predict_columns(LineReader& file, const ColumnsInput& what, const PredictOptions& options,
                       const std::function<void(std::string_view)>& emit) const override {
    check_quietly(options);
    if constexpr (reads_columns<T>) return T::predict_columns(networks_, file, what, own(options), emit);
    TaskModel::predict_columns(file, what, options, emit);
  }

  std::unique_ptr<TextStream> stream(const PredictOptions& options) const override {
    check_quietly(options);
    if constexpr (streams_text<T>) return T::stream(networks_, own(options));
    throw ConfigError(str_cat("a model of task ", T::kName, " writes no running text"));
  }

  void listen(const std::string& file, const PredictOptions& options,
              const std::function<void(std::string_view)>& emit) const override {
    check_quietly(options);
    if constexpr (streams_sound<T>) return T::listen(networks_, file, own(options), emit);
    TaskModel::listen(file, options, emit);
  }

  viz::Figure explain(const Input& input, const PredictOptions& options) const override {
    check_quietly(options);
    check<ConfigError>(models_[0].network.has_attention(), "explain: this model has no attention to show");
    return T::explain(networks_, input, own(options));
  }

  viz::Figure explain_table(const std::string& file, const std::string& series,
                            const PredictOptions& options) const override {
    check_quietly(options);
    if constexpr (reads_tables<T>) return T::explain_table(networks_, file, series, own(options));
    throw ConfigError(str_cat("explain: a model of task ", T::kName, " is given --text, not --in"));
  }

  std::string steps(const Input& input, const PredictOptions& options) const override {
    check_quietly(options);
    return T::steps(networks_, input, own(options));
  }

  EvaluationReport evaluate(const Evaluation& what, const PredictOptions& options) const override {
    check_quietly(options);
    const StringList tables = T::tables();
    check<ConfigError>(what.by.empty() || std::ranges::find(tables, what.by) != tables.end(), "evaluate: --by ",
                       what.by, ": a model of task ", T::kName, " has ",
                       tables.empty() ? "no such table" : "scores by " + joined(tables, " and by "));
    return T::evaluate(typename T::Networks(networks_), io::ModelFolder(folder_), what, own(options));
  }

  BacktestReport backtest(const Backtest& what, const PredictOptions& options) const override {
    check_quietly(options);
    if constexpr (reads_tables<T>) {
      std::unique_ptr<TaskModel> fresh;
      const auto train = [&](const std::string& valid_from, const std::string& test_from) {
        fresh = what.train(valid_from, test_from);
        return typename T::Networks(dynamic_cast<const ModelOf&>(*fresh).networks_);
      };
      return T::backtest(typename T::Networks(networks_), io::ModelFolder(folder_), what, train, own(options));
    }
    throw ConfigError(str_cat("backtest: a model of task ", T::kName, " forecasts nothing"));
  }

 private:
  static const typename T::Options& own(const PredictOptions& options) {
    const auto* const out = dynamic_cast<const typename T::Options*>(&options);
    check<Error>(out, T::kName, ": these are the options of another task");
    return *out;
  }
  void check_quietly(const PredictOptions& options) const {
    validate(options, [](Severity, std::string_view) {});
  }

  std::vector<Loaded<T>> models_;
  std::vector<const typename T::Network*> networks_;
  const std::string folder_;  // the first one
};

template <class T>
TaskKind task_kind() {
  return {.name = T::kName,
          .summary = T::kSummary,
          .reads_tables = reads_tables<T>,
          .streams_text = streams_text<T>,
          .streams_sound = streams_sound<T>,
          .input_fields = &T::input_fields,
          .make = []() -> std::unique_ptr<Task> { return std::make_unique<TaskOf<T>>(); },
          .load = [](const std::vector<std::string>& folders) -> std::unique_ptr<TaskModel> {
            return std::make_unique<ModelOf<T>>(folders);
          },
          .export_model =
              [](const std::string& model, const std::string& folder, const ExportOptions& options) {
                const io::ModelFolder from(model);
                const Loaded<T> m(from);
                m.network.save(folder);
                write_exported({.from = from,
                                .task = T::kName,
                                .parameters = m.network.parameters(),
                                .kept_from_int8 = m.network.kept_from_int8(),
                                .int8 = m.int8,
                                .metadata = m.metadata},
                               folder, options);
              }};
}

}  // namespace lookback::tasks

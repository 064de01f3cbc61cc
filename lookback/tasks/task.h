// What a task is to the program: something that can be trained from a recipe,
// and a trained model that predicts, scores, and shows what it looked at.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/base/line_reader.h"
#include "lookback/base/log.h"
#include "lookback/io/json.h"
#include "lookback/metrics/significance.h"
#include "lookback/tasks/subtitles.h"
#include "lookback/train/trainer.h"
#include "lookback/viz/figure.h"

namespace lookback::tasks {

// Where and how a recipe is run.
struct TrainRun {
  train::RunContext context;  // model folder, create / resume / overwrite, observer, stop request
  std::string data_root;      // relative data paths of the recipe start here
  std::string from;           // a model folder whose weights and tokenizers a new run starts with, or none
  std::string recipe_name;    // for the model card, as are
  std::vector<Field> fields;  // the task's, with where each value came from
  LogSink log;                // counts and warnings while the data is read
};

// How inputs are predicted: "beam", "n_best", ..., "batch". Not part of a model, so that two callers may ask one model
// in two ways at once.
class PredictOptions {
 public:
  virtual ~PredictOptions() = default;
  // Every option with its present value. The pointers live as long as this.
  virtual Fields fields() = 0;
};

struct EvaluationLine {
  std::string name;  // "bleu"
  double value = 0;
  std::string signature;  // how it was scored: "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:lookback-0.1.0"
  std::optional<metrics::Interval> interval = {};  // of bootstrap resamples, where asked for
  int digits = 2;                                  // behind the point, for people
};

// How good a model is on some files: a line for each metric; a table of aligned lines, where one was asked for; a
// picture, for tasks that have one: a confusion matrix, errors by step.
struct EvaluationReport {
  std::vector<EvaluationLine> lines;
  std::string table = {};
  std::optional<viz::Figure> figure = {};
};

// What a plain method, which any model should beat, scores on a set of files.
struct BaselineScores {
  std::string name, set;  // "word by word", "valid.de"
  std::vector<EvaluationLine> scores;
};

// A recipe of one task: options to be set, then trained.
class Task {
 public:
  virtual ~Task() = default;
  // Every option a recipe of this task may set ("data.train", "model.encoder.layers", ...),
  // with its present value. The pointers live as long as the task.
  virtual Fields fields() = 0;
  // Throws ConfigError for options that do not go together, before anything is written.
  virtual void validate() = 0;
  virtual train::TrainResult train(const TrainRun& run) = 0;
  // What train would do, for people: what was read and left out, examples as the model sees them, parameters, and how
  // long it will take here. Writes nothing; the folder of `run` does not matter.
  virtual StringList dry_run(const TrainRun& run) = 0;
  // Trains the task's baselines on the recipe's training data and scores them on its validation data and, if it names
  // any, on its test data.
  virtual std::vector<BaselineScores> baselines(const TrainRun& run) = 0;
  // The options of prediction as they are without a model: for help and flags.
  virtual std::unique_ptr<PredictOptions> predict_options() const = 0;
};

// Something that an input may consist of.
struct InputField {
  std::string name, help;
  bool required = true;
  bool alone = false;     // an input that has it needs no other
  StringList files = {};  // where its text is the name of a file: how such files end
};

// One input: a text, a question with its context, and what else the model's input_fields name.
struct Input {
  int64_t line = 0;  // from 1
  std::map<std::string, std::string> fields;

  // null if it has none of that name
  const std::string* find(const std::string& name) const {
    const auto at = fields.find(name);
    return at == fields.end() ? nullptr : &at->second;
  }
};

// Tokens in columns, one a line and a blank line between sentences (CoNLL).
struct ColumnsInput {
  std::string name;        // of the file, for messages
  bool universal = false;  // whether it is CoNLL-U
  int64_t column = 0;      // where the tokens stand, from 1; 0: where the model's training data had them
};

// One output for one input.
struct Output {
  std::string text;
  double score = 0;  // what it was ranked by
  double log_prob = 0;
  io::JsonObject details;        // the task's own: tokens, weights, ...
  std::vector<TimedWord> words;  // of sound: what was said when
};

// Everything said about one input. An empty input has one empty output.
struct Prediction {
  int64_t line = 0;             // number of the input, from 1
  std::vector<Output> outputs;  // best first; never empty
  io::JsonObject details;       // what the outputs have in common: tokens of the input, ...
  // Something in a field of the input that the model cannot follow: {"prefix", "the model does not know 'x'"}.
  std::vector<std::pair<std::string, std::string>> warnings;
};

// A text that is read and written piece by piece: what the model remembers of it, beside the model, which stays const.
// Not for two threads at once.
class TextStream {
 public:
  virtual ~TextStream() = default;
  // Reads a text and writes what may follow it, which it then has read too. `emit` is given the text read, and each
  // piece of what follows as soon as it is chosen; together they are what predict gives.
  virtual void complete(const std::string& text, const std::function<void(std::string_view)>& emit) = 0;
  // The state as a file, from which another stream of the same model goes on to the same bits. Throws IoError; load
  // also FormatError for a file of another model.
  virtual void save(const std::string& path) const = 0;
  virtual void load(const std::string& path) = 0;
};

// A trained model in memory. Const and safe to use from several threads at once.
class TaskModel {
 public:
  virtual ~TaskModel() = default;
  virtual std::string task() const = 0;
  // The required ones first: where an input has several of them, its columns have this order.
  virtual std::vector<InputField> input_fields() const = 0;
  // What its outputs are called: "target", "label".
  virtual std::string output_name() const = 0;
  // The options of prediction as the model folder sets them, to be changed and given to what follows.
  virtual std::unique_ptr<PredictOptions> options() const = 0;
  // Throws ConfigError for options that do not go together, as predict does; says what this machine cannot do as asked.
  virtual void validate(const PredictOptions& options, const LogSink& log) const = 0;
  // One prediction per input, in order. The result for an input does not depend on the others. Where only texts are
  // asked for, scores may be NaN and details empty, which makes greedy search faster.
  // A task whose input is a whole table (TaskKind::reads_tables) has predict_table instead.
  enum class Detail { full, text_only };
  virtual std::vector<Prediction> predict(std::span<const Input> inputs, const PredictOptions& options,
                                          Detail detail = Detail::full) const = 0;
  std::vector<Prediction> predict(std::span<const Input> inputs) const { return predict(inputs, *options()); }
  // What is said of a table, a file or "-" for standard input, as "csv" or "jsonl". Throws ConfigError for a task that
  // reads inputs one by one, FormatError, IoError.
  virtual std::string predict_table(const std::string& file, std::string_view format,
                                    const PredictOptions& options) const = 0;
  // Every line of a file as it is, those of tokens with a column more: the token's tag. Throws ConfigError for a model
  // that tags no tokens, FormatError for columns that are none, IoError.
  virtual void predict_columns(LineReader& file, const ColumnsInput& what, const PredictOptions& options,
                               const std::function<void(std::string_view)>& emit) const;
  // A text from its beginning. The model has to outlive it. Throws ConfigError for a task that writes no running text
  // (TaskKind::streams_text), and for options that give more than one output.
  virtual std::unique_ptr<TextStream> stream(const PredictOptions& options) const = 0;
  // Hears one recording, a file or "-" for standard input, as it comes: `emit` is given what was said as soon as that
  // will not change any more. Together it is what predict gives at beam = 1 for the whole. Throws ConfigError for a
  // task that hears nothing (TaskKind::streams_sound) and for a model that has to look ahead, FormatError, IoError.
  virtual void listen(const std::string& file, const PredictOptions& options,
                      const std::function<void(std::string_view)>& emit) const;
  // What the model looked at for one input, to be drawn. Throws ConfigError for a model without attention.
  virtual viz::Figure explain(const Input& input, const PredictOptions& options) const = 0;
  // The same for a task whose input is a whole table: of one of its series, "" for the first. Throws ConfigError, also
  // for an ensemble and for a task that reads inputs one by one, FormatError, IoError.
  virtual viz::Figure explain_table(const std::string& file, const std::string& series,
                                    const PredictOptions& options) const = 0;
  // The steps of one prediction in numbers, for people who want to follow how the model computes. Throws ConfigError
  // for an ensemble and for an empty input.
  virtual std::string steps(const Input& input, const PredictOptions& options) const = 0;
  // The task's metrics on files that are named as data.test of its recipe names its own; without any, on those that
  // the recipe named. Every line counts: one that is no example is a FormatError. Throws ConfigError, also for a table
  // that the task does not have, and IoError.
  struct Evaluation {
    StringList files;
    int64_t resamples = 0;  // for intervals; 0: none
    std::string by;         // what the table goes by: "label", "type", "step", "series"; "": no table
    bool figure = false;    // whether the picture is wanted
  };
  virtual EvaluationReport evaluate(const Evaluation& what, const PredictOptions& options) const = 0;

  // What would have been forecast of a table at several times, each from what was there until then (rolling origin).
  struct Backtest {
    std::string file;         // as of predict_table; "": the tables the model learnt from
    std::string start;        // the first forecast: as data.test_from; "": where the model's test part begins
    int64_t stride = 1;       // steps from one forecast to the next
    int64_t refit_every = 0;  // train anew before each so many forecasts of a series; 0: never
    // A model trained with these as data.valid_from and data.test_from. Only for refit_every > 0.
    std::function<std::unique_ptr<TaskModel>(const std::string& valid_from, const std::string& test_from)> train;
    std::string format = "csv";  // or "jsonl"
    bool rows = true;            // whether they are wanted
    std::string by;              // as in Evaluation
    bool figure = false;         // whether the picture is wanted
    std::string series;          // that is drawn; "": the first one
  };
  struct BacktestReport {
    std::string rows;         // each forecast beside what came
    EvaluationReport scores;  // with the picture
  };
  // Throws ConfigError, also for a task that forecasts nothing, FormatError and IoError.
  virtual BacktestReport backtest(const Backtest& what, const PredictOptions& options) const = 0;
};

struct ExportOptions {
  std::string weights = "as_trained";  // or "int8": every matrix as int8 rows with a scale each
};

// A kind of task, and how to make one.
struct TaskKind {
  const char* name;  // "translate"
  const char* summary;
  bool reads_tables;   // whether its input is a table as a whole
  bool streams_text;   // whether it has TaskModel::stream
  bool streams_sound;  // whether it has TaskModel::listen
  std::vector<InputField> (*input_fields)();
  std::unique_ptr<Task> (*make)();
  // One model, or an ensemble of several; folders hold what training wrote. Throws FormatError and IoError.
  std::unique_ptr<TaskModel> (*load)(const std::vector<std::string>& folders);
  // Writes the files of a model into a folder: what prediction needs, and the model card. Throws FormatError and
  // IoError.
  void (*export_model)(const std::string& model, const std::string& folder, const ExportOptions& options);
};

std::span<const TaskKind> task_kinds();
// Throws ConfigError "origin: unknown task ..." with the nearest match.
const TaskKind& find_task(std::string_view name, const std::string& origin);
// The task of a model folder, from its config.json. Throws FormatError and IoError.
const TaskKind& task_of_model(const std::string& folder);

// How a prediction is written, one of:
//   text   the best output's text, one line
//   jsonl  {"line", details of the prediction, "outputs": [{"text", "score", "log_prob", details of the output}]}
//   srt, vtt   subtitles of the best output's words, of a task that hears when they were said
//   nbest  Moses: "line ||| text ||| features ||| score" for every output, lines counted from 0
// Each result ends in '\n', which text and nbest have nowhere else. Throws ConfigError for another format.
std::string format_prediction(const Prediction& prediction, std::string_view format);

// What demo trains on: human-written dates in several languages and styles, TAB, the same date in ISO form.
struct DemoPair {
  std::string human, iso;
};
// `count` pairs, a pure function of the seed; `held_out` picks a set of dates that the other never has.
std::vector<DemoPair> demo_dates(int64_t count, uint64_t seed, bool held_out);

}  // namespace lookback::tasks

// lookback predict: one result per input line, in order, in constant memory.
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "lookback/base/line_reader.h"
#include "lookback/base/utf8.h"
#include "lookback/cli/command.h"
#include "lookback/cli/environment.h"
#include "lookback/cli/line_queue.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/prediction_flags.h"

namespace lookback::cli {
namespace {

// How many batches of lines are read ahead and predicted together: enough to find lines of like length.
constexpr int64_t kBatchesAhead = 16;
// How many lines of a kind are warned of one by one; the others are counted.
constexpr int64_t kWarnings = 3;

struct PredictFlags {
  StringList models;
  std::string in = "-", out = "-", format = "text", prefix, score;
  MachineFlags machine;
  bool quiet = false;

  void declare(Flags& v) {
    v.words("MODEL...", models, 1, "a model folder, or several: an ensemble");
    v("in", in, "FILE", "one input per line, plain or .gz; - is standard input");
    v("out", out, "FILE", "where to write; a file appears when it is complete; - is standard output");
    v("format", format, "FORMAT",
      "text: the best output, one line per input; jsonl: outputs with tokens, scores and alignment; nbest: Moses' "
      "format, one line per output")
        .choices({"text", "jsonl", "nbest"});
    v("prefix", prefix, "FILE", "line by line what the output must begin with");
    v("score", score, "FILE", "line by line the output to score instead of searching for one");
    machine.declare(v);
    v("quiet", quiet, "", "say nothing but warnings and errors");
  }
};

// A file with one line for each line of the input.
class AlignedFile {
 public:
  AlignedFile(const std::string& path, const std::string& input) : path_(path), input_(input), reader_(path) {}

  // The line for input number `number`; if there is none, both are counted to their ends.
  std::string next(int64_t number, LineQueue& rest, int64_t waiting) {
    std::string line;
    if (reader_.next(line)) return line;
    int64_t inputs = number + waiting;
    for (auto lines = rest.take(); !lines.empty(); lines = rest.take()) inputs += std::ssize(lines);
    fail_with_counts(reader_.number(), inputs);
  }
  void check_end(int64_t inputs) {
    for (std::string line; reader_.next(line);) continue;
    if (reader_.number() != inputs) fail_with_counts(reader_.number(), inputs);
  }

 private:
  [[noreturn]] void fail_with_counts(int64_t lines, int64_t inputs) const {
    throw FormatError(
        str_cat(path_, ": ", lines, " lines, but ", input_, " has ", inputs, "; there must be one for each"));
  }

  std::string path_, input_;
  LineReader reader_;
};

// Takes the lines that are ready, predicts and writes them, until there are no more.
class Predictor {
 public:
  Predictor(const PredictFlags& flags, const PredictionFlags::Loaded& loaded, LineQueue& queue, Console& console)
      : flags_(flags), loaded_(loaded), queue_(queue), console_(console), output_(flags.out) {
    const std::string input = flags.in == "-" ? "standard input" : flags.in;
    if (!flags.prefix.empty()) prefix_.emplace(flags.prefix, input);
    if (!flags.score.empty()) score_.emplace(flags.score, input);
  }

  void run() {
    for (auto lines = queue_.take(); !lines.empty(); lines = queue_.take()) run_chunk(std::move(lines));
    if (prefix_) prefix_->check_end(line_);
    if (score_) score_->check_end(line_);
    output_.finish();
    if (unknown_prefixes_ > kWarnings)
      console_.log(Severity::warning, str_cat(prefix_name(), ": ", unknown_prefixes_ - kWarnings,
                                              " more line(s) have what the model does not know"));
  }

 private:
  void run_chunk(std::vector<std::string> lines) {
    std::vector<tasks::Input> inputs(lines.size());
    StringList targets(score_ ? lines.size() : 0);
    for (size_t k = 0; k < lines.size(); ++k) {
      tasks::Input& input = inputs[k];
      input.line = ++line_;
      const int64_t waiting = std::ssize(lines) - static_cast<int64_t>(k) - 1;
      check_text(lines[k], flags_.in == "-" ? "standard input" : flags_.in);
      if (prefix_) check_text(input.prefix = prefix_->next(line_, queue_, waiting), flags_.prefix);
      if (score_) {
        check_text(targets[k] = score_->next(line_, queue_, waiting), flags_.score);
        input.target = &targets[k];
      }
      input.text = std::move(lines[k]);
    }
    std::string results;
    const auto detail = flags_.format == "text" ? tasks::TaskModel::Detail::text_only : tasks::TaskModel::Detail::full;
    for (const tasks::Prediction& p : loaded_.model->predict(inputs, *loaded_.options, detail)) {
      results += tasks::format_prediction(p, flags_.format);
      check_prefix(p);
    }
    output_.write(results);
  }

  void check_text(const std::string& line, const std::string& where) {
    if (const auto bad = find_invalid_utf8(line))
      console_.log(Severity::warning,
                   str_cat(where, ":", line_, ": byte ", *bad + 1, " is not UTF-8; every such byte is read as U+FFFD"));
  }

  void check_prefix(const tasks::Prediction& p) {
    constexpr size_t kShown = 5;
    const StringList& unknown = p.unknown_in_prefix;
    if (unknown.empty() || ++unknown_prefixes_ > kWarnings) return;
    std::string words;
    for (size_t k = 0; k < std::min(unknown.size(), kShown); ++k) words += (k ? ", '" : "'") + unknown[k] + "'";
    if (unknown.size() > kShown) words += str_cat(" and ", unknown.size() - kShown, " more");
    console_.log(Severity::warning, str_cat(prefix_name(), ":", p.line, ": the model does not know ", words,
                                            "; what it does not know becomes <unk>, which is written \u2047"));
  }
  std::string prefix_name() const { return flags_.prefix == "-" ? "standard input" : flags_.prefix; }

  const PredictFlags& flags_;
  const PredictionFlags::Loaded& loaded_;
  LineQueue& queue_;
  Console& console_;
  Output output_;
  std::optional<AlignedFile> prefix_, score_;
  int64_t line_ = 0;              // inputs taken so far
  int64_t unknown_prefixes_ = 0;  // lines of the prefix with what the model does not know
};

void warn_of_lost_outputs(const std::string& format, std::vector<Field>& options, Console& console) {
  const Field& n_best = find_field(options, "n_best", "predict");
  if (format == "text" && n_best.origin == "--n-best" && field_text(n_best) != "1")
    console.log(Severity::warning,
                "--format text writes the best output only; --format nbest or jsonl writes all of --n-best");
}

void tell_of_terminal(const std::string& in, Console& console) {
  if (in == "-" && ::isatty(STDIN_FILENO))
    console.log(Severity::info, "reading from the terminal, one input per line; Ctrl-D on an empty line ends it");
}

}  // namespace

int run_predict(Args& args) {
  PredictFlags flags;
  const PredictionFlags options;
  Flags parser("predict");
  flags.declare(parser);
  options.declare(parser);
  parser.parse(args.words);
  if (flags.quiet) args.console.set_quiet();
  const int from_stdin = (flags.in == "-") + (flags.prefix == "-") + (flags.score == "-");
  check<ConfigError>(from_stdin <= 1, "predict: only one of --in, --prefix and --score can be standard input (-)");
  const ThreadScope threads = flags.machine.use();
  auto fields = parser.added();
  // Read from here on, while the model is loaded.
  const auto batch = std::get<int64_t>(field_value(find_field(fields, "batch", "--batch")));
  LineQueue queue(flags.in, static_cast<size_t>(kBatchesAhead * batch));
  const auto loaded = options.load(flags.models, parser, args.console.sink());
  warn_of_lost_outputs(flags.format, fields, args.console);
  tell_of_terminal(flags.in, args.console);
  Predictor(flags, loaded, queue, args.console).run();
  return 0;
}

std::vector<HelpSection> help_predict() {
  PredictFlags flags;
  const PredictionFlags options;
  Flags parser("predict");
  flags.declare(parser);
  options.declare(parser);
  return parser.help("options (defaults are those of the model folder, where it sets them)");
}

}  // namespace lookback::cli

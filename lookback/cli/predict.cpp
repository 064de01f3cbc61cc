// lookback predict: one result per input line, in order, in constant memory.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "lookback/base/line_reader.h"
#include "lookback/base/parse.h"
#include "lookback/base/utf8.h"
#include "lookback/cli/command.h"
#include "lookback/cli/environment.h"
#include "lookback/cli/line_queue.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/prediction_flags.h"
#include "lookback/tasks/csv_input.h"
#include "lookback/tasks/input.h"

namespace lookback::cli {
namespace {

// How many batches of lines are read ahead and predicted together: enough to find lines of like length.
constexpr int64_t kBatchesAhead = 16;
// How many lines of a kind are warned of one by one; the others are counted.
constexpr int64_t kWarnings = 3;

struct PredictFlags {
  StringList models, field, columns;
  std::string in = "-", out = "-", in_format = "auto", format = "auto", prefix, score, session;
  MachineFlags machine;
  bool stream = false, quiet = false;
  bool score_alone = false;  // the lines of --score are the inputs

  void declare(Flags& v) {
    v.words("MODEL...", models, 1, "a model folder, or several: an ensemble");
    v("in", in, "FILE",
      "one input per line, plain or .gz; - is standard input; where inputs are files (pictures, recordings): a list of "
      "them, one of them, or a folder of them");
    v("in-format", in_format, "FORMAT",
      "lines: each is a text; tsv: the required fields of an input in columns; jsonl: one object a line with any of "
      "its fields (for translation source, prefix, score); csv: rows under the names of their columns; conll, conllu: "
      "a "
      "token a line in columns, each of which gets one more with its tag (task label); auto: jsonl, csv, conll and "
      "conllu for files that end so, else lines or, where an input has several required fields, tsv")
        .choices({"auto", "lines", "tsv", "jsonl", "csv", "conll", "conllu"});
    v("columns", columns, "NAME...",
      "csv: the columns that hold the required fields of an input; called as these are unless given; conll: the number "
      "of the one with the tokens; as in training unless given");
    v("out", out, "FILE", "where to write; a file appears when it is complete; - is standard output");
    v("format", format, "FORMAT",
      "text: the best output, one line per input; csv: each row of a csv input with the best output as one column "
      "more; jsonl: outputs with tokens, scores and alignment; nbest: Moses' format, one line per output; srt, vtt: "
      "subtitles of one recording; auto: csv for csv input, else text")
        .choices({"auto", "text", "csv", "jsonl", "nbest", "srt", "vtt"});
    v("field", field, "NAME=VALUE", "a field that every input gets; may be given often");
    v("prefix", prefix, "FILE", "line by line what the output must begin with");
    v("score", score, "FILE",
      "line by line the output to score instead of searching for one; without --in, for a language model: the texts to "
      "score");
    v("stream", stream, "",
      "language models: write each token as soon as it is chosen, as on a terminal; each line is a text of its own. "
      "Speech: --in is one recording, or - for sound in WAV that comes, and its words are written as they are heard, "
      "those of --beam 1 --ctc-weight 1");
    v("session", session, "FILE",
      "the same, and all lines are one text: go on where FILE says, if it is there, and leave there how to go on");
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
  const std::string& path() const { return path_; }
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
      : flags_(flags),
        loaded_(loaded),
        queue_(queue),
        console_(console),
        fields_(fields_of_lines(flags, *loaded.model)),
        format_(tasks::input_format(flags.in_format, flags.in, fields_)),
        out_format_(flags.format != "auto" ? flags.format
                    : format_ == "csv"     ? "csv"
                                           : "text"),
        output_(flags.out) {
    check<ConfigError>(out_format_ != "csv" || format_ == "csv", "predict: --format csv adds a column to a csv input; ",
                       "this one is ", format_);
    check<ConfigError>(flags.columns.empty() || format_ == "csv", "predict: --columns are of a csv input; this one is ",
                       format_);
    if (format_ == "csv") csv_.emplace(fields_, flags.columns, loaded.model->output_name());
    for (const std::string& f : flags.field) tasks::set_input_field(common_, f, fields_);
    add_aligned("prefix", flags.prefix);
    if (!flags.score_alone) add_aligned("score", flags.score);
  }

  void run() {
    for (auto lines = queue_.take(); !lines.empty(); lines = queue_.take()) run_chunk(std::move(lines));
    check<FormatError>(!csv_ || header_read_, name_of(flags_.in), ": is empty, without the names of its columns");
    for (auto& [field, file] : aligned_) file.check_end(input_);
    check<ConfigError>(!subtitles() || input_ == 1, "predict: --format ", out_format_, " is of one recording; got ",
                       input_);
    output_.finish();
    if (warned_ > kWarnings)
      console_.log(Severity::warning, str_cat(warned_ - kWarnings, " more line(s) with warnings like these"));
  }

 private:
  // Lines are the first required field of inputs, or what is to be scored where --score says so alone.
  static tasks::InputFields fields_of_lines(const PredictFlags& flags, const tasks::TaskModel& model) {
    tasks::InputFields out = model.input_fields();
    if (flags.score_alone) tasks::make_only_required(out, "score");
    return out;
  }

  // A file that gives one field of each input.
  void add_aligned(const std::string& field, const std::string& path) {
    if (path.empty()) return;
    check<ConfigError>(tasks::has_field(fields_, field), "predict: --", field, ": inputs of this model have no ",
                       field);
    aligned_.emplace(field, AlignedFile(path, name_of(flags_.in)));
  }

  // Lines that are ready, and further ones where the last of them begins a record of several.
  struct Chunk {
    std::vector<std::string> lines;
    size_t next = 0;
  };

  bool take_line(Chunk& chunk, std::string& line) {
    if (chunk.next == chunk.lines.size()) chunk = {queue_.take()};
    if (chunk.next == chunk.lines.size()) return false;
    line = std::move(chunk.lines[chunk.next++]);
    ++line_;
    check_text(line, flags_.in);
    return true;
  }

  void run_chunk(std::vector<std::string> lines) {
    Chunk chunk{std::move(lines)};
    std::vector<tasks::Input> inputs;
    std::vector<std::string> records;  // csv: of each input its row
    try {
      while (chunk.next < chunk.lines.size()) take_input(chunk, inputs, records);
    } catch (const FormatError& e) {
      // What came before it gets its results.
      predict(inputs, records);
      throw FormatError(e.what());
    }
    predict(inputs, records);
  }

  void take_input(Chunk& chunk, std::vector<tasks::Input>& inputs, std::vector<std::string>& records) {
    const int64_t first = line_ + 1;
    std::string line;
    take_line(chunk, line);
    tasks::Input input;
    try {
      const auto more = [&](std::string& next) { return take_line(chunk, next); };
      if (csv_ && !header_read_) {
        const std::string header = csv_->take_header(std::move(line), more);
        header_read_ = true;
        if (out_format_ == "csv") output_.write(header);
        return;
      }
      input = csv_ ? csv_->take(line, more) : tasks::parse_input(line, format_, fields_);
    } catch (const FormatError& e) {
      throw FormatError(str_cat(name_of(flags_.in), ":", first, ": ", e.what()));
    }
    input.line = ++input_;
    input.fields.insert(common_.fields.begin(), common_.fields.end());
    const int64_t waiting = std::ssize(chunk.lines) - static_cast<int64_t>(chunk.next);
    for (auto& [field, file] : aligned_)
      check_text(input.fields[field] = file.next(input_, queue_, waiting), file.path());
    inputs.push_back(std::move(input));
    if (out_format_ == "csv") records.push_back(std::move(line));
  }

  void predict(const std::vector<tasks::Input>& inputs, const std::vector<std::string>& records) {
    check<ConfigError>(!subtitles() || input_ == 1, "predict: --format ", out_format_, " is of one recording; got ",
                       input_, " or more");
    std::string results;
    const bool plain = out_format_ == "text" || out_format_ == "csv";
    const auto detail = plain ? tasks::TaskModel::Detail::text_only : tasks::TaskModel::Detail::full;
    const auto predictions = loaded_.model->predict(inputs, *loaded_.options, detail);
    for (size_t k = 0; k < predictions.size(); ++k) {
      const tasks::Prediction& p = predictions[k];
      results += out_format_ == "csv" ? records[k] + "," + tasks::csv_cell(p.outputs.at(0).text) + "\n"
                                      : tasks::format_prediction(p, out_format_);
      warn(p);
    }
    output_.write(results);
  }

  bool subtitles() const { return out_format_ == "srt" || out_format_ == "vtt"; }
  static std::string name_of(const std::string& path) { return path == "-" ? "standard input" : path; }

  void check_text(const std::string& line, const std::string& path) {
    if (const auto bad = find_invalid_utf8(line))
      console_.log(Severity::warning, str_cat(name_of(path), ":", line_, ": byte ", *bad + 1,
                                              " is not UTF-8; every such byte is read as U+FFFD"));
  }

  void warn(const tasks::Prediction& p) {
    for (const auto& [field, warning] : p.warnings) {
      if (++warned_ > kWarnings) continue;
      const auto file = aligned_.find(field);
      const std::string& path = file == aligned_.end() ? flags_.in : file->second.path();
      console_.log(Severity::warning, str_cat(name_of(path), ":", p.line, ": ", warning));
    }
  }

  const PredictFlags& flags_;
  const PredictionFlags::Loaded& loaded_;
  LineQueue& queue_;
  Console& console_;
  const std::vector<tasks::InputField> fields_;
  const std::string format_, out_format_;  // of inputs and outputs
  std::optional<tasks::CsvInput> csv_;
  bool header_read_ = false;
  tasks::Input common_;  // fields of every input that has none of its own
  Output output_;
  std::map<std::string, AlignedFile> aligned_;  // by field
  int64_t line_ = 0, input_ = 0;                // lines, and inputs, taken so far
  int64_t warned_ = 0;                          // warnings of the model so far
};

// Where inputs are files: the one that --in is, or those of the folder that it is, by name. Nothing for a list of them.
std::optional<StringList> files_given(const std::string& in, const tasks::TaskKind& kind) {
  namespace fs = std::filesystem;
  const tasks::InputFields fields = kind.input_fields();
  const StringList& endings = fields.at(0).files;
  const auto is_one = [&](std::string name) {
    for (char& c : name) c = 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return std::ranges::any_of(endings, [&](const std::string& ending) { return name.ends_with(ending); });
  };
  if (is_one(in)) return StringList{in};
  std::error_code error;
  if (endings.empty() || !fs::is_directory(in, error)) return {};
  StringList out;
  for (const fs::directory_entry& entry : fs::directory_iterator(in, error))
    if (is_one(entry.path().string())) out.push_back(entry.path().string());
  check<IoError>(!error, in, ": ", error.message());
  check<IoError>(!out.empty(), in, ": has no file that ends in ", joined(endings));
  std::ranges::sort(out);
  return out;
}

LineQueue queue_of(const std::string& in, const tasks::TaskKind& kind, size_t lines) {
  auto files = files_given(in, kind);
  if (!files) return {in, lines};
  return {[files = std::move(*files), at = size_t{0}](std::string& line) mutable {
            if (at == files.size()) return false;
            line = files[at++];
            return true;
          },
          lines};
}

void warn_of_lost_outputs(const std::string& format, std::vector<Field>& options, Console& console) {
  const Field& n_best = find_field(options, "n_best", "predict");
  if ((format == "text" || format == "auto") && n_best.origin == "--n-best" && field_text(n_best) != "1")
    console.log(Severity::warning,
                "--format text writes the best output only; --format nbest or jsonl writes all of --n-best");
}

void tell_of_terminal(const std::string& in, Console& console) {
  if (in == "-" && ::isatty(STDIN_FILENO))
    console.log(Severity::info, "reading from the terminal, one input per line; Ctrl-D on an empty line ends it");
}

// A model whose input is a whole table.
void predict_table(const PredictFlags& flags, const PredictionFlags::Loaded& loaded) {
  for (const auto& [flag, is_set] : {std::pair("--in-format", flags.in_format != "auto"),
                                     {"--columns", !flags.columns.empty()},
                                     {"--field", !flags.field.empty()},
                                     {"--prefix", !flags.prefix.empty()},
                                     {"--score", !flags.score.empty()}})
    check<ConfigError>(!is_set, "predict: ", flag, " is of inputs one by one; a model of task ", loaded.model->task(),
                       " reads a table");
  Output output(flags.out);
  output.write(loaded.model->predict_table(flags.in, flags.format == "auto" ? "csv" : flags.format, *loaded.options));
  output.finish();
}

// One recording, its words written as they are heard: the likeliest at once, without search.
void listen(const PredictFlags& flags, const PredictionFlags::Loaded& loaded, const std::vector<Field>& options) {
  for (const auto& [flag, is_set] : {std::pair("--in-format", flags.in_format != "auto"),
                                     {"--columns", !flags.columns.empty()},
                                     {"--field", !flags.field.empty()},
                                     {"--prefix", !flags.prefix.empty()},
                                     {"--score", !flags.score.empty()},
                                     {"--session", !flags.session.empty()},
                                     {"--format", flags.format != "auto" && flags.format != "text"}})
    check<ConfigError>(!is_set, "predict: ", flag, " does not go with --stream of a recording");
  for (const Field& f : options) {
    const bool is_best_path = f.path == "ctc_weight" ? std::get<double>(field_value(f)) == 1
                                                     : (f.path == "beam" || f.path == "n_best") && field_text(f) == "1";
    check<ConfigError>(!f.origin.starts_with("--") || is_best_path || f.path == "batch" || f.path == "precision",
                       "predict: ", f.origin,
                       ": --stream of a recording writes CTC's best path at once, without search");
  }
  Output output(flags.out);
  loaded.model->listen(flags.in, *loaded.options, [&](std::string_view piece) { output.write(piece); });
  output.write("\n");
  output.finish();
}

void predict_columns(const PredictFlags& flags, const std::string& format, const PredictionFlags::Loaded& loaded) {
  for (const auto& [flag, is_set] : {std::pair("--format", flags.format != "auto"),
                                     {"--field", !flags.field.empty()},
                                     {"--prefix", !flags.prefix.empty()},
                                     {"--score", !flags.score.empty()},
                                     {"--stream", flags.stream},
                                     {"--session", !flags.session.empty()}})
    check<ConfigError>(!is_set, "predict: ", flag, " does not go with ", format, ": each line gets a column more");
  tasks::ColumnsInput what{.name = flags.in == "-" ? "standard input" : flags.in, .universal = format == "conllu"};
  if (!flags.columns.empty()) {
    what.column = parse_number<int64_t>(flags.columns[0]).value_or(0);
    check<ConfigError>(flags.columns.size() == 1 && what.column > 0, "predict: --columns ", joined(flags.columns, " "),
                       ": of ", format, " it is one number, from 1: where the tokens stand");
  }
  LineReader file(flags.in);
  Output output(flags.out);
  loaded.model->predict_columns(file, what, *loaded.options, [&](std::string_view lines) { output.write(lines); });
  output.finish();
}

// Whether texts are written token by token.
bool streams(const PredictFlags& flags, const tasks::TaskKind& kind, std::vector<Field>& options) {
  const bool asked = flags.stream || !flags.session.empty();
  check<ConfigError>(!asked || kind.streams_text, "predict: --stream and --session: a model of task ", kind.name,
                     " writes no running text");
  check<ConfigError>(!asked || (flags.score.empty() && flags.prefix.empty() && flags.field.empty()),
                     "predict: --stream and --session complete the lines of --in; --score, --prefix and --field do not "
                     "go with them");
  for (const auto& [flag, value] : {std::pair("--format", flags.format), {"--in-format", flags.in_format}})
    check<ConfigError>(!asked || value == "auto" || value == (flag == std::string("--format") ? "text" : "lines"),
                       "predict: --stream and --session write text for lines, without ", flag, " ", value);
  if (asked) return true;
  const auto one = [&](const char* option) {
    const Field& field = find_field(options, option, "predict");
    return field.origin == "default" || field_text(field) == "1";
  };
  return kind.streams_text && flags.score.empty() && flags.field.empty() && flags.out == "-" &&
         ::isatty(STDOUT_FILENO) && flags.format == "auto" &&
         tasks::input_format(flags.in_format, flags.in, kind.input_fields()) == "lines" && one("n_best") && one("beam");
}

void run_stream(const PredictFlags& flags, const PredictionFlags::Loaded& loaded, LineQueue& queue) {
  std::unique_ptr<tasks::TextStream> stream = loaded.model->stream(*loaded.options);
  std::error_code error;
  if (!flags.session.empty() && std::filesystem::exists(flags.session, error)) stream->load(flags.session);
  Output output(flags.out);
  bool first = true;
  for (auto lines = queue.take(); !lines.empty(); lines = queue.take())
    for (const std::string& line : lines) {
      if (flags.session.empty() && !std::exchange(first, false)) stream = loaded.model->stream(*loaded.options);
      stream->complete(with_replacements(line), [&](std::string_view piece) { output.write(piece); });
      output.write("\n");
    }
  output.finish();
  if (!flags.session.empty()) stream->save(flags.session);
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
  const tasks::TaskKind& kind = tasks::task_of_model(flags.models[0]);
  const auto score_is_all = [](const tasks::InputField& f) { return f.name == "score" && f.alone; };
  flags.score_alone = !flags.score.empty() && flags.in == "-" && std::ranges::any_of(kind.input_fields(), score_is_all);
  if (flags.score_alone) flags.in = flags.score;
  const int from_stdin = (flags.in == "-") + (flags.prefix == "-") + (flags.score == "-" && !flags.score_alone);
  check<ConfigError>(from_stdin <= 1, "predict: only one of --in, --prefix and --score can be standard input (-)");
  const ThreadScope threads = flags.machine.use();
  if (kind.streams_sound && flags.stream) {
    listen(flags, options.load(flags.models, parser, args.console.sink()), parser.added());
    return 0;
  }
  if (kind.reads_tables) {
    predict_table(flags, options.load(flags.models, parser, args.console.sink()));
    return 0;
  }
  if (const std::string format = tasks::columns_format(flags.in_format, flags.in); !format.empty()) {
    predict_columns(flags, format, options.load(flags.models, parser, args.console.sink()));
    return 0;
  }
  auto fields = parser.added();
  // Read from here on, while the model is loaded.
  const auto batch = std::get<int64_t>(field_value(find_field(fields, "batch", "--batch")));
  LineQueue queue = queue_of(flags.in, kind, static_cast<size_t>(kBatchesAhead * batch));
  const auto loaded = options.load(flags.models, parser, args.console.sink());
  if (streams(flags, kind, fields)) {
    tell_of_terminal(flags.in, args.console);
    run_stream(flags, loaded, queue);
    return 0;
  }
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

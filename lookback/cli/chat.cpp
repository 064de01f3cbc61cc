// lookback chat: a conversation with a model, line by line.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "lookback/base/line_reader.h"
#include "lookback/base/utf8.h"
#include "lookback/cli/command.h"
#include "lookback/cli/converse.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/prediction_flags.h"
#include "lookback/cli/stop_signal.h"
#include "lookback/io/posix_file.h"

namespace lookback::cli {
namespace {

struct ChatFlags {
  StringList models;
  std::string knowledge, transcript;
  int64_t history = 0;
  MachineFlags machine;
  bool quiet = false;

  void declare(Flags& v) {
    v.words("MODEL...", models, 1, "a folder with a model of task chat, or several: an ensemble");
    v("knowledge", knowledge, "FILE", "what is known from the start, a row a line, plain or .gz");
    v("history", history, "N", "the model gets the newest N turns, of both sides; all unless given").range(1, 1e9);
    v("transcript", transcript, "FILE",
      "append each exchange as a JSON line with history, knowledge and reply, as data.train and evaluate read them");
    machine.declare(v);
    v("quiet", quiet, "", "say nothing but replies, warnings and errors");
  }
};

StringList rows_of(const std::string& file) {
  if (file.empty()) return {};
  check<ConfigError>(file != "-", "chat: --knowledge -: standard input is what is said; name a file");
  StringList out;
  LineReader lines(file);
  for (std::string line; lines.next(line);) {
    const auto bad = find_invalid_utf8(line);
    check<FormatError>(!bad, file, ":", lines.number(), ": byte ", bad.value_or(0) + 1, " is not UTF-8");
    if (!line.empty()) out.push_back(line);
  }
  return out;
}

// A file that grows row by row; one that is there already keeps what it has.
class Transcript {
 public:
  // Throws ConfigError and IoError.
  explicit Transcript(const std::string& path) {
    check<ConfigError>(path != "-", "chat: --transcript -: standard output has the replies; name a file");
    check<ConfigError>(!path.ends_with(".gz"), "chat: --transcript ", path,
                       ": is written plain, row by row; name it without .gz");
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    check<IoError>(fd >= 0, path, ": cannot open: ", io::error_text(errno));
    file_ = io::File(fd, path);
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error) || file_.size() == 0) return;
    char last = 0;
    io::File::open_regular(path).read_exactly(file_.size() - 1, &last, 1);
    line_is_open_ = last != '\n';
  }
  void write(std::string_view row) {
    file_.write_all((line_is_open_ ? "\n" : "") + std::string(row));
    line_is_open_ = false;
  }

 private:
  io::File file_;
  bool line_is_open_ = false;  // whoever wrote the last line did not end it
};

void warn_of_lost_replies(const Flags& flags, Console& console) {
  for (const Field& f : flags.added())
    if (f.path == "n_best" && f.origin != "default" && field_text(f) != "1")
      console.log(Severity::warning, "chat: only the best of --n-best replies is shown");
}

}  // namespace

int run_chat(Args& args) {
  ChatFlags flags;
  const PredictionFlags options;
  Flags parser("chat");
  flags.declare(parser);
  options.declare(parser);
  parser.parse(args.words);
  if (flags.quiet) args.console.set_quiet();
  const std::string task = tasks::task_of_model(flags.models[0]).name;
  check<ConfigError>(task == "chat", "chat needs a model of task chat; ", flags.models[0], " is of task ", task,
                     ": use lookback predict");
  const StopSignal signal;  // before anything that starts threads
  Conversation conversation(rows_of(flags.knowledge), flags.history);
  const ThreadScope threads = flags.machine.use();
  const auto loaded = options.load(flags.models, parser, args.console.sink());
  warn_of_lost_replies(parser, args.console);
  LineReader lines("-");
  ChatEnds ends{.next = [&](std::string& line) { return lines.next(line); },
                .write = print,
                .log = args.console.sink(),
                .terminal = ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO)};
  std::optional<Transcript> transcript;
  if (!flags.transcript.empty()) {
    transcript.emplace(flags.transcript);
    ends.keep = [&](std::string_view row) { transcript->write(row); };
  }
  if (::isatty(STDIN_FILENO))
    args.console.log(Severity::info, "each line is a turn; /help lists the commands, Ctrl-D on an empty line ends it");
  converse(*loaded.model, *loaded.options, std::move(conversation), ends);
  return 0;
}

std::vector<HelpSection> help_chat() {
  ChatFlags flags;
  const PredictionFlags options;
  Flags parser("chat");
  flags.declare(parser);
  options.declare(parser);
  auto out = parser.help("options (defaults are those of the model folder, where it sets them)");
  out.insert(out.end() - 1, chat_commands());
  return out;
}

}  // namespace lookback::cli

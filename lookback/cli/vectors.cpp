// lookback vectors: word vectors of a text.
#include <chrono>
#include <optional>

#include "lookback/base/format_number.h"
#include "lookback/cli/command.h"
#include "lookback/cli/machine_flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/stop_signal.h"
#include "lookback/io/json.h"
#include "lookback/tasks/word_vectors.h"

namespace lookback::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct VectorFlags {
  StringList texts;
  std::string out, context, log_format = "text";
  bool quiet = false;
  MachineFlags machine;
  tasks::WordVectorOptions options;

  void declare(Flags& v) {
    v.words("TEXT...", texts, 1, "lines of words between spaces, plain or .gz; - is standard input");
    v("out", out, "FILE",
      "where the vectors go, words in order of frequency: text of word2vec, or its binary format if the name ends in "
      ".bin; - is standard output");
    v("context", context, "FILE", "the vectors of words as what is predicted, likewise (word2vec's syn1neg)");
    machine.declare(v);
    v("quiet", quiet, "", "say nothing but warnings and errors");
    v("log-format", log_format, "FORMAT", "how to talk on standard error").choices({"text", "json"});
    v.add(fields_of(options));
  }
};

// How far training is, on standard error: often while there is much to see, rarely later.
class VectorProgress {
 public:
  explicit VectorProgress(Console& console) : console_(console) {}

  void tell(const SkipGramProgress& p) {
    const double age = seconds_since(began_), pause = seconds_since(spoke_);
    const double wanted = console_.redraws() ? 0.1 : age < 10 ? 2 : age < 120 ? 10 : 60;
    if (console_.quiet() || pause < wanted) return;
    spoke_ = Clock::now();
    const double per_second = static_cast<double>(p.tokens) / age;
    const double left = static_cast<double>(p.all_tokens - p.tokens) / per_second;
    if (console_.json())
      return console_.raw(io::JsonObject()
                              .add("event", "progress")
                              .add("tokens", p.tokens)
                              .add("epoch", p.epochs)
                              .add("loss", p.loss)
                              .add("lr", p.lr)
                              .add("units_per_second", per_second)
                              .add("seconds", age)
                              .add("eta_seconds", left)
                              .text());
    const std::string line = "epoch " + fixed(p.epochs, 2) + "  loss " + fixed(p.loss, 4) + "  lr " +
                             short_number(p.lr) + "  " + grouped(static_cast<int64_t>(per_second)) + " words/s  ETA " +
                             duration(left);
    console_.redraws() ? console_.status(line) : console_.raw(line);
  }

  double seconds() const { return seconds_since(began_); }

 private:
  Console& console_;
  Clock::time_point began_ = Clock::now(), spoke_ = began_;
};

void check_flags(const VectorFlags& f) {
  check<ConfigError>(!f.out.empty(), "vectors: --out FILE is missing: where the vectors go");
  check<ConfigError>(f.out != f.context, "vectors: --out and --context name the same file, ", f.out);
  for (const std::string* name : {&f.out, &f.context})
    check<ConfigError>(!name->ends_with(".gz"), "vectors: ", *name,
                       ": compressed files are read but not written; leave the .gz away");
}

void write(Output& out, const std::string& name, const data::WordCorpus& text, const Tensor& rows) {
  const auto format = name.ends_with(".bin") ? data::VectorFormat::binary : data::VectorFormat::text;
  data::write_word_vectors(text.words, rows, format, [&](std::string_view bytes) { out.write(bytes); });
}

}  // namespace

int run_vectors(Args& args) {
  VectorFlags flags;
  Flags parser("vectors");
  flags.declare(parser);
  parser.parse(args.words);
  if (flags.quiet) args.console.set_quiet();
  if (flags.log_format == "json") args.console.set_json();
  check_flags(flags);
  StopSignal signal;  // before anything that starts threads
  const ThreadScope threads = flags.machine.use();
  const data::WordCorpus text = tasks::read_text(flags.texts, flags.options.text, args.console.sink());
  signal.patient();  // what is written from here on has to be taken away again
  Output out(flags.out);
  std::optional<Output> context;
  if (!flags.context.empty()) context.emplace(flags.context);

  VectorProgress progress(args.console);
  const auto trained = train_skip_gram(text, flags.options.model, [&](const SkipGramProgress& p) {
    progress.tell(p);
    return signal.received() == 0;
  });
  if (!trained) {
    args.console.log(Severity::info, str_cat("interrupted by signal ", signal.received(), "; nothing was written"));
    return 128 + signal.received();
  }
  const double seconds = progress.seconds();
  write(out, flags.out, text, trained->words);
  if (context) write(*context, flags.context, text, trained->contexts);
  out.finish();
  if (context) context->finish();
  const auto read = static_cast<double>(flags.options.model.epochs * std::ssize(text.tokens));
  args.console.log(Severity::info, str_cat(grouped(std::ssize(text.words)), " vectors of ", flags.options.model.dim,
                                           " values after ", flags.options.model.epochs, " epochs, ", duration(seconds),
                                           " (", grouped(static_cast<int64_t>(read / seconds)), " words/s)"));
  if (flags.out != "-")
    args.console.log(Severity::info, flags.out + ": the vectors; try lookback inspect " + flags.out + " --near WORD");
  return 0;
}

std::vector<HelpSection> help_vectors() {
  VectorFlags flags;
  Flags parser("vectors");
  flags.declare(parser);
  return parser.help();
}

}  // namespace lookback::cli

// lookback metric: scores of lines against references, as sacreBLEU prints them.
#include <functional>

#include "lookback/base/format_number.h"
#include "lookback/base/line_reader.h"
#include "lookback/base/parallel.h"
#include "lookback/cli/command.h"
#include "lookback/cli/environment.h"
#include "lookback/cli/flags.h"
#include "lookback/cli/output.h"
#include "lookback/io/json.h"
#include "lookback/metrics/alignment.h"
#include "lookback/metrics/registry.h"
#include "lookback/metrics/significance.h"
#include "lookback/viz/tokens.h"

namespace lookback::cli {
namespace {

using metrics::Lines;

struct MetricFlags {
  StringList names, ref, paired;
  std::string in = "-", format = "text", test = "bs";
  bool confidence = false, sentence = false, alignment = false;
  int64_t confusions = 0, resamples = 0, seed = 12345, digits = 2, threads = 0;
  metrics::MetricOptions options;

  void declare(Flags& v) {
    v.words("METRIC", names, 1,
            "bleu, chrf, chrf++, ter, wer, cer, accuracy, word_error_rate, symbol_error_rate, rouge1, rouge2, rougel, "
            "rougelsum, exact_match, f1, macro_f1, micro_f1, mcc, or of captions bleu1 to bleu4, rouge_l, cider_d");
    v("ref", ref, "FILE...", "the references, one per line, plain or .gz; several files for several references");
    v("in", in, "FILE", "what is scored, one segment per line; - is standard input");
    v("sentence", sentence, "", "one score for each line instead of one for all (BLEU with effective_order)");
    v("confidence", confidence, "", "with the mean and central 95 % of bootstrap resamples");
    v("alignment", alignment, "", "wer only: with every line that has errors, word by word beside its reference");
    v("confusions", confusions, "N", "wer only: with the N most frequent confusions of words").range(1, 1e9);
    v("paired", paired, "FILE...", "compare these systems with --in, and say how likely the difference is chance");
    v("paired-test", test, "TEST", "bs: paired bootstrap; ar: approximate randomization").choices({"bs", "ar"});
    v("resamples", resamples, "N", "how many; 1000, or 10000 for ar, unless given").range(1, 1e7);
    v("seed", seed, "N", "of the resamples").range(0, 4294967295.0);
    v("digits", digits, "N", "digits after the point").range(0, 15);
    v("format", format, "FORMAT", "text: sacreBLEU's line; json: one object").choices({"text", "json"});
    v("threads", threads, "N", "threads to use, all cores unless given; changes no result").range(1, 4096);
  }
};

// The options of one metric stand in the group called after it, those of several alike in one for all.
std::string group_of(const std::string& metric) {
  if (metric == "macro_f1" || metric == "micro_f1") return "label";
  if (metric == "word_error_rate" || metric == "symbol_error_rate") return "symbol";
  if (metric == "rouge_l" || metric == "cider_d" || (metric.starts_with("bleu") && metric != "bleu")) return "caption";
  if (metric.starts_with("rouge")) return "rouge";
  return metric == "chrf++" ? "chrf" : metric;
}

std::string name_of(const std::string& path) { return path == "-" ? "standard input" : path; }

Lines read_lines(const std::string& path) {
  LineReader reader(path);
  Lines out;
  for (std::string line; reader.next(line);) out.push_back(line);
  return out;
}

void check_count(const std::string& path, const Lines& lines, const std::string& reference, size_t wanted) {
  check<FormatError>(lines.size() == wanted, name_of(path), ": ", lines.size(), " lines, but ", name_of(reference),
                     " has ", wanted, "; there must be one for each");
}

// --in, then those of --paired.
std::vector<metrics::System> read_systems(const MetricFlags& f, size_t lines) {
  std::vector<metrics::System> out{{name_of(f.in), read_lines(f.in)}};
  check_count(f.in, out[0].hypotheses, f.ref[0], lines);
  for (const std::string& path : f.paired) {
    out.push_back({path, read_lines(path)});
    check_count(path, out.back().hypotheses, f.ref[0], lines);
  }
  return out;
}

std::vector<metrics::LineAlignment> align_lines(const MetricFlags& f, const Lines& in,
                                                const metrics::References& refs) {
  const std::vector<Lines> references = metrics::by_segment(refs).lines;
  std::vector<metrics::LineAlignment> out(in.size());
  parallel_for(std::ssize(in), 16, [&](int64_t begin, int64_t end) {
    for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k)
      out[k] = metrics::align_words(in[k], references[k], f.options.wer);
  });
  return out;
}

const char* name_of(metrics::EditKind kind) {
  constexpr const char* kNames[] = {"hit", "substitution", "deletion", "insertion"};
  return kNames[static_cast<size_t>(kind)];
}

std::string text_of(const metrics::Confusion& c) {
  using enum metrics::EditKind;
  return str_cat(c.count, " ",
                 c.kind == insertion  ? "inserted "
                 : c.kind == deletion ? "deleted "
                                      : "",
                 viz::one_line(c.reference), c.kind == substitution ? " -> " : "", viz::one_line(c.hypothesis), "\n");
}

std::string json_of(const metrics::Confusion& c) {
  const auto word = [](const std::string& w) { return w.empty() ? "null" : io::json_quote(w); };
  return io::JsonObject()
      .add("kind", name_of(c.kind))
      .raw("reference", word(c.reference))
      .raw("hypothesis", word(c.hypothesis))
      .add("count", c.count)
      .text();
}

// Of one line: each place a word of the reference, one of the hypothesis, and what became of it.
std::string json_of(const metrics::LineAlignment& line, size_t k) {
  const auto word = [](const std::vector<std::string>& words, int64_t at) {
    return at < 0 ? "null" : io::json_quote(words[static_cast<size_t>(at)]);
  };
  const std::string words = io::json_list(line.tokens, [&](const metrics::AlignedToken& t) {
    return io::JsonObject()
        .raw("reference", word(line.reference, t.reference))
        .raw("hypothesis", word(line.hypothesis, t.hypothesis))
        .add("kind", name_of(t.kind))
        .text();
  });
  return io::JsonObject().add("line", static_cast<int64_t>(k) + 1).raw("words", words).text();
}

// What --alignment and --confusions add to the score: lines with errors, in order, and what was taken for what.
struct WordErrors {
  std::string text;
  io::JsonObject json;
};

WordErrors word_errors(const MetricFlags& f, const Lines& in, const metrics::References& refs) {
  WordErrors out;
  if (!f.alignment && !f.confusions) return out;
  const std::vector<metrics::LineAlignment> lines = align_lines(f, in, refs);
  std::vector<std::string> aligned;
  for (size_t k = 0; k < lines.size() && f.alignment; ++k) {
    const metrics::EditCounts counts = lines[k].counts();
    if (counts.errors() == 0) continue;
    out.text += str_cat("\nline ", k + 1, ": ", counts.errors(), counts.errors() == 1 ? " error" : " errors", " in ",
                        counts.reference_length(), counts.reference_length() == 1 ? " word\n" : " words\n",
                        metrics::alignment_text(lines[k]));
    aligned.push_back(json_of(lines[k], k));
  }
  std::vector<metrics::Confusion> confused;
  if (f.confusions) confused = metrics::confusions(lines);
  confused.resize(std::min(confused.size(), static_cast<size_t>(f.confusions)));
  if (!confused.empty()) out.text += "\n";
  for (const metrics::Confusion& c : confused) out.text += text_of(c);
  if (f.alignment) out.json.raw("alignments", io::json_list(aligned, std::identity()));
  if (f.confusions)
    out.json.raw("confusions", io::json_list(confused, [](const metrics::Confusion& c) { return json_of(c); }));
  return out;
}

std::string json_score(const metrics::Score& s, size_t lines, const WordErrors& errors) {
  io::JsonObject out;
  out.add("name", s.name).add("score", s.value).add("signature", s.signature).add("details", s.details);
  out.add("lines", static_cast<int64_t>(lines));
  if (s.ci >= 0) out.add("confidence_mean", s.mean).add("confidence_95", s.ci);
  return out.append(errors.json).text() + "\n";
}

void print_corpus(const MetricFlags& f, const metrics::CorpusMetric& metric, const Lines& in,
                  const metrics::References& refs) {
  const metrics::BootstrapOptions bootstrap{.samples = f.resamples ? f.resamples : 1000, .seed = f.seed};
  const metrics::Score s = f.confidence ? metrics::corpus_score_with_interval(metric, in, refs, bootstrap)
                                        : metrics::corpus_score(metric, in, refs);
  const WordErrors errors = word_errors(f, in, refs);
  print(f.format == "json" ? json_score(s, in.size(), errors)
                           : metrics::format_score(s, static_cast<int>(f.digits), s.signature) + "\n" + errors.text);
}

void print_sentences(const MetricFlags& f, const metrics::CorpusMetric& metric, const Lines& in,
                     const metrics::References& refs) {
  const auto stats = metrics::segment_stats(metric, in, metrics::by_segment(refs));
  std::string out;
  for (size_t k = 0; k < in.size(); ++k) {
    const double score = metric.score(stats[k]);
    out += f.format == "json" ? str_cat("{\"line\": ", k + 1, ", \"score\": ", io::json_number(score), "}\n")
                              : fixed(score, static_cast<int>(f.digits)) + "\n";
  }
  print(out);
}

std::string paired_line(const metrics::PairedResult& r, const std::string& metric, int digits) {
  std::string out = r.system + ": " + metric + " = " + fixed(r.score, digits);
  if (r.interval) out += " (μ = " + fixed(r.interval->mean, digits) + " ± " + fixed(r.interval->ci, digits) + ")";
  if (!r.p_value) return out + "  baseline\n";
  const bool differs = *r.p_value < 0.05;
  return out + "  p = " + fixed(*r.p_value, 4) + (differs ? "  differs from the baseline (p < 0.05)\n" : "\n");
}

std::string paired_json(const metrics::PairedReport& report) {
  const std::string systems = io::json_list(report.results, [](const metrics::PairedResult& r) {
    io::JsonObject out;
    out.add("system", r.system).add("score", r.score);
    if (r.interval) out.add("confidence_mean", r.interval->mean).add("confidence_95", r.interval->ci);
    return out.raw("p_value", r.p_value ? io::json_number(*r.p_value) : "null").text();
  });
  return io::JsonObject().add("name", report.metric).add("signature", report.signature).raw("systems", systems).text() +
         "\n";
}

void print_paired(const MetricFlags& f, const metrics::CorpusMetric& metric,
                  const std::vector<metrics::System>& systems, const metrics::References& refs) {
  const auto report =
      metrics::paired_test(metric, systems, refs, {.test = f.test, .samples = f.resamples, .seed = f.seed});
  if (f.format == "json") return print(paired_json(report));
  std::string out = report.metric + "|" + report.signature + "\n";
  for (const metrics::PairedResult& r : report.results)
    out += paired_line(r, report.metric, static_cast<int>(f.digits));
  print(out);
}

// The flags depend on the metric, so it has to come first.
std::string metric_name(const StringList& words) {
  check<ConfigError>(!words.empty() && !words[0].starts_with('-'),
                     "metric: say first which one: ", joined(metrics::metric_names()));
  metrics::make_metric(words[0]);  // throws for an unknown one
  return words[0];
}

}  // namespace

int run_metric(Args& args) {
  const std::string name = metric_name(args.words);
  MetricFlags flags;
  Flags parser("metric");
  flags.declare(parser);
  parser.add(fields_of(flags.options), group_of(name));
  parser.parse(args.words);
  check<ConfigError>(!flags.ref.empty(), "metric: --ref FILE... is missing: the references");
  check<ConfigError>(flags.sentence + flags.confidence + !flags.paired.empty() <= 1,
                     "metric: --sentence, --confidence and --paired exclude each other");
  const char* const detail = flags.alignment ? "--alignment" : flags.confusions ? "--confusions" : nullptr;
  check<ConfigError>(!detail || name == "wer", "metric: ", detail, " is of words; it goes with wer, not with ", name);
  check<ConfigError>(!detail || (!flags.sentence && flags.paired.empty()), "metric: ", detail,
                     " goes with one score for all lines, not with --sentence or --paired");
  const ThreadScope threads(chosen_threads(flags.threads));
  if (flags.sentence) flags.options.bleu.effective_order = true;  // else most sentences score 0
  metrics::References refs;
  for (const std::string& path : flags.ref) refs.push_back(read_lines(path));
  for (size_t k = 1; k < refs.size(); ++k) check_count(flags.ref[k], refs[k], flags.ref[0], refs[0].size());
  const std::vector<metrics::System> systems = read_systems(flags, refs[0].size());
  for (const Lines& lines : refs) metrics::learn_lines(name, lines, flags.options);
  for (const metrics::System& s : systems) metrics::learn_lines(name, s.hypotheses, flags.options);
  const auto metric = metrics::make_metric(name, flags.options);
  if (!flags.paired.empty()) {
    print_paired(flags, *metric, systems, refs);
  } else {
    (flags.sentence ? print_sentences : print_corpus)(flags, *metric, systems[0].hypotheses, refs);
  }
  return 0;
}

std::vector<HelpSection> help_metric() {
  MetricFlags flags;
  Flags parser("metric");
  flags.declare(parser);
  auto out = parser.help();
  for (const std::string& name : metrics::metric_names()) {
    Flags own(name);
    own.add(fields_of(flags.options), group_of(name));
    for (HelpSection& s : own.help("options of " + name)) out.push_back(std::move(s));
  }
  return out;
}

}  // namespace lookback::cli

// A trained translation model, and search with one or several of them.
#include <algorithm>

#include "lookback/base/line_reader.h"
#include "lookback/base/utf8.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/translate.h"
#include "lookback/tasks/translate_folder.h"
#include "lookback/tasks/translate_steps.h"

namespace lookback::tasks {
namespace {

class TranslateModel final : public TaskModel {
 public:
  explicit TranslateModel(const std::vector<std::string>& folders) {
    std::vector<io::ModelFolder> opened(folders.begin(), folders.end());
    for (const io::ModelFolder& f : opened) models_.push_back(load_model(f));
    for (size_t k = 1; k < models_.size(); ++k)
      check<FormatError>(tokenizers().source->bytes() == models_[k].tokenizers.source->bytes() &&
                             tokenizers().target->bytes() == models_[k].tokenizers.target->bytes(),
                         folders[k], ": its tokenizer is not that of ", folders[0],
                         "; an ensemble needs one tokenizer");
    options_.search = read_generation(opened[0]);
    if (models_[0].int8) options_.precision = "int8";
  }

  std::string task() const override { return "translate"; }
  std::unique_ptr<PredictOptions> options() const override { return std::make_unique<TranslateOptions>(options_); }
  void validate(const PredictOptions& options, const LogSink& log) const override;

  std::vector<Prediction> predict(std::span<const Input> inputs, const PredictOptions& options,
                                  Detail detail) const override;
  std::string steps(const Input& input, const PredictOptions& options) const override;
  std::vector<EvaluationLine> evaluate(const std::vector<std::string>& files,
                                       const PredictOptions& options) const override;

 private:
  const Tokenizers& tokenizers() const { return models_[0].tokenizers; }
  Job job_of(const Input& input) const;
  // The hypotheses of each job, as translate() has them, and in the precision asked for.
  std::vector<std::vector<decode::Hypothesis>> search(const std::vector<Job>& jobs,
                                                      const TranslateOptions& options) const;
  Output output(const decode::Hypothesis& h, const std::string& source, const TranslateOptions& options) const;
  std::vector<std::string> unknowns_of(std::span<const int32_t> ids, const std::string& target) const;
  std::string with_unknowns_replaced(const decode::Hypothesis& h, const std::string& source) const;

  std::vector<LoadedModel> models_;
  TranslateOptions options_;  // of the folder
};

const TranslateOptions& translate_options(const PredictOptions& options) {
  const auto* const own = dynamic_cast<const TranslateOptions*>(&options);
  check<Error>(own, "translate: these are the options of another task");
  return *own;
}

void TranslateModel::validate(const PredictOptions& options, const LogSink& log) const {
  const TranslateOptions& o = translate_options(options);
  o.search.validate();
  check<ConfigError>(o.shortlist == 0 || models_[0].shortlist, "shortlist = ", o.shortlist,
                     " needs a model that was trained with shortlist.per_token of at least that");
  check<ConfigError>(o.shortlist == 0 || o.shortlist <= models_[0].shortlist->per_token(), "shortlist = ", o.shortlist,
                     ": this model's has ", models_[0].shortlist->per_token(), " tokens for each source token");
  if (const std::string warning = ops::precision_warning(o.precision); !warning.empty())
    log(Severity::warning, warning);
}

Output TranslateModel::output(const decode::Hypothesis& h, const std::string& source,
                              const TranslateOptions& options) const {
  const data::Tokenizer& target = *tokenizers().target;
  Output out{.text = options.replace_unk ? with_unknowns_replaced(h, source) : target.decode(h.tokens),
             .score = h.score,
             .log_prob = h.log_prob,
             .token_log_probs = h.token_log_probs,
             .alignment = h.alignment};
  for (const int32_t id : h.tokens) out.tokens.push_back(target.piece(id));
  return out;
}

// The text with each unknown word as the text of the source token it looked at.
std::string TranslateModel::with_unknowns_replaced(const decode::Hypothesis& h, const std::string& source) const {
  std::string out = tokenizers().target->decode(h.tokens);
  const auto unknowns = decode::unknown_sources(h, data::kUnk);
  if (unknowns.empty()) return out;
  const auto words = tokenizers().source->surfaces(source);
  size_t at = 0;
  for (const auto& [position, from] : unknowns) {
    at = out.find(data::kUnkSurface, at);
    if (at == std::string::npos) break;
    const std::string word(from >= 0 ? words.at(static_cast<size_t>(from)) : data::kUnkSurface);
    out.replace(at, data::kUnkSurface.size(), word);
    at += word.size();
  }
  return out;
}

// What of a target text, which has these ids, the vocabulary lacks.
std::vector<std::string> TranslateModel::unknowns_of(std::span<const int32_t> ids, const std::string& target) const {
  std::vector<std::string> out;
  if (std::ranges::find(ids, data::kUnk) == ids.end()) return out;
  const auto words = tokenizers().target->surfaces(target);
  for (size_t k = 0; k < ids.size(); ++k)
    if (ids[k] == data::kUnk) out.push_back(words.at(k));
  return out;
}

// Malformed bytes become U+FFFD, so that every input gets its output.
Job TranslateModel::job_of(const Input& input) const {
  Job out{.source = tokenizers().source->encode(with_replacements(input.text)),
          .prefix = tokenizers().target->encode(with_replacements(input.prefix)),
          .key = static_cast<uint64_t>(input.line)};
  if (input.target) out.target = tokenizers().target->encode(with_replacements(*input.target));
  return out;
}

std::vector<std::vector<decode::Hypothesis>> TranslateModel::search(const std::vector<Job>& jobs,
                                                                    const TranslateOptions& options) const {
  const PrecisionScope scope(ops::available_precision(options.precision));
  std::vector<const Seq2Seq*> models;
  for (const LoadedModel& m : models_) models.push_back(m.model.get());
  return translate(models, jobs, options, models_[0].shortlist ? &*models_[0].shortlist : nullptr);
}

std::vector<Prediction> TranslateModel::predict(std::span<const Input> inputs, const PredictOptions& asked,
                                                Detail detail) const {
  TranslateOptions options = translate_options(asked);
  validate(options, [](Severity, std::string_view) {});
  options.search.scores = detail == Detail::full;
  std::vector<Job> jobs;
  for (const Input& input : inputs) jobs.push_back(job_of(input));
  const auto found = search(jobs, options);
  std::vector<Prediction> out(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    out[k].line = inputs[k].line;
    out[k].unknown_in_prefix = unknowns_of(jobs[k].prefix, with_replacements(inputs[k].prefix));
    for (const int32_t id : jobs[k].source) out[k].source.push_back(tokenizers().source->piece(id));
    const std::string source = with_replacements(inputs[k].text);
    for (const decode::Hypothesis& h : found[k]) out[k].outputs.push_back(output(h, source, options));
  }
  return out;
}

std::string TranslateModel::steps(const Input& input, const PredictOptions& asked) const {
  check<ConfigError>(models_.size() == 1, "explain: --steps follows one model, not an ensemble of ", models_.size());
  const TranslateOptions& options = translate_options(asked);
  validate(options, [](Severity, std::string_view) {});
  const Job job = job_of(input);
  check<ConfigError>(!job.source.empty(), "explain: --steps needs a text that is not empty");
  const auto target = job.target ? *job.target : search({job}, options)[0][0].tokens;
  const PrecisionScope scope(ops::available_precision(options.precision));
  return steps_of(*models_[0].model, tokenizers(), job.source, target);
}

std::vector<EvaluationLine> TranslateModel::evaluate(const std::vector<std::string>& files,
                                                     const PredictOptions& options) const {
  check<ConfigError>(files.size() == 2, "evaluate --data takes a source and a reference file, got ", files.size());
  std::vector<Input> inputs;
  std::vector<std::string> references;
  LineReader source(files[0]), reference(files[1]);
  std::string line, other;
  for (;;) {
    const bool more = source.next(line), match = reference.next(other);
    check<FormatError>(more == match, files[0], " and ", files[1], " have unequal line counts; one ends at line ",
                       std::min(source.number(), reference.number()) + 1);
    if (!more) break;
    inputs.push_back({.line = source.number(), .text = line});
    references.push_back(other);
  }
  check<FormatError>(!inputs.empty(), files[0], ": no lines");
  metrics::Lines hypotheses;
  for (const Prediction& p : predict(inputs, options, Detail::text_only)) hypotheses.push_back(p.outputs[0].text);
  return text_scores(hypotheses, references);
}

}  // namespace

std::unique_ptr<TaskModel> load_translate(const std::vector<std::string>& folders) {
  return std::make_unique<TranslateModel>(folders);
}

}  // namespace lookback::tasks

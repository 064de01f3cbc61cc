// Prediction with one or several models of text into text.
#include <algorithm>

#include "lookback/base/utf8.h"
#include "lookback/decode/ensemble.h"
#include "lookback/decode/search.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/text_steps.h"
#include "lookback/tasks/text_to_text.h"

namespace lookback::tasks {
namespace {

using Sentences = std::vector<std::vector<int32_t>>;
using Networks = TextToTextTask::Networks;

// One input as ids.
struct Job {
  std::vector<int32_t> source, prefix, spelling = {};
  std::optional<std::vector<int32_t>> target = {};
  uint64_t key = 0;
};

// Malformed bytes become U+FFFD, so that every input gets its output; "" for a field that is not there.
std::string text_of(const Input& input, const char* field) {
  const std::string* text = input.find(field);
  return text ? with_replacements(*text) : "";
}

Job job_of(const TextToText& network, const Input& input) {
  const Tokenizers& tokenizers = network.tokenizers;
  const std::string source = required_text(input, "source");
  Job out{.source = network.features ? network.features->encode(required_text(input, "features"), source)
                                     : tokenizers.source->encode(source),
          .prefix = tokenizers.target->encode(text_of(input, "prefix")),
          .key = static_cast<uint64_t>(input.line)};
  if (network.spelling) out.spelling = network.spelling->encode(source);
  if (input.find("score")) out.target = tokenizers.target->encode(text_of(input, "score"));
  return out;
}

// The jobs that have something to read, from long to short: those read together are then of like length,
// and the last ones, for which nobody waits any more, are short.
std::vector<size_t> by_length(const std::vector<Job>& jobs) {
  std::vector<size_t> out;
  for (size_t k = 0; k < jobs.size(); ++k)
    if (!jobs[k].source.empty()) out.push_back(k);
  std::stable_sort(out.begin(), out.end(),
                   [&](size_t a, size_t b) { return jobs[a].source.size() > jobs[b].source.size(); });
  return out;
}

struct Chosen {
  Sentences sources, spellings, targets;
  std::vector<decode::SourceInfo> infos;

  Chosen(const std::vector<Job>& jobs, std::span<const size_t> which) {
    for (const size_t k : which) {
      const Job& job = jobs[k];
      sources.push_back(job.source);
      if (!job.spelling.empty()) spellings.push_back(job.spelling);
      infos.push_back({.source_length = static_cast<int64_t>(job.source.size()), .prefix = job.prefix, .key = job.key});
      if (job.target) targets.push_back(*job.target);
    }
  }
};

std::unique_ptr<decode::StepDecoder> make_decoder(Networks networks, Chosen& of, const TextOptions& options,
                                                  Sentences candidates = {}) {
  if (networks.size() == 1)
    return networks[0]->model->decoder(std::move(of.sources), options.batch, std::move(candidates),
                                       std::move(of.spellings));
  std::vector<std::unique_ptr<decode::StepDecoder>> decoders;
  for (const TextToText* n : networks)
    decoders.push_back(n->model->decoder(of.sources, options.batch, candidates, of.spellings));
  return std::make_unique<decode::Ensemble>(std::move(decoders), options.ensemble == "probability"
                                                                     ? decode::EnsembleMean::probabilities
                                                                     : decode::EnsembleMean::log_probabilities);
}

using Found = std::vector<std::vector<decode::Hypothesis>>;  // the best of each job

void search_for(Networks networks, const std::vector<Job>& jobs, const std::vector<size_t>& which,
                const TextOptions& options, Found& out) {
  if (which.empty()) return;
  Chosen all(jobs, which);
  Sentences candidates;
  if (options.shortlist > 0)
    for (const size_t k : which)
      candidates.push_back(networks[0]->shortlist->candidates(jobs[k].source, jobs[k].prefix, options.shortlist));
  const auto decoder = make_decoder(networks, all, options, std::move(candidates));
  auto found = decode::search(*decoder, all.infos, options.search);
  for (size_t k = 0; k < which.size(); ++k) out[which[k]] = std::move(found[k]);
}

// Given targets are scored without a shortlist.
void score_targets(Networks networks, const std::vector<Job>& jobs, std::span<const size_t> which,
                   const TextOptions& options, Found& out) {
  while (!which.empty()) {
    const auto now = which.first(std::min(which.size(), static_cast<size_t>(options.batch)));
    which = which.subspan(now.size());
    Chosen batch(jobs, now);
    const auto decoder = make_decoder(networks, batch, options);
    auto scored = decode::force_score(*decoder, batch.infos, batch.targets, options.search);
    for (size_t k = 0; k < now.size(); ++k) out[now[k]] = {std::move(scored[k])};
  }
}

// `batch` jobs are searched at once, long ones first. Empty sources give one empty hypothesis.
Found search(Networks networks, const std::vector<Job>& jobs, const TextOptions& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  Found out(jobs.size(), std::vector<decode::Hypothesis>(1));
  std::vector<size_t> order = by_length(jobs), given;
  std::erase_if(order, [&](size_t k) {
    if (jobs[k].target) given.push_back(k);
    return jobs[k].target.has_value();
  });
  search_for(networks, jobs, order, options, out);
  score_targets(networks, jobs, given, options, out);
  return out;
}

// The text with each unknown word as the text of the source token it looked at.
std::string with_unknowns_replaced(const TextToText& network, const decode::Hypothesis& h, const Input& input) {
  const Tokenizers& tokenizers = network.tokenizers;
  std::string out = tokenizers.target->decode(h.tokens);
  const auto unknowns = decode::unknown_sources(h, data::kUnk);
  if (unknowns.empty()) return out;
  const std::string source = text_of(input, "source");
  const auto words = network.features ? network.features->surfaces(text_of(input, "features"), source)
                                      : tokenizers.source->surfaces(source);
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

// {"tokens", "token_log_probs", "alignment"}: tokens as the model wrote them; a log-probability for each, and for the
// end if it ended; weights [U, T] over the prediction's "source", empty without attention.
io::JsonObject details_of(const Tokenizers& tokenizers, const decode::Hypothesis& h) {
  return io::JsonObject()
      .raw("tokens", io::json_list(tokenizers.target->pieces(h.tokens), io::json_quote))
      .raw("token_log_probs", io::json_list(h.token_log_probs, [](double x) { return io::json_number(x); }))
      .raw("alignment", io::json_matrix(h.alignment));
}

std::string text_of(const TextToText& network, const decode::Hypothesis& h, const Input& input,
                    const TextOptions& options) {
  // Bytes that a model puts together need not be UTF-8.
  return with_replacements(options.replace_unk ? with_unknowns_replaced(network, h, input)
                                               : network.tokenizers.target->decode(h.tokens));
}

// What of the prefix, which has these ids, the vocabulary lacks; "" if nothing.
std::string unknown_in_prefix(const Tokenizers& tokenizers, const std::vector<int32_t>& ids, const Input& input) {
  constexpr int64_t kShown = 5;
  std::string words;
  if (std::ranges::find(ids, data::kUnk) == ids.end()) return words;
  const auto surfaces = tokenizers.target->surfaces(text_of(input, "prefix"));
  int64_t unknown = 0;
  for (size_t k = 0; k < ids.size(); ++k)
    if (ids[k] == data::kUnk && ++unknown <= kShown) words += (words.empty() ? "'" : ", '") + surfaces.at(k) + "'";
  return str_cat("the model does not know ", words, unknown > kShown ? str_cat(" and ", unknown - kShown, " more") : "",
                 "; what it does not know becomes <unk>, which is written ", data::kUnkSurface);
}

// What the model does not know of an input's features; "" if nothing.
std::string unknown_features(const TextToText& network, const Input& input) {
  if (!network.features) return "";
  const StringList unknown = network.features->features().unknown(text_of(input, "features"));
  return unknown.empty() ? "" : "the model does not know the feature '" + joined(unknown, "', '") + "'";
}

}  // namespace

TextOptions TextToTextTask::options(const TextToText& network, bool int8) {
  TextOptions out;
  out.search = network.search;
  if (int8) out.precision = "int8";
  return out;
}

void TextToTextTask::check_options(Networks networks, const TextOptions& o, const LogSink& log) {
  const auto& shortlist = networks[0]->shortlist;
  o.search.validate();
  check<ConfigError>(o.shortlist == 0 || shortlist, "shortlist = ", o.shortlist,
                     " needs a model that was trained with shortlist.per_token of at least that");
  check<ConfigError>(o.shortlist == 0 || o.shortlist <= shortlist->per_token(), "shortlist = ", o.shortlist,
                     ": this model's has ", shortlist->per_token(), " tokens for each source token");
  o.check_precision(log);
}

std::vector<Prediction> TextToTextTask::predict(Networks networks, std::span<const Input> inputs,
                                                const TextOptions& asked, TaskModel::Detail detail) {
  const Tokenizers& tokenizers = networks[0]->tokenizers;
  const bool full = detail == TaskModel::Detail::full;
  TextOptions options = asked;
  options.search.scores = full;
  std::vector<Job> jobs;
  for (const Input& input : inputs) jobs.push_back(job_of(*networks[0], input));
  const Found found = search(networks, jobs, options);
  std::vector<Prediction> out(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    out[k].line = inputs[k].line;
    if (std::string unknown = unknown_in_prefix(tokenizers, jobs[k].prefix, inputs[k]); !unknown.empty())
      out[k].warnings.emplace_back("prefix", std::move(unknown));
    if (std::string unknown = unknown_features(*networks[0], inputs[k]); !unknown.empty())
      out[k].warnings.emplace_back("features", std::move(unknown));
    if (full) out[k].details.raw("source", io::json_list(tokenizers.source->pieces(jobs[k].source), io::json_quote));
    for (const decode::Hypothesis& h : found[k])
      out[k].outputs.push_back({.text = text_of(*networks[0], h, inputs[k], options),
                                .score = h.score,
                                .log_prob = h.log_prob,
                                .details = full ? details_of(tokenizers, h) : io::JsonObject()});
  }
  return out;
}

viz::Figure TextToTextTask::explain(Networks networks, const Input& input, const TextOptions& options) {
  const Tokenizers& tokenizers = networks[0]->tokenizers;
  const Job job = job_of(*networks[0], input);
  const decode::Hypothesis h = search(networks, {job}, options)[0][0];
  viz::HeatMap map{.columns = {"source", tokenizers.source->pieces(job.source)},
                   .rows = {"target", tokenizers.target->pieces(h.tokens)},
                   .weights = h.alignment,
                   .title = text_of(input, "source") + " → " + text_of(*networks[0], h, input, options),
                   .row_scores = h.token_log_probs};
  // The step that ended the output has a row of its own.
  if (!h.alignment.empty() && h.alignment.dim(0) == std::ssize(h.tokens) + 1) map.rows.tokens.push_back("</s>");
  return map;
}

std::string TextToTextTask::steps(Networks networks, const Input& input, const TextOptions& options) {
  check<ConfigError>(networks.size() == 1, "explain: --steps follows one model, not an ensemble of ", networks.size());
  const Job job = job_of(*networks[0], input);
  check<ConfigError>(!job.source.empty(), "explain: --steps needs a text that is not empty");
  const auto target = job.target ? *job.target : search(networks, {job}, options)[0][0].tokens;
  const PrecisionScope scope(ops::available_precision(options.precision));
  return steps_of(*networks[0]->model, networks[0]->tokenizers, {job.source, job.spelling}, target);
}

}  // namespace lookback::tasks

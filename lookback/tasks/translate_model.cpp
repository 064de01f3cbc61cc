#include "lookback/tasks/translate_model.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "lookback/decode/ensemble.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/metrics/registry.h"

namespace lookback::tasks {
namespace {

constexpr int64_t kMaxTokenizerBytes = int64_t{1} << 30;

using Sentences = std::vector<std::vector<int32_t>>;

std::unique_ptr<decode::StepDecoder> make_decoder(const std::vector<const Seq2Seq*>& models, Sentences sources,
                                                  const TranslateOptions& options, Sentences candidates = {}) {
  if (models.size() == 1) return models[0]->decoder(std::move(sources), options.batch, std::move(candidates));
  std::vector<std::unique_ptr<decode::StepDecoder>> decoders;
  for (const Seq2Seq* m : models) decoders.push_back(m->decoder(sources, options.batch, candidates));
  return std::make_unique<decode::Ensemble>(std::move(decoders), options.ensemble == "probability"
                                                                     ? decode::EnsembleMean::probabilities
                                                                     : decode::EnsembleMean::log_probabilities);
}

// The jobs that have something to translate, from long to short: those read together are then of like length,
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
  Sentences sources, targets;
  std::vector<decode::SourceInfo> infos;

  Chosen(const std::vector<Job>& jobs, std::span<const size_t> which) {
    for (const size_t k : which) {
      const Job& job = jobs[k];
      sources.push_back(job.source);
      infos.push_back({.source_length = static_cast<int64_t>(job.source.size()), .prefix = job.prefix, .key = job.key});
      if (job.target) targets.push_back(*job.target);
    }
  }
};

}  // namespace

StringList Tokenizers::save(const std::string& folder) const {
  StringList names;
  const auto write = [&](const std::string& place, const data::Tokenizer& tokenizer) {
    names.push_back(place + tokenizer.file_name());
    io::write_file_atomic(folder + "/" + names.back(), tokenizer.bytes());
  };
  if (joint()) {
    write("", *source);
  } else {
    for (const char* place : {"/source", "/target"}) std::filesystem::create_directories(folder + place);
    write("source/", *source), write("target/", *target);
  }
  return names;
}

Tokenizers Tokenizers::learn(const data::TokenizerOptions& options, const std::vector<std::string>& files,
                             const data::CorpusOptions& corpus, const LogSink& log) {
  const auto one = [&](data::Side side) -> std::shared_ptr<data::Tokenizer> {
    return data::train_tokenizer(options, data::side_lines(files, corpus, side), log);
  };
  if (!options.joint) return {one(data::Side::source), one(data::Side::target)};
  const auto both = one(data::Side::both);
  return {both, both};
}

Tokenizers Tokenizers::load(const io::ModelFolder& folder, bool joint) {
  const auto one = [&](const std::string& place) -> std::shared_ptr<data::Tokenizer> {
    const std::string spm = place + "spm.model", json = place + "tokenizer.json";
    // Only a folder without a manifest can leave this open.
    check<FormatError>(!folder.has(spm) || !folder.has(json), folder.path(), ": holds both ", spm, " and ", json,
                       "; one of them is left from another run: remove it, or train the model again");
    const std::string& name = folder.has(spm) ? spm : json;
    return data::parse_tokenizer(folder.read(name, kMaxTokenizerBytes), folder.path_of(name));
  };
  if (!joint) return {one("source/"), one("target/")};
  const auto both = one("");
  return {both, both};
}

std::vector<std::vector<decode::Hypothesis>> translate(const std::vector<const Seq2Seq*>& models,
                                                       const std::vector<Job>& jobs, const TranslateOptions& options,
                                                       const Shortlist* shortlist) {
  std::vector<std::vector<decode::Hypothesis>> out(jobs.size(), std::vector<decode::Hypothesis>(1));
  const std::vector<size_t> order = by_length(jobs);
  if (order.empty()) return out;
  if (!jobs[order[0]].target) {
    Chosen all(jobs, order);
    Sentences candidates;
    if (options.shortlist > 0)
      for (const size_t k : order)
        candidates.push_back(shortlist->candidates(jobs[k].source, jobs[k].prefix, options.shortlist));
    const auto decoder = make_decoder(models, std::move(all.sources), options, std::move(candidates));
    auto found = decode::search(*decoder, all.infos, options.search);
    for (size_t k = 0; k < order.size(); ++k) out[order[k]] = std::move(found[k]);
    return out;
  }
  for (std::span<const size_t> rest = order; !rest.empty();) {
    const auto which = rest.first(std::min(rest.size(), static_cast<size_t>(options.batch)));
    rest = rest.subspan(which.size());
    Chosen batch(jobs, which);
    const auto decoder = make_decoder(models, std::move(batch.sources), options);
    auto scored = decode::force_score(*decoder, batch.infos, batch.targets, options.search);
    for (size_t k = 0; k < which.size(); ++k) out[which[k]] = {std::move(scored[k])};
  }
  return out;
}

std::vector<EvaluationLine> text_scores(const metrics::Lines& hypotheses, const metrics::Lines& references) {
  std::vector<EvaluationLine> out;
  for (const char* name : {"bleu", "chrf", "ter"}) {
    const auto score = metrics::corpus_score(*metrics::make_metric(name), hypotheses, {references});
    out.push_back({name, score.value, score.signature});
  }
  return out;
}

void read_fields(const io::File& file, std::vector<Field> fields) {
  try {
    for (const io::KeyValue& kv : io::read_json_fields(file)) {
      const std::string origin = file.path() + ":" + std::to_string(kv.line);
      set_field(find_field(fields, kv.path, origin), kv.value, origin);
    }
  } catch (const ConfigError& e) {
    throw FormatError(e.what());
  }
}

}  // namespace lookback::tasks

#include "lookback/tasks/translate_model.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "lookback/decode/ensemble.h"
#include "lookback/io/json.h"

namespace lookback::tasks {
namespace {

std::unique_ptr<decode::StepDecoder> make_decoder(const std::vector<const Seq2Seq*>& models,
                                                  const std::vector<std::vector<int32_t>>& sources,
                                                  const TranslateOptions& options) {
  if (models.size() == 1) return models[0]->decoder(sources);
  std::vector<std::unique_ptr<decode::StepDecoder>> decoders;
  for (const Seq2Seq* m : models) decoders.push_back(m->decoder(sources));
  return std::make_unique<decode::Ensemble>(std::move(decoders), options.ensemble == "probability"
                                                                     ? decode::EnsembleMean::probabilities
                                                                     : decode::EnsembleMean::log_probabilities);
}

// The jobs that have something to translate, from long to short: a batch then holds jobs of like length.
std::vector<size_t> by_length(const std::vector<Job>& jobs) {
  std::vector<size_t> out;
  for (size_t k = 0; k < jobs.size(); ++k)
    if (!jobs[k].source.empty()) out.push_back(k);
  std::stable_sort(out.begin(), out.end(),
                   [&](size_t a, size_t b) { return jobs[a].source.size() > jobs[b].source.size(); });
  return out;
}

}  // namespace

void Tokenizers::save(const std::string& folder) const {
  if (joint()) return source->save(folder);
  for (const auto& [name, tokenizer] : {std::pair{"/source", source}, {"/target", target}}) {
    std::filesystem::create_directories(folder + name);
    tokenizer->save(folder + name);
  }
}

Tokenizers Tokenizers::load(const std::string& folder, bool joint) {
  if (joint) {
    const std::shared_ptr<data::Tokenizer> both = data::load_tokenizer(folder);
    return {both, both};
  }
  return {data::load_tokenizer(folder + "/source"), data::load_tokenizer(folder + "/target")};
}

std::vector<std::vector<decode::Hypothesis>> translate(const std::vector<const Seq2Seq*>& models,
                                                       const std::vector<Job>& jobs, const TranslateOptions& options) {
  std::vector<std::vector<decode::Hypothesis>> out(jobs.size(), std::vector<decode::Hypothesis>(1));
  const std::vector<size_t> order = by_length(jobs);
  const auto batch = static_cast<size_t>(options.batch);
  for (size_t first = 0; first < order.size(); first += batch) {
    const std::vector<size_t> chosen(order.begin() + static_cast<ptrdiff_t>(first),
                                     order.begin() + static_cast<ptrdiff_t>(std::min(order.size(), first + batch)));
    std::vector<std::vector<int32_t>> sources, targets;
    std::vector<decode::SourceInfo> infos;
    for (const size_t k : chosen) {
      const Job& job = jobs[k];
      sources.push_back(job.source);
      infos.push_back({.source_length = static_cast<int64_t>(job.source.size()), .prefix = job.prefix, .key = job.key});
      if (job.target) targets.push_back(*job.target);
    }
    const auto decoder = make_decoder(models, sources, options);
    if (!targets.empty()) {
      auto scored = decode::force_score(*decoder, infos, targets, options.search);
      for (size_t k = 0; k < chosen.size(); ++k) out[chosen[k]] = {std::move(scored[k])};
    } else {
      auto found = decode::search(*decoder, infos, options.search);
      for (size_t k = 0; k < chosen.size(); ++k) out[chosen[k]] = std::move(found[k]);
    }
  }
  return out;
}

void read_fields(const std::string& path, std::vector<Field> fields) {
  try {
    for (const io::KeyValue& kv : io::read_json_fields(path)) {
      const std::string origin = path + ":" + std::to_string(kv.line);
      set_field(find_field(fields, kv.path, origin), kv.value, origin);
    }
  } catch (const ConfigError& e) {
    throw FormatError(e.what());
  }
}

}  // namespace lookback::tasks

// From pictures to captions: search, predictions, pictures of the attention.
#include <algorithm>

#include "lookback/autograd/side_by_side.h"
#include "lookback/data/batcher.h"
#include "lookback/decode/ensemble.h"
#include "lookback/decode/search.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/caption.h"
#include "lookback/tasks/input.h"

namespace lookback::tasks {
namespace {

using Networks = Caption::Networks;
using Options = Caption::Options;

constexpr int64_t kPlacesAtOnce = 60'000;  // of pictures in a batch, unless one alone has more

}  // namespace

std::vector<std::vector<decode::Hypothesis>> search_captions(Networks networks, std::span<const CaptionJob> jobs,
                                                             const Options& options) {
  const NoGrad off;
  const PrecisionScope scope(ops::available_precision(options.precision));
  std::vector<std::vector<decode::Hypothesis>> out(jobs.size());
  std::vector<int32_t> costs;
  for (const CaptionJob& job : jobs) costs.push_back(static_cast<int32_t>(job.rows.dim(0)));
  const auto batches = data::costliest_first(costs, options.batch, kPlacesAtOnce);
  each_piece(batches.size(), [&](size_t piece) {
    const auto& batch = batches[piece];
    FeatureRows rows;
    std::vector<decode::SourceInfo> infos;
    for (const int64_t k : batch) {
      const CaptionJob& job = jobs[static_cast<size_t>(k)];
      rows.push_back(job.rows);
      infos.push_back({.source_length = job.rows.dim(0), .prefix = job.prefix, .key = job.key});
    }
    std::vector<std::unique_ptr<decode::StepDecoder>> decoders;
    for (const Caption::Network* n : networks)
      decoders.push_back(n->model->decoder(n->model->encode(stacked(rows, n->config.width), nullptr)));
    const auto decoder = decode::one_or_ensemble(std::move(decoders), decode::EnsembleMean::log_probabilities);
    auto found = decode::search(*decoder, infos, options.search);
    for (size_t k = 0; k < batch.size(); ++k) out[static_cast<size_t>(batch[k])] = std::move(found[k]);
  });
  return out;
}

namespace {

// The ids of a prefix; what of it the model does not know is a warning.
data::Ids prefix_of(const Caption::Network& network, const Input& input, Prediction& out) {
  data::Ids ids = network.tokenizer->encode(optional_text(input, "prefix"));
  if (std::string warning = unknown_in_prefix(*network.tokenizer, ids, input); !warning.empty())
    out.warnings.emplace_back("prefix", std::move(warning));
  return ids;
}

std::vector<Prediction> predict_few(Networks networks, std::span<const Input> inputs, const Options& options,
                                    TaskModel::Detail detail) {
  const Caption::Network& network = *networks[0];
  std::vector<Prediction> out(inputs.size());
  StringList paths;
  for (const Input& input : inputs) paths.push_back(required_text(input, "image"));
  const auto seen = network.seeing.features_of_all(paths);
  std::vector<size_t> which;
  std::vector<CaptionJob> jobs;
  for (size_t k = 0; k < inputs.size(); ++k) {
    out[k].line = inputs[k].line;
    if (!seen[k].problem.empty()) {
      out[k].warnings.emplace_back("image", seen[k].problem);
      out[k].outputs.emplace_back();
      continue;
    }
    which.push_back(k);
    const Tensor& all = seen[k].features;
    jobs.push_back({all.reshape({all.dim(1), all.dim(2)}), prefix_of(network, inputs[k], out[k]),
                    static_cast<uint64_t>(inputs[k].line)});
  }
  const auto found = search_captions(networks, jobs, options);
  for (size_t n = 0; n < which.size(); ++n)
    for (const decode::Hypothesis& h : found[n]) {
      Output& one = out[which[n]].outputs.emplace_back();
      one.text = network.tokenizer->decode(h.tokens), one.score = h.score, one.log_prob = h.log_prob;
      if (detail == TaskModel::Detail::full) one.details = details_of(*network.tokenizer, h);
    }
  return out;
}

}  // namespace

std::vector<Prediction> Caption::predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                         TaskModel::Detail detail) {
  // Features are large: of so many pictures at once.
  const auto most = static_cast<size_t>(4 * options.batch);
  std::vector<Prediction> out;
  for (; inputs.size() > most; inputs = inputs.subspan(most))
    std::ranges::move(predict(networks, inputs.first(most), options, detail), std::back_inserter(out));
  std::ranges::move(predict_few(networks, inputs, options, detail), std::back_inserter(out));
  return out;
}

}  // namespace lookback::tasks

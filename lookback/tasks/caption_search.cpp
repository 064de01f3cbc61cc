// From pictures to captions: search, predictions, pictures of the attention.
#include <algorithm>

#include "lookback/base/parallel.h"
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
  for (const auto& batch : data::costliest_first(costs, options.batch, kPlacesAtOnce)) {
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
    std::unique_ptr<decode::StepDecoder> decoder;
    if (networks.size() == 1)
      decoder = std::move(decoders[0]);
    else
      decoder = std::make_unique<decode::Ensemble>(std::move(decoders), decode::EnsembleMean::log_probabilities);
    auto found = decode::search(*decoder, infos, options.search);
    for (size_t k = 0; k < batch.size(); ++k) out[static_cast<size_t>(batch[k])] = std::move(found[k]);
  }
  return out;
}

namespace {

// What is known of one input.
struct Seen {
  Tensor rows;  // [places, width]
  std::string problem;
};

std::vector<Seen> see(const Caption::Network& network, std::span<const Input> inputs) {
  std::vector<Seen> out(inputs.size());
  std::vector<std::exception_ptr> errors(inputs.size());
  parallel_for(std::ssize(inputs), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const auto k = static_cast<size_t>(n);
      try {
        const Tensor all = network.seeing.features(required_text(inputs[k], "image"));
        out[k].rows = all.reshape({all.dim(1), all.dim(2)});
      } catch (const FormatError& e) {
        out[k].problem = e.what();
      } catch (const IoError& e) {
        out[k].problem = e.what();
      } catch (...) {
        errors[k] = std::current_exception();
      }
    }
  });
  for (const auto& error : errors)
    if (error) std::rethrow_exception(error);
  return out;
}

// The ids of a prefix; what of it the model does not know is a warning.
data::Ids prefix_of(const Caption::Network& network, const Input& input, Prediction& out) {
  data::Ids ids = network.tokenizer->encode(optional_text(input, "prefix"));
  if (std::string warning = unknown_in_prefix(*network.tokenizer, ids, input); !warning.empty())
    out.warnings.emplace_back("prefix", std::move(warning));
  return ids;
}

io::JsonObject details_of(const Caption::Network& network, const decode::Hypothesis& h) {
  io::JsonObject out;
  out.raw("tokens", io::json_list(network.tokenizer->pieces(h.tokens), io::json_quote))
      .raw("token_log_probs", io::json_list(h.token_log_probs, [](double x) { return io::json_number(x); }))
      .raw("alignment", io::json_matrix(h.alignment));
  return out;
}

std::vector<Prediction> predict_few(Networks networks, std::span<const Input> inputs, const Options& options,
                                    TaskModel::Detail detail) {
  const Caption::Network& network = *networks[0];
  std::vector<Prediction> out(inputs.size());
  const std::vector<Seen> seen = see(network, inputs);
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
    jobs.push_back({seen[k].rows, prefix_of(network, inputs[k], out[k]), static_cast<uint64_t>(inputs[k].line)});
  }
  const auto found = search_captions(networks, jobs, options);
  for (size_t n = 0; n < which.size(); ++n)
    for (const decode::Hypothesis& h : found[n]) {
      Output& one = out[which[n]].outputs.emplace_back();
      one.text = network.tokenizer->decode(h.tokens), one.score = h.score, one.log_prob = h.log_prob;
      if (detail == TaskModel::Detail::full) one.details = details_of(network, h);
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

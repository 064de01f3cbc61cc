#include "lookback/models/transcriber.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "lookback/base/elementary.h"
#include "lookback/decode/ctc_prefix.h"
#include "lookback/decode/log_linear.h"
#include "lookback/ops/ctc.h"

namespace lookback {
namespace {

void check_decoder_untouched(TranscriberOptions options) {
  const TranscriberOptions plain;
  options.kind = plain.kind, options.seq2seq.encoder = plain.seq2seq.encoder;
  options.seq2seq.dropout = plain.seq2seq.dropout, options.seq2seq.init = plain.seq2seq.init;
  for (const auto& [option, value] : changed_options(options))
    throw ConfigError(str_cat("model.", option, " = ", value, " is the decoder's, and model.kind = 'ctc' has none"));
}

// Log-probabilities of the rows of one sequence; those of tokens that no text has are not said.
Tensor normalised(const Tensor& logits, int64_t begin, int64_t rows) {
  const int64_t V = logits.dim(1);
  Tensor out = Tensor::zeros({rows, V});
  std::ranges::copy(logits.span<float>().subspan(static_cast<size_t>(begin * V), static_cast<size_t>(rows * V)),
                    out.span<float>().begin());
  for (int64_t t = 0; t < rows; ++t)
    elementary::log_softmax(out.span<float>().subspan(static_cast<size_t>(t * V), static_cast<size_t>(V)));
  for (int64_t t = 0; t < rows; ++t)
    for (const int32_t none : {data::kBos, data::kEos})
      out.data<float>()[t * V + none] = -std::numeric_limits<float>::infinity();
  return out;
}

}  // namespace

Transcriber::Transcriber(TranscriberOptions options, int64_t width, int64_t vocabulary, uint64_t seed)
    : options_(std::move(options)), width_(width), vocabulary_(vocabulary) {
  options_.seq2seq.features = width;
  if (options_.attends()) {
    check<ConfigError>(options_.seq2seq.score != "none", "model.score = 'none': a transcriber attends to its sound");
    seq2seq_.emplace(options_.seq2seq, Seq2Seq::Vocabularies{0, vocabulary}, Seq2Seq::kNoInit);
  } else {
    check_decoder_untouched(options_);
    encoder_ = Encoder(options_.seq2seq.encoder, width);
  }
  if (options_.has_ctc()) ctc_ = Linear(encoder().width(), vocabulary, Linear::Bias::yes);
  if (seed != kNoInit) initialise(params_of(*this), options_.seq2seq.init, seed);
}

void Transcriber::params(ParamVisitor& v) {
  seq2seq_ ? seq2seq_->params(v) : v("encoder", encoder_);
  v("ctc", ctc_);
}

Encoded Transcriber::encode(const FeatureRows& sources, Noise* noise) const {
  const Sequence rows = stacked(sources, width_);
  return seq2seq_ ? seq2seq_->encode(rows, noise) : encoder_(rows, options_.seq2seq.dropout, noise);
}

TranscriberLoss Transcriber::loss(const FeatureRows& sources, const Sentences& targets,
                                  const TranscriberObjective& objective, double scale, Noise* noise) const {
  check(sources.size() == targets.size() && !sources.empty(), "a batch needs as many sources as targets, got ",
        sources.size(), " and ", targets.size());
  const Encoded encoded = encode(sources, noise);
  const double weight = !seq2seq_ ? 1 : options_.has_ctc() ? objective.ctc : 0;
  TranscriberLoss out;
  for (const auto& y : targets) out.tokens += std::ssize(y) + 1;
  if (seq2seq_) {
    const Seq2SeqLoss attention = seq2seq_->loss(encoded, targets, objective, (1 - weight) * scale, noise);
    out.loss = attention.loss, out.loss_sum = (1 - weight) * attention.loss_sum;
    out.nll_sum = attention.nll_sum, out.correct = attention.correct;
  }
  if (weight == 0) return out;
  check_ids(targets, vocabulary_, "target");
  const Ragged& shape = encoded.memory.shape;
  Sentences by_rank;
  for (const int32_t s : shape.sequence_of_rank()) by_rank.push_back(targets[static_cast<size_t>(s)]);
  const ops::CtcOut ctc =
      ops::ctc_loss(ctc_logits(encoded), shape.memory(), by_rank, {.blank = kBlank, .scale = weight * scale});
  out.loss = out.loss ? ops::add(out.loss, ctc.loss) : ctc.loss;
  out.ctc_sum = ctc.loss_sum, out.loss_sum += weight * ctc.loss_sum, out.impossible = ctc.impossible;
  if (!seq2seq_) out.nll_sum = ctc.loss_sum;
  return out;
}

Heard Transcriber::hear(const FeatureRows& sources, HearFor what) const {
  const NoGrad off;
  Heard out{encode(sources, nullptr), {}};
  if (!options_.has_ctc() || what == HearFor::attention) return out;
  const Tensor logits = ctc_logits(out.encoded).value();
  const MemoryLayout& rows = out.encoded.memory.shape.memory();
  for (const int32_t rank : out.encoded.memory.shape.rank_of_sequence())
    out.log_probs.push_back(normalised(logits, rows.begin(rank), rows.length(rank)));
  return out;
}

std::unique_ptr<decode::StepDecoder> Transcriber::decoder(const Heard& heard, double ctc_weight) const {
  const bool attends = seq2seq_ && ctc_weight < 1, listens = options_.has_ctc() && ctc_weight > 0;
  check<ConfigError>(attends || listens, "ctc_weight = ", ctc_weight, ": this model has ",
                     options_.has_ctc() ? "CTC alone" : "no CTC");
  check(!listens || !heard.log_probs.empty(), "this was heard for attention alone, and ctc_weight is ", ctc_weight);
  std::vector<decode::Term> terms;
  if (attends) terms.push_back({.decoder = seq2seq_->decoder(heard.encoded), .weight = listens ? 1 - ctc_weight : 1});
  if (listens) {
    const decode::CtcPrefixOptions options{.blank = kBlank, .eos = data::kEos, .bos = data::kBos};
    terms.push_back({.decoder = std::make_unique<decode::CtcPrefixDecoder>(heard.log_probs, options),
                     .weight = attends ? ctc_weight : 1});
  }
  if (terms.size() == 1) return std::move(terms[0].decoder);
  return std::make_unique<decode::LogLinear>(std::move(terms));
}

std::string Transcriber::cannot_stream() const {
  if (!options_.has_ctc()) return "model.kind is 'attention', which looks at the whole recording";
  return encoder().cannot_continue();
}

Tensor Transcriber::continued(const Tensor& rows, StreamState& state) const {
  const NoGrad off;
  const int64_t T = rows.dim(0);
  const Sequence x{Var(rows), Ragged(std::vector<int64_t>{T}), RowOrder::by_step};
  return normalised(ctc_(encoder().continued(x, state.blocks)).value(), 0, T);
}

}  // namespace lookback

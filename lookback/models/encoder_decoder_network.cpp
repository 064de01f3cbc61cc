// An encoder over what was, and a decoder with attention to it that walks the horizon. A step reads what is known of
// it and its place, not the forecast before it: all of them are made at once, for any loss (Wen et al. 2017, MQ-RNN).
#include "lookback/models/history_rows.h"
#include "lookback/nn/decoder.h"

namespace lookback {
namespace {

class EncoderDecoderNetwork final : public ForecastNetwork {
 public:
  EncoderDecoderNetwork(const ForecasterOptions& options, const ForecastSizes& sizes)
      : sizes_(sizes),
        dropout_(options.dropout),
        has_attention_(options.score != "none"),
        encoder_(options.encoder, width_of(sizes.past) + width_of(sizes.fixed)) {
    const int64_t D = options.decoder.hidden;
    decoder_ =
        Decoder(options.decoder, encoder_.final_widths(), options.score,
                {.embedding = D, .memory = encoder_.width(), .attention = D, .readout = D, .heads = options.heads});
    place_.weight = Var::parameter(Tensor::zeros({sizes.horizon, D}));
    if (!sizes.future.empty()) step_ = Linear(width_of(sizes.future), D, Linear::Bias::no);
    output_ = Linear(D, sizes.outputs, Linear::Bias::yes);
  }

  bool has_attention() const override { return has_attention_; }
  std::vector<Var> last_layer() const override { return {output_.weight, output_.bias}; }
  void params(ParamVisitor& v) override {
    v("encoder", encoder_), v("place", place_), v("step", step_);
    v("decoder", decoder_), v("output", output_);
  }

  Var operator()(const NetworkInput& in, Noise* noise, LookedAt* looked) const override {
    const Ragged shape(in.lengths);
    const Encoded encoded = encoder_(history_rows(in, shape, 1), dropout_, noise);
    const DecoderPass pass(decoder_, encoded, dropout_, noise);
    // Sequence b of the decoder is series b; its history stands at this rank.
    const std::vector<int32_t> rank = shape.rank_of_sequence();
    const DecoderState start = pass.start(encoded).gather(ops::row_ids(rank));
    const Steps steps = Steps::dense(sizes_.horizon, in.B());
    const Var read = inputs(in, steps, noise);
    if (looked && has_attention_) looked->weights = weights_of(in, pass, start, rank, read);
    const Var out = output_(pass.teacher_force(read, steps, start, rank).readouts);
    return ops::reshape(ops::gather_rows(out, ops::row_ids(steps.rows_by_sequence())),
                        {in.B(), sizes_.horizon * sizes_.outputs});
  }

 private:
  // What the steps read, [H * B, D]: the place in the horizon, and what is known of it.
  Var inputs(const NetworkInput& in, const Steps& steps, Noise* noise) const {
    const int64_t B = in.B(), H = sizes_.horizon;
    std::vector<int32_t> places, rows;
    for (int64_t h = 0; h < H; ++h)
      for (int64_t b = 0; b < B; ++b)
        places.push_back(static_cast<int32_t>(h)), rows.push_back(static_cast<int32_t>(b * H + h));
    Var out = ops::gather_rows(place_.weight, ops::row_ids(std::move(places)));
    if (step_.weight) out = ops::add(out, step_(ops::gather_rows(Var(in.future), ops::row_ids(std::move(rows)))));
    return DropoutSite(dropout_, noise).sequence(out, ops::row_ids(steps.sequence_of_rows()));
  }

  // Step by step, as whole passes do not give them.
  std::vector<Tensor> weights_of(const NetworkInput& in, const DecoderPass& pass, DecoderState state,
                                 const std::vector<int32_t>& rank, const Var& read) const {
    const NoGrad off;
    const int64_t B = in.B(), H = sizes_.horizon;
    const ops::RowIds memory = ops::row_ids(rank);
    std::vector<Var> weights;
    for (int64_t h = 0; h < H; ++h) {
      const Var now = ops::slice_rows(read, h * B, (h + 1) * B);
      weights.push_back(pass.step(Var(), now, memory, state).weights);
    }
    const Tensor all = ops::concat_rows(weights).value();  // [H * B, the longest]
    std::vector<Tensor> out;
    for (int64_t b = 0; b < B; ++b) {
      std::vector<int32_t> rows;
      for (int64_t h = 0; h < H; ++h) rows.push_back(static_cast<int32_t>(h * B + b));
      out.push_back(over_tokens(ops::gather_rows(Var(all), ops::row_ids(std::move(rows))).value(),
                                std::vector<int64_t>(static_cast<size_t>(H), in.lengths[static_cast<size_t>(b)]),
                                encoder_.shortening()));
    }
    return out;
  }

  ForecastSizes sizes_;
  DropoutOptions dropout_;
  bool has_attention_;
  Encoder encoder_;
  Decoder decoder_;
  Embedding place_;  // [H, D] in the horizon
  Linear step_;
  Linear output_;
};

}  // namespace

std::unique_ptr<ForecastNetwork> make_encoder_decoder_network(const ForecasterOptions& options,
                                                              const ForecastSizes& sizes) {
  return std::make_unique<EncoderDecoderNetwork>(options, sizes);
}

}  // namespace lookback

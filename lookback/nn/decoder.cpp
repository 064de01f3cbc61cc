#include "lookback/nn/decoder.h"

#include <algorithm>

namespace lookback {
namespace {

// Top layer from top layer, and so on down; what is missing below starts from the encoder's first.
size_t encoder_state_of(int64_t layer, int64_t layers, size_t states) {
  return static_cast<size_t>(std::max<int64_t>(0, static_cast<int64_t>(states) - (layers - layer)));
}

Var zeros(int64_t N, int64_t C, Dtype dtype) { return Var(Tensor::zeros({N, C}, dtype)); }

template <class F>
DecoderState mapped(DecoderState state, F&& f) {
  state.rows([&](Var& x) {
    if (x) x = f(x);
  });
  return state;
}

}  // namespace

StringList score_choices() {
  StringList out = attention_names();
  out.push_back("none");
  return out;
}

DecoderState DecoderState::gather(const ops::RowIds& ids) const {
  return mapped(*this, [&](const Var& x) { return ops::gather_rows(x, ids); });
}

DecoderState DecoderState::take_rows(int64_t n) const {
  return mapped(*this, [&](const Var& x) { return ops::slice_rows(x, 0, n); });
}

DecoderState DecoderState::detach() const {
  return mapped(*this, [](const Var& x) { return Var(x.value()); });
}

Decoder::Decoder(const DecoderOptions& options, const std::vector<int64_t>& encoder_states, const std::string& score,
                 const DecoderSizes& sizes)
    : options_(options), sizes_(sizes) {
  if (score == "none") {
    check<ConfigError>(options.bridge != "zeros",
                       "model.score = 'none' needs another model.decoder.bridge than 'zeros': without attention the "
                       "decoder knows of the source by its first state alone");
    sizes_.memory = 0;
  } else {
    attention_ = make_attention(score, {.query = options.hidden,
                                        .memory = sizes.memory,
                                        .attention = sizes.attention,
                                        .location = sizes.location,
                                        .monotonic = sizes.monotonic,
                                        .heads = sizes.heads});
    check<ConfigError>(options.gate != "sentinel" || attention_->has_energies(), "model.decoder.gate = 'sentinel' is ",
                       "weighed against the energies of a softmax, and model.score = '", score, "' has none");
  }
  check<ConfigError>(options.gate == "none" || attention_, "model.decoder.gate = '", options.gate,
                     "' is for what attention finds, and model.score is 'none'");
  check<ConfigError>(options.gate != "sentinel" || (luong() && options.cell == "lstm"),
                     "model.decoder.gate = 'sentinel' needs decoder.attention = 'luong' and decoder.cell = 'lstm': it "
                     "is made of the new cell");
  gate_ = ContextGate(
      options.gate,
      {.query = options.hidden, .embedding = sizes.embedding, .memory = sizes_.memory, .attention = sizes.attention});
  if (sizes.outer_score == "none")
    sizes_.outer = 0;
  else
    outer_attention_ = make_attention(
        sizes.outer_score,
        {.query = options.hidden, .memory = sizes.outer, .attention = sizes.attention, .heads = sizes.heads});
  check<ConfigError>(
      options.time.checkpoint == 0 || at_once(), "model.decoder.checkpoint = ", options.time.checkpoint,
      " needs decoder.attention = 'luong', decoder.input_feeding = false, no sentinel and a score that "
      "remembers nothing: other decoders run step by step; model.encoder.checkpoint goes with all of them");
  const int64_t H = options.hidden;
  const int64_t first =
      sizes.embedding + (options.input_feeding ? sizes.readout : 0) + (luong() ? 0 : sizes_.memory + sizes_.outer);
  for (int64_t k = 0; k < options.layers; ++k)
    layers_.push_back(recurrent_weights(cell_kind(options.cell), k ? H : first, H));
  if (options.layer_norm)
    for (int64_t k = 0; k < options.layers; ++k) norms_.emplace_back(H);
  const int64_t read = sizes_.memory + sizes_.outer + H + (luong() ? 0 : sizes.embedding);
  readout_ = Linear(read, options.readout == "maxout" ? 2 * sizes.readout : sizes.readout, Linear::Bias::yes);
  make_bridge(encoder_states);
}

bool Decoder::at_once() const {
  const Remembers remembers = attention_ ? attention_->remembers() : Remembers{};
  return luong() && !options_.input_feeding && !remembers.weights && !remembers.coverage && !gate_.needs_cell();
}

void Decoder::make_bridge(const std::vector<int64_t>& encoder_states) {
  const int64_t H = options_.hidden;
  for (int64_t k = 0; k < options_.layers && options_.bridge != "zeros"; ++k) {
    const int64_t width = encoder_states[encoder_state_of(k, options_.layers, encoder_states.size())];
    check<ConfigError>(options_.bridge != "copy" || width == H,
                       "model.decoder.bridge = 'copy' needs decoder.hidden = ", width, " (the encoder's width), got ",
                       H);
    if (options_.bridge == "copy") continue;
    bridge_h_.emplace_back(width, H, Linear::Bias::yes);
    if (options_.cell == "lstm") bridge_c_.emplace_back(width, H, Linear::Bias::yes);
  }
}

void Decoder::params(ParamVisitor& v) {
  struct Cells {
    Decoder& d;
    void params(ParamVisitor& v) {
      for (size_t k = 0; k < d.layers_.size(); ++k) recurrent_params(v, d.layers_[k], k, ops::Direction::forward);
    }
  } cells{*this};
  v(options_.cell, cells);
  for (size_t k = 0; k < norms_.size(); ++k) v("layers." + std::to_string(k) + ".norm", norms_[k]);
  if (attention_) v("score", *attention_);
  if (outer_attention_) v("outer_score", *outer_attention_);
  v("gate", gate_);
  v("readout", readout_);
  v("bridge.h", bridge_h_);
  v("bridge.c", bridge_c_);
}

DecoderPass::DecoderPass(const Decoder& decoder, const Encoded& source, const DropoutOptions& dropout, Noise* noise,
                         const UnrollOptions& wanted)
    : decoder_(decoder),
      source_{source.memory.shape.memory()},
      wanted_(wanted),
      noise_(noise),
      layers_(decoder.layers_) {
  if (const Attention* attention = decoder.attention_.get()) {
    source_.prepared = attention->prepare(rows_in(source.memory, RowOrder::by_sequence), source_.layout);
    remembers_ = attention->remembers();
    remembers_.coverage |= wanted.coverage_loss;
  }
  check(!decoder.outer_attention_ || source.outer, "decoder: it attends to an outer memory, and this source has none");
  if (decoder.outer_attention_)
    outer_ = Source{source.outer->layout, decoder.outer_attention_->prepare(source.outer->rows, source.outer->layout)};
  for (ops::RecurrentWeights& w : layers_) w.w_hh = drop_weights(w.w_hh, dropout, noise);
  for (size_t k = 1; k < layers_.size(); ++k) between_.emplace_back(dropout, noise);
  after_readout_ = DropoutSite(dropout, noise);
}

DecoderState DecoderPass::start(const Encoded& source) const {
  const DecoderOptions& o = decoder_.options_;
  const int64_t B = source_.layout.sentences(), L = o.layers;
  const bool has_c = o.cell == "lstm";
  const Dtype dtype = source.final.at(0).h.dtype();
  DecoderState out;
  for (int64_t k = 0; k < L; ++k) {
    const CellState& from = source.final[encoder_state_of(k, L, source.final.size())];
    const Var& cell = from.c ? from.c : from.h;
    const auto n = static_cast<size_t>(k);
    CellState s;
    if (o.bridge == "zeros") {
      s = {zeros(B, o.hidden, dtype), has_c ? zeros(B, o.hidden, dtype) : Var()};
    } else if (o.bridge == "copy") {
      s = {from.h, has_c ? cell : Var()};
    } else {
      s = {decoder_.bridge_h_[n](from.h), has_c ? decoder_.bridge_c_[n](cell) : Var()};
      if (o.bridge == "tanh") s = {ops::tanh(s.h), has_c ? ops::tanh(s.c) : Var()};
    }
    out.layers.push_back(s);
  }
  if (o.input_feeding) out.feed = zeros(B, decoder_.sizes_.readout, dtype);
  out.attention = first_state(remembers_, source_.layout, dtype);
  return out;
}

Var DecoderPass::input_part(const Var& embedded) const {
  return ops::linear(embedded, layers_[0].w_ih, {.bias = layers_[0].b_ih, .columns = {{0, embedded.dim(1)}}});
}

Var DecoderPass::input_part(const Var& table, const ops::RowIds& ids) const {
  const auto& w = layers_[0];
  return (*decoder_.input_parts_)(table, ids, {w.w_ih, w.b_ih}, [&](const Var& x) { return input_part(x); }).gathered();
}

DecoderPass::Looked DecoderPass::attend(const Var& query, const ops::RowIds& sentence_of_row,
                                        const AttentionState& before) const {
  const auto in = [&](const Attention* attention, const Source* source, const AttentionState& state) {
    return attention ? attention->attend(query, source->prepared, {source->layout, sentence_of_row}, state, noise_)
                     : ops::Attended();
  };
  return {in(decoder_.attention_.get(), &source_, before),
          in(decoder_.outer_attention_.get(), outer_ ? &*outer_ : nullptr, {})};
}

DecoderPass::Looked DecoderPass::gated(Looked looked, const ContextGate::Step& step,
                                       const ops::RowIds& sentence_of_row) const {
  if (decoder_.gate_.any()) looked.inner = decoder_.gate_(looked.inner, step, {source_.layout, sentence_of_row});
  return looked;
}

Var DecoderPass::read_out(const Var& top, const Looked& looked, const Var& embedded) const {
  const Linear& w = decoder_.readout_;
  std::vector<ops::LinearTerm> terms;
  terms.reserve(4);
  int64_t column = 0;
  for (const Var& x : {looked.inner.context, looked.outer.context, top, decoder_.luong() ? Var() : embedded}) {
    if (!x) continue;
    terms.push_back(w.part(x, column));
    column += x.dim(1);
  }
  terms[0].bias = w.bias;
  const Var x = ops::linear_sum(terms);
  return decoder_.options_.readout == "maxout" ? ops::maxout(x) : ops::tanh(x);
}

// What a layer's state becomes on its way up. `below` is what the layer read, before
// dropout: what a residual adds stays whole.
Var DecoderPass::layer_output(size_t layer, const Var& h, const Var& below) const {
  Var up = h;
  if (decoder_.options_.layer_norm) up = ops::layer_norm(up, decoder_.norms_[layer].gamma, decoder_.norms_[layer].beta);
  return layer > 0 && decoder_.options_.residual ? ops::add(up, below) : up;
}

DecoderStep DecoderPass::step(const Var& x_part, const Var& embedded, const ops::RowIds& sentence_of_row,
                              DecoderState& state, StepTrace* trace) const {
  const CellKind kind = cell_kind(decoder_.options_.cell);
  std::vector<ops::LinearTerm> terms;
  if (!x_part) terms.push_back({embedded, layers_[0].w_ih, layers_[0].b_ih, {{0, embedded.dim(1)}}});
  int64_t column = embedded.dim(1);
  auto add_input = [&](const Var& x) {
    terms.push_back({x, layers_[0].w_ih, {}, {{column, column + x.dim(1)}}});
    column += x.dim(1);
  };
  if (decoder_.options_.input_feeding) add_input(state.feed);
  const AttentionState before = with_columns(state.attention, source_.layout.longest());
  const Var h_before = state.layers.back().h;
  Looked looked;
  Var weights;  // as attention remembers them
  if (!decoder_.luong()) {
    looked = attend(h_before, sentence_of_row, before);
    weights = looked.inner.weights;
    looked = gated(std::move(looked), {.query = h_before}, sentence_of_row);
    if (looked.inner.context) add_input(looked.inner.context);
    if (looked.outer.context) add_input(looked.outer.context);
  }
  Var top;
  for (size_t k = 0; k < layers_.size(); ++k) {
    if (k > 0) terms = {{between_[k - 1].step(top), layers_[k].w_ih, layers_[k].b_ih}};
    const Var part = k > 0 ? Var() : x_part;
    CellState next = cell_step(kind, layers_[k], terms, part, state.layers[k]);
    if (trace)
      trace_cell(*trace, layers_.size() > 1 ? " " + std::to_string(k + 1) : "", kind, layers_[k], terms, part,
                 state.layers[k], next);
    state.layers[k] = std::move(next);
    top = layer_output(k, state.layers[k].h, top);
  }
  if (decoder_.luong()) {
    looked = attend(top, sentence_of_row, before);
    weights = looked.inner.weights;
    looked = gated(std::move(looked), {top, embedded, h_before, state.layers.back().c}, sentence_of_row);
  }
  state.attention = next_state(remembers_, before, weights);
  DecoderStep out{after_readout_.step(read_out(top, looked, embedded)), looked.inner.weights, looked.outer.weights};
  if (decoder_.options_.input_feeding) state.feed = out.readout;
  if (trace) trace_output(*trace, looked, out.readout);
  return out;
}

void DecoderPass::trace_output(StepTrace& trace, const Looked& looked, const Var& readout) const {
  const ops::Attended& attended = looked.inner;
  std::string reads = attended.context ? "context; " : "";
  if (looked.outer.context) reads += "outer context; ";
  reads += "state";
  if (looked.outer.weights) trace.outer_weights = first_row(looked.outer.weights);
  if (!decoder_.luong()) reads += "; embedding";
  trace.readout = {"readout", decoder_.options_.readout + "(W [" + reads + "] + b)", first_row(readout)};
  if (attended.energies) trace.energies = first_row(attended.energies);
  if (!attended.weights) return;
  trace.weights = first_row(attended.weights);
  trace.context = {"context", decoder_.gate_.formula(decoder_.attention_->context_formula()),
                   first_row(attended.context)};
}

Unrolled DecoderPass::unroll(const Steps& steps, DecoderState state, const std::vector<int32_t>& sentence_of_sequence,
                             const std::function<Input(int64_t, const Var&)>& input) const {
  std::vector<Var> readouts, weights, outer_weights;
  Unrolled out;
  ops::RowIds sentence_of_row;
  const int64_t bptt = decoder_.options_.time.bptt;
  for (int64_t t = 0; t < steps.T(); ++t) {
    const int64_t alive = steps.alive(t);
    state = state.take_rows(alive);
    if (bptt && t % bptt == 0 && t) state = state.detach();
    if (!sentence_of_row || static_cast<int64_t>(sentence_of_row->size()) != alive)
      sentence_of_row =
          ops::row_ids(std::vector<int32_t>(sentence_of_sequence.begin(), sentence_of_sequence.begin() + alive));
    const Input in = input(t, readouts.empty() ? Var() : readouts.back());
    const Var covered = state.attention.coverage;
    const DecoderStep done = step(in.x_part, in.embedded, sentence_of_row, state);
    readouts.push_back(done.readout);
    if (wanted_.weights && done.weights) weights.push_back(done.weights);
    if (wanted_.weights && done.outer_weights) outer_weights.push_back(done.outer_weights);
    if (!wanted_.coverage_loss) continue;
    const Var loss = ops::coverage_loss(done.weights, covered);
    out.coverage_loss = out.coverage_loss ? ops::add(out.coverage_loss, loss) : loss;
  }
  out.readouts = ops::concat_rows(readouts);
  if (!weights.empty()) out.weights = ops::concat_rows(weights);
  if (!outer_weights.empty()) out.outer_weights = ops::concat_rows(outer_weights);
  return out;
}

Unrolled DecoderPass::teacher_force(const Var& embedded, const Steps& steps, const DecoderState& state,
                                    const std::vector<int32_t>& sentence_of_sequence) const {
  if (!wanted_.coverage_loss && decoder_.at_once())
    return teacher_force_batched(embedded, steps, state, sentence_of_sequence);
  if (auto loop = wanted_.coverage_loss ? std::nullopt : fused_form()) {
    loop->dropout = {after_readout_.rate(), after_readout_.streams(steps.T())};
    const CellState& first = state.layers[0];
    const auto all = ops::attentive_lstm(
        *loop, embedded, steps, {first.h, first.c},
        {source_.prepared.keys, source_.prepared.values, {source_.layout, ops::row_ids(sentence_of_sequence)}});
    return {.readouts = all.readouts, .weights = wanted_.weights ? all.weights : Var()};
  }
  const Var x_part = input_part(embedded);
  return unroll(steps, state, sentence_of_sequence, [&](int64_t t, const Var&) {
    const int64_t begin = steps.begin(t), end = steps.begin(t + 1);
    return Input{ops::slice_rows(x_part, begin, end), ops::slice_rows(embedded, begin, end)};
  });
}

// The loop over the steps as one op, for the decoders it knows.
std::optional<ops::AttentiveLstm> DecoderPass::fused_form() const {
  const DecoderOptions& o = decoder_.options_;
  if (decoder_.outer_attention_ || decoder_.gate_.any() || o.cell != "lstm" || layers_.size() != 1 || o.layer_norm ||
      o.readout != "tanh" || o.time.bptt > 0)
    return {};
  const auto score = decoder_.attention_ ? decoder_.attention_->form() : std::nullopt;
  if (!score) return {};
  return ops::AttentiveLstm{
      .order = decoder_.luong() ? ops::AttentiveLstm::Order::luong : ops::AttentiveLstm::Order::bahdanau,
      .input_feeding = o.input_feeding,
      .cell = layers_[0],
      .score = *score,
      .w_readout = decoder_.readout_.weight,
      .b_readout = decoder_.readout_.bias};
}

// Nothing a step reads depends on the attention before it, so the cells run
// first, whole sequences at a time, and then all rows attend together.
Unrolled DecoderPass::teacher_force_batched(const Var& embedded, const Steps& steps, const DecoderState& state,
                                            const std::vector<int32_t>& sentence_of_sequence) const {
  const auto run = cell_kind(decoder_.options_.cell) == CellKind::gru ? &ops::gru : &ops::lstm;
  const auto sequences = ops::row_ids(steps.sequence_of_rows());
  Var top = embedded;
  for (size_t k = 0; k < layers_.size(); ++k) {
    const Var in = k ? between_[k - 1].sequence(top, sequences) : top;
    const auto out = run(in, steps, layers_[k], decoder_.options_.time.along(ops::Direction::forward),
                         {state.layers[k].h, state.layers[k].c});
    top = layer_output(k, out.h, top);
  }
  std::vector<int32_t> sentence_of_row;
  for (const int32_t b : *sequences) sentence_of_row.push_back(sentence_of_sequence[static_cast<size_t>(b)]);
  const auto of = ops::row_ids(std::move(sentence_of_row));
  const Looked looked = gated(attend(top, of, {}), {.query = top}, of);
  return {.readouts = after_readout_.sequence(read_out(top, looked, embedded), sequences),
          .weights = wanted_.weights ? looked.inner.weights : Var(),
          .outer_weights = wanted_.weights ? looked.outer.weights : Var()};
}

}  // namespace lookback

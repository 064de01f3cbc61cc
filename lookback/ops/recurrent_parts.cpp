// States of recurrent layers whose input was multiplied before; for inference.
#include "lookback/autograd/side_by_side.h"
#include "lookback/ops/internal.h"
#include "lookback/ops/recurrent_layers.h"
#include "lookback/ops/windows.h"

namespace lookback::ops {
namespace {

void check_inputs(const LayerKind& kind, const InputParts& x, const Steps& steps, const RecurrentWeights& w,
                  const RecurrentState& initial) {
  check_weights(kind, w.w_ih.dim(1), w);
  check_state(kind, steps, w, initial);
  const int64_t G = w.w_ih.dim(0);
  check(x.part.shape().rank() == 2 && x.part.dim(1) == G && std::ssize(*x.rows) == steps.N(), kind.name,
        ": parts must be [R,", G, "] for ", steps.N(), " rows, got ", x.part.shape(), " for ", x.rows->size());
  for (const int32_t row : *x.rows)
    check(0 <= row && row < x.part.dim(0), kind.name, ": no row ", row, " in parts ", x.part.shape());
}

// What a layer over parts writes, all of it known before it runs.
struct PartsRun {
  Tensor h, last_h, last_c;  // [N, H], [B, H], [B, H] LSTM
  Tensor gates, scratch;

  PartsRun(const LayerKind& kind, const LayerOfParts& layer, const Steps& steps) {
    check_inputs(kind, layer.x, steps, layer.w, layer.initial);
    const Dtype d = layer.x.part.dtype();
    const int64_t B = steps.B(), H = layer.w.w_hh.dim(1);
    h = Tensor({steps.N(), H}, d), last_h = states_at_start(layer.initial.h, {B, H}, d);
    if (kind.gates == kLstm.gates) last_c = states_at_start(layer.initial.c, {B, H}, d);
    gates = Tensor({B, kind.gates * H}, d), scratch = Tensor({B, 4 * H}, d);
  }
};

// Calls forward(layer, run, recurrent weights) for each layer.
template <class Forward>
std::vector<RecurrentOut> run_parts(const LayerKind& kind, const std::vector<LayerOfParts>& layers, const Steps& steps,
                                    Forward&& forward) {
  std::vector<PartsRun> runs;
  for (const LayerOfParts& layer : layers) runs.emplace_back(kind, layer, steps);
  if (layers.empty()) return {};
  with_float(layers[0].x.part.dtype(), [&]<class R>() {
    std::vector<kernels::Weight<R>> wh;
    for (const LayerOfParts& layer : layers)
      wh.push_back(weight<R>(layer.w.w_hh, {0, layer.w.w_hh.dim(1)}, Packing::forward));
    each_piece(layers.size(), [&](size_t k) { forward.template operator()<R>(layers[k], runs[k], wh[k]); });
  });
  std::vector<RecurrentOut> out;
  for (size_t k = 0; k < runs.size(); ++k) {
    const Direction direction = layers[k].direction;
    for (const Window& whole : windows_of(steps, {.direction = direction}))
      reach(whole, direction, runs[k].h, runs[k].last_h);
    out.push_back({Var(runs[k].h), Var(runs[k].last_h), runs[k].last_c.empty() ? Var() : Var(runs[k].last_c)});
  }
  return out;
}

}  // namespace

std::vector<RecurrentOut> lstm_from_parts(const std::vector<LayerOfParts>& layers, const Steps& steps) {
  return run_parts(kLstm, layers, steps, [&]<class R>(const LayerOfParts& layer, const PartsRun& run, const auto& wh) {
    kernels::best<R>().lstm_forward({.steps = {steps.T(), steps.data()},
                                     .H = run.h.dim(1),
                                     .reverse = layer.direction == Direction::reverse,
                                     .wh = wh,
                                     .h0 = data_or_null<R>(layer.initial.h),
                                     .c0 = nullptr,
                                     .gates = run.gates.data<R>(),
                                     .h = run.h.data<R>(),
                                     .c = run.last_c.data<R>(),
                                     .scratch = run.scratch.data<R>(),
                                     .parts = {layer.x.part.value().data<R>(), layer.x.rows->data()}});
  });
}

std::vector<RecurrentOut> gru_from_parts(const std::vector<LayerOfParts>& layers, const Steps& steps) {
  return run_parts(kGru, layers, steps, [&]<class R>(const LayerOfParts& layer, const PartsRun& run, const auto& wh) {
    kernels::best<R>().gru_forward({.steps = {steps.T(), steps.data()},
                                    .H = run.h.dim(1),
                                    .reverse = layer.direction == Direction::reverse,
                                    .wh = wh,
                                    .bh = layer.w.b_hh.value().data<R>(),
                                    .h0 = data_or_null<R>(layer.initial.h),
                                    .gates = run.gates.data<R>(),
                                    .hn = nullptr,
                                    .h = run.h.data<R>(),
                                    .scratch = run.scratch.data<R>(),
                                    .parts = {layer.x.part.value().data<R>(), layer.x.rows->data()}});
  });
}

}  // namespace lookback::ops

#include "lookback/ops/attentive_lstm.h"

#include <algorithm>

#include "lookback/ops/internal.h"
#include "lookback/ops/states.h"

namespace lookback::ops {
namespace {

using Order = AttentiveLstm::Order;

// The inputs of the node.
enum Input { kEmbedded, kWIh, kWHh, kBIh, kBHh, kH0, kC0, kKeys, kValues, kWQuery, kV, kWReadout, kBReadout };

struct Sizes {
  int64_t N, B, E, H, M, A, R, T;
};

// What the forward keeps for the backward, and both.
struct Loop {
  Order order;
  bool feeding;
  double scale;
  ReadoutDropout dropout;
  Steps steps;
  Visible visible;
  Sizes n;
  Tensor gates, h, c;       // [N, 4H], [N, H], [N, H]
  Tensor query;             // [N, A] if it is not the state
  Tensor weights, context;  // [N, T], [N, M]
  Tensor readout, out;      // [N, R] before and after dropout; one tensor without
  Tensor key_factors;       // [S, A] of an additive score

  bool luong() const { return order == Order::luong; }
  // The columns of w_ih and of w_readout, by what they read.
  Columns embedding() const { return {0, n.E}; }
  Columns feed() const { return {n.E, n.E + (feeding ? n.R : 0)}; }
  Columns context_columns() const { return {feed().end, feed().end + n.M}; }
  Columns read_context() const { return {0, n.M}; }
  Columns read_state() const { return {n.M, n.M + n.H}; }
  Columns read_embedding() const { return {n.M + n.H, n.M + n.H + n.E}; }

  kernels::Memory memory(int64_t rows) const {
    return {visible.memory.sentences(), visible.memory.data(), rows, visible.sentence_of_row->data(), n.T};
  }
  template <class R>
  static R* row(const Tensor& t, int64_t k) {
    return t.data<R>() + k * t.dim(1);
  }
  // The states that step t starts from.
  template <class R>
  const R* before(int64_t t, const Tensor& states, const Var& initial) const {
    return t ? row<R>(states, steps.begin(t - 1)) : initial.value().data<R>();
  }
  template <class R>
  void drop(int64_t t, const R* x, R* y) const {
    kernels::best<R>().dropout({.N = steps.alive(t),
                                .C = n.R,
                                .p = dropout.rate,
                                .stream = dropout.streams[static_cast<size_t>(t)],
                                .row_of = nullptr,
                                .x = x,
                                .y = y,
                                .accumulate = false});
  }

  template <class R>
  void allocate(Dtype d, bool own_query);
  template <class R>
  void forward(const std::vector<Var>& in);
  template <class R>
  void attend(const std::vector<Var>& in, int64_t t, const R* state, const Tensor& energies);
};

template <class R>
void Loop::allocate(Dtype d, bool own_query) {
  gates = Tensor({n.N, 4 * n.H}, d), h = Tensor({n.N, n.H}, d), c = Tensor({n.N, n.H}, d);
  if (own_query) query = Tensor({n.N, n.A}, d);
  weights = Tensor({n.N, n.T}, d), context = Tensor({n.N, n.M}, d);
  readout = Tensor({n.N, n.R}, d);
  out = dropout.rate > 0 ? Tensor({n.N, n.R}, d) : readout;
}

// Weights and context of step t, from the states it attends with.
template <class R>
void Loop::attend(const std::vector<Var>& in, int64_t t, const R* state, const Tensor& energies) {
  const auto& table = kernels::best<R>();
  const int64_t rows = steps.alive(t), first = steps.begin(t);
  const kernels::Memory m = memory(rows);
  const R *q = state, *keys = in[kKeys].value().data<R>();
  if (!query.empty()) {
    product(rows, state, weight<R>(in[kWQuery], {0, n.H}, Packing::forward), row<R>(query, first), Write::overwrite);
    q = row<R>(query, first);
  }
  if (in[kV])
    table.score_additive({.memory = m,
                          .A = n.A,
                          .query = q,
                          .keys = keys,
                          .v = in[kV].value().data<R>(),
                          .energies = energies.data<R>(),
                          .key_factors = key_factors.data<R>()});
  else
    table.score_dot({m, n.A, static_cast<R>(scale), q, keys, energies.data<R>()});
  table.attend(
      {m, n.M, energies.data<R>(), in[kValues].value().data<R>(), row<R>(weights, first), row<R>(context, first)});
}

template <class R>
void Loop::forward(const std::vector<Var>& in) {
  const auto& table = kernels::best<R>();
  auto part = [&](Input w, Columns columns, int64_t rows = 0) {
    return weight<R>(in[w], columns, Packing::forward, rows);
  };
  const R *embedded = in[kEmbedded].value().data<R>(), *b_readout = in[kBReadout].value().data<R>();
  const Tensor energies({n.B, n.T}, gates.dtype());
  std::vector<kernels::Matmul<R>> products;
  products.reserve(3);
  product(n.N, embedded, part(kWIh, embedding(), n.N), gates.data<R>(), Write::overwrite, in[kBIh].value().data<R>());
  if (!luong())
    product(n.N, embedded, part(kWReadout, read_embedding(), n.N), readout.data<R>(), Write::overwrite, b_readout);
  for (int64_t t = 0; t < steps.T(); ++t) {
    const int64_t rows = steps.alive(t), first = steps.begin(t);
    const R *h_before = before<R>(t, h, in[kH0]), *c_before = before<R>(t, c, in[kC0]);
    R *g = row<R>(gates, first), *state = row<R>(h, first), *r = row<R>(readout, first);
    const auto add = [&](const R* x, const kernels::Weight<R>& w, R* to, Write write, const R* bias = nullptr) {
      products.push_back(kernels::product_of(rows, x, w, to, write == Write::accumulate, bias));
    };
    if (!luong()) attend<R>(in, t, h_before, energies);
    products.clear();
    if (feeding && t) add(row<R>(out, steps.begin(t - 1)), part(kWIh, feed()), g, Write::accumulate);
    if (!luong()) add(row<R>(context, first), part(kWIh, context_columns()), g, Write::accumulate);
    add(h_before, part(kWHh, {0, n.H}), g, Write::accumulate, in[kBHh].value().data<R>());
    table.matmul_sum({products});
    table.lstm_cell({rows, n.H, g, c_before, state, row<R>(c, first)});
    if (luong()) attend<R>(in, t, state, energies);
    products.clear();
    add(row<R>(context, first), part(kWReadout, read_context()), r, luong() ? Write::overwrite : Write::accumulate,
        luong() ? b_readout : nullptr);
    add(state, part(kWReadout, read_state()), r, Write::accumulate);
    table.matmul_sum({products});
    table.unary({kernels::Unary::tanh, rows * n.R, r, r});
    if (dropout.rate > 0) drop<R>(t, r, row<R>(out, first));
  }
}

// The way back through a Loop.
template <class R>
struct LoopBack {
  const Loop& f;
  const std::vector<Var>& in;
  const Tensor& dout;      // [N, R]
  const Tensor& dweights;  // [N, T], or empty
  const Sizes& n = f.n;
  const kernels::Table<R>& table = kernels::best<R>();
  const Dtype d = f.gates.dtype();
  const Tensor dgates{Shape{n.N, 4 * n.H}, d}, dcontext{Shape{n.N, n.M}, d};
  const Tensor dreadout = Tensor::zeros({n.N, n.R}, d);  // before its tanh
  const Tensor denergies = Tensor::zeros({n.N, n.T}, d);
  const Tensor dquery = f.query.empty() ? Tensor() : Tensor::zeros({n.N, n.A}, d);
  // On their way from step t to the one before. Rows that are not alive yet hold zeros.
  const Tensor dh = Tensor::zeros({n.B, n.H}, d), dfeed = Tensor::zeros({n.B, n.R}, d);
  const Tensor dc = Tensor::zeros({n.B, n.H}, d);
  const Tensor dv_scratch = in[kV] ? Tensor({f.visible.memory.sentences(), n.A}, d) : Tensor();
  const Tensor scratch = f.dropout.rate > 0 ? Tensor({n.B, n.R}, d) : Tensor();

  kernels::Weight<R> part(Input w, Columns columns, int64_t rows = 0) const {
    return weight<R>(in[w], columns, Packing::backward, rows);
  }

  void step(int64_t t);
  void unread(int64_t t);
  void attend(int64_t t, const R* state);
  void source(const Tensor& states_before);
  void parameters(const Tensor& states_before);
  void run();
};

// From the gradient of a step's readout, and what the next step fed back, to its state and context.
template <class R>
void LoopBack<R>::unread(int64_t t) {
  const int64_t rows = f.steps.alive(t), first = f.steps.begin(t);
  R* const dz = f.template row<R>(dreadout, first);
  const R* dr = f.template row<R>(dout, first);
  if (f.feeding) {
    table.axpy({.size = rows * n.R, .alpha = R{1}, .x = dr, .y = dfeed.data<R>()});
    dr = dfeed.data<R>();
  }
  if (f.dropout.rate > 0) {
    f.template drop<R>(t, dr, scratch.data<R>());
    dr = scratch.data<R>();
  }
  // forward: readout = tanh(context Wc^T + h Wr^T + ...)
  table.unary_backward(
      {.f = {kernels::Unary::tanh, rows * n.R, nullptr, f.template row<R>(f.readout, first)}, .dy = dr, .dx = dz});
  transposed_product(rows, dz, part(kWReadout, f.read_context()), f.template row<R>(dcontext, first), Write::overwrite);
  transposed_product(rows, dz, part(kWReadout, f.read_state()), dh.data<R>(), Write::accumulate);
}

// From the context of step t to the state that it attended with.
template <class R>
void LoopBack<R>::attend(int64_t t, const R* state) {
  const int64_t rows = f.steps.alive(t), first = f.steps.begin(t);
  const kernels::Memory m = f.memory(rows);
  const bool own_query = !dquery.empty();
  const R *q = own_query ? f.template row<R>(f.query, first) : state, *keys = in[kKeys].value().template data<R>();
  R *de = f.template row<R>(denergies, first), *dq = own_query ? f.template row<R>(dquery, first) : dh.data<R>();
  // forward: context = softmax(energies) . values
  table.attend_backward(
      {.f = {m, n.M, nullptr, in[kValues].value().template data<R>(), f.template row<R>(f.weights, first), nullptr},
       .dcontext = f.template row<R>(dcontext, first),
       .dweights = dweights.empty() ? nullptr : f.template row<R>(dweights, first),
       .denergies = de,
       .dvalues = nullptr});
  if (in[kV])
    table.score_additive_backward({.f = {.memory = m,
                                         .A = n.A,
                                         .query = q,
                                         .keys = keys,
                                         .v = in[kV].value().template data<R>(),
                                         .energies = nullptr,
                                         .key_factors = f.key_factors.template data<R>()},
                                   .denergies = de,
                                   .dquery = dq,
                                   .dkeys = grad_or_null<R>(in[kKeys]),
                                   .dv = grad_or_null<R>(in[kV]),
                                   .dv_scratch = dv_scratch.data<R>()});
  else
    table.score_dot_backward(
        {.f = {m, n.A, static_cast<R>(f.scale), q, keys, nullptr}, .denergies = de, .dquery = dq, .dkeys = nullptr});
  if (own_query) transposed_product(rows, dq, part(kWQuery, {0, n.H}), dh.data<R>(), Write::accumulate);
}

template <class R>
void LoopBack<R>::step(int64_t t) {
  const int64_t rows = f.steps.alive(t), first = f.steps.begin(t);
  R *dg = f.template row<R>(dgates, first), *h = f.template row<R>(f.h, first);
  unread(t);
  if (f.luong()) attend(t, h);
  table.lstm_cell_backward({.f = {rows, n.H, f.template row<R>(f.gates, first), f.template before<R>(t, f.c, in[kC0]),
                                  h, f.template row<R>(f.c, first)},
                            .dh_next = dh.data<R>(),
                            .dc_next = dc.data<R>(),
                            .dgates = dg,
                            .dc = dc.data<R>()});
  // forward: gates = x We^T + feed Wf^T + context Wx^T + h Wh^T + biases
  transposed_product(rows, dg, part(kWHh, {0, n.H}), dh.data<R>(), Write::overwrite);
  if (f.feeding && t) transposed_product(rows, dg, part(kWIh, f.feed()), dfeed.data<R>(), Write::overwrite);
  if (f.luong()) return;
  transposed_product(rows, dg, part(kWIh, f.context_columns()), f.template row<R>(dcontext, first), Write::accumulate);
  attend(t, f.template before<R>(t, f.h, in[kH0]));
}

// Gradients of keys and values, over all steps at once: each sentence's stay close while its rows add to them.
template <class R>
void LoopBack<R>::source(const Tensor& states_before) {
  const auto sequence = f.steps.sequence_of_rows();
  std::vector<int32_t> sentence_of_row;
  sentence_of_row.reserve(sequence.size());
  for (const int32_t b : sequence) sentence_of_row.push_back((*f.visible.sentence_of_row)[static_cast<size_t>(b)]);
  kernels::Memory m = f.memory(n.N);
  m.sentence_of_row = sentence_of_row.data();
  if (R* dvalues = grad_or_null<R>(in[kValues]))
    table.attend_backward({.f = {m, n.M, nullptr, in[kValues].value().template data<R>(), f.weights.data<R>(), nullptr},
                           .dcontext = dcontext.data<R>(),
                           .dweights = nullptr,
                           .denergies = nullptr,
                           .dvalues = dvalues});
  if (in[kV]) return;  // its keys had theirs step by step, with the tanh at hand
  if (R* dkeys = grad_or_null<R>(in[kKeys])) {
    const Tensor& q = !f.query.empty() ? f.query : f.luong() ? f.h : states_before;
    table.score_dot_backward(
        {.f = {m, n.A, static_cast<R>(f.scale), q.data<R>(), in[kKeys].value().template data<R>(), nullptr},
         .denergies = denergies.data<R>(),
         .dquery = nullptr,
         .dkeys = dkeys});
  }
}

template <class R>
void LoopBack<R>::parameters(const Tensor& states_before) {
  const Tensor& embedded = in[kEmbedded].value();
  if (const auto dx = grad_target<R>(in[kEmbedded]); dx.data) {
    transposed_product(n.N, dgates.data<R>(), part(kWIh, f.embedding(), n.N), dx.data, dx.write);
    if (!f.luong())
      transposed_product(n.N, dreadout.data<R>(), part(kWReadout, f.read_embedding(), n.N), dx.data, Write::accumulate);
  }
  add_weight_grad(in[kWIh], f.embedding(), embedded, dgates);
  if (f.feeding)
    add_recurrent_grad(in[kWIh], f.feed(), f.steps, Direction::forward,
                       ops::states_before<R>(f.steps, Direction::forward, f.out, Tensor()), true, dgates);
  if (!f.luong()) add_weight_grad(in[kWIh], f.context_columns(), f.context, dgates);
  add_weight_grad(in[kWHh], {0, n.H}, states_before, dgates);
  add_weight_grad(in[kWReadout], f.read_context(), f.context, dreadout);
  add_weight_grad(in[kWReadout], f.read_state(), f.h, dreadout);
  if (!f.luong()) add_weight_grad(in[kWReadout], f.read_embedding(), embedded, dreadout);
  if (!dquery.empty()) add_weight_grad(in[kWQuery], {0, n.H}, f.luong() ? f.h : states_before, dquery);
  add_bias_grad({in[kBIh], in[kBHh]}, dgates);
  add_bias_grad({in[kBReadout]}, dreadout);
}

template <class R>
void LoopBack<R>::run() {
  for (int64_t t = f.steps.T() - 1; t >= 0; --t) step(t);
  const Tensor states_before = ops::states_before<R>(f.steps, Direction::forward, f.h, in[kH0].value());
  source(states_before);
  parameters(states_before);
  give_grad(in[kH0], dh);
  give_grad(in[kC0], dc);
}

void check_shapes(const AttentiveLstm& d, const Loop& f, const Var& embedded, const RecurrentState& initial,
                  const AttendedSource& source) {
  const Sizes& n = f.n;
  auto expect = [](const char* what, const Var& got, const Shape& want) {
    check(got && got.shape() == want, "attentive_lstm: ", what, " must be ", want);
  };
  const bool luong = f.luong();
  expect("embedded", embedded, {f.steps.N(), n.E});
  expect("w_ih", d.cell.w_ih, {4 * n.H, n.E + (f.feeding ? n.R : 0) + (luong ? 0 : n.M)});
  expect("w_hh", d.cell.w_hh, {4 * n.H, n.H});
  expect("b_ih", d.cell.b_ih, {4 * n.H});
  expect("b_hh", d.cell.b_hh, {4 * n.H});
  expect("the initial h", initial.h, {n.B, n.H});
  expect("the initial c", initial.c, {n.B, n.H});
  expect("w_readout", d.w_readout, {n.R, n.M + n.H + (luong ? 0 : n.E)});
  expect("b_readout", d.b_readout, {n.R});
  expect("keys", source.keys, {source.visible.memory.rows(), n.A});
  expect("values", source.values, {source.visible.memory.rows(), n.M});
  if (d.score.v) expect("v", d.score.v, {n.A});
  const Var& q = d.score.w_query;
  check(q ? q.shape().rank() == 2 && q.dim(0) == n.A && q.dim(1) >= n.H : n.A == n.H,
        "attentive_lstm: states of width ", n.H, " do not fit keys of width ", n.A);
  check(source.visible.N() == n.B, "attentive_lstm: one sentence for each of ", n.B, " sequences, got ",
        source.visible.N());
  check(!source.visible.begin && !source.visible.end, "attentive_lstm: a sequence sees its whole sentence, got bounds");
  for (const int32_t s : *source.visible.sentence_of_row)
    check(0 <= s && s < source.visible.memory.sentences(), "attentive_lstm: no sentence ", s, " among ",
          source.visible.memory.sentences());
  check(d.dropout.rate == 0 || std::ssize(d.dropout.streams) == f.steps.T(), "attentive_lstm: one dropout stream for ",
        "each of ", f.steps.T(), " steps");
}

}  // namespace

AttendedSteps attentive_lstm(const AttentiveLstm& decoder, const Var& embedded, const Steps& steps,
                             const RecurrentState& initial, const AttendedSource& source) {
  for (const Var& matrix : {embedded, decoder.cell.w_hh, decoder.w_readout, source.keys, source.values})
    check(matrix && matrix.shape().rank() == 2, "attentive_lstm: embedded, weights, keys and values must be matrices");
  Loop loop{.order = decoder.order,
            .feeding = decoder.input_feeding,
            .scale = decoder.score.scale,
            .dropout = decoder.dropout,
            .steps = steps,
            .visible = source.visible,
            .n = {.N = steps.N(),
                  .B = steps.B(),
                  .E = embedded.dim(1),
                  .H = decoder.cell.w_hh.dim(1),
                  .M = source.values.dim(1),
                  .A = source.keys.dim(1),
                  .R = decoder.w_readout.dim(0),
                  .T = source.visible.T()}};
  check_shapes(decoder, loop, embedded, initial, source);
  const std::vector<Var> in = {
      embedded,        decoder.cell.w_ih, decoder.cell.w_hh, decoder.cell.b_ih, decoder.cell.b_hh,
      initial.h,       initial.c,         source.keys,       source.values,     decoder.score.w_query,
      decoder.score.v, decoder.w_readout, decoder.b_readout};
  with_float(embedded.dtype(), [&]<class R>() {
    loop.allocate<R>(embedded.dtype(), static_cast<bool>(decoder.score.w_query));
    if (decoder.score.v) loop.key_factors = tanh_factors(source.keys);
    loop.forward<R>(in);
  });
  const auto out = record({loop.out, loop.weights}, in, [loop](Node& node) {
    const Tensor dout = node.grads[0].empty() ? Tensor::zeros(loop.out.shape(), loop.out.dtype()) : node.grads[0];
    with_float(dout.dtype(), [&]<class R>() {
      LoopBack<R>{.f = loop, .in = node.inputs, .dout = dout, .dweights = node.grads[1]}.run();
    });
  });
  return {out[0], out[1]};
}

}  // namespace lookback::ops

// LSTM and GRU against the reference: whole sequences, ragged and reversed, and single steps.
#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

struct Case {
  std::vector<int64_t> lengths;  // longest first
  int64_t H;
  bool reverse = false, state = false, last = false;  // with h0 and c0; with dh_last and dc_last
  std::vector<uint64_t> ids = {};                     // which sentence each is; 0, 1, 2 ... if empty
  bool only_last = false;                             // LSTM: without dh

  uint64_t id(int64_t b) const { return ids.empty() ? static_cast<uint64_t>(b) : ids[static_cast<size_t>(b)]; }
  int64_t B() const { return static_cast<int64_t>(lengths.size()); }
  std::string name() const {
    std::string out = "H " + std::to_string(H) + ", lengths";
    for (const int64_t n : lengths) out += " " + std::to_string(n);
    return out + (reverse ? ", reverse" : "") + (state ? ", initial state" : "") + (last ? ", last gradients" : "") +
           (only_last ? " alone" : "");
  }
};

struct Layout {
  explicit Layout(const Case& c) {
    const int64_t T = c.lengths.empty() ? 0 : c.lengths[0];
    begin.push_back(0);
    for (int64_t t = 0; t < T; ++t) {
      int64_t alive = 0;
      for (const int64_t n : c.lengths) alive += n > t;
      begin.push_back(begin.back() + alive);
    }
  }
  PackedSteps steps() const { return {static_cast<int64_t>(begin.size()) - 1, begin.data()}; }

  std::vector<int64_t> begin;
};

// Rows that depend on the sentence and the step alone, wherever the row is kept.
template <class R>
std::vector<R> step_rows(const Case& c, const Layout& layout, int64_t width, uint64_t seed) {
  std::vector<R> out;
  for (size_t t = 0; t + 1 < layout.begin.size(); ++t)
    for (int64_t b = 0; b < layout.begin[t + 1] - layout.begin[t]; ++b) {
      const auto row = numbers<R>(width, seed * 1000003 + c.id(b) * 1009 + t);
      out.insert(out.end(), row.begin(), row.end());
    }
  return out;
}

template <class R>
std::vector<R> sentence_rows(const Case& c, int64_t width, uint64_t seed) {
  std::vector<R> out;
  for (int64_t b = 0; b < c.B(); ++b) {
    const auto row = numbers<R>(width, seed * 1000003 + c.id(b));
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

// A weight whose rows lie further apart than they are long, packed where the table packs.
template <class R>
struct TestWeight {
  TestWeight(const Table<R>& table, int64_t rows, int64_t cols) : data(numbers<R>(rows * (cols + 3), 5)) {
    for (R& x : data) x = static_cast<R>(static_cast<float>(x) / std::sqrt(static_cast<float>(cols)));
    w = {.data = data.data(), .rows = rows, .cols = cols, .ld = cols + 3};
    if (!table.pack) return;
    forward = table.pack({.n = rows, .k = cols, .b = w.data, .ldb = w.ld, .transpose_b = true}, nullptr);
    backward = table.pack({.n = cols, .k = rows, .b = w.data, .ldb = w.ld, .transpose_b = false}, nullptr);
    w.packed = forward.get(), w.packed_transposed = backward.get();
  }
  std::vector<R> data;
  Weight<R> w;
  std::unique_ptr<Packed> forward, backward;
};

std::vector<int32_t> reversed_order(int64_t rows) {
  std::vector<int32_t> out;
  for (int64_t n = rows; n-- > 0;) out.push_back(static_cast<int32_t>(n));
  return out;
}

template <class R>
std::vector<R> reversed_rows(const std::vector<R>& rows, int64_t width) {
  std::vector<R> out;
  for (auto end = rows.end(); end != rows.begin(); end -= width) out.insert(out.end(), end - width, end);
  return out;
}

template <class R>
Outputs run_lstm(const Table<R>& table, const Case& c) {
  const Layout layout(c);
  const PackedSteps steps = layout.steps();
  const int64_t N = steps.N(), H = c.H, B = c.B();
  const TestWeight<R> wh(table, 4 * H, H);
  auto gates = step_rows<R>(c, layout, 4 * H, 1);
  const auto h0 = sentence_rows<R>(c, H, 2), c0 = sentence_rows<R>(c, H, 3);
  const auto dh = step_rows<R>(c, layout, H, 4);
  const auto dh_last = sentence_rows<R>(c, H, 5), dc_last = sentence_rows<R>(c, H, 6);
  const auto size = [](int64_t n) { return static_cast<size_t>(n); };
  std::vector<R> h(size(N * H)), cell(h), scratch(size(B * H)), dgates(size(N * 4 * H), R{9}), dh0(scratch),
      dc0(scratch);
  const LstmForward<R> f{.steps = steps,
                         .H = H,
                         .reverse = c.reverse,
                         .wh = wh.w,
                         .h0 = c.state ? h0.data() : nullptr,
                         .c0 = c.state ? c0.data() : nullptr,
                         .gates = gates.data(),
                         .h = h.data(),
                         .c = cell.data(),
                         .scratch = scratch.data()};
  table.lstm_forward(f);
  table.lstm_backward({.f = f,
                       .dh = c.only_last ? nullptr : dh.data(),
                       .dh_last = c.last ? dh_last.data() : nullptr,
                       .dc_last = c.last ? dc_last.data() : nullptr,
                       .dgates = dgates.data(),
                       .dh_carry = dh0.data(),
                       .dc_carry = dc0.data()});
  Outputs out;
  put(out, "gates", gates), put(out, "h", h), put(out, "c", cell);
  put(out, "dgates", dgates), put(out, "dc0", dc0);
  if (c.state) put(out, "dh0", dh0);
  // The states alone, from parts in the opposite order.
  const auto parts = reversed_rows(step_rows<R>(c, layout, 4 * H, 1), 4 * H);
  const auto of_row = reversed_order(N);
  std::vector<R> states(h.size(), R{9}), last_c = c.state ? c0 : std::vector<R>(size(B * H)), some(size(B * 4 * H));
  LstmForward<R> alone = f;
  alone.c0 = nullptr, alone.gates = some.data(), alone.h = states.data(), alone.c = last_c.data();
  alone.parts = {parts.data(), of_row.data()};
  table.lstm_forward(alone);
  EXPECT_EQ(states, h) << c.name();
  put(out, "last c", last_c);
  return out;
}

template <class R>
Outputs run_gru(const Table<R>& table, const Case& c) {
  const Layout layout(c);
  const PackedSteps steps = layout.steps();
  const int64_t N = steps.N(), H = c.H, B = c.B();
  const TestWeight<R> wh(table, 3 * H, H);
  const auto bh = numbers<R>(3 * H, 7);
  auto gates = step_rows<R>(c, layout, 3 * H, 1);
  const auto h0 = sentence_rows<R>(c, H, 2), dh = step_rows<R>(c, layout, H, 4), dh_last = sentence_rows<R>(c, H, 5);
  const auto size = [](int64_t n) { return static_cast<size_t>(n); };
  std::vector<R> h(size(N * H)), hn(h), scratch(size(B * 4 * H)), dx(size(N * 3 * H), R{9}), dgh(dx), dh0(size(B * H));
  const GruForward<R> f{.steps = steps,
                        .H = H,
                        .reverse = c.reverse,
                        .wh = wh.w,
                        .bh = bh.data(),
                        .h0 = c.state ? h0.data() : nullptr,
                        .gates = gates.data(),
                        .hn = hn.data(),
                        .h = h.data(),
                        .scratch = scratch.data()};
  table.gru_forward(f);
  table.gru_backward({.f = f,
                      .dh = dh.data(),
                      .dh_last = c.last ? dh_last.data() : nullptr,
                      .dgates_x = dx.data(),
                      .dgates_h = dgh.data(),
                      .dh_carry = dh0.data()});
  Outputs out;
  put(out, "gates", gates), put(out, "hn", hn), put(out, "h", h);
  put(out, "dgates_x", dx), put(out, "dgates_h", dgh);
  if (c.state) put(out, "dh0", dh0);
  const auto parts = reversed_rows(step_rows<R>(c, layout, 3 * H, 1), 3 * H);
  const auto of_row = reversed_order(N);
  std::vector<R> states(h.size(), R{9}), some(size(B * 3 * H));
  GruForward<R> alone = f;
  alone.gates = some.data(), alone.hn = nullptr, alone.h = states.data(), alone.parts = {parts.data(), of_row.data()};
  table.gru_forward(alone);
  EXPECT_EQ(states, h) << c.name();
  return out;
}

std::vector<Case> awkward_cases() {
  std::vector<Case> out;
  for (const bool reverse : {false, true})
    for (const bool state : {false, true})
      for (const bool last : {false, true}) {
        const auto add = [&](std::vector<int64_t> lengths, int64_t H) {
          out.push_back({std::move(lengths), H, reverse, state, last});
        };
        add({1}, 1), add({3}, 7), add({1, 1, 1}, 16), add({5, 4, 4, 2, 1}, 33), add({4, 4}, 16), add({6, 1}, 1);
      }
  out.push_back({.lengths = {3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, .H = 300, .state = true});
  out.push_back({.lengths = {}, .H = 5});
  out.push_back({.lengths = {4, 2, 1}, .H = 25, .reverse = true, .last = true, .only_last = true});
  return out;
}

TEST(RecurrentKernels, LstmAgrees) {
  for (const Case& c : awkward_cases())
    expect_agreement([&]<class R>(const Table<R>& table) { return run_lstm(table, c); }, "lstm, " + c.name());
}

TEST(RecurrentKernels, GruAgrees) {
  for (const Case& c : awkward_cases())
    expect_agreement([&]<class R>(const Table<R>& table) { return run_gru(table, c); }, "gru, " + c.name());
}

// The cell state alone, without h0: each of the two is optional by itself.
TEST(RecurrentKernels, LstmTakesOneOfTheTwoStates) {
  const Case c{.lengths = {3, 2}, .H = 9};
  const auto run = [&]<class R>(const Table<R>& table) {
    Outputs out;
    for (const bool with_h : {false, true}) {
      const Layout layout(c);
      const TestWeight<R> wh(table, 4 * c.H, c.H);
      auto gates = step_rows<R>(c, layout, 4 * c.H, 1);
      const auto state = sentence_rows<R>(c, c.H, 2);
      std::vector<R> h(static_cast<size_t>(layout.steps().N() * c.H)), cell(h), scratch(h);
      table.lstm_forward({.steps = layout.steps(),
                          .H = c.H,
                          .wh = wh.w,
                          .h0 = with_h ? state.data() : nullptr,
                          .c0 = with_h ? nullptr : state.data(),
                          .gates = gates.data(),
                          .h = h.data(),
                          .c = cell.data(),
                          .scratch = scratch.data()});
      put(out, "h", h), put(out, "c", cell);
    }
    return out;
  };
  expect_agreement(run, "one state");
}

// Rows of a named output that belong to sentence b, from a batch laid out as c.
std::vector<double> rows_of(const Outputs& out, const char* name, const Case& c, int64_t b, int64_t width) {
  const Layout layout(c);
  std::vector<double> rows;
  for (const auto& [key, values] : out)
    if (key == name)
      for (int64_t t = 0; t < c.lengths[static_cast<size_t>(b)]; ++t) {
        const auto at = values.begin() + (layout.begin[static_cast<size_t>(t)] + b) * width;
        rows.insert(rows.end(), at, at + width);
      }
  return rows;
}

// A sentence's states and gradients are the same bits alone and in any batch.
template <class Run>
void expect_alone_as_in_batch(Run&& run, int64_t H, const std::vector<std::pair<const char*, int64_t>>& outputs) {
  for (const bool reverse : {false, true}) {
    const Case batch{{9, 9, 8, 5, 5, 4, 3, 2, 2, 1, 1, 1}, H, reverse, true, true};
    const Outputs together = run(batch);
    for (int64_t b = 0; b < batch.B(); ++b) {
      const Case single{{batch.lengths[static_cast<size_t>(b)]}, H, reverse, true, true, {static_cast<uint64_t>(b)}};
      const Outputs alone = run(single);
      for (const auto& [name, width] : outputs)
        EXPECT_EQ(rows_of(together, name, batch, b, width), rows_of(alone, name, single, 0, width))
            << name << " of sentence " << b << ", H " << H << ", ";
    }
  }
}

TEST(RecurrentKernels, LstmSentenceDoesNotSeeItsBatch) {
  for (const int64_t H : {7, 64, 129})
    expect_alone_as_in_batch([](const Case& c) { return run_lstm(cpu(), c); }, H,
                             {{"h", H}, {"c", H}, {"gates", 4 * H}, {"dgates", 4 * H}});
}

TEST(RecurrentKernels, GruSentenceDoesNotSeeItsBatch) {
  for (const int64_t H : {7, 64, 129})
    expect_alone_as_in_batch([](const Case& c) { return run_gru(cpu(), c); }, H,
                             {{"h", H}, {"hn", H}, {"gates", 3 * H}, {"dgates_x", 3 * H}, {"dgates_h", 3 * H}});
}

template <class R>
Outputs run_lstm_cell(const Table<R>& table, int64_t N, int64_t H, bool all) {
  auto gates = numbers<R>(N * 4 * H, 1), dc = numbers<R>(N * H, 2), dc_next = numbers<R>(N * H, 5);
  const auto c = numbers<R>(N * H, 3), dh_next = numbers<R>(N * H, 4);
  std::vector<R> h_next(c.size()), c_next(c.size()), dgates(gates.size(), R{9});
  const LstmCell<R> f{N, H, gates.data(), c.data(), h_next.data(), c_next.data()};
  table.lstm_cell(f);
  table.lstm_cell_backward(
      {f, all ? dh_next.data() : nullptr, dc_next.data(), dgates.data(), all ? dc.data() : nullptr});
  Outputs out;
  put(out, "gates", gates), put(out, "h", h_next), put(out, "c", c_next);
  put(out, "dgates", dgates), put(out, "dc", dc);
  table.lstm_cell_backward({f, dh_next.data(), nullptr, dgates.data(), dc.data()});
  put(out, "dgates without dc_next", dgates), put(out, "dc without dc_next", dc);
  table.lstm_cell_backward({f, dh_next.data(), dc_next.data(), dgates.data(), dc_next.data()});
  put(out, "dgates in place", dgates), put(out, "dc in place", dc_next);
  return out;
}

template <class R>
Outputs run_gru_cell(const Table<R>& table, int64_t N, int64_t H, bool all) {
  auto gates = numbers<R>(N * 3 * H, 1), dh = numbers<R>(N * H, 2), dh_next = numbers<R>(N * H, 5);
  const auto gates_h = numbers<R>(N * 3 * H, 3), h = numbers<R>(N * H, 4);
  std::vector<R> h_next(h.size()), dx(gates.size(), R{9}), dgh(dx);
  const GruCell<R> f{N, H, gates.data(), gates_h.data(), h.data(), h_next.data()};
  table.gru_cell(f);
  table.gru_cell_backward({f, dh_next.data(), dx.data(), dgh.data(), all ? dh.data() : nullptr});
  Outputs out;
  put(out, "gates", gates), put(out, "h", h_next), put(out, "dgates_x", dx), put(out, "dgates_h", dgh);
  put(out, "dh", dh);
  table.gru_cell_backward({f, dh_next.data(), dx.data(), dgh.data(), dh_next.data()});
  put(out, "dh in place", dh_next);
  return out;
}

TEST(RecurrentKernels, CellsAgree) {
  for (const int64_t N : {0, 1, 5, 64})
    for (const int64_t H : {1, 7, 16, 33, 200})
      for (const bool all : {false, true}) {
        const std::string what = "N " + std::to_string(N) + ", H " + std::to_string(H);
        expect_agreement([&]<class R>(const Table<R>& t) { return run_lstm_cell(t, N, H, all); }, "lstm_cell, " + what);
        expect_agreement([&]<class R>(const Table<R>& t) { return run_gru_cell(t, N, H, all); }, "gru_cell, " + what);
      }
}

// Gates far outside the usual range saturate instead of overflowing.
TEST(RecurrentKernels, GatesSaturate) {
  for (const float big : {50.0f, 200.0f, 1e30f, std::numeric_limits<float>::infinity()}) {
    std::vector<float> gates = {-big, big, big, big}, c = {0.5f}, h_next(1), c_next(1);
    cpu().lstm_cell({1, 1, gates.data(), c.data(), h_next.data(), c_next.data()});
    EXPECT_LE(gates[0], 1e-20f);
    EXPECT_EQ(gates[1], 1.0f);
    EXPECT_EQ(c_next[0], 0.5f);
    EXPECT_NEAR(h_next[0], std::tanh(0.5f), 1e-6f);
  }
}

// A number that is not one must not be hidden by a gate: training looks for it.
TEST(RecurrentKernels, NotANumberStays) {
  for (const size_t bad : {0u, 1u, 2u, 3u}) {
    std::vector<float> gates(4, 0.1f), c = {0.5f}, h_next(1), c_next(1);
    gates[bad] = std::numeric_limits<float>::quiet_NaN();
    cpu().lstm_cell({1, 1, gates.data(), c.data(), h_next.data(), c_next.data()});
    EXPECT_TRUE(std::isnan(h_next[0])) << "gate " << bad << ", ";
  }
}

}  // namespace
}  // namespace lookback::kernels

// Self-attention of several heads against the reference: ragged sentences, blocks that end anywhere, windows, what is
// hidden, and biases by distance.
#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

struct Case {
  std::vector<int64_t> lengths;
  int64_t heads, width;
  bool causal = false;
  int64_t window = 0, reach = 0;

  std::string name() const {
    std::string out = str_cat(heads, " heads of ", width, ", window ", window, ", reach ", reach);
    for (const int64_t n : lengths) out += str_cat(causal ? ", causal " : ", ", n);
    return out;
  }
};

// Gradients, and which of them are replaced.
enum Wanted { kQuery = 1, kKey = 2, kValue = 4, kBias = 8, kAll = 15, kReplace = 16 /* and 32 and 64 */ };

// Inputs of the whole batch, of which a run may take the part of one sentence.
template <class R>
struct Inputs {
  std::vector<R> query, key, value, dout, bias;
  Inputs(const Case& c, int64_t N, R size = 1)
      : query(numbers<R>(N * c.heads * c.width, 1)),
        key(numbers<R>(N * c.heads * c.width, 2)),
        value(numbers<R>(N * c.heads * c.width, 3)),
        dout(numbers<R>(N * c.heads * c.width, 4)),
        bias(numbers<R>(c.heads * (2 * c.reach + 1), 5)) {
    for (R& x : query) x *= size;
  }
};

template <class R>
Outputs run(const Table<R>& table, const Case& c, const Inputs<R>& in, int64_t first, int wanted) {
  std::vector<int64_t> begin = {0};
  for (const int64_t n : c.lengths) begin.push_back(begin.back() + n);
  const int64_t N = begin.back(), C = c.heads * c.width, columns = c.heads * (2 * c.reach + 1);
  const auto size = static_cast<size_t>(N * C);
  std::vector<R> out(size, R{9}), top(static_cast<size_t>(c.heads * N), R{9}), inverse(top);
  std::vector<R> dquery(size, R{1}), dkey(size, R{2}), dvalue(size, R{3}), dbias(static_cast<size_t>(columns), R{4}),
      scratch(c.lengths.size() * dbias.size(), R{9});
  const MultiHead<R> f{.sentences = std::ssize(c.lengths),
                       .begin = begin.data(),
                       .N = N,
                       .heads = c.heads,
                       .width = c.width,
                       .scale = static_cast<R>(1 / std::sqrt(static_cast<double>(c.width))),
                       .causal = c.causal,
                       .window = c.window,
                       .reach = c.reach,
                       .query = in.query.data() + first * C,
                       .key = in.key.data() + first * C,
                       .value = in.value.data() + first * C,
                       .bias = c.reach ? in.bias.data() : nullptr,
                       .out = out.data(),
                       .top = top.data(),
                       .inverse = inverse.data()};
  table.multi_head(f);
  const bool bias = c.reach && (wanted & kBias);
  table.multi_head_backward({.f = f,
                             .dout = in.dout.data() + first * C,
                             .dquery = wanted & kQuery ? dquery.data() : nullptr,
                             .dkey = wanted & kKey ? dkey.data() : nullptr,
                             .dvalue = wanted & kValue ? dvalue.data() : nullptr,
                             .dbias = bias ? dbias.data() : nullptr,
                             .replace_dquery = (wanted & kQuery) && (wanted & kReplace),
                             .replace_dkey = (wanted & kKey) && (wanted & kReplace << 1),
                             .replace_dvalue = (wanted & kValue) && (wanted & kReplace << 2),
                             .dbias_scratch = bias ? scratch.data() : nullptr});
  Outputs result;
  put(result, "out", out), put(result, "top", top), put(result, "inverse", inverse);
  put(result, "dquery", dquery), put(result, "dkey", dkey), put(result, "dvalue", dvalue), put(result, "dbias", dbias);
  return result;
}

int64_t rows_of(const Case& c) {
  int64_t N = 0;
  for (const int64_t n : c.lengths) N += n;
  return N;
}

void expect_agrees(const Case& c, int wanted = kAll) {
  expect_agreement([&]<class R>(const Table<R>& table) { return run(table, c, Inputs<R>(c, rows_of(c)), 0, wanted); },
                   c.name() + ", wanted " + std::to_string(wanted));
}

TEST(MultiHeadKernels, LengthsAndWidths) {
  for (const int64_t heads : {1, 4, 8})
    for (const int64_t width : {1, 5, 16, 33, 64})
      for (const bool causal : {false, true}) {
        expect_agrees({{1}, heads, width, causal});
        expect_agrees({{4, 0, 7, 1, 23}, heads, width, causal});
        expect_agrees({{0, 0}, heads, width, causal});
        expect_agrees({{}, heads, width, causal});
      }
  expect_agrees({{63, 64, 65, 130}, 2, 20});
  expect_agrees({{63, 64, 65, 130}, 2, 20, true});
  expect_agrees({{70, 3}, 1, 130, true});
}

TEST(MultiHeadKernels, ManyBlocks) {
  for (const bool causal : {false, true})
    // Not clamped: one sum of thousands in float would be the reference's error.
    for (const int64_t reach : {0, 300}) expect_agrees({{257}, 4, 9, causal, 0, reach});
}

TEST(MultiHeadKernels, WindowsAndBiases) {
  for (const bool causal : {false, true})
    for (const int64_t window : {0, 1, 3, 40, 64, 500})
      for (const int64_t reach : {0, 1, 7, 300})
        if (window || reach) expect_agrees({{1, 150, 0, 31}, 2, 11, causal, window, reach});
}

TEST(MultiHeadKernels, OnlyWhatIsWanted) {
  for (int wanted = 0; wanted < 8 * kReplace; ++wanted) expect_agrees({{20, 0, 70}, 2, 12, true, 30, 5}, wanted);
}

TEST(MultiHeadKernels, RandomShapes) {
  Rng rng(11, 79);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(rng.below(static_cast<uint64_t>(n))); };
  for (int k = 0; k < 40; ++k) {
    Case c{{}, 1 + below(4), 1 + below(40), below(2) == 1, below(3) * below(50), below(3) * below(20)};
    for (int64_t s = below(6); s >= 0; --s) c.lengths.push_back(below(2) * below(150));
    expect_agrees(c);
  }
}

// A sentence gives the same bits with others around it or without.
TEST(MultiHeadKernels, ASentenceDoesNotSeeItsBatch) {
  for (const bool causal : {false, true})
    for (const int64_t window : {0, 5, 70}) {
      const Case all{{19, 0, 141, 1, 64}, 3, 21, causal, window, 4};
      const Inputs<float> in(all, rows_of(all));
      const Outputs together = run(cpu(), all, in, 0, kAll);
      int64_t first = 0;
      for (const int64_t length : all.lengths) {
        Case one = all;
        one.lengths = {length};
        const Outputs alone = run(cpu(), one, in, first, kAll);
        for (size_t k = 0; k < alone.size(); ++k) {
          const auto& [name, got] = alone[k];
          if (name == "top" || name == "inverse" || name == "dbias") continue;
          const auto from = together[k].second.begin() + first * 63;
          EXPECT_EQ(got, std::vector<double>(from, from + length * 63)) << name << ", length " << length;
        }
        first += length;
      }
    }
}

// Scores of any size give weights that are numbers; NaN stays NaN, in its own sentence.
TEST(MultiHeadKernels, SurvivesExtremes) {
  for (const float size : {100.0f, 1e4f, 1e20f}) {
    const Case c{{130, 3}, 1, 8, true, 20};
    const Inputs<float> in(c, 133, size);
    for (const auto& [name, values] : run(cpu(), c, in, 0, 0))
      for (const double x : values) ASSERT_TRUE(std::isfinite(x)) << name << ", size " << size;
  }
  const Case c{{70, 3}, 1, 8};
  Inputs<float> in(c, 73);
  in.key[8 * 68] = std::numeric_limits<float>::quiet_NaN();
  const Outputs outputs = run(cpu(), c, in, 0, 0);
  for (int64_t n = 0; n < 73; ++n) EXPECT_EQ(std::isnan(outputs[0].second[static_cast<size_t>(n * 8)]), n < 70) << n;
}

}  // namespace
}  // namespace lookback::kernels

// Scores, softmax over the source and weighted sums against the reference, with rows that share a sentence or see a
// span of it, sentences without positions and T past the longest.
#include <numeric>

#include "lookback/kernels/testing.h"

namespace lookback::kernels {
namespace {

struct Case {
  std::vector<int64_t> lengths;               // positions of each sentence
  std::vector<int32_t> of;                    // the sentence each row looks at
  int64_t width;                              // A or M
  int64_t spare = 0;                          // columns past the longest span
  std::vector<int32_t> begin = {}, end = {};  // positions that each row sees; empty: the whole sentence

  std::string name() const {
    std::string out = "width " + std::to_string(width) + ", lengths";
    for (const int64_t n : lengths) out += " " + std::to_string(n);
    return out + ", of " + std::to_string(of.size()) + " rows, spare " + std::to_string(spare) +
           (begin.empty() ? "" : ", spans");
  }
};

struct Layout {
  explicit Layout(const Case& c) : of(c.of), begin_of_row(c.begin), end_of_row(c.end) {
    begin.push_back(0);
    for (const int64_t n : c.lengths) begin.push_back(begin.back() + n);
    if (begin_of_row.empty())
      for (const int64_t n : c.lengths) T = std::max(T, n);
    for (size_t n = 0; n < begin_of_row.size(); ++n) T = std::max<int64_t>(T, end_of_row[n] - begin_of_row[n]);
    T += c.spare;
  }
  Memory memory() const {
    const bool spans = !begin_of_row.empty();
    return {.sentences = static_cast<int64_t>(begin.size()) - 1,
            .begin = begin.data(),
            .N = rows(),
            .sentence_of_row = of.data(),
            .T = T,
            .begin_of_row = spans ? begin_of_row.data() : nullptr,
            .end_of_row = spans ? end_of_row.data() : nullptr};
  }
  int64_t positions() const { return begin.back(); }
  int64_t rows() const { return static_cast<int64_t>(of.size()); }

  std::vector<int64_t> begin;
  std::vector<int32_t> of, begin_of_row, end_of_row;
  int64_t T = 0;
};

// Self-attention over one sentence: row n sees the positions begin(n) .. end(n).
template <class Begin, class End>
Case self_attention(int32_t length, int64_t width, Begin&& begin, End&& end) {
  Case out{{length}, std::vector<int32_t>(static_cast<size_t>(length)), width};
  for (int32_t n = 0; n < length; ++n) out.begin.push_back(begin(n)), out.end.push_back(end(n));
  return out;
}

// Rows in any order over sentences of up to 24 positions, each with any span of its own.
Case random_spans(uint64_t seed, int64_t width) {
  Rng rng(seed, 78);
  const auto below = [&](int64_t n) { return static_cast<int32_t>(rng.below(static_cast<uint64_t>(n))); };
  Case out{{}, {}, width};
  for (int k = 0; k < 5; ++k) out.lengths.push_back(below(25));
  for (int n = 0; n < 23; ++n) {
    out.of.push_back(below(5));
    const int64_t length = out.lengths[static_cast<size_t>(out.of.back())];
    const int32_t a = below(length + 1), b = below(length + 1);
    out.begin.push_back(std::min(a, b)), out.end.push_back(std::max(a, b));
  }
  return out;
}

std::vector<Case> span_cases(int64_t width) {
  std::vector<Case> out;
  const auto first = [](int32_t) { return 0; };
  const auto next = [](int32_t n) { return n + 1; };
  out.push_back(self_attention(19, width, first, next));  // causal
  out.push_back(self_attention(
      19, width, [](int32_t n) { return std::max(0, n - 4); }, next));  // causal, windows
  out.push_back(self_attention(
      21, width, [](int32_t n) { return std::max(0, n - 9); },
      [](int32_t n) { return std::min(21, n + 10); }));                                     // windows to both sides
  out.push_back({{4, 0, 7}, {2, 0, 1, 2, 2}, width, 3, {0, 4, 0, 3, 6}, {7, 4, 0, 3, 7}});  // whole, empty, one
  out.push_back({{3, 2}, {1, 0}, width, 0, {1, 2}, {1, 2}});                                // nothing but empty ones
  for (const uint64_t seed : {1, 2, 3}) out.push_back(random_spans(seed, width));
  return out;
}

std::vector<Case> awkward_cases() {
  std::vector<Case> out;
  for (const int64_t width : {1, 5, 16, 33, 64, 100})
    for (const int64_t spare : {0, 3}) {
      out.push_back({{1}, {0}, width, spare});
      out.push_back({{4, 0, 7, 1}, {2, 0, 3, 2, 1, 0, 2}, width, spare});
      out.push_back({{20, 17}, {1, 1, 0, 1, 0}, width, spare});
      out.push_back({{3, 2, 1}, {1}, width, spare});
      out.push_back({{5}, {}, width, spare});
      out.push_back({{0, 0}, {1, 0}, width, spare});
    }
  for (const int64_t width : {1, 5, 33, 64})
    for (Case& c : span_cases(width)) out.push_back(std::move(c));
  return out;
}

// Which gradients are wanted: the null ones must be left alone, the others added to.
enum Wanted { kFirst = 1, kSecond = 2, kThird = 4 };

template <class R>
Outputs run_score_dot(const Table<R>& table, const Case& c, int wanted) {
  const Layout l(c);
  const auto query = numbers<R>(l.rows() * c.width, 1), keys = numbers<R>(l.positions() * c.width, 2);
  const auto denergies = numbers<R>(l.rows() * l.T, 3);
  auto dquery = numbers<R>(l.rows() * c.width, 4), dkeys = numbers<R>(l.positions() * c.width, 5);
  std::vector<R> energies(denergies.size(), R{9});
  const ScoreDot<R> f{l.memory(), c.width, R(0.37f), query.data(), keys.data(), energies.data()};
  table.score_dot(f);
  table.score_dot_backward(
      {f, denergies.data(), wanted & kFirst ? dquery.data() : nullptr, wanted & kSecond ? dkeys.data() : nullptr});
  Outputs out;
  put(out, "energies", energies), put(out, "dquery", dquery), put(out, "dkeys", dkeys);
  return out;
}

template <class R>
std::vector<R> factors_of(const Table<R>& table, const std::vector<R>& x) {
  std::vector<R> out(x.size(), R{9});
  table.tanh_factors({static_cast<int64_t>(x.size()), x.data(), out.data()});
  return out;
}

// scale: of queries and keys, a power of 2
template <class R>
Outputs run_score_additive(const Table<R>& table, const Case& c, int wanted, bool factors, float scale = 1) {
  const Layout l(c);
  const auto scaled = [&](int64_t n, uint64_t seed) {
    std::vector<R> out;
    for (const float x : numbers(n, seed)) out.push_back(scale * x);  // the same in float and in double
    return out;
  };
  const std::vector<R> query = scaled(l.rows() * c.width, 1), keys = scaled(l.positions() * c.width, 2);
  const std::vector<R> key_factors = factors_of(table, keys);
  const auto v = numbers<R>(c.width, 3), denergies = numbers<R>(l.rows() * l.T, 4);
  auto dquery = numbers<R>(l.rows() * c.width, 5), dkeys = numbers<R>(l.positions() * c.width, 6);
  auto dv = numbers<R>(c.width, 7);
  std::vector<R> energies(denergies.size(), R{9}), scratch(c.lengths.size() * v.size(), R{9});
  const ScoreAdditive<R> f{.memory = l.memory(),
                           .A = c.width,
                           .query = query.data(),
                           .keys = keys.data(),
                           .v = v.data(),
                           .energies = energies.data(),
                           .key_factors = factors ? key_factors.data() : nullptr};
  table.score_additive(f);
  table.score_additive_backward({f, denergies.data(), wanted & kFirst ? dquery.data() : nullptr,
                                 wanted & kSecond ? dkeys.data() : nullptr, wanted & kThird ? dv.data() : nullptr,
                                 wanted & kThird ? scratch.data() : nullptr});
  Outputs out;
  put(out, "energies", energies), put(out, "dquery", dquery), put(out, "dkeys", dkeys), put(out, "dv", dv);
  return out;
}

template <class R>
Outputs run_score_with_features(const Table<R>& table, const Case& c, int64_t F) {
  const Layout l(c);
  const int64_t N = l.rows(), A = c.width;
  const auto query = numbers<R>(N * A, 1), keys = numbers<R>(l.positions() * A, 2), v = numbers<R>(A, 3);
  const auto features = numbers<R>(N * l.T * F, 4), weight = numbers<R>(F * A, 5), denergies = numbers<R>(N * l.T, 6);
  auto dfeatures = numbers<R>(N * l.T * F, 7), dweight = numbers<R>(F * A, 8), dquery = numbers<R>(N * A, 9);
  std::vector<R> energies(denergies.size(), R{9}), scratch(c.lengths.size() * weight.size(), R{9});
  const ScoreAdditive<R> f{l.memory(),      A, query.data(),    keys.data(),  v.data(),
                           energies.data(), F, features.data(), weight.data()};
  table.score_additive(f);
  table.score_additive_backward({.f = f,
                                 .denergies = denergies.data(),
                                 .dquery = dquery.data(),
                                 .dkeys = nullptr,
                                 .dv = nullptr,
                                 .dv_scratch = nullptr,
                                 .dfeatures = dfeatures.data(),
                                 .dfeature_weight = dweight.data(),
                                 .feature_scratch = scratch.data()});
  Outputs out;
  put(out, "energies", energies), put(out, "dquery", dquery);
  put(out, "dfeatures", dfeatures), put(out, "dweight", dweight);
  return out;
}

template <class R>
Outputs run_attend(const Table<R>& table, const Case& c, int wanted, bool dcontext_in = true, bool dweights_in = true) {
  const Layout l(c);
  const auto energies = numbers<R>(l.rows() * l.T, 1), values = numbers<R>(l.positions() * c.width, 2);
  const auto dcontext = numbers<R>(l.rows() * c.width, 3), dweights = numbers<R>(l.rows() * l.T, 4);
  auto denergies = numbers<R>(l.rows() * l.T, 5), dvalues = numbers<R>(l.positions() * c.width, 6);
  std::vector<R> weights(energies.size(), R{9}), context(dcontext.size(), R{9});
  const Attend<R> f{l.memory(), c.width, energies.data(), values.data(), weights.data(), context.data()};
  table.attend(f);
  table.attend_backward({f, dcontext_in ? dcontext.data() : nullptr, dweights_in ? dweights.data() : nullptr,
                         wanted & kFirst ? denergies.data() : nullptr, wanted & kSecond ? dvalues.data() : nullptr});
  Outputs out;
  put(out, "weights", weights), put(out, "context", context);
  put(out, "denergies", denergies), put(out, "dvalues", dvalues);
  return out;
}

// Weights that are given, with anything in the columns that a row does not see.
template <class R>
Outputs run_attend_with_weights(const Table<R>& table, const Case& c, int wanted) {
  const Layout l(c);
  auto weights = numbers<R>(l.rows() * l.T, 1), values = numbers<R>(l.positions() * c.width, 2);
  const auto dcontext = numbers<R>(l.rows() * c.width, 3), given = weights;
  auto dweights = numbers<R>(l.rows() * l.T, 5), dvalues = numbers<R>(l.positions() * c.width, 6);
  std::vector<R> context(dcontext.size(), R{9});
  const Attend<R> f{l.memory(), c.width, nullptr, values.data(), weights.data(), context.data(), false};
  table.attend(f);
  table.attend_backward({f, dcontext.data(), nullptr, wanted & kFirst ? dweights.data() : nullptr,
                         wanted & kSecond ? dvalues.data() : nullptr});
  EXPECT_EQ(weights, given);
  Outputs out;
  put(out, "context", context), put(out, "dweights", dweights), put(out, "dvalues", dvalues);
  return out;
}

TEST(AttentionKernels, ScoreDotAgrees) {
  for (const Case& c : awkward_cases())
    for (const int wanted : {1, 2, 3})
      expect_agreement([&]<class R>(const Table<R>& t) { return run_score_dot(t, c, wanted); },
                       "score_dot, " + c.name() + ", wanted " + std::to_string(wanted));
}

TEST(AttentionKernels, ScoreAdditiveAgrees) {
  for (const Case& c : awkward_cases())
    for (const int wanted : {0, 1, 2, 4, 7})
      for (const bool factors : {false, true})
        expect_agreement(
            [&]<class R>(const Table<R>& t) { return run_score_additive(t, c, wanted, factors); },
            "score_additive, " + c.name() + ", wanted " + std::to_string(wanted) + (factors ? ", by factors" : ""));
}

// Sums of which one term or both have no factors, those that cancel out among them.
TEST(AttentionKernels, ScoreByFactorsAgreesHoweverLargeItsTerms) {
  const Case c{{19, 1, 7}, {0, 2, 1, 0, 2}, 37};
  for (const float scale : {16.0f, 64.0f, 1024.0f})
    expect_agreement([&]<class R>(const Table<R>& t) { return run_score_additive(t, c, 7, true, scale); },
                     "score_additive, scale " + std::to_string(scale));
  constexpr int64_t A = 3;
  const std::vector<int64_t> begin = {0, 2};
  const int32_t of = 0;
  const std::vector<float> query = {50, -43, 1}, keys = {-48, 43, 1, 40, 44, -90}, v = {1, 2, 4};
  const std::vector<float> factors = factors_of(cpu(), keys);
  std::vector<float> energies(2);
  cpu().score_additive({.memory = {1, begin.data(), 1, &of, 2},
                        .A = A,
                        .query = query.data(),
                        .keys = keys.data(),
                        .v = v.data(),
                        .energies = energies.data(),
                        .key_factors = factors.data()});
  EXPECT_NEAR(energies[0], 5 * std::tanh(2.0), 1e-5 * 5);
  EXPECT_NEAR(energies[1], 1 + 2 * std::tanh(1.0) - 4, 1e-5 * 5);
}

TEST(AttentionKernels, TanhFactorsAgree) {
  std::vector<float> x = {0,
                          -0.0f,
                          1e-30f,
                          43,
                          -43,
                          43.01f,
                          -43.01f,
                          1e30f,
                          std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()};
  for (float k = -42.9f; k < 43; k += 0.37f) x.push_back(k);
  expect_agreement(
      [&]<class R>(const Table<R>& t) {
        std::vector<R> y = factors_of(t, std::vector<R>(x.begin(), x.end()));
        for (R& one : y) one = std::isnan(one) ? R{-1} : one;
        Outputs out;
        put(out, "y", y);
        return out;
      },
      "tanh_factors");
  for (const float one : factors_of(cpu(), x)) EXPECT_TRUE(std::isnan(one) || std::isnormal(one)) << one;
}

TEST(AttentionKernels, ScoreWithFeaturesAgrees) {
  for (const Case& c : awkward_cases())
    for (const int64_t F : {1, 10})
      expect_agreement([&]<class R>(const Table<R>& t) { return run_score_with_features(t, c, F); },
                       "score_additive with features, " + c.name() + ", F " + std::to_string(F));
}

TEST(AttentionKernels, AttendAgrees) {
  for (const Case& c : awkward_cases()) {
    for (const int wanted : {1, 2, 3})
      expect_agreement([&]<class R>(const Table<R>& t) { return run_attend(t, c, wanted); },
                       "attend, " + c.name() + ", wanted " + std::to_string(wanted));
    expect_agreement([&]<class R>(const Table<R>& t) { return run_attend(t, c, 3, true, false); }, "only dcontext");
    expect_agreement([&]<class R>(const Table<R>& t) { return run_attend(t, c, 3, false, true); }, "only dweights");
    for (const int wanted : {1, 2, 3})
      expect_agreement([&]<class R>(const Table<R>& t) { return run_attend_with_weights(t, c, wanted); },
                       "attend with weights, " + c.name() + ", wanted " + std::to_string(wanted));
  }
}

// Rows [n, n+1) of a named output.
std::vector<double> row_of(const Outputs& out, const std::string& name, int64_t n, int64_t width, int64_t used) {
  for (const auto& [key, values] : out)
    if (key == name) return {values.begin() + n * width, values.begin() + n * width + used};
  return {};
}

// A row scores and attends to the same bits with other sentences and rows around it or without, whatever T is and
// whether what it sees is a span of a sentence or all of one. Inputs come from a big batch of which the small one is a
// part.
TEST(AttentionKernels, RowDoesNotSeeItsBatch) {
  const Case whole{{19, 0, 7, 1, 33}, {0, 4, 2, 4, 3, 1, 0, 2}, 0};
  Case spans = whole;
  spans.begin = {2, 0, 3, 5, 0, 0, 19, 0}, spans.end = {19, 33, 4, 25, 1, 0, 19, 6};
  for (const Case& c : {whole, spans})
    for (const int64_t A : {5, 64, 129}) {
      const Layout l(c);
      const Memory all = l.memory();
      const auto query = numbers(all.N * A, 1), v = numbers(A, 3);
      auto keys = numbers(l.positions() * A, 2);
      keys[static_cast<size_t>(7 * A)] = 50;  // which has no factor
      const auto factors = factors_of(cpu(), keys);
      const auto run = [&](const Memory& m, const float* q, const float* k) {
        std::vector<float> dots(static_cast<size_t>(m.N * m.T)), adds(dots), by_factors(dots), weights(dots),
            context(static_cast<size_t>(m.N * A));
        cpu().score_dot({m, A, 0.3f, q, k, dots.data()});
        ScoreAdditive<float> additive{m, A, q, k, v.data(), adds.data()};
        cpu().score_additive(additive);
        additive.energies = by_factors.data(), additive.key_factors = factors.data() + (k - keys.data());
        cpu().score_additive(additive);
        cpu().attend({m, A, dots.data(), k, weights.data(), context.data()});
        Outputs out;
        put(out, "dots", dots), put(out, "adds", adds), put(out, "by factors", by_factors),
            put(out, "weights", weights), put(out, "context", context);
        return out;
      };
      const Outputs together = run(all, query.data(), keys.data());
      for (int64_t n = 0; n < all.N; ++n) {
        const auto [first, length] = all.seen_by(n);
        const std::vector<int64_t> own_begin = {0, length};
        const int32_t own_of = 0;
        const Outputs alone =
            run({1, own_begin.data(), 1, &own_of, length}, query.data() + n * A, keys.data() + first * A);
        for (const char* name : {"dots", "adds", "by factors", "weights"})
          EXPECT_EQ(row_of(together, name, n, all.T, length), row_of(alone, name, 0, length, length))
              << name << " of row " << n << ", A " << A << ", ";
        EXPECT_EQ(row_of(together, "context", n, A, A), row_of(alone, "context", 0, A, A))
            << "context of row " << n << ", A " << A << ", ";
      }
    }
}

TEST(AttentionKernels, NothingToAttendToGivesZeros) {
  for (const auto* table : {&cpu(), &ref<float>()})
    for (const Case& c : {Case{{0}, {0, 0}, 3, 2}, Case{{4}, {0, 0}, 3, 2, {0, 2}, {0, 2}}}) {
      const Outputs out = run_attend(*table, c, 0);
      for (const auto& [name, values] : out) {
        if (name != "weights" && name != "context") continue;
        for (const double x : values) EXPECT_EQ(x, 0.0) << table->name << " " << name;
      }
    }
}

// Energies of any size give weights that are numbers and sum to one; NaN stays NaN.
TEST(AttentionKernels, SoftmaxSurvivesExtremes) {
  const std::vector<int64_t> begin = {0, 3};
  const int32_t of = 0;
  const std::vector<float> values = {1, 2, 3};
  for (const float big : {100.0f, 1e30f, -1e30f}) {
    const std::vector<float> energies = {big, 0, big};
    std::vector<float> weights(3), context(1);
    cpu().attend({{1, begin.data(), 1, &of, 3}, 1, energies.data(), values.data(), weights.data(), context.data()});
    EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0f), 1.0f, 1e-6f) << big;
    EXPECT_NEAR(context[0], 2.0f, 1e-6f) << big;
  }
  const std::vector<float> energies = {0, std::numeric_limits<float>::quiet_NaN(), 1};
  std::vector<float> weights(3), context(1);
  cpu().attend({{1, begin.data(), 1, &of, 3}, 1, energies.data(), values.data(), weights.data(), context.data()});
  EXPECT_TRUE(std::isnan(context[0]));
}

}  // namespace
}  // namespace lookback::kernels

#include "lookback/ops/monotonic.h"

#include "lookback/base/parallel.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

using testing::check_op;
using testing::Inputs;
using testing::random_param;
using testing::random_tensor;
using testing::same_bits;
using testing::uneven;

struct Case {
  std::vector<int64_t> lengths;               // of the sentences
  std::vector<int32_t> sentence_of_row;       // sentence of each query
  std::vector<int32_t> begin = {}, end = {};  // positions that each query sees, if not all of its sentence

  ops::Visible visible() const {
    const ops::Visible whole{MemoryLayout(lengths), ops::row_ids(sentence_of_row)};
    if (begin.empty()) return whole;
    return {whole.memory, whole.sentence_of_row, ops::row_ids(begin), ops::row_ids(end)};
  }
};

std::vector<Case> cases() {
  return {
      {{1}, {0}},                                                               // one of everything
      {{5}, {0, 0}},                                                            // one sentence, two queries
      {{3, 0, 2}, {0, 1, 2, 1}},                                                // an empty sentence
      {{0, 0}, {0, 1}},                                                         // nothing but empty sentences
      {{9, 17, 2}, {1, 0, 1, 2, 1, 0, 1, 1, 1, 0, 2, 1}},                       // more rows than one thread takes
      {{4, 1, 3}, {0, 0, 1, 2, 0, 2}, {0, 1, 0, 3, 1, 0}, {4, 3, 1, 3, 4, 1}},  // whole, windows, one position, none
  };
}

Inputs inputs_of(const ops::Visible& visible) {
  const Shape shape{visible.N(), visible.T()};
  return {random_param(shape, 1), random_param({1}, 2), random_param(shape, 3)};
}

const ops::EnergyNoise kNoise{1.5, {3, 4}};

TEST(Monotonic, ExpectedAlignmentHasItsGradients) {
  for (const Case& c : cases())
    for (const ops::EnergyNoise& noise : {ops::EnergyNoise{}, kNoise}) {
      const ops::Visible visible = c.visible();
      check_op(inputs_of(visible), [&](const Inputs& in) {
        return uneven(ops::expected_alignment(in[0], in[1], in[2], visible, noise).weights);
      });
    }
}

// The sum of the paper, with a product for each pair of positions.
TEST(Monotonic, ExpectedAlignmentIsThePapersSum) {
  for (const Case& c : cases()) {
    const ops::Visible visible = c.visible();
    const Inputs in = inputs_of(visible);
    const ops::Alignment got = ops::expected_alignment(in[0], in[1], in[2], visible, kNoise);
    const int64_t T = visible.T();
    for (int64_t n = 0; n < visible.N(); ++n) {
      const auto row = static_cast<size_t>(n);
      const int64_t length =
          c.begin.empty() ? c.lengths[static_cast<size_t>(c.sentence_of_row[row])] : c.end[row] - c.begin[row];
      const double *e = got.energies.data<double>() + n * T, *before = in[2].value().data<double>() + n * T;
      const auto p = [&](int64_t t) { return 1 / (1 + std::exp(-e[t])); };
      for (int64_t j = 0; j < T; ++j) {
        double sum = 0;
        for (int64_t k = 0; k <= j; ++k) {
          double product = before[k];
          for (int64_t l = k; l < j; ++l) product *= 1 - p(l);
          sum += product;
        }
        EXPECT_NEAR(got.weights.value().data<double>()[n * T + j], j < length ? p(j) * sum : 0, 1e-14);
        if (j >= length) {
          EXPECT_EQ(e[j], 0);
        }
      }
    }
  }
}

TEST(Monotonic, NoiseIsNormalAndAFunctionOfItsStream) {
  const ops::Visible visible{MemoryLayout(std::vector<int64_t>{101}), ops::row_ids(std::vector<int32_t>(100, 0))};
  const Var zeros(Tensor::zeros({100, 101})), bias(Tensor::of<float>({1}, {-2}));
  const auto energies = [&](const ops::EnergyNoise& noise) {
    return ops::expected_alignment(zeros, bias, zeros, visible, noise).energies;
  };
  const Tensor got = energies(kNoise);
  double sum = 0, squares = 0, fourth = 0, neighbours = 0, last = 0;
  for (const float x : got.span<float>()) {
    const double z = (double{x} + 2) / 1.5;
    sum += z, squares += z * z, fourth += z * z * z * z, neighbours += z * last, last = z;
  }
  const auto N = static_cast<double>(got.size());
  EXPECT_NEAR(sum / N, 0, 0.03);
  EXPECT_NEAR(squares / N, 1, 0.05);
  EXPECT_NEAR(fourth / N, 3, 0.3);
  EXPECT_NEAR(neighbours / N, 0, 0.03);
  EXPECT_FALSE(same_bits(got, energies({1.5, {3, 5}})));
  const ThreadScope one(1);
  EXPECT_TRUE(same_bits(got, energies(kNoise)));
}

// One row's weights after another step, as positions: -1 for none.
struct Walk {
  ops::Visible visible{MemoryLayout(std::vector<int64_t>{4}), ops::row_ids({0})};
  Var weights{Tensor::of<float>({1, 4}, {1, 0, 0, 0})};

  int64_t step(const std::vector<float>& energies, float bias = 0) {
    const Var e(Tensor::of<float>({1, 4}, energies)), r(Tensor::of<float>({1}, {bias}));
    weights = ops::hard_alignment(e, r, weights, visible).weights;
    int64_t found = -1, ones = 0;
    for (int64_t t = 0; t < 4; ++t)
      if (const float w = weights.value().data<float>()[t]; w != 0) {
        EXPECT_EQ(w, 1);
        found = t, ++ones;
      }
    EXPECT_LE(ones, 1);
    return found;
  }
};

TEST(Monotonic, AWalkStopsAtTheFirstPositionThatIsLikely) {
  Walk walk;
  EXPECT_EQ(walk.step({-1, 2, 3, 9}), 1);
  EXPECT_EQ(walk.step({9, 2, 3, 9}), 1) << "again where it stands, and never back";
  EXPECT_EQ(walk.step({9, -2, 0, 9}), 2) << "p = 1/2 is enough";
  EXPECT_EQ(walk.step({9, 9, 1, 3}, -2), 3) << "the bias counts";
  EXPECT_EQ(walk.step({9, 9, 9, -1}), -1);
  EXPECT_EQ(walk.step({9, 9, 9, 9}), -1) << "it has walked off the end";
}

// With probabilities of 0 and 1 the expectation is the one walk that there is, step after step.
TEST(Monotonic, WalksAreTheLimitOfTheExpectation) {
  for (const Case& c : cases()) {
    const ops::Visible visible = c.visible();
    const Shape shape{visible.N(), visible.T()};
    const Var bias(Tensor::of<float>({1}, {-3}));
    Tensor first = Tensor::zeros(shape);
    for (int64_t n = 0; n < visible.N() && visible.T() > 0; ++n) first.data<float>()[n * visible.T()] = 1;
    Var hard(first), soft(first);
    for (uint64_t step = 0; step < 5; ++step) {
      const Var energies(random_tensor(shape, 20 + step).to(Dtype::f32));
      for (float& x : energies.value().span<float>()) x = x > 0.3F ? 200 : -200;
      hard = ops::hard_alignment(energies, bias, hard, visible).weights;
      soft = ops::expected_alignment(energies, bias, soft, visible).weights;
      EXPECT_LT(testing::distance(soft.value(), hard.value()), 1e-12) << step;
    }
  }
}

TEST(Monotonic, AWalkIsAConstant) {
  const ops::Visible visible = cases()[1].visible();
  const Inputs in = inputs_of(visible);
  EXPECT_FALSE(ops::hard_alignment(in[0], in[1], in[2], visible).weights.needs_grad());
}

TEST(Monotonic, WeightNorm) {
  check_op({random_param({7}, 1), random_param({1}, 2)},
           [](const Inputs& in) { return uneven(ops::weight_norm(in[0], in[1])); });
  const Var three(Tensor::of<float>({2}, {3, 4})), g(Tensor::of<float>({1}, {10}));
  EXPECT_LT(testing::distance(ops::weight_norm(three, g).value(), Tensor::of<float>({2}, {6, 8})), 1e-6);
  for (const float x : ops::weight_norm(Var(Tensor::zeros({3})), g).value().span<float>()) EXPECT_EQ(x, 0);
}

TEST(Monotonic, SaysWhatDoesNotFit) {
  const ops::Visible visible = cases()[1].visible();
  const Var e = random_param({2, 5}, 1), r = random_param({1}, 2), narrow = random_param({2, 4}, 3);
  EXPECT_THROW(ops::expected_alignment(narrow, r, e, visible), ShapeError);
  EXPECT_THROW(ops::expected_alignment(e, r, narrow, visible), ShapeError);
  EXPECT_THROW(ops::hard_alignment(e, random_param({2}, 2), e, visible), ShapeError);
  EXPECT_THROW(ops::weight_norm(e, r), ShapeError);
  EXPECT_THROW(ops::weight_norm(random_param({3}, 1), random_param({2}, 1)), ShapeError);
}

}  // namespace
}  // namespace lookback

#include "lookback/nn/projected_embedding_cache.h"

#include <cstring>
#include <numeric>
#include <thread>

#include "lookback/ops/linear.h"
#include "lookback/ops/testing.h"

namespace lookback {
namespace {

Var numbers(const Shape& shape, uint64_t seed) {
  return Var::parameter(testing::random_tensor(shape, seed).to(Dtype::f32));
}

struct Layer {
  Var table = numbers({50, 12}, 1), w = numbers({40, 30}, 2), bias = numbers({40}, 3);

  Var projected(const Var& x) const { return ops::linear(x, w, {.bias = bias, .columns = {{5, 5 + x.dim(1)}}}); }
  Tensor kept(ProjectedEmbeddingCache& rows, std::vector<int32_t> ids) const {
    return rows(table, ops::row_ids(std::move(ids)), {w, bias}, [&](const Var& x) { return projected(x); })
        .gathered()
        .value();
  }
  Tensor computed(std::vector<int32_t> ids) const {
    const NoGrad off;
    return projected(ops::gather_rows(table, ops::row_ids(std::move(ids)))).value();
  }
  void expect_same(ProjectedEmbeddingCache& rows, const std::vector<int32_t>& ids) const {
    const Tensor got = kept(rows, ids), want = computed(ids);
    ASSERT_EQ(got.shape(), want.shape());
    ASSERT_EQ(std::memcmp(got.bytes(), want.bytes(), static_cast<size_t>(want.byte_size())), 0);
  }
};

TEST(ProjectedEmbeddingCache, AreTheBitsOfTheLayer) {
  for (const Precision precision : {Precision::f32, Precision::bf16, Precision::int8}) {
    const PrecisionScope scope(precision);
    ProjectedEmbeddingCache rows;
    const Layer layer;
    for (const auto& ids : std::vector<std::vector<int32_t>>{{7}, {7, 3, 7}, {3}, {49, 0, 3, 7, 49}, {}, {1, 2, 3}})
      layer.expect_same(rows, ids);
  }
}

TEST(ProjectedEmbeddingCache, AreForgottenWhenAnythingTheyDependOnChanges) {
  ProjectedEmbeddingCache rows;
  Layer layer;
  layer.expect_same(rows, {1, 2});
  for (const Var* v : {&layer.table, &layer.w, &layer.bias}) {
    v->value().data<float>()[v == &layer.table ? 12 : v == &layer.w ? 5 : 0] += 1;
    v->touch();
    layer.expect_same(rows, {1, 2});
  }
  layer.w = numbers({40, 30}, 9);
  layer.expect_same(rows, {1, 2});
  const PrecisionScope scope(Precision::int8);
  layer.expect_same(rows, {1, 2});
  layer.bias = Var();
  layer.expect_same(rows, {1, 2});
}

TEST(ProjectedEmbeddingCache, StayRightWhenThereAreMoreThanAreKept) {
  ProjectedEmbeddingCache rows;
  Layer layer;
  layer.table = numbers({9000, 3}, 1), layer.w = numbers({3000, 8}, 2), layer.bias = Var();
  std::vector<int32_t> ids(6);
  for (int32_t first = 0; first + 6 <= 9000; first += 6) {
    std::iota(ids.begin(), ids.end(), first);
    ids[5] = first / 2;
    layer.expect_same(rows, ids);
  }
}

TEST(ProjectedEmbeddingCache, ManyThreadsMayAsk) {
  ProjectedEmbeddingCache rows;
  const Layer layer;
  std::vector<std::thread> threads;
  for (int32_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int32_t k = 0; k < 200; ++k) layer.expect_same(rows, {(k * (t + 1)) % 50, (k + t) % 50});
    });
  for (std::thread& t : threads) t.join();
}

}  // namespace
}  // namespace lookback

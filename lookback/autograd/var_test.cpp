#include "lookback/autograd/var.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace lookback {
namespace {

Var leaf(float x) { return Var::parameter(Tensor::of<float>({1}, {x})); }
float number(const Tensor& t) { return t.data<float>()[0]; }
void add_to(const Var& v, float g) {
  if (v.needs_grad()) v.grad_buffer().data<float>()[0] += g;
}

// factor_a * a + factor_b * b; b may be absent.
Var mix(const Var& a, float factor_a, const Var& b = Var(), float factor_b = 0) {
  const float y = factor_a * number(a.value()) + (b ? factor_b * number(b.value()) : 0);
  std::vector<Var> inputs = {a};
  if (b) inputs.push_back(b);
  return record({Tensor::of<float>({1}, {y})}, inputs, [=](Node& node) {
    const float g = number(node.grads[0]);
    add_to(node.inputs[0], g * factor_a);
    if (node.inputs.size() > 1) add_to(node.inputs[1], g * factor_b);
  })[0];
}

// One step of a chain, without new storage.
Var step(const Var& a) {
  return record({a.value()}, {a}, [](Node& node) { add_to(node.inputs[0], number(node.grads[0])); })[0];
}

TEST(Var, GradientOfASum) {
  const Var x = leaf(2), y = leaf(5);
  const Var z = mix(x, 3, y, -1);
  EXPECT_EQ(number(z.value()), 1.0f);
  backward(z);
  EXPECT_EQ(number(x.grad()), 3.0f);
  EXPECT_EQ(number(y.grad()), -1.0f);
}

TEST(Var, ConstantsCollectNothing) {
  const Var x = leaf(2), c(Tensor::of<float>({1}, {7.0f}));
  backward(mix(x, 3, c, 2));
  EXPECT_TRUE(c.grad().empty());
  EXPECT_FALSE(c.needs_grad());
  const Var d = mix(c, 2);
  EXPECT_FALSE(d.needs_grad());
  EXPECT_TRUE(d.node().inputs.empty());  // nothing is kept for a backward that never comes
  EXPECT_NO_THROW(backward(d));
}

TEST(Var, LeavesAddUpOverPathsAndCalls) {
  const Var x = leaf(2);
  const Var a = mix(x, 3), b = mix(x, 5);
  backward(mix(a, 1, b, 10));
  EXPECT_EQ(number(x.grad()), 53.0f);
  backward(mix(x, 2));
  EXPECT_EQ(number(x.grad()), 55.0f);
  x.clear_grad();
  EXPECT_TRUE(x.grad().empty());
  backward(x);  // a leaf is its own root
  EXPECT_EQ(number(x.grad()), 1.0f);
}

TEST(Var, AGradientOfRowsIsWholeWhenItIsAskedFor) {
  const Var table = Var::parameter(Tensor::zeros({4, 2}));
  const auto set = [&] {
    table.node().row_grad = std::make_unique<RowGrad>(RowGrad{{1, 3}, Tensor::of<float>({2, 2}, {5, 6, 7, 8})});
  };
  const auto numbers = [&] {
    const auto all = table.grad().span<float>();
    return std::vector<float>(all.begin(), all.end());
  };
  set();
  ASSERT_NE(table.row_grad(), nullptr);
  EXPECT_EQ(numbers(), (std::vector<float>{0, 0, 5, 6, 0, 0, 7, 8}));
  EXPECT_EQ(table.row_grad(), nullptr);
  table.clear_grad(), set();
  table.grad_buffer().data<float>()[0] += 1;
  EXPECT_EQ(numbers(), (std::vector<float>{1, 0, 5, 6, 0, 0, 7, 8}));
  table.clear_grad(), set();
  table.clear_grad();
  EXPECT_EQ(table.row_grad(), nullptr);
  EXPECT_TRUE(table.grad().empty());
}

// A node runs once, after all its users, however they are ordered.
TEST(Var, BackwardRunsOncePerNodeAfterItsUsers) {
  const Var x = leaf(1);
  int runs = 0;
  float seen = 0;
  const Var middle = record({x.value()}, {x}, [&](Node& node) {
    ++runs;
    seen = number(node.grads[0]);
    add_to(node.inputs[0], seen);
  })[0];
  const Var a = mix(middle, 2), b = mix(a, 3, middle, 5), c = mix(middle, 7, b, 1);
  backward(mix(c, 1, a, 1));
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(seen, 7 + 6 + 5 + 2);
}

TEST(Var, EachOutputHasItsOwnGradient) {
  for (const int used : {1, 2, 3}) {  // the first, the second, both
    const Var x = leaf(4);
    int runs = 0;
    const auto out = record({Tensor::of<float>({1}, {4.0f}), Tensor::of<float>({1}, {8.0f})}, {x}, [&](Node& node) {
      ++runs;
      EXPECT_EQ(node.grads[0].empty(), !(used & 1));
      EXPECT_EQ(node.grads[1].empty(), !(used & 2));
      if (!node.grads[0].empty()) add_to(node.inputs[0], number(node.grads[0]));
      if (!node.grads[1].empty()) add_to(node.inputs[0], 2 * number(node.grads[1]));
    });
    ASSERT_EQ(out.size(), 2u);
    EXPECT_EQ(out[1].output(), 1);
    if (used == 1) backward(mix(out[0], 10));
    if (used == 2) backward(mix(out[1], 100));
    if (used == 3) backward(mix(out[0], 10, out[1], 100));
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(number(x.grad()), (used & 1 ? 10 : 0) + (used & 2 ? 200 : 0));
  }
}

// A million steps would need tens of megabytes of stack if anything recursed.
constexpr int kDeep = 1000000;

TEST(Var, DeepChainRunsBackward) {
  const Var x = leaf(1);
  Var y = x;
  for (int k = 0; k < kDeep; ++k) y = step(y);
  backward(y);
  EXPECT_EQ(number(x.grad()), 1.0f);
}

TEST(Var, DeepChainIsFreedWithoutBackward) {
  const Var x = leaf(1);
  Var y = x;
  for (int k = 0; k < kDeep; ++k) y = step(y);
  const std::weak_ptr<Node> last = y.node_ptr();
  y = Var();
  EXPECT_TRUE(last.expired());
  EXPECT_EQ(x.node_ptr().use_count(), 1);
}

// The same when closures hold the handles, and when every node is held twice.
TEST(Var, DeepChainHeldByClosuresIsFreed) {
  const Var x = leaf(1);
  Var y = x;
  for (int k = 0; k < kDeep; ++k) {
    const Var before = y;
    y = record({before.value()}, {before, before}, [before](Node&) {})[0];
  }
  y = Var();
  EXPECT_EQ(x.node_ptr().use_count(), 1);
}

TEST(Var, BackwardFreesWhatTheGraphHeld) {
  const Var x = leaf(1);
  const auto saved = std::make_shared<int>(3);
  std::weak_ptr<Node> middle;
  Var z;
  {
    const Var y = record({x.value()}, {x}, [saved](Node& node) { add_to(node.inputs[0], number(node.grads[0])); })[0];
    middle = y.node_ptr();
    z = mix(y, 2);
  }
  EXPECT_FALSE(middle.expired());
  EXPECT_EQ(saved.use_count(), 2);
  backward(z);
  EXPECT_TRUE(middle.expired());  // though z is still there
  EXPECT_EQ(saved.use_count(), 1);
  EXPECT_TRUE(z.node().inputs.empty());
  EXPECT_TRUE(z.grad().empty());  // only leaves keep their gradient
  EXPECT_EQ(number(x.grad()), 2.0f);
}

TEST(Var, BackwardFreesClosuresOfNodesStillHeld) {
  const Var x = leaf(1);
  const auto saved = std::make_shared<int>(3);
  const Var y = record({x.value()}, {x}, [saved](Node& node) { add_to(node.inputs[0], number(node.grads[0])); })[0];
  backward(y);
  EXPECT_EQ(saved.use_count(), 1);
}

// An op that sends nothing back does not wake those behind it.
TEST(Var, NodesWithoutAGradientDoNotRun) {
  const Var x = leaf(1);
  int runs = 0;
  const Var y = record({x.value()}, {x}, [&](Node&) { ++runs; })[0];
  backward(record({x.value()}, {y}, [](Node&) {})[0]);
  EXPECT_EQ(runs, 0);
  EXPECT_TRUE(x.grad().empty());
}

TEST(Var, BackwardTwiceIsAnError) {
  const Var x = leaf(1);
  const Var y = mix(x, 2);
  backward(y);
  EXPECT_THROW(backward(y), Error);
  EXPECT_EQ(number(x.grad()), 2.0f);
}

TEST(Var, ASharedPartCannotBeUsedAfterBackward) {
  const Var x = leaf(1);
  const Var shared = mix(x, 2);
  const Var a = mix(shared, 3), b = mix(shared, 5);
  backward(a);
  EXPECT_THROW(backward(b), Error);
}

TEST(Var, BackwardStartsFromOneNumber) {
  const Var x = Var::parameter(Tensor::zeros({2}));
  EXPECT_THROW(backward(x), ShapeError);
}

TEST(Var, BackwardFromAGradientThatIsGiven) {
  const Var x = Var::parameter(Tensor::of<float>({2}, {1, 2}));
  const auto tripled = [inputs = std::vector<Var>(1, x)] {
    return record({Tensor::of<float>({2}, {3, 6})}, inputs, [](Node& node) {
      for (size_t k = 0; k < 2; ++k)
        node.inputs[0].grad_buffer().span<float>()[k] += 3 * node.grads[0].span<float>()[k];
    })[0];
  };
  const Tensor given = Tensor::of<float>({2}, {10, 100});
  backward(tripled(), given);
  EXPECT_EQ(std::vector<float>(x.grad().span<float>().begin(), x.grad().span<float>().end()),
            (std::vector<float>{30, 300}));
  backward(x, Tensor::of<float>({2}, {1, 1}));  // a leaf is its own root, and adds up
  EXPECT_EQ(std::vector<float>(x.grad().span<float>().begin(), x.grad().span<float>().end()),
            (std::vector<float>{31, 301}));
  EXPECT_THROW(backward(x, Tensor::zeros({1, 2})), ShapeError);
  EXPECT_THROW(backward(x, Tensor::zeros({2}, Dtype::f64)), ShapeError);
  EXPECT_THROW(backward(x, Tensor()), ShapeError);
}

struct Counted final : PendingGrad {
  Counted(std::vector<float>* flushed) : flushed(flushed) {}
  void flush(Node& node) override {
    flushed->push_back(sum);
    node.grad_buffer(0).data<float>()[0] += sum;
  }
  std::vector<float>* flushed;
  float sum = 0;
};

// An op that defers its contribution to w.
Var deferring(const Var& w, const Var& x, float g_w, std::vector<float>* flushed) {
  return record({x.value()}, {w, x}, [=](Node& node) {
    auto& pending = node.inputs[0].node().pending;
    if (!pending) pending = std::make_unique<Counted>(flushed);
    static_cast<Counted&>(*pending).sum += g_w * number(node.grads[0]);
    add_to(node.inputs[1], number(node.grads[0]));
  })[0];
}

TEST(Var, PendingGradientsAreFlushedOnceAfterAllUsers) {
  std::vector<float> flushed;
  const Var w = leaf(1), x = leaf(1);
  Var y = x;
  for (const float g : {1.0f, 10.0f, 100.0f}) y = deferring(w, y, g, &flushed);
  backward(mix(y, 2, w, 5));  // a direct contribution besides
  EXPECT_EQ(flushed, std::vector<float>{222.0f});
  EXPECT_EQ(number(w.grad()), 227.0f);
  EXPECT_EQ(w.node().pending, nullptr);
}

// Also where the node is not a leaf: its own backward must see what was flushed.
TEST(Var, PendingGradientsReachTheNodesBehind) {
  std::vector<float> flushed;
  const Var x = leaf(1), v = leaf(1);
  const Var w = mix(v, 4);
  Var y = deferring(w, x, 3, &flushed);
  y = deferring(w, y, 2, &flushed);
  backward(y);
  EXPECT_EQ(flushed, std::vector<float>{5.0f});
  EXPECT_EQ(number(v.grad()), 20.0f);
}

TEST(Var, ClearGradForgetsPendingContributions) {
  std::vector<float> flushed;
  const Var w = leaf(1);
  w.node().pending = std::make_unique<Counted>(&flushed);
  w.clear_grad();
  backward(mix(w, 2));
  EXPECT_TRUE(flushed.empty());
  EXPECT_EQ(number(w.grad()), 2.0f);
}

TEST(Var, SetValueChecksAndMakesANewVersion) {
  const Var x = leaf(1);
  EXPECT_THROW(x.set_value(Tensor::zeros({2})), ShapeError);
  EXPECT_THROW(x.set_value(Tensor::zeros({1}, Dtype::f64)), ShapeError);
  EXPECT_EQ(x.node().version, 0);
  x.set_value(Tensor::of<float>({1}, {6.0f}));
  EXPECT_EQ(number(x.value()), 6.0f);
  EXPECT_EQ(x.node().version, 1);
}

TEST(NoGrad, TurnsRecordingOffForItsLife) {
  const Var x = leaf(1);
  EXPECT_TRUE(grad_enabled());
  {
    const NoGrad off;
    EXPECT_FALSE(grad_enabled());
    { const NoGrad again; }
    EXPECT_FALSE(grad_enabled());  // the inner one does not turn it on
    const Var y = mix(x, 2);
    EXPECT_FALSE(y.needs_grad());
    EXPECT_TRUE(y.node().inputs.empty());
    EXPECT_FALSE(y.node().backward);
  }
  EXPECT_TRUE(grad_enabled());
  EXPECT_TRUE(mix(x, 2).needs_grad());
}

TEST(NoGrad, EndsWithAnException) {
  try {
    const NoGrad off;
    throw 1;
  } catch (int) {
  }
  EXPECT_TRUE(grad_enabled());
}

TEST(NoGrad, IsOneThreadsAffair) {
  const NoGrad off;
  bool elsewhere = false;
  std::thread([&] { elsewhere = grad_enabled(); }).join();
  EXPECT_TRUE(elsewhere);
}

// Backward runs the same whether recording is on or off.
TEST(NoGrad, DoesNotStopBackward) {
  const Var x = leaf(1);
  const Var y = mix(x, 2);
  const NoGrad off;
  backward(y);
  EXPECT_EQ(number(x.grad()), 2.0f);
}

}  // namespace
}  // namespace lookback

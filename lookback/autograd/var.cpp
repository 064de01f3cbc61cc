#include "lookback/autograd/var.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <utility>

namespace lookback {
namespace {

thread_local bool recording = true;

uint64_t next_id() {
  static std::atomic<uint64_t> counter{0};
  return ++counter;
}

std::shared_ptr<Node> make_node(std::vector<Tensor> outputs, bool needs_grad) {
  auto node = std::make_shared<Node>();
  node->id = next_id();
  node->grads.resize(outputs.size());
  node->outputs = std::move(outputs);
  node->needs_grad = needs_grad;
  return node;
}

bool any_grad(const Node& node) {
  return std::any_of(node.grads.begin(), node.grads.end(), [](const Tensor& g) { return !g.empty(); });
}

}  // namespace

Var::Var(Tensor value) : node_(make_node({std::move(value)}, false)) {}

Var Var::parameter(Tensor value) { return Var(make_node({std::move(value)}, true), 0); }

const Tensor& Var::value() const { return node_->outputs[static_cast<size_t>(output_)]; }

bool Var::needs_grad() const { return node_ && node_->needs_grad; }

const Tensor& Var::grad() const { return node_->whole_grad(output_); }

const RowGrad* Var::row_grad() const { return node_->row_grad.get(); }

Tensor Var::grad_buffer() const { return node_->grad_buffer(output_); }

void Var::clear_grad() const {
  node_->grads[static_cast<size_t>(output_)] = Tensor();
  node_->row_grad.reset();
  node_->pending.reset();
}

void Var::set_value(Tensor value) const {
  check(value.shape() == shape() && value.dtype() == dtype(), "set_value: expected ", name_of(dtype()), shape(),
        ", got ", name_of(value.dtype()), value.shape());
  node_->outputs[static_cast<size_t>(output_)] = std::move(value);
  touch();
}

void Var::set_int8_rows(Tensor rows, Tensor scales) const {
  check(rows.shape() == shape() && rows.dtype() == Dtype::i8 && scales.dtype() == Dtype::f32 &&
            scales.shape() == Shape{dim(0)},
        "set_int8_rows: expected i8", shape(), " and a scale for each row, got ", name_of(rows.dtype()), rows.shape(),
        " and ", name_of(scales.dtype()), scales.shape());
  node_->outputs[static_cast<size_t>(output_)] = std::move(rows);
  node_->row_scales = std::move(scales);
  node_->needs_grad = false;
  touch();
}

const Tensor& Var::row_scales() const { return node_->row_scales; }

void Var::touch() const { ++node_->version; }

Tensor& Node::whole_grad(int k) {
  Tensor& g = grads[static_cast<size_t>(k)];
  if (!row_grad) return g;
  g = Tensor::zeros(outputs[0].shape(), outputs[0].dtype());
  const auto row_bytes = static_cast<size_t>(g.dim(1) * item_size(g.dtype()));
  for (size_t n = 0; n < row_grad->ids.size(); ++n)
    std::memcpy(g.bytes() + static_cast<size_t>(row_grad->ids[n]) * row_bytes, row_grad->rows.bytes() + n * row_bytes,
                row_bytes);
  row_grad.reset();
  return g;
}

Tensor& Node::grad_buffer(int k) {
  Tensor& g = whole_grad(k);
  const Tensor& value = outputs[static_cast<size_t>(k)];
  if (g.empty()) g = Tensor::zeros(value.shape(), value.dtype());
  return g;
}

// A chain of shared_ptr frees itself by recursion, one stack frame per step of the
// sequence. So the outermost destructor keeps a list, and what the others hold (as
// inputs, or captured by `backward`) is put there instead of being freed at once.
Node::~Node() {
  struct Held {
    std::vector<Var> inputs;
    std::function<void(Node&)> backward;
  };
  thread_local std::vector<Held>* list = nullptr;
  if (inputs.empty() && !backward) return;
  Held mine{std::move(inputs), std::move(backward)};
  if (list) {
    list->push_back(std::move(mine));
    return;
  }
  std::vector<Held> waiting;
  list = &waiting;
  waiting.push_back(std::move(mine));
  while (!waiting.empty()) {
    const Held next = std::move(waiting.back());
    waiting.pop_back();
  }
  list = nullptr;
}

std::vector<Var> record(std::vector<Tensor> outputs, std::vector<Var> inputs, std::function<void(Node&)> backward) {
  bool wanted = false;
  if (recording)
    for (const Var& in : inputs) wanted = wanted || in.needs_grad();
  const auto node = make_node(std::move(outputs), wanted);
  if (wanted) node->inputs = std::move(inputs), node->backward = std::move(backward);
  std::vector<Var> out;
  for (size_t k = 0; k < node->outputs.size(); ++k) out.emplace_back(node, static_cast<int>(k));
  return out;
}

void backward(const Var& root) {
  check(root.value().size() == 1, "backward starts from one number, got ", root.shape());
  backward(root, Tensor::full(root.shape(), 1, root.dtype()));
}

void backward(const Var& root, Tensor gradient) {
  check(gradient.shape() == root.shape() && gradient.dtype() == root.dtype(), "backward from ", name_of(root.dtype()),
        root.shape(), ": the gradient given is ", name_of(gradient.dtype()), gradient.shape());
  if (!root.needs_grad()) return;
  check<Error>(!root.node().consumed,
               "backward was run from here before and has freed the graph; run the forward again");
  if (Tensor& mine = root.node().whole_grad(root.output()); mine.empty())
    mine = std::move(gradient);
  else
    with_float(root.dtype(), [&]<class R>() {
      std::ranges::transform(mine.span<R>(), gradient.span<R>(), mine.data<R>(), std::plus<R>());
    });
  // Ids grow along every edge, so "largest id first" is a topological order.
  // A loop, not a recursion: graphs over long sequences are deep.
  std::map<uint64_t, std::shared_ptr<Node>, std::greater<>> ready{{root.node().id, root.node_ptr()}};
  while (!ready.empty()) {
    const auto node = ready.extract(ready.begin()).mapped();
    if (const auto pending = std::move(node->pending)) pending->flush(*node);
    check<Error>(!node->consumed, "backward went through this graph before and has freed it; run the forward again");
    if (!node->backward || !any_grad(*node)) continue;
    node->backward(*node);
    for (const Var& in : node->inputs)
      if (in.needs_grad()) ready.emplace(in.node().id, in.node_ptr());
    node->consumed = true;
    node->backward = nullptr;
    node->inputs.clear();
    for (Tensor& g : node->grads) g = Tensor();
  }
}

bool grad_enabled() { return recording; }

NoGrad::NoGrad() : before_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() { recording = before_; }

}  // namespace lookback

// The tape: values, and how their gradients flow back. Eager: running an op
// computes its outputs and, if anybody wants gradients, records a node.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lookback/tensor/tensor.h"

namespace lookback {

struct Node;

// The gradient of a table [N, C] of which only some rows were used: the others are zero.
struct RowGrad {
  std::vector<int32_t> ids;  // of the rows, ascending, each once
  Tensor rows;               // [ids, C]
};

// A value on the tape: one output of a node. Copies are handles to the same value.
class Var {
 public:
  Var() = default;                     // nothing: an absent optional input
  explicit Var(Tensor value);          // a constant
  static Var parameter(Tensor value);  // a leaf that collects a gradient
  Var(std::shared_ptr<Node> node, int output) : node_(std::move(node)), output_(output) {}

  explicit operator bool() const { return node_ != nullptr; }
  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  int64_t dim(int k) const { return value().dim(k); }
  Dtype dtype() const { return value().dtype(); }

  bool needs_grad() const;
  // What has flowed in so far; empty if nothing has.
  const Tensor& grad() const;
  // The gradient as long as it is that of some rows of a table, else null. Asking for the whole of it, by grad() or
  // grad_buffer(), makes it one.
  const RowGrad* row_grad() const;
  // The gradient to add to: zeros the first time.
  Tensor grad_buffer() const;
  // Forgets what has flowed in, pending contributions included.
  void clear_grad() const;
  // Replaces the value of a leaf (same shape and type), or tells that its
  // elements were changed in place; what kernels kept about it is dropped.
  void set_value(Tensor value) const;
  void touch() const;
  // Makes a leaf [N, C] a constant that is kept as int8: row n is scales[n] * rows[n]. Ops take such
  // a Var as the weight of a product and as a table of rows; nothing else can be done with it.
  void set_int8_rows(Tensor rows, Tensor scales) const;  // i8 [N, C], f32 [N]
  // f32 [N] of such a Var, else empty.
  const Tensor& row_scales() const;

  Node& node() const { return *node_; }
  const std::shared_ptr<Node>& node_ptr() const { return node_; }
  int output() const { return output_; }

 private:
  std::shared_ptr<Node> node_;
  int output_ = 0;
};

// Contributions to a gradient that are cheaper together than one by one. The
// tape calls `flush` once, after every user of the node has run backward.
struct PendingGrad {
  virtual ~PendingGrad() = default;
  virtual void flush(Node& node) = 0;
};

// One op that ran: its outputs, and how to send their gradients to its inputs.
struct Node {
  uint64_t id = 0;                     // creation order; inputs have smaller ids
  std::vector<Tensor> outputs, grads;  // grads[k] is empty until something flows in; whole_grad() reads a leaf's
  std::unique_ptr<RowGrad> row_grad;   // of a leaf, instead of grads[0]
  std::vector<Var> inputs;
  std::function<void(Node&)> backward;  // empty for leaves
  bool needs_grad = false;
  bool consumed = false;  // backward has run and freed what it needed
  std::unique_ptr<PendingGrad> pending;
  Tensor row_scales;               // of a leaf that is kept as int8 rows
  std::shared_ptr<void> prepared;  // what ops keep about this value, such as rearranged weights
  uint64_t version = 0;            // of the value; what was prepared from another is out of date

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  // Gradient of output k, with row_grad in it; empty if nothing has flowed in.
  Tensor& whole_grad(int k);
  // The same, to add to: zeros the first time.
  Tensor& grad_buffer(int k);
};

// Makes a node of an op that has run. `backward` reads node.grads (an empty one
// stands for zeros) and adds to the grad_buffer of those inputs that need it.
// Without gradients wanted, the outputs are constants and `backward` is dropped.
std::vector<Var> record(std::vector<Tensor> outputs, std::vector<Var> inputs, std::function<void(Node&)> backward);

// Sends d(root)/d(everything) back through the tape; root holds one element (else
// ShapeError). Leaves add up what reaches them, over several calls too. The graph is
// consumed: what it saved is freed on the way, and coming through it again throws Error.
void backward(const Var& root);
// The same from a root of any shape, given the gradient of what is made of it: of root's shape and type (else
// ShapeError). The caller gives the gradient up: sums may be formed in it.
void backward(const Var& root, Tensor gradient);

// Whether ops record now. NoGrad turns recording off for its life, on this thread.
bool grad_enabled();

class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

}  // namespace lookback

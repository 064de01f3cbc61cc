#include "lookback/bench/workloads.h"

#include <cstring>

#include "lookback/base/parallel.h"
#include "lookback/bench/parts.h"
#include "lookback/nn/init.h"
#include "lookback/ops/basic.h"
#include "lookback/ops/linear.h"

namespace lookback::bench {

Precision demanded(const Options& o) {
  const std::string warning = ops::precision_warning(o.precision);
  check<ConfigError>(warning.empty(), warning);
  return ops::available_precision(o.precision);
}

Precision demanded_of_training(const Options& o) {
  check<ConfigError>(o.precision != "int8", "precision = int8 is for decoding; weights are trained in f32 or bf16");
  return demanded(o);
}

Tensor random_tensor(const Shape& shape, Rng& rng) {
  Tensor out(shape);
  for (float& x : out.span<float>()) x = static_cast<float>(0.2 * rng.uniform() - 0.1);
  return out;
}

ops::RecurrentWeights random_recurrent(CellKind kind, int64_t I, int64_t H, Rng& rng) {
  const int64_t G = gates_of(kind) * H;
  auto draw = [&](const Shape& s) { return Var::parameter(random_tensor(s, rng)); };
  return {draw({G, I}), draw({G, H}), draw({G}), draw({G})};
}

namespace {

// Forward and backward of one LSTM layer, as wide as the decoder.
class Layer final : public Work {
 public:
  explicit Layer(const Options& o)
      : precision_(demanded_of_training(o)), steps_(Steps::dense(o.source, o.batch)), hidden_(o.model.decoder.hidden) {
    Rng rng(static_cast<uint64_t>(o.seed));
    weights_ = random_recurrent(CellKind::lstm, hidden_, hidden_, rng);
    x_ = Var::parameter(random_tensor({steps_.N(), hidden_}, rng));
    dh_ = random_tensor({steps_.N(), hidden_}, rng);
  }

  double run() override {
    const PrecisionScope scope(precision_);
    const auto out = ops::lstm(x_, steps_, weights_);
    backward(out.h, dh_);  // which the layer only reads
    for (const Var& v : {x_, weights_.w_ih, weights_.w_hh, weights_.b_ih, weights_.b_hh}) v.clear_grad();
    for (const Var& v : {weights_.w_ih, weights_.w_hh}) v.touch();  // as after an update
    return operations() * 1e-9;
  }

  double operations() const override {
    return 3.0 * 2 * static_cast<double>(steps_.N()) * 4 * static_cast<double>(hidden_) *
           static_cast<double>(2 * hidden_);
  }

 private:
  const Precision precision_;
  const Steps steps_;
  const int64_t hidden_;
  ops::RecurrentWeights weights_;
  Var x_;
  Tensor dh_;
};

// Forward and backward of a block of an encoder over a batch that is as wide as the decoder, in the order it reads.
class OneBlock final : public Work {
 public:
  explicit OneBlock(const Options& o)
      : precision_(demanded_of_training(o)),
        shape_(std::vector<int64_t>(static_cast<size_t>(o.batch), o.source)),
        block_(make_block(o.block, o.model.decoder.hidden, "block")),
        params_(params_of(*block_)) {
    initialise(params_, {}, static_cast<uint64_t>(o.seed));
    Rng rng(static_cast<uint64_t>(o.seed));
    x_ = Var::parameter(random_tensor({shape_.rows(), o.model.decoder.hidden}, rng));
    const NoGrad off;
    dy_ = random_tensor(forward().shape(), rng);
  }

  double run() override {
    const PrecisionScope scope(precision_);
    backward(forward(), dy_);  // which the block only reads
    x_.clear_grad();
    for (const NamedVar& p : params_) {
      p.var.clear_grad();
      p.var.touch();  // as after an update
    }
    return static_cast<double>(shape_.rows());
  }

 private:
  Var forward() const {
    const RowOrder order = block_->reads();
    return (*block_)({x_, shape_, order}, {.out = order, .dropout = dropout_, .noise = nullptr, .drop_input = false})
        .memory.x;
  }

  const Precision precision_;
  const DropoutOptions dropout_;
  const Ragged shape_;
  const std::unique_ptr<Block> block_;
  const std::vector<NamedVar> params_;
  Var x_;
  Tensor dy_;
};

// An LSTM that is fed one step at a time, as wide as the decoder.
class Streaming final : public Work {
 public:
  explicit Streaming(const Options& o)
      : precision_(demanded(o)), steps_(o.source), batch_(o.batch), hidden_(o.model.decoder.hidden) {
    Rng rng(static_cast<uint64_t>(o.seed));
    weights_ = random_recurrent(CellKind::lstm, hidden_, hidden_, rng);
    x_ = Var(random_tensor({batch_, hidden_}, rng));
  }

  double run() override {
    const PrecisionScope scope(precision_);
    const NoGrad off;
    CellState state{Var(Tensor::zeros({batch_, hidden_})), Var(Tensor::zeros({batch_, hidden_}))};
    for (int64_t t = 0; t < steps_; ++t)
      state = cell_step(CellKind::lstm, weights_, ops::linear(x_, weights_.w_ih, {.bias = weights_.b_ih}), state);
    return static_cast<double>(steps_);
  }

 private:
  const Precision precision_;
  const int64_t steps_, batch_, hidden_;
  ops::RecurrentWeights weights_;
  Var x_;
};

class Product final : public Work {
 public:
  explicit Product(const Options& o) : precision_(demanded(o)) {
    Rng rng(static_cast<uint64_t>(o.seed));
    x_ = Var(random_tensor({kSize, kSize}, rng)), w_ = Var(random_tensor({kSize, kSize}, rng));
  }

  double run() override {
    const PrecisionScope scope(precision_);
    const NoGrad off;
    for (int k = 0; k < kRepeat; ++k) ops::linear(x_, w_, {});
    return operations() * 1e-9;
  }

  double operations() const override { return kRepeat * 2.0 * kSize * kSize * kSize; }

 private:
  static constexpr int64_t kSize = 1024;
  static constexpr int kRepeat = 4;
  const Precision precision_;
  Var x_, w_;
};

class Copy final : public Work {
 public:
  explicit Copy(double bytes)
      : from_(Tensor::zeros({static_cast<int64_t>(bytes / 8)})), to_(Tensor::zeros(from_.shape())) {}

  double run() override {
    constexpr int64_t kBlock = 1 << 14;
    parallel_for(from_.size(), kBlock, [&](int64_t begin, int64_t end) {
      std::memcpy(to_.data<float>() + begin, from_.data<float>() + begin, static_cast<size_t>(end - begin) * 4);
    });
    return bytes() * 1e-9;
  }
  double bytes() const override { return 2.0 * static_cast<double>(from_.byte_size()); }

 private:
  Tensor from_, to_;
};

// From little memory to much, since a process keeps its peak.
constexpr Kind kKinds[] = {
    {"product", "the largest matrix product: what the machine can do", "GFLOP/s", &one_case<Product>},
    {"stream", "one layer, one step at a time", "steps/s", &one_case<Streaming>},
    {"lstm", "forward and backward of one layer", "GFLOP/s", &one_case<Layer>},
    {"block", "forward and backward of one block of an encoder, as wide as the decoder", "steps/s",
     &one_case<OneBlock>},
    {"decode", "search with an encoder-decoder", "tokens/s", &decoding},
    {"train", "training steps of an encoder-decoder", "target tokens/s", &training},
    {"language_model_train", "training steps of a language model, on `batch` texts of `target` tokens", "tokens/s",
     &language_training},
    {"language_model_stream", "one text written by a language model, token by token", "tokens/s", &language_writing},
    {"load", "a model folder loaded and its first line translated", "loads/s", &loading},
    {"kernels", "what those are made of, one by one, at the sizes of the model and in every precision of the processor",
     "calls/s", &kernels},
    {"fused", "every fused op against the plainer ops it stands for, forward and backward", "calls/s", &fused},
};

}  // namespace

std::span<const Kind> kinds() { return kKinds; }

std::unique_ptr<Work> best_product(const std::string& precision) {
  Options o;
  o.precision = precision;
  return std::make_unique<Product>(o);
}

std::unique_ptr<Work> best_copy(double bytes) { return std::make_unique<Copy>(bytes); }

}  // namespace lookback::bench

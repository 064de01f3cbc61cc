#include "lookback/nn/block.h"

#include <algorithm>
#include <cmath>

#include "lookback/base/error.h"
#include "lookback/nn/recurrent_stack.h"
#include "lookback/ops/attention.h"
#include "lookback/ops/multi_head.h"

namespace lookback {
namespace {

// Rows of neighbouring positions side by side: row t of the result has the rows first + stride * t ... of its sequence,
// `count` of them, zeros where it has none. x is by sequence; `shape` and `order` are those of the result.
Var neighbours(const Sequence& x, const Ragged& shape, RowOrder order, int64_t first, int64_t stride, int64_t count) {
  const MemoryLayout &from = x.shape.memory(), &to = shape.memory();
  std::vector<int32_t> rows(static_cast<size_t>(to.rows() * count));
  for (int64_t s = 0; s < to.sentences(); ++s)
    for (int64_t t = 0; t < to.length(s); ++t) {
      const int64_t row = order == RowOrder::by_step ? shape.steps().row(t, s) : to.begin(s) + t;
      for (int64_t j = 0; j < count; ++j) {
        const int64_t at = first + stride * t + j;
        rows[static_cast<size_t>(row * count + j)] =
            0 <= at && at < from.length(s) ? static_cast<int32_t>(from.begin(s) + at) : -1;
      }
    }
  return ops::reshape(ops::gather_rows(x.x, ops::row_ids(std::move(rows))), {to.rows(), count * x.x.dim(1)});
}

// y[t] = relu(b + sum_j W_j x[stride * t + j - kernel / 2]), zeros around each sequence.
class Convolution final : public Block {
 public:
  Convolution(const BlockOptions& o, int64_t input_width)
      : options_(o), linear_(o.kernel * input_width, o.hidden, Linear::Bias::yes) {
    if (o.layer_norm) norm_ = LayerNorm(o.hidden);
  }

  Encoded operator()(const Sequence& x, const BlockRun& run) const override {
    const Sequence rows = in_order(x, reads());
    const Sequence in{block_input(rows, reads(), run), x.shape, reads()};
    const Ragged shape = options_.stride == 1 ? x.shape : x.shape.shortened(options_.stride);
    Var y =
        ops::relu(linear_(neighbours(in, shape, reads(), -(options_.kernel / 2), options_.stride, options_.kernel)));
    if (options_.residual) y = ops::add(y, rows.x);
    if (options_.layer_norm) y = ops::layer_norm(y, norm_.gamma, norm_.beta);
    return {{rows_in({y, shape, reads()}, run.out), shape, run.out}, {}};
  }
  RowOrder reads() const override { return RowOrder::by_sequence; }
  int64_t width() const override { return options_.hidden; }
  int64_t shortening() const override { return options_.stride; }
  bool needs_exact_input() const override { return options_.residual || options_.kernel > 1; }
  void params(ParamVisitor& v) override { v("convolution", linear_), v("norm", norm_); }

 private:
  BlockOptions options_;
  Linear linear_;  // [C, kernel * input width]
  LayerNorm norm_;
};

// `factor` rows side by side become one (Chan et al. 2016).
class Pyramid final : public Block {
 public:
  Pyramid(const BlockOptions& o, int64_t input_width) : factor_(o.factor), width_(o.factor * input_width) {}

  Encoded operator()(const Sequence& x, const BlockRun& run) const override {
    const Ragged shape = x.shape.shortened(factor_);
    return {{neighbours(in_order(x, reads()), shape, run.out, 0, factor_, factor_), shape, run.out}, {}};
  }
  RowOrder reads() const override { return RowOrder::by_sequence; }
  int64_t width() const override { return width_; }
  int64_t shortening() const override { return factor_; }
  bool needs_exact_input() const override { return true; }
  void params(ParamVisitor&) override {}

 private:
  int64_t factor_, width_;
};

// A layer of a transformer's encoder (Vaswani et al. 2017): attention of several heads to the sequence itself, then
// perhaps a feed-forward part, each added to its input and normalised before (Xiong et al. 2020) or after it.
class SelfAttention final : public Block {
 public:
  SelfAttention(const BlockOptions& o, int64_t C)
      : options_(o),
        query_(C, C, Linear::Bias::yes),
        key_(C, C, Linear::Bias::yes),
        value_(C, C, Linear::Bias::yes),
        output_(C, C, Linear::Bias::yes),
        norm_(C) {
    if (o.relative > 0) relative_ = Var::parameter(Tensor::zeros({o.heads, 2 * o.relative + 1}));
    if (o.feed_forward == 0) return;
    up_ = Linear(C, o.feed_forward, Linear::Bias::yes), down_ = Linear(o.feed_forward, C, Linear::Bias::yes);
    feed_norm_ = LayerNorm(C);
  }

  Encoded operator()(const Sequence& x, const BlockRun& run) const override {
    const MemoryLayout& memory = x.shape.memory();
    const Var y = layer(rows_in(x, reads()), memory.sentence_of_rows(), run, [&](const Var& rows) {
      return ops::multi_head_attention(query_(rows), key_(rows), value_(rows), relative_, memory,
                                       {.heads = options_.heads,
                                        .causal = options_.causal,
                                        .window = options_.window,
                                        .relative = options_.relative});
    });
    return {{rows_in({y, x.shape, reads()}, run.out), x.shape, run.out}, {}};
  }
  std::string cannot_continue() const override {
    if (!options_.causal) return "looks ahead; set causal = true";
    if (options_.window == 0) return "would remember everything; set window to the positions it looks back";
    return options_.relative == 0 ? "" : "cannot go on with relative > 0; set it to 0";
  }
  Var continued(const Sequence& x, const BlockRun& run, BlockState& state) const override {
    return layer(rows_in(x, RowOrder::by_step), x.shape.steps().sequence_of_rows(), run, [&](const Var& rows) {
      return attend_back(query_(rows), key_(rows), value_(rows), x.shape.sequences(), state);
    });
  }
  RowOrder reads() const override { return RowOrder::by_sequence; }
  int64_t width() const override { return output_.weight.dim(0); }
  bool needs_exact_input() const override { return true; }
  void params(ParamVisitor& v) override {
    v("query", query_), v("key", key_), v("value", value_), v("output", output_);
    v("relative_bias", relative_, Role::score_filter);
    v("norm", norm_), v("feed_forward.up", up_), v("feed_forward.down", down_), v("feed_forward.norm", feed_norm_);
  }

 private:
  // The whole layer, of which attention(rows) makes what the heads attended to.
  template <class F>
  Var layer(const Var& x, std::vector<int32_t> sequence_of_rows, const BlockRun& run, F&& attention) const {
    const auto sequences = ops::row_ids(std::move(sequence_of_rows));
    const auto added = [&](const Var& before, const LayerNorm& norm, auto&& part) {
      const auto normed = [&](const Var& rows) { return ops::layer_norm(rows, norm.gamma, norm.beta); };
      const DropoutSite site(run.dropout, run.noise);
      if (options_.norm == "before") return ops::add(before, site.sequence(part(normed(before)), sequences));
      return normed(ops::add(before, site.sequence(part(before), sequences)));
    };
    const Var y = added(x, norm_, [&](const Var& rows) { return output_(attention(rows)); });
    if (options_.feed_forward == 0) return y;
    return added(y, feed_norm_, [&](const Var& rows) { return down_(ops::relu(up_(rows))); });
  }

  // What the heads attend to of a window that reaches back into what was read before. All [L * B, C], by step.
  Var attend_back(const Var& query, const Var& key, const Var& value, int64_t B, BlockState& state) const {
    const int64_t L = query.dim(0) / B, C = width(), heads = options_.heads, W = options_.window;
    if (state.known.empty()) {
      state.known.assign(static_cast<size_t>(B), 0);
      state.keys = state.values = Var(Tensor::zeros({B, W * C}, query.dtype()));
    }
    // A sentence of the memory is what one head sees of one sequence: rows [C / heads], known ones and then new ones.
    std::vector<int64_t> lengths;
    std::vector<int32_t> rows, kept;
    const auto row = [&](int64_t b, int64_t position) {  // of the past, then of the new ones; in units of C
      const int64_t known = state.known[static_cast<size_t>(b)];
      return static_cast<int32_t>(position < known ? b * W + W - known + position : B * W + (position - known) * B + b);
    };
    for (int64_t b = 0; b < B; ++b) {
      const int64_t all = state.known[static_cast<size_t>(b)] + L;
      for (int64_t h = 0; h < heads; ++h) {
        lengths.push_back(all);
        for (int64_t p = 0; p < all; ++p) rows.push_back(static_cast<int32_t>(row(b, p) * heads + h));
      }
      for (int64_t p = all - W; p < all; ++p) kept.push_back(p < 0 ? -1 : row(b, p));
    }
    std::vector<int32_t> sentence, begin, end;
    for (int64_t l = 0; l < L; ++l)
      for (int64_t b = 0; b < B; ++b)
        for (int64_t h = 0; h < heads; ++h) {
          const int64_t position = state.known[static_cast<size_t>(b)] + l;
          sentence.push_back(static_cast<int32_t>(b * heads + h));
          begin.push_back(static_cast<int32_t>(std::max<int64_t>(0, position - W)));
          end.push_back(static_cast<int32_t>(position + 1));
        }
    const ops::Visible visible{MemoryLayout(lengths), ops::row_ids(std::move(sentence)), ops::row_ids(std::move(begin)),
                               ops::row_ids(std::move(end))};
    const ops::RowIds read = ops::row_ids(std::move(rows)), kept_rows = ops::row_ids(std::move(kept));
    const auto memory_of = [&](Var& past, const Var& now) {
      const Var all = ops::concat_rows({ops::reshape(past, {B * W, C}), now});
      const Var memory = ops::gather_rows(ops::reshape(all, {all.dim(0) * heads, C / heads}), read);
      const NoGrad off;
      past = ops::reshape(ops::gather_rows(Var(all.value()), kept_rows), {B, W * C});
      return memory;
    };
    const Var keys = memory_of(state.keys, key), values = memory_of(state.values, value);
    const double scale = 1 / std::sqrt(static_cast<double>(C / heads));
    const Var energies = ops::score_dot(ops::reshape(query, {query.dim(0) * heads, C / heads}), keys, visible, scale);
    const ops::Attended seen = ops::attend(energies, values, visible);
    for (int32_t& n : state.known) n = static_cast<int32_t>(std::min<int64_t>(W, n + L));
    state.weights = seen.weights.value();
    return ops::reshape(seen.context, {query.dim(0), C});
  }

  BlockOptions options_;
  Linear query_, key_, value_, output_, up_, down_;
  Var relative_;  // [heads, 2 * relative + 1]
  LayerNorm norm_, feed_norm_;
};

template <bool bidirectional>
std::unique_ptr<Block> make_recurrent(const BlockOptions& o, int64_t input_width) {
  return std::make_unique<RecurrentStack>(EncoderOptions{.cell = o.kind.ends_with("gru") ? "gru" : "lstm",
                                                         .hidden = o.hidden,
                                                         .bidirectional = bidirectional,
                                                         .residual = o.residual,
                                                         .layer_norm = o.layer_norm,
                                                         .time = o.time},
                                          input_width);
}

template <class B>
std::unique_ptr<Block> make(const BlockOptions& o, int64_t input_width) {
  return std::make_unique<B>(o, input_width);
}

struct BlockKind {
  const char* name;
  std::unique_ptr<Block> (*make)(const BlockOptions&, int64_t input_width);
  StringList options;  // those of BlockOptions that it has, besides kind
};

const std::vector<BlockKind>& kinds() {
  static const StringList recurrent = {"hidden", "residual", "layer_norm", "checkpoint", "bptt"};
  static const std::vector<BlockKind> kKinds = {
      {"lstm", &make_recurrent<false>, recurrent},
      {"bilstm", &make_recurrent<true>, recurrent},
      {"gru", &make_recurrent<false>, recurrent},
      {"bigru", &make_recurrent<true>, recurrent},
      {"self_attention", &make<SelfAttention>, {"heads", "feed_forward", "norm", "causal", "window", "relative"}},
      {"convolution", &make<Convolution>, {"hidden", "kernel", "stride", "residual", "layer_norm"}},
      {"pyramid", &make<Pyramid>, {"factor"}},
  };
  return kKinds;
}

}  // namespace

void BlockOptions::fields(FieldVisitor& v) {
  v("kind", kind,
    "lstm, gru; bilstm, bigru: in both directions, outputs twice as wide; self_attention: a layer of a transformer's "
    "encoder (Vaswani et al. 2017); convolution over time, then relu; pyramid: neighbouring rows side by side, fewer "
    "steps (Chan et al. 2016)")
      .choices(block_names());
  v("hidden", hidden, "recurrent blocks: units of one direction; convolution: output channels").range(1, 65536);
  v("kernel", kernel, "convolution: positions that an output sees, half of them to each side").range(1, 1001);
  v("stride", stride, "convolution: steps between outputs").range(1, 1000);
  v("factor", factor, "pyramid: rows that become one").range(2, 100);
  v("heads", heads, "self_attention: heads, each of an equal part of the width").range(1, 1024);
  v("feed_forward", feed_forward, "self_attention: width of the feed-forward part behind it; 0: none").range(0, 1e6);
  v("norm", norm, "self_attention: normalise before each part (Xiong et al. 2020), or after it and its residual")
      .choices({"before", "after"});
  v("causal", causal, "self_attention: a position sees itself and those before it only");
  v("window", window, "self_attention: a position sees those at most so far away; 0: all").range(0, 1e9);
  v("relative", relative,
    "self_attention: a learnt bias for each distance up to this (Shaw et al. 2018; Raffel et al. 2020); without it, "
    "and without a recurrent block or a convolution before, order is not seen; 0: none")
      .range(0, 1e6);
  v("residual", residual, "recurrent blocks and convolution: add the input to the output where the widths agree");
  v("layer_norm", layer_norm, "recurrent blocks and convolution: normalise the output (Ba et al. 2016)");
  time.fields(v);
}

StringList block_names() {
  StringList out;
  for (const BlockKind& k : kinds()) out.emplace_back(k.name);
  return out;
}

std::unique_ptr<Block> make_block(const BlockOptions& options, int64_t input_width, const std::string& where) {
  const auto kind = std::ranges::find(kinds(), options.kind, &BlockKind::name);
  check<ConfigError>(kind != kinds().end(), where, ".kind = '", options.kind, "' is none of the blocks there are",
                     nearest_match(options.kind, block_names()));
  for (const auto& [option, value] : changed_options(options))
    check<ConfigError>(option == "kind" || std::ranges::find(kind->options, option) != kind->options.end(), where, ".",
                       option, " = ", value, ": a block of kind '", options.kind, "' has no such option");
  check<ConfigError>(
      options.kind != "convolution" || !options.residual || (options.stride == 1 && options.hidden == input_width),
      where, ".residual: a convolution adds its input only with stride = 1 and hidden = ", input_width,
      ", the input's width; got ", options.stride, " and ", options.hidden);
  check<ConfigError>(options.kind != "self_attention" || input_width % options.heads == 0, where,
                     ".heads = ", options.heads, " does not divide the input's width of ", input_width);
  return kind->make(options, input_width);
}

Var Block::continued(const Sequence&, const BlockRun&, BlockState&) const {
  throw Error("a block that " + cannot_continue() + " cannot read a sequence piece by piece");
}

Var block_input(const Sequence& x, RowOrder order, const BlockRun& run) {
  const Var rows = rows_in(x, order);
  if (!run.drop_input || !run.noise) return rows;
  const Ragged& shape = x.shape;
  auto sequences = order == RowOrder::by_step ? shape.steps().sequence_of_rows() : shape.memory().sentence_of_rows();
  return DropoutSite(run.dropout, run.noise).sequence(rows, ops::row_ids(std::move(sequences)));
}

}  // namespace lookback

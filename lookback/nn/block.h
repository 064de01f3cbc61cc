// A layer of an encoder: a ragged batch of sequences in, another one out. Encoders are stacks of blocks.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/nn/module.h"
#include "lookback/nn/recurrent.h"
#include "lookback/nn/regularise.h"
#include "lookback/ops/sequence.h"

namespace lookback {

// A second memory beside an encoder's: rows [S, M] for parts of each sequence, such as the turns of a dialogue.
// Sequence s of the layout is the one of rank s.
struct OuterMemory {
  Var rows;
  MemoryLayout layout;
};

// What an encoder, or one of its blocks, says about a batch.
struct Encoded {
  Sequence memory;               // one row for each position
  std::vector<CellState> final;  // of recurrent layers, both directions side by side: [B, width], in the order of ranks
  std::optional<OuterMemory> outer = {};
};

// One run of a block over one batch.
struct BlockRun {
  RowOrder out;  // the order of rows wanted: of the next block, or by sequence for the last one
  const DropoutOptions& dropout;
  Noise* noise;             // null: no dropout
  bool drop_input;          // whether the input is still to be dropped; what a residual adds stays whole
  bool only_final = false;  // whether a block that gives states need give no rows
};

// What a block remembers of B sequences that it has read so far, to go on from there. Empty: nothing was read yet.
struct BlockState {
  std::vector<CellState> layers;  // recurrent layers: [B, width] each
  Var keys, values;               // self-attention: [B, window * C] of the last positions, the newest at the end
  std::vector<int32_t> known;     // [B] how many of these there are
  // Of the rows last read, for pictures: [L * B * heads, span], row (l * B + b) * heads + h. Column k of row l stands
  // for position first + k of what was read since the state was empty, with first = max(0, position - window).
  Tensor weights;
};

class Block {
 public:
  virtual ~Block() = default;
  virtual Encoded operator()(const Sequence& x, const BlockRun& run) const = 0;
  // Why a block cannot read a sequence piece by piece: "looks ahead; set causal = true". "": it can.
  virtual std::string cannot_continue() const { return "looks ahead"; }
  // Reads L more rows of each of B sequences: x by_step, all of one length -> [L * B, width], by step. It goes on from
  // `state` and leaves it behind the last row. No gradient flows into what was read before. The pieces that a sequence
  // was cut into change no result but by rounding. Throws Error for a block that cannot.
  virtual Var continued(const Sequence& x, const BlockRun& run, BlockState& state) const;
  virtual RowOrder reads() const = 0;
  virtual int64_t width() const = 0;                                // of its output
  virtual std::vector<int64_t> final_widths() const { return {}; }  // of the states it gives
  // So many rows of its input stand behind each of its output, the last of a sequence perhaps fewer.
  virtual int64_t shortening() const { return 1; }
  // Whether it does more with rows of its input than to multiply each alone with weights: adds them to something, or
  // puts them side by side. In int8 such a product rounds otherwise than rows that were stored as int8.
  virtual bool needs_exact_input() const { return false; }
  virtual void params(ParamVisitor& v) = 0;
};

struct BlockOptions {
  std::string kind = "bilstm";
  int64_t hidden = 256;
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t factor = 2;
  int64_t heads = 8;
  int64_t feed_forward = 0;
  std::string norm = "before";
  bool causal = false;
  int64_t window = 0;
  int64_t relative = 0;
  bool residual = false;
  bool layer_norm = false;
  ThroughTime time = {};

  void fields(FieldVisitor& v);
};

// A stack of recurrent layers, or of any blocks.
struct EncoderOptions {
  std::string cell = "lstm";
  int64_t layers = 1;
  int64_t hidden = 256;
  bool bidirectional = true;
  bool residual = false;
  bool layer_norm = false;
  ThroughTime time = {};
  std::deque<BlockOptions> blocks = {};

  void fields(FieldVisitor& v) {
    v("cell", cell, "recurrent unit").choices({"lstm", "gru"});
    v("layers", layers, "recurrent layers, one on the other").range(1, 64);
    v("hidden", hidden, "units of one direction").range(1, 65536);
    v("bidirectional", bidirectional, "read the source in both directions; outputs are twice as wide");
    v("residual", residual, "add each layer's input to its output where the widths agree");
    v("layer_norm", layer_norm, "normalise each layer's output (Ba et al. 2016)");
    time.fields(v);
    v("blocks", blocks);
  }
};

// "lstm", "bilstm", "gru", "bigru", "self_attention", "convolution", "pyramid".
StringList block_names();

// `where` is what messages call it: "model.encoder.blocks.1". Throws ConfigError for an option that its kind does not
// have and for one that does not go with the input's width.
std::unique_ptr<Block> make_block(const BlockOptions& options, int64_t input_width, const std::string& where);

// x as a block reads it: in its order, and dropped where the run says so.
Var block_input(const Sequence& x, RowOrder order, const BlockRun& run);

}  // namespace lookback

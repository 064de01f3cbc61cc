// Private to bench and cli: workloads for `lookback bench`: the same work, again and again, for the clock of whoever
// calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/models/language_model.h"
#include "lookback/models/seq2seq.h"

namespace lookback::bench {

struct Options {
  Seq2SeqOptions model;
  LanguageModelOptions language;
  BlockOptions block;
  int64_t vocabulary = 8000;
  int64_t batch = 64;
  int64_t source = 16, target = 16;
  int64_t beam = 1;
  int64_t seed = 1;
  std::string precision = "f32";
  std::string lengths;
  std::string folder;

  void fields(FieldVisitor& v) {
    v("vocabulary", vocabulary, "entries of the source and of the target vocabulary").range(5, 1e7);
    v("batch", batch, "sentences trained on, or decoded, at once").range(1, 1e6);
    v("source", source, "tokens of each source sentence; steps of a layer").range(1, 1e6);
    v("target", target, "tokens of each target sentence, its end included").range(1, 1e6);
    v("beam", beam, "hypotheses of each sentence that is decoded; 1 is greedy").range(1, 1000);
    v("seed", seed, "of the weights and the sentences").range(0, 9e15);
    v("precision", precision, "of matrix products; auto is bf16 where that is faster")
        .choices({"f32", "bf16", "int8", "auto"});
    v("lengths", lengths,
      "train: a file with one batch a line, as source:target lengths of its sentence pairs, to be trained on in turn; "
      "instead of batch, source and target");
    v("folder", folder, "load: the model folder");
    v("block", block);
    v("model", model);
    v("language", language);
  }
};

class Work {
 public:
  virtual ~Work() = default;
  // Does the work once. Returns how much that was, in the unit of its kind.
  virtual double run() = 0;
  // Floating-point operations of the products in one run; 0 where nobody has counted.
  virtual double operations() const { return 0; }
  // What one run has to read and write, for work that is bound by that; 0 for all other.
  virtual double bytes() const { return 0; }
};

// One line of the bench. Works are made when their turn comes, since each holds memory. Making one throws
// ConfigError for model options that do not go together, and for a precision the processor has not.
struct Case {
  std::string name;       // empty where the kind has one case
  std::string precision;  // of its products, as options name it
  std::function<std::unique_ptr<Work>()> make;
  std::function<std::unique_ptr<Work>()> composed;  // the same result by plainer ops; empty where that is no question
};

struct Kind {
  const char *name, *summary, *unit;
  std::vector<Case> (*cases)(const Options& options);
};

std::span<const Kind> kinds();

// The best this machine does. A run of the first is products of 1024 rows with a packed weight of 1024 by 1024; a run
// of the second copies so many bytes, half of them read and half written.
std::unique_ptr<Work> best_product(const std::string& precision);
std::unique_ptr<Work> best_copy(double bytes);

}  // namespace lookback::bench

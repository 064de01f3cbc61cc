// Private to decode: what a decoder hands out is checked here, once per step.
#pragma once

#include <cstdint>
#include <span>

#include "lookback/base/error.h"
#include "lookback/decode/step_decoder.h"

namespace lookback::decode {

// Throws ShapeError unless logits are f32 [rows, vocabulary], or [rows, C] with up to C candidates for each row, and
// weights f32 [rows, T] or empty.
inline void check_output(const StepOutput& out, int64_t rows, int64_t vocabulary, const char* who) {
  if (!out.candidates.empty()) {
    check(std::ssize(out.candidates) == rows && out.logits.shape().rank() == 2, who,
          ": the decoder gave candidates for ", out.candidates.size(), " of ", rows, " rows");
    vocabulary = out.logits.dim(1);
    for (const auto& c : out.candidates)
      check(!c.empty() && std::ssize(c) <= vocabulary, who, ": ", c.size(), " candidates for ", vocabulary, " logits");
  }
  check(out.logits.shape() == Shape{rows, vocabulary} && out.logits.dtype() == Dtype::f32, who,
        ": the decoder's logits must be f32 ", Shape{rows, vocabulary}, ", got ", name_of(out.logits.dtype()), " ",
        out.logits.shape());
  check(out.weights.empty() ||
            (out.weights.shape().rank() == 2 && out.weights.dim(0) == rows && out.weights.dtype() == Dtype::f32),
        who, ": the decoder's weights must be f32 [", rows, ",T], got ", name_of(out.weights.dtype()), " ",
        out.weights.shape());
}

// The elements of weights [N, T], or none without attention.
inline std::span<const float> weights_of(const StepOutput& out) {
  return out.weights.empty() ? std::span<const float>() : std::span<const float>(out.weights.span<float>());
}

// Throws unless attention of width `given` (0: none) serves a sentence of `source_length`.
inline void check_source(int64_t given, int64_t source_length, double coverage_penalty, int64_t sentence) {
  check(given == 0 || source_length <= given, "search: sentence ", sentence, ": source_length is ", source_length,
        ", but the decoder's attention has ", given, " source positions");
  if (coverage_penalty > 0) {
    check<ConfigError>(source_length == 0 || given > 0, "search: coverage_penalty = ", coverage_penalty,
                       " needs a model with attention");
    check<ConfigError>(source_length >= 0, "search: coverage_penalty = ", coverage_penalty,
                       " needs the source_length of sentence ", sentence);
  }
}

}  // namespace lookback::decode

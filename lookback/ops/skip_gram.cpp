#include "lookback/ops/skip_gram.h"

#include <algorithm>

#include "lookback/ops/internal.h"

namespace lookback::ops {
namespace {

static_assert(kMostSkipGramInputs == kernels::SkipGram<float>::kMostInputs);
static_assert(kMostSkipGramOutputs == kernels::SkipGram<float>::kMostTargets);

void check_rows(const char* name, std::span<const int32_t> ids, const Tensor& table) {
  const bool fit = std::ranges::all_of(ids, [rows = table.dim(0)](int32_t id) { return id >= 0 && id < rows; });
  check(fit, "skip_gram_step: an id of the ", name, " is not below their number of rows, ", table.dim(0));
}

template <class R>
void step(const SkipGramWindows& w, double rate, const Tensor& in, const Tensor& out, const Tensor& errors) {
  const auto N = std::ssize(w.begin) - 1;
  kernels::best<R>().skip_gram({.N = N,
                                .T = std::ssize(w.outputs) / N,
                                .W = in.dim(1),
                                .begin = w.begin.data(),
                                .inputs = w.inputs.data(),
                                .outputs = w.outputs.data(),
                                .rate = static_cast<R>(rate),
                                .in = in.data<R>(),
                                .out = out.data<R>(),
                                .errors = errors.data<R>()});
}

}  // namespace

void skip_gram_step(const SkipGramWindows& w, double rate, const Tensor& in, const Tensor& out, const Tensor& errors) {
  const auto N = std::ssize(w.begin) - 1, outputs = std::ssize(w.outputs);
  if (N <= 0) return;
  check(in.shape().rank() == 2 && out.shape().rank() == 2 && in.dim(1) == out.dim(1) && in.dim(1) % 16 == 0,
        "skip_gram_step: tables [any, W] with W a multiple of 16 expected, got ", in.shape(), " and ", out.shape());
  check(in.dtype() == out.dtype() && in.dtype() == errors.dtype() &&
            (in.dtype() == Dtype::f32 || in.dtype() == Dtype::f64),
        "skip_gram_step: tables and errors must all be f32 or all f64");
  check(outputs > 0 && outputs % N == 0 && outputs / N <= kMostSkipGramOutputs, "skip_gram_step: ", outputs,
        " outputs of ", N, " windows; there must be as many of each, at most ", kMostSkipGramOutputs);
  check(w.begin[0] >= 0 && w.begin.back() <= std::ssize(w.inputs), "skip_gram_step: windows reach beyond their inputs");
  for (size_t n = 0; n + 1 < w.begin.size(); ++n)
    check(w.begin[n] <= w.begin[n + 1] && w.begin[n + 1] - w.begin[n] <= kMostSkipGramInputs, "skip_gram_step: window ",
          n, " must have 0 to ", kMostSkipGramInputs, " inputs");
  const int64_t inputs = w.begin.back() - w.begin[0];
  check(errors.size() >= inputs * (outputs / N), "skip_gram_step: no room for the errors of all pairs");
  check_rows("inputs", w.inputs.subspan(static_cast<size_t>(w.begin[0]), static_cast<size_t>(inputs)), in);
  check_rows("outputs", w.outputs, out);
  in.dtype() == Dtype::f32 ? step<float>(w, rate, in, out, errors) : step<double>(w, rate, in, out, errors);
}

}  // namespace lookback::ops

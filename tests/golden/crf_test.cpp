// Against a plain CRF in PyTorch: crf.safetensors, recorded by tools/gen_golden_labeller.py.
#include "lookback/ops/crf.h"

#include "recorded.h"

namespace lookback {
namespace {

constexpr double kBound = 1e-9;

template <class T>
std::vector<T> integers(const Tensor& x) {
  std::vector<T> out;
  for (const double v : x.span<double>()) out.push_back(static_cast<T>(v));
  return out;
}

void expect_near(const Tensor& got, const Tensor& want) { EXPECT_LT(testing::distance(got, want), kBound); }

TEST(CrfOfPyTorch, LossGradientsMarginalsAndBestTags) {
  const auto file = testing::recorded("crf");
  for (const std::string name : {"plain", "wide", "forbidden", "large"}) {
    SCOPED_TRACE(name);
    const auto load = [&](const std::string& what) { return file.load(name + "." + what); };
    std::vector<Var> in;
    for (const char* const what : {"emissions", "transitions", "start", "end"})
      in.push_back(Var::parameter(load(what)));
    const ops::CrfScores scores{in[0], in[1], in[2], in[3]};
    const MemoryLayout layout(integers<int64_t>(load("lengths")));
    const auto out = ops::crf_loss(scores, layout, integers<int32_t>(load("tags")));
    const Tensor nll = load("nll"), log_z = load("log_z");
    double sum = 0;
    for (const double x : nll.span<double>()) sum += x;
    EXPECT_NEAR(out.nll_sum, sum, kBound * sum);
    backward(out.loss);
    size_t k = 0;
    for (const char* const what : {"emissions", "transitions", "start", "end"}) {
      SCOPED_TRACE(what);
      expect_near(in[k++].grad(), load(std::string("grad.") + what));
    }
    const auto marginals = ops::crf_marginals(scores, layout);
    expect_near(marginals.probabilities, load("marginals"));
    for (int64_t s = 0; s < layout.sentences(); ++s)
      EXPECT_NEAR(marginals.log_z[static_cast<size_t>(s)], log_z.data<double>()[s],
                  kBound * std::abs(log_z.data<double>()[s]));
    EXPECT_EQ(ops::crf_viterbi(scores, layout).tags, integers<int32_t>(load("best")));
  }
}

}  // namespace
}  // namespace lookback

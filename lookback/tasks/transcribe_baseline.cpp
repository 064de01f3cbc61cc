// What a sceptic would try first.
#include <algorithm>
#include <limits>
#include <map>

#include "lookback/base/parallel.h"
#include "lookback/tasks/transcribe.h"

namespace lookback::tasks {
namespace {

// The text that most recordings of training have, of equals the first.
std::string most_frequent(const SoundTable& train) {
  std::map<std::string, int64_t> counts;
  for (int64_t k = 0; k < train.size(); ++k) ++counts[train.recording(k).text];
  return std::ranges::max_element(counts, {}, [](const auto& c) { return c.second; })->first;
}

// Distance of two recordings by dynamic time warping (Sakoe and Chiba 1978): the mean squared difference of features
// along the best path, by steps of one row in either or both. Beyond `worst` it is not followed to its end.
double warped_distance(const Tensor& a, const Tensor& b, double worst) {
  const int64_t A = a.dim(0), B = b.dim(0), F = a.dim(1);
  constexpr double kFar = std::numeric_limits<double>::infinity();
  const auto total = static_cast<double>(A + B);
  std::vector<double> before(static_cast<size_t>(B + 1), kFar), now(before);
  before[0] = 0;
  for (int64_t i = 0; i < A; ++i) {
    double least = kFar;
    now[0] = kFar;
    for (int64_t j = 0; j < B; ++j) {
      const float *const x = a.data<float>() + i * F, *const y = b.data<float>() + j * F;
      float d = 0;
      for (int64_t f = 0; f < F; ++f) d += (x[f] - y[f]) * (x[f] - y[f]);
      const auto k = static_cast<size_t>(j);
      now[k + 1] = d + std::min({before[k] + d, before[k + 1], now[k]});  // a diagonal step counts for two
      least = std::min(least, now[k + 1]);
    }
    if (least > worst * total) return kFar;
    std::swap(before, now);
    before[0] = kFar;
  }
  return before[static_cast<size_t>(B)] / total;
}

// The text of the nearest recording of training.
std::string nearest(const SoundTable& train, const Tensor& rows) {
  double best = std::numeric_limits<double>::infinity();
  int64_t at = 0;
  for (int64_t k = 0; k < train.size(); ++k)
    if (const double d = warped_distance(train.rows(k), rows, best); d < best) best = d, at = k;
  return train.recording(at).text;
}

constexpr int64_t kMostRows = 400;  // of the recordings that are compared with each other, on average

}  // namespace

std::vector<BaselineScores> Transcribe::all_baselines(const Recipe& recipe, const std::string& root,
                                                      const LogSink& log) {
  const Network network = learn_from_files(recipe, root, log);
  const Data train = open(recipe, network, Split::train, root);
  check<FormatError>(train.size() > 0, "data.train: no recording is left");
  const std::string frequent = most_frequent(train);
  std::vector<BaselineScores> out;
  for (const auto& [name, split] : {std::pair("data.valid", Split::valid), {"data.test", Split::test}}) {
    if (split == Split::test && !recipe.data.has_test()) continue;
    const Data set = open(recipe, network, split, root);
    metrics::Lines references, constant, warped(static_cast<size_t>(set.size()));
    for (int64_t k = 0; k < set.size(); ++k) references.push_back(set.recording(k).text), constant.push_back(frequent);
    out.push_back({"the most frequent text", name, scored({"wer", "cer"}, constant, references)});
    if (train.report().tokens[0].second > kMostRows * train.size()) {
      log(Severity::info, "recordings are too long to be compared as wholes: no nearest one");
      continue;
    }
    parallel_for(set.size(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) warped[static_cast<size_t>(k)] = nearest(train, set.rows(k));
    });
    out.push_back({"the nearest recording, time warped", name, scored({"wer", "cer"}, warped, references)});
  }
  return out;
}

}  // namespace lookback::tasks

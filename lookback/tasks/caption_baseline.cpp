// What a sceptic would try first.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "lookback/base/parallel.h"
#include "lookback/tasks/caption.h"

namespace lookback::tasks {
namespace {

// The mean feature of a picture, of length 1.
std::vector<float> mean_feature(const Tensor& rows) {
  std::vector<float> out(static_cast<size_t>(rows.dim(1)));
  for (int64_t p = 0; p < rows.dim(0); ++p)
    for (size_t c = 0; c < out.size(); ++c) out[c] += rows.data<float>()[p * rows.dim(1) + static_cast<int64_t>(c)];
  double square = 0;
  for (const float x : out) square += static_cast<double>(x) * static_cast<double>(x);
  const auto length = static_cast<float>(square > 0 ? std::sqrt(square) : 1);
  for (float& x : out) x /= length;
  return out;
}

// The caption of these that agrees most with the others: by the words they share.
const std::string& middle(const StringList& captions) {
  const auto words = [](const std::string& text) {
    const auto all = metrics::caption_words(text, {});
    return std::set(all.begin(), all.end());
  };
  size_t best = 0;
  double most = -1;
  for (size_t k = 0; k < captions.size(); ++k) {
    double sum = 0;
    const std::set<std::u32string> mine = words(captions[k]);
    for (size_t n = 0; n < captions.size(); ++n) {
      if (n == k) continue;
      const std::set<std::u32string> other = words(captions[n]);
      const auto shared = std::ranges::count_if(mine, [&](const std::u32string& w) { return other.contains(w); });
      sum += static_cast<double>(shared) / static_cast<double>(std::max<size_t>(1, mine.size() + other.size()));
    }
    if (sum > most) most = sum, best = k;
  }
  return captions[best];
}

// The caption of training that scores best as that of every training picture. Of the many, those that score best on a
// part of the pictures are tried on all.
std::string best_constant(const std::vector<CaptionedPicture>& pictures) {
  constexpr size_t kFew = 60, kFinalists = 20;
  std::set<std::string> all;
  for (const CaptionedPicture& p : pictures) all.insert(p.captions.begin(), p.captions.end());
  const std::vector<std::string> candidates(all.begin(), all.end());
  const auto score = [&](const std::string& caption, size_t step) {
    metrics::SegmentReferences references;
    for (size_t k = 0; k < pictures.size(); k += step) references.lines.push_back(pictures[k].captions);
    return scored({"bleu4"}, metrics::Lines(references.lines.size(), caption), references)[0].value;
  };
  std::vector<std::pair<double, size_t>> order(candidates.size());
  const size_t step = std::max<size_t>(1, pictures.size() / kFew);
  parallel_for(std::ssize(candidates), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const auto n = static_cast<size_t>(k);
      order[n] = {-score(candidates[n], step), n};
    }
  });
  std::ranges::sort(order);
  order.resize(std::min(order.size(), kFinalists));
  for (auto& [value, n] : order) value = -score(candidates[n], 1);
  return candidates[std::ranges::min_element(order)->second];
}

}  // namespace

std::vector<BaselineScores> Caption::all_baselines(const Recipe& recipe, const std::string& root, const LogSink& log) {
  check<ConfigError>(recipe.data.pictures == "files", "baseline: data.pictures is 'none', and these need pictures");
  const Network network = learn_from_files(recipe, root, log);
  Recipe plain = recipe;
  plain.augment.views = 1;
  const Data train = open(plain, network, Split::train, root);
  check<FormatError>(train.size() > 0, "data.train: no caption is left");
  std::vector<std::vector<float>> known;
  for (size_t k = 0; k < train.pictures().size(); ++k) known.push_back(mean_feature(train.rows(k)));
  const std::string constant = best_constant(train.pictures());
  log(Severity::info, "best constant caption: " + constant);
  std::vector<BaselineScores> out;
  for (const auto& [name, split] : {std::pair("data.valid", Split::valid), {"data.test", Split::test}}) {
    if (split == Split::test && !recipe.data.has_test()) continue;
    const Data set = open(plain, network, split, root);
    metrics::SegmentReferences references;
    metrics::Lines nearest;
    for (size_t k = 0; k < set.pictures().size(); ++k) {
      references.lines.push_back(set.pictures()[k].captions);
      const std::vector<float> wanted = mean_feature(set.rows(k));
      size_t best = 0;
      float most = -1;
      for (size_t n = 0; n < known.size(); ++n) {
        float sum = 0;
        for (size_t c = 0; c < wanted.size(); ++c) sum += wanted[c] * known[n][c];
        if (sum > most) most = sum, best = n;
      }
      nearest.push_back(middle(train.pictures()[best].captions));
    }
    out.push_back({"the best constant caption", name,
                   scored(caption_metrics(), metrics::Lines(nearest.size(), constant), references)});
    out.push_back({"the caption of the nearest picture", name, scored(caption_metrics(), nearest, references)});
  }
  return out;
}

}  // namespace lookback::tasks

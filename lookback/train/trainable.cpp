#include "lookback/train/trainable.h"

#include "lookback/base/error.h"

namespace lookback::train {

void BatchResult::add(const BatchResult& other) {
  loss += other.loss, units += other.units;
  for (const auto& [name, sum] : other.sums) sums[name] += sum;
}

const ScoreKind& find_score(const std::vector<ScoreKind>& scores, const std::string& keep) {
  StringList known;
  for (const ScoreKind& s : scores) {
    if (s.name == keep) return s;
    known.push_back(s.name);
  }
  throw ConfigError(str_cat("train.keep = '", keep, "' is not scored in validation, which gives ", joined(known),
                            "; valid.metric chooses a further one", nearest_match(keep, known)));
}

}  // namespace lookback::train

#include "lookback/train/trainable.h"

#include "lookback/base/error.h"

namespace lookback::train {

void BatchResult::add(const BatchResult& other) {
  loss += other.loss, units += other.units;
  for (const auto& [name, sum] : other.sums) sums[name] += sum;
}

void Trainable::load_carried(const std::vector<io::NamedTensor>& tensors, const std::string& origin) {
  check<FormatError>(tensors.empty(), origin, ": this model carries nothing from batch to batch");
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

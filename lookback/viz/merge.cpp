#include "lookback/viz/attention_map.h"
#include "lookback/viz/tokens.h"

namespace lookback::viz {
namespace {

int64_t count(const std::vector<int64_t>& words) { return words.empty() ? 0 : words.back() + 1; }

std::vector<std::string> join(const std::vector<std::string>& tokens, const std::vector<int64_t>& words) {
  std::vector<std::string> out;
  for (size_t begin = 0, end; begin < tokens.size(); begin = end) {
    for (end = begin + 1; end < tokens.size() && words[end] == words[begin];) ++end;
    out.push_back(join_pieces(std::span(tokens).subspan(begin, end - begin)));
  }
  return out;
}

}  // namespace

AttentionMap merge_subwords(const AttentionMap& map) {
  check_map(map);
  const std::vector<int64_t> columns = word_numbers(map.source), rows = word_numbers(map.target);
  const int64_t T = static_cast<int64_t>(columns.size()), U = static_cast<int64_t>(rows.size());
  AttentionMap out{.source = join(map.source, columns),
                   .target = join(map.target, rows),
                   .weights = Tensor(Shape{count(rows), count(columns)}),
                   .title = map.title,
                   .target_scores = {}};
  std::vector<double> pieces(static_cast<size_t>(count(rows))), sums(static_cast<size_t>(out.weights.size()));
  for (const int64_t row : rows) ++pieces[static_cast<size_t>(row)];
  if (T > 0 && U > 0) {
    const float* w = map.weights.data<float>();
    for (int64_t u = 0; u < U; ++u)
      for (int64_t t = 0; t < T; ++t)
        sums[static_cast<size_t>(rows[static_cast<size_t>(u)] * count(columns) + columns[static_cast<size_t>(t)])] +=
            static_cast<double>(w[u * T + t]) / pieces[static_cast<size_t>(rows[static_cast<size_t>(u)])];
    for (size_t k = 0; k < sums.size(); ++k) out.weights.data<float>()[k] = static_cast<float>(sums[k]);
  }
  if (!map.target_scores.empty()) {
    out.target_scores.resize(out.target.size());
    for (size_t u = 0; u < map.target.size(); ++u)
      out.target_scores[static_cast<size_t>(rows[u])] += map.target_scores[u];
  }
  return out;
}

}  // namespace lookback::viz

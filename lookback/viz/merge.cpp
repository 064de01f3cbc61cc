#include <algorithm>
#include <numeric>

#include "lookback/viz/figure.h"
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

Axis::Mark join(const Axis::Mark& mark, const std::vector<int64_t>& words) {
  if (mark.empty()) return {};
  return {words[static_cast<size_t>(mark.begin)], words[static_cast<size_t>(mark.end - 1)] + 1};
}

// How many words each part has.
std::vector<int64_t> words_of(const std::vector<int64_t>& parts, const std::vector<int64_t>& words) {
  std::vector<int64_t> out;
  size_t begin = 0;
  for (const int64_t part : parts) {
    const size_t end = begin + static_cast<size_t>(part);
    out.push_back(words[end - 1] - words[begin] + 1);
    begin = end;
  }
  return out;
}

}  // namespace

HeatMap merge_subwords(const HeatMap& map) {
  check_figure(map);
  if (!map.cells.empty()) return map;
  const std::vector<std::string> row_tokens(map.rows.tokens.begin(), map.rows.tokens.begin() + map.token_rows());
  std::vector<int64_t> columns = word_numbers(map.columns.tokens);
  if (map.columns.seconds > 0) {  // each is on its own
    columns.resize(static_cast<size_t>(map.column_count()));
    std::iota(columns.begin(), columns.end(), 0);
  }
  const std::vector<int64_t> rows = word_numbers(row_tokens);
  const int64_t T = std::ssize(columns), U = std::ssize(rows);
  HeatMap out{.columns = {map.columns.name, join(map.columns.tokens, columns), map.columns.seconds},
              .rows = {.name = map.rows.name, .tokens = join(row_tokens, rows), .mark = join(map.rows.mark, rows)},
              .weights = Tensor(Shape{count(rows), count(columns)}),
              .title = map.title,
              .weight_name = map.weight_name,
              .underlay = map.underlay};
  std::vector<double> pieces(static_cast<size_t>(count(rows))), sums(static_cast<size_t>(out.weights.size()));
  for (const int64_t row : rows) ++pieces[static_cast<size_t>(row)];
  if (T > 0 && U > 0) {
    const float* w = map.weights.data<float>();
    for (int64_t u = 0; u < U; ++u)
      for (int64_t t = 0; t < T; ++t)
        sums[static_cast<size_t>(rows[static_cast<size_t>(u)] * count(columns) + columns[static_cast<size_t>(t)])] +=
            static_cast<double>(w[u * T + t]) / pieces[static_cast<size_t>(rows[static_cast<size_t>(u)])];
    std::ranges::transform(sums, out.weights.data<float>(), [](double sum) { return static_cast<float>(sum); });
  }
  if (!map.row_scores.empty()) {
    out.row_scores.resize(out.rows.tokens.size());
    for (size_t u = 0; u < rows.size(); ++u) out.row_scores[static_cast<size_t>(rows[u])] += map.row_scores[u];
  }
  return map.totals ? with_totals(std::move(out)) : out;
}

Highlight merge_subwords(const Highlight& highlight) {
  check_figure(highlight);
  const std::vector<int64_t> words = word_numbers(highlight.words.tokens, highlight.parts);
  const int64_t n = std::ssize(words), H = highlight.hops();
  Highlight out = highlight;
  out.parts = words_of(highlight.parts, words);
  out.words.tokens = join(highlight.words.tokens, words), out.words.mark = join(highlight.words.mark, words);
  if (n == 0) return out;
  std::vector<double> sums(static_cast<size_t>(H * count(words)));
  const float* w = highlight.weights.data<float>();
  for (int64_t k = 0; k < H * n; ++k)
    sums[static_cast<size_t>(k / n * count(words) + words[static_cast<size_t>(k % n)])] += static_cast<double>(w[k]);
  out.weights = Tensor({H, count(words)});
  std::ranges::transform(sums, out.weights.data<float>(), [](double sum) { return static_cast<float>(sum); });
  if (highlight.weights.shape().rank() == 1) out.weights = out.weights.reshape({count(words)});
  return out;
}

PictureMaps merge_subwords(const PictureMaps& maps) {
  check_figure(maps);
  PictureMaps out = maps;
  const std::vector<int64_t> words = word_numbers(maps.tokens);
  out.tokens = join(maps.tokens, words);
  if (words.empty()) return out;
  const int64_t cells = maps.weights.dim(1);
  std::vector<double> pieces(out.tokens.size()), sums(out.tokens.size() * static_cast<size_t>(cells));
  for (const int64_t word : words) ++pieces[static_cast<size_t>(word)];
  const float* w = maps.weights.data<float>();
  for (size_t u = 0; u < words.size(); ++u)
    for (int64_t k = 0; k < cells; ++k)
      sums[static_cast<size_t>(words[u] * cells + k)] +=
          static_cast<double>(*w++) / pieces[static_cast<size_t>(words[u])];
  out.weights = Tensor({count(words), cells});
  std::ranges::transform(sums, out.weights.data<float>(), [](double sum) { return static_cast<float>(sum); });
  if (!maps.elsewhere.empty()) out.elsewhere.assign(out.tokens.size(), 0);
  if (!maps.row_scores.empty()) out.row_scores.assign(out.tokens.size(), 0);
  for (size_t u = 0; u < words.size(); ++u) {
    const auto word = static_cast<size_t>(words[u]);
    if (!maps.elsewhere.empty()) out.elsewhere[word] += maps.elsewhere[u] / pieces[word];
    if (!maps.row_scores.empty()) out.row_scores[word] += maps.row_scores[u];
  }
  return out;
}

Figure merge_subwords(const Figure& figure) {
  if (std::holds_alternative<Chart>(figure)) return figure;
  if (const auto* maps = std::get_if<PictureMaps>(&figure)) return merge_subwords(*maps);
  if (const auto* map = std::get_if<HeatMap>(&figure)) return merge_subwords(*map);
  return merge_subwords(std::get<Highlight>(figure));
}

}  // namespace lookback::viz

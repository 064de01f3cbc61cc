// How likely a language model finds a text, and what plainer methods say of it.
#include <algorithm>
#include <numeric>

#include "lookback/metrics/corpus_metric.h"
#include "lookback/models/ngram.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/language_model.h"
#include "lookback/train/parameters.h"

namespace lookback::tasks {
namespace {

using Network = LanguageTask::Network;
using Options = LanguageTask::Options;

// -log p of a text that begins behind a line's end.
double nats_of(std::span<const int32_t> ids, const Network& network, const CacheOptions& cache) {
  LanguageSession session(*network.model, cache);
  const std::vector<double> log_probs = session.score(ids);
  return -std::accumulate(log_probs.begin(), log_probs.end(), 0.0);
}

// Of each line by itself.
double nats_by_line(const Network& network, const LanguageText& text, const CacheOptions& cache) {
  double out = 0;
  for (auto begin = text.ids.begin(); begin != text.ids.end();) {
    const auto end = std::find(begin, text.ids.end(), data::kEos) + 1;
    out += nats_of({begin, end}, network, cache);
    begin = end;
  }
  return out;
}

// w += decay * (home - w) - lr * gradient, of gradients of norm 1 at most for a token.
void step_along(const std::vector<NamedVar>& weights, const std::vector<NamedVar>& home, const DynamicOptions& o,
                int64_t tokens) {
  constexpr double kClip = 0.25;  // of the gradient of a mean over tokens
  train::GradNorm norm_of;
  const double norm = norm_of(weights) / static_cast<double>(tokens);
  const double rate = o.lr * std::min(1.0, kClip / std::max(norm, 1e-30)) / static_cast<double>(tokens);
  for (size_t k = 0; k < weights.size(); ++k) {
    const Tensor& gradient = weights[k].var.grad();
    if (gradient.empty()) continue;
    const auto w = weights[k].var.value().span<float>();
    const auto origin = home[k].var.value().span<float>(), g = gradient.span<float>();
    const auto decay = static_cast<float>(o.decay), by = static_cast<float>(rate);
    for (size_t i = 0; i < w.size(); ++i) w[i] += decay * (origin[i] - w[i]) - by * g[i];
    weights[k].var.touch();
    weights[k].var.clear_grad();
  }
}

// While the weights follow the text.
double nats_dynamic(const Network& network, const LanguageText& text, const DynamicOptions& options) {
  const Network moving = network.copy();
  const auto weights = moving.parameters(), home = network.parameters();
  LanguageState state;
  double nats = 0;
  for (size_t at = 0; at < text.ids.size();) {
    const size_t count = std::min(static_cast<size_t>(options.steps), text.ids.size() - at);
    LanguageBatch piece{.texts = 1};
    for (size_t k = at; k < at + count; ++k) {
      piece.ids.push_back(k == 0 ? data::kEos : text.ids[k - 1]);
      piece.targets.push_back(text.ids[k]);
    }
    const LanguageLoss loss = moving.model->loss(piece, {}, state, 1, nullptr);
    nats += loss.nll_sum, at += count;
    backward(loss.loss);
    step_along(weights, home, options, static_cast<int64_t>(count));
  }
  return nats;
}

Sentences sentences_of(const data::Table& table) {
  Sentences out;
  for (int64_t k = 0; k < table.size(); ++k) out.push_back(table.ids(0, k));
  return out;
}

std::string signature_of(const Network& network, const Options& o) {
  std::string out = str_cat("|unit:", network.tokenizer->kind(), "|state:", o.carry ? "carried" : "by_line");
  if (o.cache.size > 0) out += str_cat("|cache:", o.cache.size, ",", o.cache.theta, ",", o.cache.lambda);
  if (o.dynamic.lr > 0) out += str_cat("|dynamic:", o.dynamic.lr, ",", o.dynamic.steps, ",", o.dynamic.decay);
  if (o.precision != "f32") out += "|precision:" + o.precision;
  return out;
}

}  // namespace

EvaluationReport LanguageTask::evaluate(Networks networks, const io::ModelFolder& folder,
                                        const TaskModel::Evaluation& what, const Options& options) {
  check<ConfigError>(what.resamples == 0,
                     "evaluate: --resamples: perplexity has no intervals; its tokens are not independent");
  const auto data = read_data_of_run<DataOptions>(folder);
  data::TableOptions strict = data.data.table;
  strict.bad_lines = "stop";
  const Network& network = *networks[0];
  const PrecisionScope scope(ops::available_precision(options.precision));
  const data::Table table(rows_to_evaluate(what.files, columns(), data.data, data.root), columns(network), strict,
                          data::Keep::tokens_and_text);
  const LanguageText text(table);
  check<FormatError>(text.counts.lines > 0, "evaluate: the text has no lines");
  const double nats = options.dynamic.lr > 0 ? nats_dynamic(network, text, options.dynamic)
                      : options.carry        ? nats_of(text.ids, network, options.cache)
                                             : nats_by_line(network, text, options.cache);
  return {language_scores(nats, text.counts, signature_of(network, options))};
}

std::vector<BaselineScores> LanguageTask::baselines(const Recipe& recipe, const data::RowSource& train,
                                                    const std::vector<std::pair<std::string, data::RowSource>>& sets,
                                                    const LogSink& log) {
  const auto lines = data::column_lines(train, columns(), {0}, recipe.data.table);
  const auto tokenizer = data::train_tokenizer(recipe.tokenizer, lines, log);
  const auto table_of = [&](const data::RowSource& rows) {
    return data::Table(rows, {{"text", tokenizer.get()}}, recipe.data.table, data::Keep::tokens_and_text);
  };
  const Sentences learnt = sentences_of(table_of(train));
  const bool characters = tokenizer->kind() == "char";
  std::vector<std::pair<std::string, NgramModel>> models;
  for (const int64_t order : characters ? std::vector<int64_t>{1, 5, 8} : std::vector<int64_t>{1, 3, 5})
    models.emplace_back(order == 1 ? "unigram" : str_cat(order, "-gram"),
                        NgramModel::fit(learnt, tokenizer->size(), {.order = order}));
  std::vector<BaselineScores> out;
  for (const auto& [name, rows] : sets) {
    const data::Table table = table_of(rows);
    const TextCounts counts = LanguageText(table).counts;
    const Sentences text = sentences_of(table);
    for (const auto& [method, model] : models)
      out.push_back({method, name, language_scores(model.score(text).nats, counts, "|smoothing:modified-kneser-ney")});
  }
  return out;
}

}  // namespace lookback::tasks

#include "lookback/tasks/classify.h"

#include <algorithm>
#include <numeric>

#include "lookback/base/elementary.h"
#include "lookback/base/utf8.h"
#include "lookback/io/atomic_file.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/task_definition.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

Classify::Network make(const Classify::Recipe& recipe, std::shared_ptr<data::Tokenizer> tokenizer,
                       std::shared_ptr<data::Labels> labels) {
  tokenizer->set_sampling(recipe.tokenizer.sampling);
  Classify::Network out{.config = {.vocabulary = tokenizer->size(), .labels = labels->names(), .model = recipe.model}};
  out.model = std::make_unique<Classifier>(recipe.model, tokenizer->size(), labels->size(), seed_of(recipe.train));
  out.tokenizer = std::move(tokenizer), out.labels = std::move(labels);
  return out;
}

std::string text_of(const Input& input) {
  const std::string* const text = input.find("text");
  check<ConfigError>(text, "input ", input.line, ": has no field 'text'");
  return with_replacements(*text);
}

// What the networks say of one text.
struct Said {
  std::vector<double> probabilities;  // of each label, the mean over networks
  Tensor weights;                     // [hops, tokens] the mean over networks; empty without attention
};

void add_softmax(const std::vector<float>& logits, std::vector<double>& to) {
  std::vector<double> p(logits.begin(), logits.end());
  elementary::softmax(p);
  for (size_t k = 0; k < p.size(); ++k) to[k] += p[k];
}

std::vector<Said> ask(Classify::Networks networks, const std::vector<data::Ids>& texts,
                      const Classify::Options& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](size_t k) { return texts[k].size(); });
  std::vector<Said> out(texts.size());
  for (size_t first = 0; first < order.size(); first += static_cast<size_t>(options.batch)) {
    const size_t last = std::min(order.size(), first + static_cast<size_t>(options.batch));
    std::vector<data::Ids> batch;
    for (size_t k = first; k < last; ++k) batch.push_back(texts[order[k]]);
    for (const Classify::Network* const network : networks) {
      const auto scores = network->model->score(batch);
      for (size_t k = first; k < last; ++k) {
        Said& said = out[order[k]];
        said.probabilities.resize(network->config.labels.size());
        add_softmax(scores[k - first].logits, said.probabilities);
        const Tensor& weights = scores[k - first].weights;
        if (said.weights.empty() || said.weights.shape() != weights.shape()) {
          said.weights = weights.empty() ? weights : weights.clone();
        } else {
          for (int64_t i = 0; i < weights.size(); ++i) said.weights.data<float>()[i] += weights.data<float>()[i];
        }
      }
    }
  }
  const auto n = static_cast<double>(networks.size());
  for (Said& said : out) {
    for (double& p : said.probabilities) p /= n;
    if (networks.size() > 1 && !said.weights.empty())
      for (float& w : said.weights.span<float>()) w /= static_cast<float>(n);
  }
  return out;
}

// Labels from the most probable on, equals in their own order.
std::vector<std::pair<std::string, double>> ranked(const Classify::Network& network, const Said& said) {
  std::vector<std::pair<std::string, double>> out;
  for (size_t k = 0; k < said.probabilities.size(); ++k)
    out.emplace_back(network.labels->name(static_cast<int32_t>(k)), said.probabilities[k]);
  std::ranges::stable_sort(out, std::greater(), [](const auto& label) { return label.second; });
  return out;
}

StringList pieces_of(const data::Tokenizer& tokenizer, const data::Ids& ids) {
  StringList out;
  for (const int32_t id : ids) out.push_back(tokenizer.piece(id));
  return out;
}

}  // namespace

void Classify::Network::check_ensemble(const Network& other, const std::string& folder,
                                       const std::string& other_folder) const {
  check<FormatError>(tokenizer->bytes() == other.tokenizer->bytes() && config.labels == other.config.labels,
                     other_folder, ": its tokenizer or its labels are not those of ", folder,
                     "; an ensemble needs the same");
}

StringList Classify::Network::save(const std::string& folder) const {
  Config written = config;
  io::write_file_atomic(folder + "/config.json", io::write_json_fields(fields_of(written)));
  return {"config.json", save_tokenizer(*tokenizer, folder)};
}

Classify::Network Classify::Network::open(const io::ModelFolder& folder) {
  const std::string file = folder.path() + "/config.json";
  Network out;
  read_fields(folder.open("config.json"), fields_of(out.config));
  out.tokenizer = load_tokenizer(folder);
  check<FormatError>(out.tokenizer->size() == out.config.vocabulary, file, ": a vocabulary of ", out.config.vocabulary,
                     ", but the tokenizer has ", out.tokenizer->size());
  out.labels = std::make_shared<data::Labels>(out.config.labels, file);
  try {
    out.model =
        std::make_unique<Classifier>(out.config.model, out.config.vocabulary, out.labels->size(), Classifier::kNoInit);
  } catch (const ConfigError& e) {
    throw FormatError(file + ": " + e.what());
  }
  return out;
}

void Classify::validate(const Recipe& recipe) {
  check<ConfigError>(recipe.tokenizer.joint, "tokenizer.joint = false is for tasks of two texts; there is one here");
  check<ConfigError>(recipe.data.table.max_ratio == 0, "data.max_ratio = ", recipe.data.table.max_ratio,
                     " compares two texts; there is one here");
  recipe.loss.check_with(recipe.model);
  // Built small and thrown away: names the options that do not go together before any data is read.
  Classifier small(recipe.model, data::kSpecials, 2, Classifier::kNoInit);
  train::freeze(params_of(small), recipe.train.options.freeze);
}

Classify::Network Classify::learn(const Recipe& recipe, const data::RowSource& rows, const LogSink& log) {
  const auto lines = [&](size_t column) { return data::column_lines(rows, columns(), {column}, recipe.data.table); };
  auto labels = std::make_shared<data::Labels>(data::Labels::learn(lines(1), "data.train"));
  std::shared_ptr<data::Tokenizer> tokenizer = data::train_tokenizer(recipe.tokenizer, lines(0), log);
  log(Severity::info,
      str_cat("tokenizer: ", recipe.tokenizer.kind, ", ", tokenizer->size(), " entries; labels: ", labels->size()));
  return make(recipe, std::move(tokenizer), std::move(labels));
}

Classify::Network Classify::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log) {
  Config config;
  read_fields(folder.open("config.json"), fields_of(config));
  log(Severity::info, "tokenizer and labels: those of " + folder.path());
  return make(recipe, load_tokenizer(folder),
              std::make_shared<data::Labels>(config.labels, folder.path() + "/config.json"));
}

StringList Classify::example(const Network& network, const data::Table& table, int64_t k, uint64_t seed) {
  std::string text = "  text:";
  for (const int32_t id : table.ids(0, k, seed, 0)) text += " " + viz::one_line(network.tokenizer->piece(id));
  return {text, "  label: " + viz::one_line(network.labels->name(table.ids(1, k)[0]))};
}

Classify::Loss Classify::loss(const Network& network, const Recipe& recipe, data::Batch batch, double scale,
                              Noise* noise) {
  ClassifierBatch texts{.texts = std::move(batch.columns[0]), .labels = {}};
  for (const data::Ids& label : batch.columns[1]) texts.labels.push_back(label[0]);
  const auto loss = network.model->loss(texts, recipe.loss, scale, noise);
  return {loss.loss,
          {.loss = loss.loss_sum,
           .units = std::ssize(texts.labels),
           .sums = {{"nll", loss.nll_sum}, {"correct", static_cast<double>(loss.correct)}}}};
}

Classify::Options Classify::validation_options(const Recipe& recipe) {
  Options out;
  out.batch = recipe.valid.batch, out.precision = recipe.train.options.precision;
  return out;
}

void Classify::check_options(Networks, const Options& options, const LogSink& log) {
  if (const std::string warning = ops::precision_warning(options.precision); !warning.empty())
    log(Severity::warning, warning);
}

std::vector<Prediction> Classify::predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                          TaskModel::Detail detail) {
  const Network& network = *networks[0];
  std::vector<data::Ids> texts;
  for (const Input& input : inputs) texts.push_back(network.tokenizer->encode(text_of(input)));
  const std::vector<Said> said = ask(networks, texts, options);
  std::vector<Prediction> out(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    out[k].line = inputs[k].line;
    for (const auto& [label, p] : ranked(network, said[k]))
      out[k].outputs.push_back({.text = label, .score = p, .log_prob = elementary::log(p)});
    if (detail == TaskModel::Detail::text_only) continue;
    std::string weights = "[";
    for (int64_t hop = 0; !said[k].weights.empty() && hop < said[k].weights.dim(0); ++hop)
      weights += (hop ? ", " : "") + io::json_list(said[k].weights.rows(hop, hop + 1).span<float>(),
                                                   [](float x) { return io::json_number(x); });
    out[k]
        .details.raw("tokens", io::json_list(pieces_of(*network.tokenizer, texts[k]), io::json_quote))
        .raw("weights", weights + "]");
  }
  return out;
}

viz::Figure Classify::explain(Networks networks, const Input& input, const Options& options) {
  const Network& network = *networks[0];
  const data::Ids ids = network.tokenizer->encode(text_of(input));
  const Said said = ask(networks, {ids}, options)[0];
  const auto labels = ranked(network, said);
  return viz::Highlight{.words = {"text", pieces_of(*network.tokenizer, ids)},
                        .weights = said.weights,
                        .title = text_of(input) + " → " + labels[0].first,
                        .probabilities = labels};
}

std::string Classify::steps(Networks, const Input&, const Options&) {
  throw ConfigError("explain: --steps follows a decoder, and a model of task classify has none");
}

TaskKind classify_kind() { return task_kind<Classify>(); }

}  // namespace lookback::tasks

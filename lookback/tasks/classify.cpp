#include "lookback/tasks/classify.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "lookback/base/elementary.h"
#include "lookback/base/parse.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/safetensors.h"
#include "lookback/ops/precision.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/label_report.h"
#include "lookback/tasks/task_definition.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

using data::Ids;

constexpr int64_t kTokensAtOnce = 65'536;  // in prediction, unless one text alone has more
constexpr const char* kEvidenceFile = "naive_bayes.safetensors";
constexpr double kLeastProbability = 0.5;  // of a label that is there, of several

Classifier::Sizes sizes_of(const Classify::Network& n) {
  return {.vocabulary = n.tokenizer->size(),
          .characters = n.spelling ? n.spelling->characters() : 0,
          .classes = n.labels->count(),
          .several = n.labels->options().several};
}

Classify::Network make(const Classify::Recipe& recipe, std::shared_ptr<data::Tokenizer> tokenizer,
                       std::shared_ptr<data::Labels> labels, std::shared_ptr<data::Spelling> spelling) {
  tokenizer->set_sampling(recipe.tokenizer.sampling);
  Classify::Network out{.config = {.vocabulary = tokenizer->size(),
                                   .labels = labels->labels(),
                                   .label = labels->options(),
                                   .beside = recipe.beside,
                                   .model = recipe.model},
                        .tokenizer = std::move(tokenizer),
                        .labels = std::move(labels),
                        .spelling = std::move(spelling)};
  if (out.spelling) out.config.characters = out.spelling->alphabet();
  out.model = std::make_unique<Classifier>(recipe.model, sizes_of(out), seed_of(recipe.train));
  return out;
}

// What the networks say of one text.
struct Said {
  Ids tokens;
  std::vector<int64_t> sentences;     // tokens of each, of a hierarchical model
  std::vector<double> probabilities;  // [labels] the mean over networks
  Tensor weights, sentence_weights;   // of a mean over networks; empty without attention
};

std::vector<double> probabilities_of(const std::vector<float>& logits, const Ids& tokens,
                                     const Classify::Network& network) {
  const Classify::Config& config = network.config;
  std::vector<double> out(logits.begin(), logits.end());
  for (double& z : out) z /= config.temperature;
  if (config.share > 0) {
    const std::vector<double> evidence = network.evidence->of(tokens);
    for (size_t k = 0; k < out.size(); ++k) out[k] += config.share * evidence[k];
  }
  if (!config.label.several) return elementary::softmax(out), out;
  for (double& z : out) z = 1 / (1 + elementary::exp(-z));
  return out;
}

// sum += x / n
void add_probabilities(std::vector<double>& sum, const std::vector<double>& x, size_t n) {
  sum.resize(x.size());
  for (size_t k = 0; k < x.size(); ++k) sum[k] += x[k] / static_cast<double>(n);
}

std::vector<Said> ask(Classify::Networks networks, const std::vector<std::string>& texts,
                      const Classify::Options& options) {
  const PrecisionScope scope(ops::available_precision(options.precision));
  std::vector<Ids> tokens, spellings;
  std::vector<int32_t> costs;
  const Classify::Network& first = *networks[0];
  for (const std::string& text : texts) {
    tokens.push_back(first.tokenizer->encode(text));
    if (first.spelling) spellings.push_back(first.spelling->encode(text));
    costs.push_back(static_cast<int32_t>(tokens.back().size()));
  }
  const NestedTexts all = first.texts(std::move(tokens), std::move(spellings));
  std::vector<Said> out(texts.size());
  for (const auto& batch : data::costliest_first(costs, options.batch, kTokensAtOnce)) {
    const NestedTexts now = all.chosen(batch);
    for (const Classify::Network* const network : networks) {
      const auto scores = network->model->score(now);
      for (size_t k = 0; k < batch.size(); ++k) {
        Said& said = out[static_cast<size_t>(batch[k])];
        add_probabilities(said.probabilities, probabilities_of(scores[k].logits, now.tokens[k], *network),
                          networks.size());
        add_part(said.weights, scores[k].weights, networks.size());
        add_part(said.sentence_weights, scores[k].sentence_weights, networks.size());
      }
    }
  }
  for (size_t k = 0; k < out.size(); ++k) {
    out[k].tokens = all.tokens[k];
    if (!all.parts.empty()) out[k].sentences = all.parts[k];
  }
  return out;
}

// The labels that the networks would give.
std::vector<int32_t> chosen(const data::Labels& labels, const Said& said) {
  const auto& p = said.probabilities;
  if (!labels.options().several)
    return {static_cast<int32_t>(std::ranges::max_element(p) - p.begin())};  // of equals the first, as in ranked
  std::vector<int32_t> out;
  for (size_t k = 0; k < p.size(); ++k)
    if (p[k] >= kLeastProbability) out.push_back(static_cast<int32_t>(k));
  return out;
}

std::vector<std::string> texts_of(std::span<const Input> inputs) {
  std::vector<std::string> out;
  for (const Input& input : inputs) out.push_back(required_text(input, "text"));
  return out;
}

// The mean over hops.
Tensor mean_row(const Tensor& x) {
  Tensor out = Tensor::zeros({x.dim(1)});
  for (int64_t i = 0; i < x.size(); ++i)
    out.data<float>()[i % x.dim(1)] += x.data<float>()[i] / static_cast<float>(x.dim(0));
  return out;
}

// One output for each label or, where a text may have several, one for all, as probable as
// the answers about each label together, were these independent.
std::vector<Output> outputs_of(const data::Labels& labels, const Said& said) {
  std::vector<Output> out;
  if (!labels.options().several) {
    for (const auto& [label, p] : ranked(labels, said.probabilities))
      out.push_back({.text = label, .score = p, .log_prob = elementary::log(p)});
    return out;
  }
  double sure = 1;
  for (const double p : said.probabilities) sure *= std::max(p, 1 - p);
  out.push_back({.text = labels.text(chosen(labels, said)), .score = sure, .log_prob = elementary::log(sure)});
  return out;
}

io::JsonObject details_of(const Classify::Network& network, const Said& said) {
  io::JsonObject out;
  out.raw("tokens", io::json_list(network.tokenizer->pieces(said.tokens), io::json_quote))
      .raw("weights", io::json_matrix(said.weights));
  if (network.config.model.hierarchical)
    out.raw("sentences", io::json_list(said.sentences, [](int64_t n) { return std::to_string(n); }))
        .raw("sentence_weights", io::json_matrix(said.sentence_weights));
  if (network.labels->options().several)
    out.raw("probabilities", io::json_list(ranked(*network.labels, said.probabilities), [](const auto& label) {
              return io::JsonObject().add("label", label.first).add("probability", label.second).text();
            }));
  return out;
}

// loss.class_weights as numbers, for the labels of a table.
std::vector<double> class_weights(const StringList& given, const data::Labels& labels, const data::Table& table) {
  const auto K = static_cast<size_t>(labels.count());
  if (given.empty()) return {};
  std::vector<double> out(K, 1);
  if (given == StringList{"balanced"}) {
    std::vector<double> counts(K);
    for (int64_t n = 0; n < table.size(); ++n)
      for (const int32_t k : table.ids(1, n))
        if (k < labels.count()) ++counts[static_cast<size_t>(k)];
    const auto N = static_cast<double>(table.size());
    for (size_t k = 0; k < K; ++k)
      if (counts[k] > 0)
        out[k] = labels.options().several ? (N - counts[k]) / counts[k] : N / (static_cast<double>(K) * counts[k]);
    return out;
  }
  for (const std::string& one : given) {
    const size_t equals = one.rfind('=');
    const std::string label = one.substr(0, equals);
    const auto at = std::ranges::find(labels.labels(), label);
    const double weight =
        parse_number<double>(equals == std::string::npos ? "" : std::string_view(one).substr(equals + 1)).value_or(0);
    check<ConfigError>(weight > 0 && std::isfinite(weight), "loss.class_weights: '", one,
                       "' is not LABEL=WEIGHT with a weight above 0; or say \"balanced\" alone");
    check<ConfigError>(at != labels.labels().end(), "loss.class_weights: training has no label '", label, "'",
                       nearest_match(label, labels.labels()));
    out[static_cast<size_t>(at - labels.labels().begin())] = weight;
  }
  return out;
}

// Rows of a table as a model reads them.
ClassifierBatch as_read(const Classify::Network& network, data::Batch batch) {
  ClassifierBatch out{.texts = network.texts(std::move(batch.columns[0]),
                                             network.spelling ? std::move(batch.columns[2]) : std::vector<Ids>()),
                      .labels = std::move(batch.columns[1])};
  for (Ids& labels : out.labels)
    if (network.labels->options().several) labels.pop_back();  // the mark of the end
  return out;
}

bool ends_so(const std::string& piece, const StringList& ends) {
  return std::ranges::any_of(ends, [&](const std::string& end) { return !end.empty() && piece.ends_with(end); });
}

LabelledOutputs labelled_outputs(const data::Labels& labels, const std::vector<Said>& said,
                                 const metrics::Lines& references) {
  LabelledOutputs out{labels, {}, {}, {}};
  for (size_t k = 0; k < said.size(); ++k) {
    out.gold.push_back(gold_of(labels, references[k]));
    out.predicted.push_back(chosen(labels, said[k]));
    out.probabilities.insert(out.probabilities.end(), said[k].probabilities.begin(), said[k].probabilities.end());
  }
  return out;
}

}  // namespace

void Classify::Network::check_ensemble(const Network& other, const std::string& folder,
                                       const std::string& other_folder) const {
  const auto same_form = [](const Config& a, const Config& b) {
    return a.labels == b.labels && a.label.several == b.label.several && a.label.separator == b.label.separator &&
           a.label.names == b.label.names && a.characters == b.characters &&
           a.model.hierarchical == b.model.hierarchical && a.model.sentences.ends == b.model.sentences.ends;
  };
  check<FormatError>(tokenizer->bytes() == other.tokenizer->bytes() && same_form(config, other.config), other_folder,
                     ": its tokenizer, its labels or its sentences are not those of ", folder,
                     "; an ensemble needs the same");
}

StringList Classify::Network::save(const std::string& folder) const {
  StringList out{save_options(folder, "config.json", config), save_tokenizer(*tokenizer, folder)};
  if (evidence) {
    const std::vector<io::NamedTensor> tensors{{"features", evidence->features()}, {"log_odds", evidence->log_odds()}};
    io::write_safetensors(folder + "/" + kEvidenceFile, tensors);
    out.emplace_back(kEvidenceFile);
  }
  return out;
}

Classify::Network Classify::Network::open(const io::ModelFolder& folder) {
  const std::string file = folder.path() + "/config.json";
  Network out;
  read_fields(folder.open("config.json"), fields_of(out.config));
  out.tokenizer = load_tokenizer(folder);
  check_vocabulary(folder, *out.tokenizer, out.config.vocabulary);
  try {
    out.labels = std::make_shared<data::Labels>(out.config.labels, out.config.label, file);
    if (out.config.model.front.spelling.any())
      out.spelling = std::make_shared<data::Spelling>(out.tokenizer, out.config.characters, file);
    out.model = std::make_unique<Classifier>(out.config.model, sizes_of(out), Classifier::kNoInit);
    if (out.config.beside.kind != "none") {
      const io::SafetensorsFile counted(folder.open(kEvidenceFile));
      try {
        out.evidence.emplace(counted.load("features"), counted.load("log_odds"));
      } catch (const ShapeError& e) {
        throw FormatError(counted.path() + ": " + e.what());
      }
      check<FormatError>(out.evidence->classes() == out.labels->count(), counted.path(), ": evidence of ",
                         out.evidence->classes(), " labels; the model has ", out.labels->count());
    }
  } catch (const ConfigError& e) {
    throw FormatError(file + ": " + e.what());
  }
  return out;
}

NestedTexts Classify::Network::texts(std::vector<Ids> tokens, std::vector<Ids> spellings) const {
  NestedTexts out{.tokens = std::move(tokens), .spellings = std::move(spellings)};
  if (!config.model.hierarchical) return out;
  for (const Ids& text : out.tokens) {
    auto& sentences = out.parts.emplace_back();
    bool ended = true;
    for (const int32_t id : text) {
      const bool ends = ends_so(tokenizer->piece(id), config.model.sentences.ends);
      if (ended && !ends) sentences.push_back(0);
      if (sentences.empty()) sentences.push_back(0);
      ++sentences.back();
      ended = ends;
    }
  }
  return out;
}

void Classify::validate(const Recipe& recipe) {
  check<ConfigError>(recipe.tokenizer.joint, "tokenizer.joint = false is for tasks of two texts; there is one here");
  check<ConfigError>(recipe.data.table.max_ratio == 0, "data.max_ratio = ", recipe.data.table.max_ratio,
                     " compares two texts; there is one here");
  check_spelling(recipe.model.front.spelling, recipe.tokenizer);
  check<ConfigError>(!recipe.label.several || recipe.valid.metric != "mcc",
                     "valid.metric = 'mcc' is of one label for each example; with label.several = true take micro_f1");
  check_vectors(recipe.vectors, recipe.tokenizer, "vectors");
  recipe.loss.check_with(recipe.model);
  // Built small and thrown away: names the options that do not go together before any data is read.
  Classifier small(recipe.model, {.vocabulary = data::kSpecials, .characters = 1, .classes = 2}, Classifier::kNoInit);
  train::freeze(params_of(small), recipe.train.options.freeze);
}

Classify::Network Classify::learn(const Recipe& recipe, const data::RowSource& rows, const std::string& root,
                                  const LogSink& log) {
  const auto lines = [&](size_t column) { return data::column_lines(rows, columns(), {column}, recipe.data.table); };
  auto labels = std::make_shared<data::Labels>(data::Labels::learn(lines(1), recipe.label, "data.train"));
  std::shared_ptr<data::Tokenizer> tokenizer = data::train_tokenizer(recipe.tokenizer, lines(0), log);
  tokenizer = with_words_of(recipe.vectors, std::move(tokenizer), root);
  std::shared_ptr<data::Spelling> spelling;
  if (recipe.model.front.spelling.any())
    spelling = std::make_shared<data::Spelling>(data::Spelling::learn(lines(0), tokenizer));
  log(Severity::info,
      str_cat("tokenizer: ", recipe.tokenizer.kind, ", ", tokenizer->size(), " entries",
              spelling ? str_cat(", ", spelling->characters(), " characters") : "", "; labels: ", labels->count()));
  Network out = make(recipe, std::move(tokenizer), std::move(labels), std::move(spelling));
  start_from_vectors(recipe.vectors, *out.tokenizer, out.model->embeddings(), "model.embedding", root, log);
  return out;
}

Classify::Network Classify::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log) {
  const std::string file = folder.path() + "/config.json";
  Config config;
  read_fields(folder.open("config.json"), fields_of(config));
  check<ConfigError>(config.label.several == recipe.label.several, "label.several = ", recipe.label.several,
                     ", but the model in ", folder.path(), " has it otherwise");
  log(Severity::info, "tokenizer and labels: those of " + folder.path());
  const auto tokenizer = load_tokenizer(folder);
  const auto spelling = known_spelling(recipe.model.front.spelling, tokenizer, config.characters, file);
  return make(recipe, tokenizer, std::make_shared<data::Labels>(config.labels, recipe.label, file), spelling);
}

void Classify::learn_from(Network& network, const Recipe& recipe, const data::Table& table) {
  network.class_weights = class_weights(recipe.loss.class_weights, *network.labels, table);
  if (recipe.beside.kind == "none") return;
  Sentences texts, labels;
  for (int64_t k = 0; k < table.size(); ++k) {
    texts.push_back(table.ids(0, k)), labels.push_back(table.ids(1, k));
    if (network.labels->options().several) labels.back().pop_back();  // the mark of the end
  }
  network.evidence = TokenEvidence::learn(texts, labels, network.labels->count());
}

std::vector<data::Column> Classify::columns(const Network& n) {
  std::vector<data::Column> out{{"text", n.tokenizer.get()}, {"label", n.labels.get()}};
  if (n.spelling) out.push_back({"text", n.spelling.get()});
  return out;
}

StringList Classify::example(const Network& network, const data::Table& table, int64_t k, uint64_t seed) {
  std::string text = "  text:";
  for (const int32_t id : table.ids(0, k, seed, 0)) text += " " + viz::one_line(network.tokenizer->piece(id));
  Ids labels = table.ids(1, k);
  if (network.labels->options().several) labels.pop_back();
  return {text, "  label: " + viz::one_line(network.labels->text(labels))};
}

Loss Classify::loss(const Network& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise) {
  const ClassifierBatch texts = as_read(network, std::move(batch));
  ClassifierObjective objective = recipe.loss;
  objective.class_weights = network.class_weights;
  const auto loss = network.model->loss(texts, objective, scale, noise);
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

void Classify::check_options(Networks, const Options& options, const LogSink& log) { options.check_precision(log); }

std::vector<Prediction> Classify::predict(Networks networks, std::span<const Input> inputs, const Options& options,
                                          TaskModel::Detail detail) {
  const Network& network = *networks[0];
  const std::vector<Said> said = ask(networks, texts_of(inputs), options);
  std::vector<Prediction> out(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k) {
    out[k].line = inputs[k].line;
    out[k].outputs = outputs_of(*network.labels, said[k]);
    if (detail == TaskModel::Detail::full) out[k].details = details_of(network, said[k]);
  }
  return out;
}

viz::Figure Classify::explain(Networks networks, const Input& input, const Options& options) {
  const Network& network = *networks[0];
  const Said said = ask(networks, {required_text(input, "text")}, options)[0];
  viz::Highlight out{.words = {"text", network.tokenizer->pieces(said.tokens)},
                     .weights = said.weights,
                     .title = required_text(input, "text") + " → " + outputs_of(*network.labels, said)[0].text,
                     .probabilities = ranked(*network.labels, said.probabilities)};
  if (!said.sentence_weights.empty()) out.parts = said.sentences, out.part_weights = mean_row(said.sentence_weights);
  return out;
}

std::string Classify::steps(Networks, const Input&, const Options&) {
  throw ConfigError("explain: --steps follows a decoder, and a model of task classify has none");
}

std::vector<EvaluationLine> Classify::scores(const Network& network, const StringList& names,
                                             const metrics::Lines& hypotheses, metrics::Lines references,
                                             int64_t resamples) {
  for (std::string& reference : references) reference = network.labels->as_output(reference);
  return scored(names, hypotheses, references, resamples, metric_options(network.labels->options()));
}

EvaluationReport Classify::report(Networks networks, const Examples& examples, const Options& options,
                                  int64_t resamples) {
  const Network& network = *networks[0];
  const data::Labels& labels = *network.labels;
  const std::vector<Said> said = ask(networks, texts_of(examples.inputs), options);
  const LabelledOutputs outputs = labelled_outputs(labels, said, examples.references);
  metrics::Lines hypotheses;
  for (const auto& ids : outputs.predicted) hypotheses.push_back(labels.text(ids));
  EvaluationReport out{scores(network, metrics(network), hypotheses, examples.references, resamples),
                       text_by_label(outputs)};
  for (EvaluationLine& line : probability_scores(outputs, resamples)) out.lines.push_back(std::move(line));
  if (!labels.options().several) out.figure = confusion_figure(outputs);
  return out;
}

void Classify::finish(Network& network, const data::Table& valid, const LogSink& log) {
  std::vector<std::vector<int32_t>> gold;
  std::vector<double> logits, evidence;
  for (const auto& index : data::costliest_first(costs(valid), 64, kTokensAtOnce)) {
    ClassifierBatch batch = as_read(network, valid.batch(index));
    std::ranges::move(batch.labels, std::back_inserter(gold));
    for (const auto& scores : network.model->score(batch.texts))
      logits.insert(logits.end(), scores.logits.begin(), scores.logits.end());
    for (size_t k = 0; network.evidence && k < index.size(); ++k)
      std::ranges::copy(network.evidence->of(batch.texts.tokens[k]), std::back_inserter(evidence));
  }
  if (network.evidence) {
    const Blend blend = fitted_blend(*network.labels, gold, logits, evidence);
    network.config.temperature = blend.temperature, network.config.share = blend.share;
    log(Severity::info, str_cat("share of naive Bayes, by the validation data: ", blend.share));
  } else {
    network.config.temperature = std::clamp(fitted_temperature(*network.labels, gold, logits), 1e-3, 1e3);
  }
  log(Severity::info,
      str_cat("temperature of the probabilities, by the validation data: ", network.config.temperature));
}

TaskKind classify_kind() { return task_kind<Classify>(); }

}  // namespace lookback::tasks

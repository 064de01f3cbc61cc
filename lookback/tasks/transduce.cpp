#include "lookback/tasks/transduce.h"

#include <algorithm>
#include <tuple>

#include "lookback/base/utf8.h"
#include "lookback/tasks/input.h"
#include "lookback/tasks/task_definition.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

// Columns of a table or a batch: source, features where there are any, target.
constexpr size_t kSource = 0, kFeatures = 1;
size_t target_of(const data::Table& table) { return table.report().tokens.size() - 1; }

data::TokenizerOptions tokenizer_options(const Transduce::TargetGroup& symbols) {
  data::TokenizerOptions out{.kind = symbols.kind, .size = 1'000'000, .joint = false, .min_count = symbols.min_count};
  out.normalization = "identity", out.split = "space";
  return out;
}

data::TokenizerOptions tokenizer_options(const Transduce::SourceGroup& symbols) {
  data::TokenizerOptions out = tokenizer_options(static_cast<const Transduce::TargetGroup&>(symbols));
  out.lowercase = symbols.lowercase, out.normalization = symbols.normalization;
  return out;
}

// What is left of the lines. Throws FormatError if that is nothing.
data::LineSource left_of(data::LineSource lines, const data::Removal& removal) {
  auto any = std::make_shared<bool>(false);
  return [lines = std::move(lines), removal, any](std::string& line) {
    if (!lines(line)) {
      check<FormatError>(*any || removal.pattern().empty(), "data.target_remove = '", removal.pattern(),
                         "' leaves nothing of any target");
      return false;
    }
    line = valid_utf8(line) ? removal(line) : "";
    *any = *any || line.find_first_not_of(" \t") != std::string::npos;
    return true;
  };
}

// What a model is made of beside its weights: tokenizers as they are saved, and the names of features.
struct Known {
  Tokenizers tokenizers;
  StringList features;
};

// With what the recipe says of features and targets.
TextToText wrapped(const Transduce::Recipe& recipe, Known known, const std::string& origin) {
  TextToText out{.tokenizers = std::move(known.tokenizers)};
  out.config.joint = false;
  out.config.features = std::move(known.features);
  out.config.feature_separator = recipe.data.feature_separator;
  out.config.target_remove = recipe.data.target_remove;
  out.wrap_tokenizers(origin);
  return out;
}

}  // namespace

Transduce::Sources Transduce::sources_of(const Examples& examples, const data::Removal& removal) {
  Sources out;
  std::map<std::map<std::string, std::string>, size_t> places;
  for (size_t k = 0; k < examples.inputs.size(); ++k) {
    const auto [at, is_new] = places.emplace(examples.inputs[k].fields, out.inputs.size());
    if (is_new) {
      Input& input = out.inputs.emplace_back(examples.inputs[k]);
      input.line = std::ssize(out.inputs);
      out.references.lines.emplace_back();
    }
    metrics::Lines& right = out.references.lines[at->second];
    std::string reference = removal(examples.references[k]);
    if (std::ranges::find(right, reference) == right.end()) right.push_back(std::move(reference));
  }
  return out;
}

std::vector<data::Column> Transduce::columns(const TextToText& network) {
  std::vector<data::Column> out = network.tokenizers.columns();
  if (network.features) {
    out[kSource].encoder = &network.features->texts();
    out.insert(out.begin() + kFeatures, {"features", &network.features->features()});
  }
  add_copies(network, out);
  return out;
}

std::vector<InputField> Transduce::input_fields(const TextToText& network) {
  auto out = input_fields();
  if (network.features)
    out.insert(out.begin() + 1,
               {"features", str_cat("what the output should be, ", joined(network.config.features).substr(0, 60),
                                    " ..., with '", network.config.feature_separator, "' between")});
  return out;
}

std::vector<int32_t> Transduce::costs(const data::Table& table) {
  return TextToTextTask::costs(table, target_of(table));
}

std::vector<std::vector<int32_t>> Transduce::keys(const data::Table& table) {
  std::vector<int32_t> sources = table.lengths(kSource);
  if (target_of(table) > kFeatures) {
    const std::vector<int32_t> features = table.lengths(kFeatures);
    for (size_t k = 0; k < sources.size(); ++k) sources[k] += features[k];
  }
  return {table.lengths(target_of(table)), std::move(sources)};
}

int64_t Transduce::units(const data::Batch& batch) { return batch.tokens(batch.cells - 1) + std::ssize(batch.index); }

StringList Transduce::example(const TextToText& network, const data::Table& table, int64_t k, uint64_t seed) {
  return TextToTextTask::example(network, table, k, seed, columns_of(network));
}

void Transduce::validate(const Recipe& recipe) {
  const DataGroup& data = recipe.data;
  recipe.decode.validate();
  data::Removal(data.target_remove, "data.target_remove");
  check<ConfigError>(!data.feature_separator.empty(), "data.feature_separator is empty");
  check<ConfigError>(data.features || data.feature_separator == DataGroup().feature_separator,
                     "data.feature_separator = '", data.feature_separator, "' needs data.features = true");
  check<ConfigError>(!data.features || data.table.max_ratio == 0, "data.max_ratio = ", data.table.max_ratio,
                     " compares two texts; with data.features = true there are three");
  check<ConfigError>(recipe.model.tie != "all",
                     "model.tie = 'all' needs one vocabulary for both sides; task transduce has one for each");
  check<ConfigError>(!recipe.model.spelling.any(),
                     "model.characters and model.capitals are of words; task transduce reads symbols");
  check_network(recipe.model, recipe.loss, recipe.train.options.freeze);
}

TextToText Transduce::make_with(const Recipe& recipe, const TextToText& around) {
  TextToText out = make(kName, recipe.model, recipe.decode, data::TokenizerOptions(), {around.tokenizers, nullptr},
                        seed_of(recipe.train));
  out.config.features = around.config.features;
  out.config.feature_separator = around.config.feature_separator;
  out.config.target_remove = around.config.target_remove;
  out.features = around.features;
  out.wrap_sources();
  return out;
}

TextToText Transduce::learn(const Recipe& recipe, const data::RowSource& rows, const std::string&, const LogSink& log) {
  const StringList names = columns_of(recipe);
  const auto lines = [&](size_t column) { return data::column_lines(rows, names, {column}, recipe.data.table); };
  const data::Removal removal(recipe.data.target_remove, "data.target_remove");
  Known known;
  known.tokenizers.source = data::train_tokenizer(tokenizer_options(recipe.tokenizer.source), lines(kSource), log);
  known.tokenizers.target =
      data::train_tokenizer(tokenizer_options(recipe.tokenizer.target), left_of(lines(names.size() - 1), removal), log);
  if (recipe.data.features) {
    known.features = data::FeatureSymbols::learn(lines(kFeatures), recipe.data.feature_separator);
    check<FormatError>(!known.features.empty(), "data.train: the column of features is empty in every row");
  }
  log(Severity::info, str_cat("symbols: ", known.tokenizers.source->size() - data::kSpecials, " of sources, ",
                              recipe.data.features ? str_cat(known.features.size(), " features, ") : "",
                              known.tokenizers.target->size() - data::kSpecials, " of targets"));
  return make_with(recipe, wrapped(recipe, std::move(known), "data.train"));
}

TextToText Transduce::with_assets_of(const io::ModelFolder& folder, const Recipe& recipe, const LogSink& log) {
  const std::string file = folder.path() + "/config.json";
  TextToTextConfig config;
  read_fields(folder.open("config.json"), fields_of(config));
  check<ConfigError>(config.features.empty() != recipe.data.features, file, ": that model reads ",
                     config.features.empty() ? "no features" : "features",
                     ", and this recipe has data.features = ", recipe.data.features ? "true" : "false");
  for (const auto& [key, theirs, ours] :
       {std::tuple("data.feature_separator", config.feature_separator, recipe.data.feature_separator),
        {"data.target_remove", config.target_remove, recipe.data.target_remove}})
    check<ConfigError>(theirs == ours, file, ": that model has ", key, " = '", theirs, "', and this recipe '", ours,
                       "'; its symbols go with its weights");
  Known known{.tokenizers = Tokenizers::load(folder, false), .features = config.features};
  for (const auto& [key, theirs, ours] :
       {std::tuple("tokenizer.source.kind", known.tokenizers.source->kind(), recipe.tokenizer.source.kind),
        {"tokenizer.target.kind", known.tokenizers.target->kind(), recipe.tokenizer.target.kind}})
    check<ConfigError>(theirs == ours, folder.path(), ": that model has ", key, " = '", theirs, "', and this recipe '",
                       ours, "'; its symbols go with its weights");
  log(Severity::info, "symbols: those of " + folder.path());
  return make_with(recipe, wrapped(recipe, std::move(known), file));
}

Loss Transduce::loss(const TextToText& network, const Recipe& recipe, data::Batch batch, double scale, Noise* noise) {
  std::vector<data::Ids>& sources = batch.columns[kSource];
  if (network.features) {
    for (size_t k = 0; k < sources.size(); ++k) {
      const data::Ids& features = batch.columns[kFeatures][k];
      sources[k].insert(sources[k].begin(), features.begin(), features.end());
      if (data::Ids& copies = batch.columns.back()[k]; network.extended)
        copies.insert(copies.begin(), features.size(), data::kPad);
    }
    batch.columns.erase(batch.columns.begin() + kFeatures);
  }
  return loss_of(network, recipe.loss, std::move(batch), scale, noise);
}

void Transduce::check_options(Networks networks, const TextOptions& options, const LogSink& log) {
  check<ConfigError>(options.shortlist == 0, "shortlist = ", options.shortlist,
                     ": a model of task transduce has none; its target symbols are few");
  TextToTextTask::check_options(networks, options, log);
}

std::vector<EvaluationLine> Transduce::scores(const StringList& names, const metrics::Lines& hypotheses,
                                              const metrics::SegmentReferences& references, int64_t resamples,
                                              const std::string& target_kind, const std::string& target_remove) {
  metrics::MetricOptions options;
  options.symbol.unit = target_kind;
  auto out = scored(names, hypotheses, references, resamples, options);
  for (EvaluationLine& line : out)
    if (!target_remove.empty()) line.signature = "removed:" + target_remove + "|" + line.signature;
  return out;
}

void Transduce::score_outputs(const TextToText& network, const Recipe& recipe, const data::Table& valid,
                              train::Validation& out) {
  if (recipe.valid.metric == "none") return;
  const std::string& remove = network.config.target_remove;
  Sources sources = sources_of(examples_of(valid, valid.size(), columns_of(network)), {remove, "target_remove"});
  if (const auto n = static_cast<size_t>(recipe.valid.lines); n > 0 && n < sources.inputs.size())
    sources.inputs.resize(n), sources.references.lines.resize(n);
  const TextToText* const one = &network;
  const auto found = predict({&one, 1}, sources.inputs, validation_options(recipe), TaskModel::Detail::text_only);
  const metrics::Lines hypotheses = texts_of(found);
  out.scores[recipe.valid.metric] =
      scores({recipe.valid.metric}, hypotheses, sources.references, 0, network.tokenizers.target->kind(), remove)[0]
          .value;
  Examples shown{.inputs = std::move(sources.inputs), .references = {}};
  for (const metrics::Lines& right : sources.references.lines) shown.references.push_back(joined(right, " / "));
  add_samples(network, recipe, shown, hypotheses, out);
}

EvaluationReport Transduce::report(Networks networks, const Examples& examples, const TextOptions& options,
                                   int64_t resamples) {
  const TextToText& network = *networks[0];
  const std::string& remove = network.config.target_remove;
  const Sources sources = sources_of(examples, {remove, "target_remove"});
  const auto predictions = predict(networks, sources.inputs, options, TaskModel::Detail::text_only);
  return {scores(metrics(), texts_of(predictions), sources.references, resamples, network.tokenizers.target->kind(),
                 remove)};
}

TaskKind transduce_kind() { return task_kind<Transduce>(); }

}  // namespace lookback::tasks

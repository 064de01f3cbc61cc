#include "lookback/tasks/text_to_text.h"

#include <filesystem>

#include "lookback/data/removal.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/tasks/folder_parts.h"
#include "lookback/train/parameters.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

TextToTextConfig read_config(const io::ModelFolder& folder) {
  TextToTextConfig out;
  const io::File file = folder.open("config.json");
  for (const io::KeyValue& kv : io::read_json_fields(file)) out.model.segmented |= kv.path.starts_with("model.turns.");
  read_fields(file, fields_of(out));
  return out;
}

}  // namespace

StringList Tokenizers::save(const std::string& folder) const {
  if (joint()) return {save_tokenizer(*source, folder)};
  for (const char* place : {"/source", "/target"}) std::filesystem::create_directories(folder + place);
  return {save_tokenizer(*source, folder, "source/"), save_tokenizer(*target, folder, "target/")};
}

Tokenizers Tokenizers::learn(const data::TokenizerOptions& options, const data::RowSource& rows,
                             const data::TableOptions& table, const LogSink& log) {
  const auto one = [&](const std::vector<size_t>& columns) -> std::shared_ptr<data::Tokenizer> {
    return data::train_tokenizer(options, data::column_lines(rows, {"source", "target"}, columns, table), log);
  };
  if (!options.joint) return {one({0}), one({1})};
  const auto both = one({0, 1});
  return {both, both};
}

Tokenizers Tokenizers::load(const io::ModelFolder& folder, bool joint) {
  if (!joint) return {load_tokenizer(folder, "source/"), load_tokenizer(folder, "target/")};
  const auto both = load_tokenizer(folder);
  return {both, both};
}

void TextToText::check_ensemble(const TextToText& other, const std::string& folder,
                                const std::string& other_folder) const {
  check<FormatError>(
      tokenizers.source->bytes() == other.tokenizers.source->bytes() &&
          tokenizers.target->bytes() == other.tokenizers.target->bytes() &&
          config.characters == other.config.characters && config.features == other.config.features &&
          config.model.copy == other.config.model.copy && config.dialogue.turns == other.config.dialogue.turns &&
          config.dialogue.delexicalise == other.config.dialogue.delexicalise &&
          config.source_limit == other.config.source_limit &&
          config.feature_separator == other.config.feature_separator &&
          config.target_remove == other.config.target_remove,
      other_folder, ": its tokenizer, or whether it copies, is not as in ", folder, "; an ensemble needs the same");
}

void TextToText::wrap_tokenizers(const std::string& file) {
  const bool wraps = !config.features.empty() || !config.target_remove.empty();
  check<FormatError>(!wraps || !tokenizers.joint(), file,
                     ": features and target_remove are of two vocabularies, and joint = true has one");
  if (!config.features.empty())
    tokenizers.source = features =
        std::make_shared<data::FeatureTokenizer>(tokenizers.source, config.features, config.feature_separator, file);
  if (!config.target_remove.empty())
    tokenizers.target = std::make_shared<data::RemovingTokenizer>(
        tokenizers.target, data::Removal(config.target_remove, file + ": target_remove"));
}

void TextToText::wrap_sources() {
  std::shared_ptr<const data::Tokenizer> source = tokenizers.source;
  if (features) source = {features, &features->texts()};
  if (config.source_limit > 0) first_tokens = std::make_shared<data::FirstTokens>(source, config.source_limit);
  if (config.model.segmented) dialogue = std::make_shared<data::DialogueSource>(source, config.dialogue);
  if (config.model.copy)
    extended = std::make_shared<data::ExtendedVocabulary>(source, tokenizers.target, config.source_limit,
                                                          config.model.segmented);
  if (dialogue) dialogue_forms = std::make_shared<data::DialogueForms>(dialogue, extended);
}

StringList TextToText::save(const std::string& folder) const {
  StringList names{save_options(folder, "config.json", config), save_options(folder, kGenerationFile, search)};
  for (std::string& name : tokenizers.save(folder)) names.push_back(std::move(name));
  if (!shortlist) return names;
  shortlist->save(folder + "/" + kShortlistFile);
  names.emplace_back(kShortlistFile);
  return names;
}

TextToText TextToText::open(const io::ModelFolder& folder) {
  TextToText out{.config = read_config(folder)};
  out.tokenizers = Tokenizers::load(folder, out.config.joint);
  try {
    out.wrap_tokenizers(folder.path() + "/config.json");
  } catch (const ConfigError& e) {
    throw FormatError(e.what());
  }
  auto sizes = out.tokenizers.vocabularies();
  check<FormatError>(sizes.source == out.config.source_vocabulary && sizes.target == out.config.target_vocabulary,
                     folder.path(), "/config.json: vocabularies of ", out.config.source_vocabulary, " and ",
                     out.config.target_vocabulary, ", but the tokenizers have ", sizes.source, " and ", sizes.target);
  try {
    if (out.config.model.spelling.any())
      out.spelling = std::make_shared<data::Spelling>(out.tokenizers.source, out.config.characters,
                                                      folder.path() + "/config.json");
    if (out.spelling) sizes.characters = out.spelling->characters();
    out.wrap_sources();
    out.model = std::make_unique<Seq2Seq>(out.config.model, sizes, Seq2Seq::kNoInit);
  } catch (const ConfigError& e) {
    throw FormatError(folder.path() + "/config.json: " + e.what());
  }
  if (folder.has(kGenerationFile)) read_fields(folder.open(kGenerationFile), fields_of(out.search));
  if (folder.has(kShortlistFile)) out.shortlist.emplace(io::SafetensorsFile(folder.open(kShortlistFile)), sizes);
  return out;
}

std::vector<InputField> TextToTextTask::input_fields() {
  return {{"source", "the text to read"},
          {"prefix", "what the output must begin with", false},
          {"score", "the output to score instead of searching for one", false}};
}

std::vector<data::Column> TextToTextTask::columns(const TextToText& network) {
  auto out = network.tokenizers.columns();
  if (network.first_tokens) out[0].encoder = network.first_tokens.get();
  if (network.spelling) out.push_back({"source", network.spelling.get()});
  add_copies(network, out);
  return out;
}

void TextToTextTask::add_copies(const TextToText& network, std::vector<data::Column>& columns) {
  if (!network.extended) return;
  const auto target = std::ranges::find(columns, "target", &data::Column::name);
  target->encoder = network.extended.get(), target->beside = {"source"};
  columns.push_back({"source", network.extended.get()});
}

std::vector<int32_t> TextToTextTask::costs(const data::Table& table, size_t target) {
  std::vector<int32_t> out = table.lengths(target);
  for (int32_t& n : out) ++n;  // the end mark
  return out;
}

std::vector<std::vector<int32_t>> TextToTextTask::keys(const data::Table& table) {
  return {table.lengths(1), table.lengths(0)};
}

StringList TextToTextTask::example(const TextToText& network, const data::Table& table, int64_t k, uint64_t seed,
                                   const StringList& names) {
  StringList out;
  const Tokenizers& tokenizers = network.tokenizers;
  for (size_t c = 0; c < names.size(); ++c) {
    const data::Tokenizer& of = c + 1 < names.size() ? *tokenizers.source : *tokenizers.target;
    out.push_back("  " + names[c] + ":");
    for (const int32_t id : table.ids(c, k, seed, 0))
      out.back() +=
          " " + (id < of.size() ? viz::one_line(of.piece(id)) : "<copy " + std::to_string(id - of.size() + 1) + ">");
  }
  return out;
}

TextToText TextToTextTask::make(const char* task, const Seq2SeqOptions& model, const decode::SearchOptions& search,
                                const data::TokenizerOptions& tokenizer, Assets assets, uint64_t seed) {
  Tokenizers& tokenizers = assets.tokenizers;
  tokenizers.source->set_sampling(tokenizer.sampling);
  tokenizers.target->set_sampling(tokenizer.sampling);
  TextToText out{.config = {.task = task,
                            .joint = tokenizers.joint(),
                            .source_vocabulary = tokenizers.source->size(),
                            .target_vocabulary = tokenizers.target->size(),
                            .source_limit = assets.source_limit,
                            .model = model},
                 .search = search};
  auto sizes = tokenizers.vocabularies();
  if (assets.spelling)
    sizes.characters = assets.spelling->characters(), out.config.characters = assets.spelling->alphabet();
  out.config.dialogue = assets.dialogue;
  out.model = std::make_unique<Seq2Seq>(model, sizes, seed);
  out.tokenizers = std::move(tokenizers), out.spelling = std::move(assets.spelling);
  out.wrap_sources();
  return out;
}

TextToTextTask::Assets TextToTextTask::assets_of(const io::ModelFolder& folder, const Seq2SeqOptions& model,
                                                 const data::TokenizerOptions& options, const LogSink& log) {
  const TextToTextConfig config = read_config(folder);
  Assets out{Tokenizers::load(folder, config.joint), nullptr};
  check<ConfigError>(out.tokenizers.joint() == options.joint, folder.path(), ": that model has ",
                     config.joint ? "one vocabulary" : "two vocabularies",
                     " and this recipe has tokenizer.joint = ", options.joint ? "true" : "false",
                     "; its tokenizers go with its weights");
  out.spelling =
      known_spelling(model.spelling, out.tokenizers.source, config.characters, folder.path() + "/config.json");
  log(Severity::info, "tokenizer: that of " + folder.path());
  return out;
}

TextToTextTask::Assets TextToTextTask::learn_assets(const Seq2SeqOptions& model, const data::TokenizerOptions& options,
                                                    const SideVectors& vectors, const data::RowSource& rows,
                                                    const data::TableOptions& table, const std::string& root,
                                                    const LogSink& log) {
  Assets out{Tokenizers::learn(options, rows, table, log), nullptr};
  Tokenizers& t = out.tokenizers;
  if (t.joint()) {
    t.source = t.target = with_words_of(vectors.source, t.source, root);
  } else {
    t.source = with_words_of(vectors.source, t.source, root);
    t.target = with_words_of(vectors.target, t.target, root);
  }
  if (model.spelling.any())
    out.spelling = std::make_shared<data::Spelling>(
        data::Spelling::learn(data::column_lines(rows, columns(), {0}, table), t.source));
  log(Severity::info, str_cat("tokenizer: ", options.kind, t.joint() ? ", joint, " : ", ", t.source->size(),
                              t.joint() ? "" : str_cat(" and ", t.target->size()), " entries",
                              out.spelling ? str_cat(", ", out.spelling->characters(), " characters") : ""));
  return out;
}

void TextToTextTask::check_network(const Seq2SeqOptions& model, const ObjectiveOptions& loss,
                                   const StringList& freeze) {
  loss.check_with(model);
  // Built small and thrown away: names the options that do not go together before any data is read.
  Seq2Seq small(model, {data::kSpecials, data::kSpecials, 1}, Seq2Seq::kNoInit);
  train::freeze(params_of(small), freeze);
}

void TextToTextTask::check_words(const Seq2SeqOptions& model, const data::TokenizerOptions& options,
                                 const SideVectors& vectors) {
  check_spelling(model.spelling, options);
  check<ConfigError>(!model.copy || options.sampling == 0, "tokenizer.sampling = ", options.sampling,
                     " does not go with model.copy = true, which needs one cut of a text");
  check<ConfigError>(!model.copy || options.joint || options.kind == "word" || options.kind == "char",
                     "model.copy = true: pieces of '", options.kind,
                     "' are copied within one vocabulary; set tokenizer.joint = true");
  check_vectors(vectors.source, options, "vectors.source");
  check_vectors(vectors.target, options, "vectors.target");
  check<ConfigError>(!options.joint || vectors.target.words == 0, "vectors.target.words = ", vectors.target.words,
                     ": with one vocabulary for both sides vectors.source.words adds to it");
  check<ConfigError>(model.tie != "all" || vectors.target.file.empty(), "vectors.target.file = '", vectors.target.file,
                     "': with model.tie = 'all' there is one table, that of vectors.source.file");
}

void TextToTextTask::start_from(const SideVectors& vectors, const TextToText& network, const std::string& root,
                                const LogSink& log) {
  start_from_vectors(vectors.source, *network.tokenizers.source, network.model->source_embeddings(), "model.embedding",
                     root, log);
  start_from_vectors(vectors.target, *network.tokenizers.target, network.model->target_embeddings(), "model.embedding",
                     root, log);
}

Loss TextToTextTask::loss_of(const TextToText& network, const ObjectiveOptions& objective, data::Batch batch,
                             double scale, Noise* noise, Segments segments) {
  Seq2SeqBatch pairs{std::move(batch.columns[0]), std::move(batch.columns[1])};
  pairs.segments = std::move(segments);
  if (network.spelling) pairs.spellings = std::move(batch.columns[2]);
  if (network.extended) pairs.copies = std::move(batch.columns.back());
  const auto loss = network.model->loss(pairs, objective, scale, noise);
  return {loss.loss,
          {.loss = loss.loss_sum,
           .units = loss.tokens,
           .sums = {{"nll", loss.nll_sum}, {"accuracy_token", static_cast<double>(loss.correct)}}}};
}

}  // namespace lookback::tasks

#include "lookback/tasks/text_to_text.h"

#include <filesystem>

#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/tasks/folder_parts.h"
#include "lookback/viz/tokens.h"

namespace lookback::tasks {
namespace {

constexpr const char* kGenerationFile = "generation_config.json";

TextToTextConfig read_config(const io::ModelFolder& folder) {
  TextToTextConfig out;
  read_fields(folder.open("config.json"), fields_of(out));
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

StringList TextToText::kept_from_int8() const {
  if (!model->needs_exact_source_embeddings()) return {};
  return {config.model.tie == "all" ? "decoder.embedding.weight" : "encoder.embedding.weight"};
}

void TextToText::check_ensemble(const TextToText& other, const std::string& folder,
                                const std::string& other_folder) const {
  check<FormatError>(tokenizers.source->bytes() == other.tokenizers.source->bytes() &&
                         tokenizers.target->bytes() == other.tokenizers.target->bytes(),
                     other_folder, ": its tokenizer is not that of ", folder, "; an ensemble needs one tokenizer");
}

StringList TextToText::save(const std::string& folder) const {
  TextToTextConfig written = config;
  decode::SearchOptions defaults = search;
  io::write_file_atomic(folder + "/config.json", io::write_json_fields(fields_of(written)));
  io::write_file_atomic(folder + "/" + kGenerationFile, io::write_json_fields(fields_of(defaults)));
  StringList names = tokenizers.save(folder);
  names.insert(names.begin(), {"config.json", kGenerationFile});
  if (!shortlist) return names;
  shortlist->save(folder + "/" + kShortlistFile);
  names.emplace_back(kShortlistFile);
  return names;
}

TextToText TextToText::open(const io::ModelFolder& folder) {
  TextToText out{.config = read_config(folder)};
  out.tokenizers = Tokenizers::load(folder, out.config.joint);
  const auto sizes = out.tokenizers.vocabularies();
  check<FormatError>(sizes.source == out.config.source_vocabulary && sizes.target == out.config.target_vocabulary,
                     folder.path(), "/config.json: vocabularies of ", out.config.source_vocabulary, " and ",
                     out.config.target_vocabulary, ", but the tokenizers have ", sizes.source, " and ", sizes.target);
  try {
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

std::vector<int32_t> TextToTextTask::costs(const data::Table& table) {
  std::vector<int32_t> out = table.lengths(1);
  for (int32_t& n : out) ++n;  // the end mark
  return out;
}

std::vector<std::vector<int32_t>> TextToTextTask::keys(const data::Table& table) {
  return {table.lengths(1), table.lengths(0)};
}

StringList TextToTextTask::example(const TextToText& network, const data::Table& table, int64_t k, uint64_t seed) {
  StringList out;
  const data::Tokenizer* const sides[] = {network.tokenizers.source.get(), network.tokenizers.target.get()};
  for (size_t c = 0; c < 2; ++c) {
    out.push_back("  " + columns()[c] + ":");
    for (const int32_t id : table.ids(c, k, seed, 0)) out.back() += " " + viz::one_line(sides[c]->piece(id));
  }
  return out;
}

TextToText TextToTextTask::make(const char* task, const Seq2SeqOptions& model, const decode::SearchOptions& search,
                                const data::TokenizerOptions& tokenizer, Tokenizers tokenizers, uint64_t seed) {
  tokenizers.source->set_sampling(tokenizer.sampling);
  tokenizers.target->set_sampling(tokenizer.sampling);
  TextToText out{.config = {.task = task,
                            .joint = tokenizers.joint(),
                            .source_vocabulary = tokenizers.source->size(),
                            .target_vocabulary = tokenizers.target->size(),
                            .model = model},
                 .search = search};
  out.model = std::make_unique<Seq2Seq>(model, tokenizers.vocabularies(), seed);
  out.tokenizers = std::move(tokenizers);
  return out;
}

Tokenizers TextToTextTask::tokenizers_of(const io::ModelFolder& folder, const data::TokenizerOptions& options,
                                         const LogSink& log) {
  Tokenizers out = Tokenizers::load(folder, read_config(folder).joint);
  check<ConfigError>(out.joint() == options.joint, folder.path(), ": that model has ",
                     out.joint() ? "one vocabulary" : "two vocabularies",
                     " and this recipe has tokenizer.joint = ", options.joint ? "true" : "false",
                     "; its tokenizers go with its weights");
  log(Severity::info, "tokenizer: that of " + folder.path());
  return out;
}

Tokenizers TextToTextTask::learn_tokenizers(const data::TokenizerOptions& options, const data::RowSource& rows,
                                            const data::TableOptions& table, const LogSink& log) {
  Tokenizers out = Tokenizers::learn(options, rows, table, log);
  log(Severity::info, str_cat("tokenizer: ", options.kind, out.joint() ? ", joint, " : ", ", out.source->size(),
                              out.joint() ? "" : str_cat(" and ", out.target->size()), " entries"));
  return out;
}

Loss TextToTextTask::loss_of(const TextToText& network, const ObjectiveOptions& objective, data::Batch batch,
                             double scale, Noise* noise) {
  const auto loss =
      network.model->loss({std::move(batch.columns[0]), std::move(batch.columns[1])}, objective, scale, noise);
  return {loss.loss,
          {.loss = loss.loss_sum,
           .units = loss.tokens,
           .sums = {{"nll", loss.nll_sum}, {"accuracy_token", static_cast<double>(loss.correct)}}}};
}

}  // namespace lookback::tasks

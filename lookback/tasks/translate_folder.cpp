#include "lookback/tasks/translate_folder.h"

#include <cmath>

#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/io/safetensors.h"
#include "lookback/ops/int8_rows.h"
#include "lookback/tasks/model_card.h"
#include "lookback/tasks/translate.h"
#include "lookback/train/parameters.h"

namespace lookback::tasks {
namespace {

constexpr const char *kWeightsFile = "model.safetensors", *kGenerationFile = "generation_config.json";

// Only what products read is stored as int8. A table whose rows are added to something as they are, and not only
// multiplied with weights (which would round them to the same int8), stays as it is: so predictions stay those of the
// trained model in int8.
std::string table_to_keep(const TranslateConfig& config) {
  const EncoderOptions& encoder = config.model.encoder;
  if (!encoder.residual || encoder.width() != config.model.embedding) return "";
  return config.model.tie == "all" ? "decoder.embedding.weight" : "encoder.embedding.weight";
}

// The tensors of a file: each parameter as it is, or as int8 rows and their scales.
std::vector<io::NamedTensor> stored(const LoadedModel& m, const std::string& origin, const ExportOptions& options) {
  std::vector<io::NamedTensor> out;
  const std::string kept = table_to_keep(m.config);
  for (const NamedVar& p : params_of(*m.model)) {
    ops::Int8Rows rows{p.var.value(), p.var.row_scales()};
    if (options.weights == "int8" && rows.scales.empty() && p.var.shape().rank() == 2 && p.name != kept &&
        p.role != Role::score_filter)
      rows = ops::to_int8_rows(p.var.value());
    out.push_back({p.name, rows.rows});
    if (rows.scales.empty()) continue;
    for (const float scale : rows.scales.span<float>())
      check<FormatError>(std::isfinite(scale), origin, ": ", p.name, " has a value that is not finite");
    out.push_back({io::scale_name(p.name), rows.scales});
  }
  return out;
}

}  // namespace

TranslateConfig read_config(const io::ModelFolder& folder) {
  TranslateConfig out;
  read_fields(folder.open("config.json"), fields_of(out));
  return out;
}

LoadedModel load_model(const io::ModelFolder& folder) {
  LoadedModel out;
  out.config = read_config(folder);
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
  io::SafetensorsFile weights(folder.open(kWeightsFile));
  out.int8 = train::map_parameters(weights, params_of(*out.model));
  out.metadata = weights.metadata();
  if (folder.has(kShortlistFile)) out.shortlist.emplace(io::SafetensorsFile(folder.open(kShortlistFile)), sizes);
  return out;
}

decode::SearchOptions read_generation(const io::ModelFolder& folder) {
  decode::SearchOptions out;
  if (folder.has(kGenerationFile)) read_fields(folder.open(kGenerationFile), fields_of(out));
  return out;
}

StringList save_model_files(const std::string& folder, TranslateConfig config, decode::SearchOptions search,
                            const Tokenizers& tokenizers) {
  io::write_file_atomic(folder + "/config.json", io::write_json_fields(fields_of(config)));
  io::write_file_atomic(folder + "/" + kGenerationFile, io::write_json_fields(fields_of(search)));
  StringList names = tokenizers.save(folder);
  names.insert(names.begin(), {"config.json", kGenerationFile});
  return names;
}

void export_translate(const std::string& model, const std::string& folder, const ExportOptions& options) {
  const io::ModelFolder from(model);
  const LoadedModel m = load_model(from);
  save_model_files(folder, m.config, read_generation(from), m.tokenizers);
  if (m.shortlist) m.shortlist->save(folder + "/" + kShortlistFile);
  const bool int8 = m.int8 || options.weights == "int8";
  auto metadata = m.metadata;
  if (int8) metadata["quantization"] = "int8 rows, NAME = NAME.scale[row] * NAME[row]";
  io::write_safetensors(folder + "/" + kWeightsFile, stored(m, from.path_of(kWeightsFile), options), metadata);
  io::write_file_atomic(folder + "/README.md", exported_card(from, "translate", int8));
}

}  // namespace lookback::tasks

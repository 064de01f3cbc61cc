// lookback inspect: what is in a folder or file, without loading the weights.
#include "lookback/cli/inspect.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "lookback/base/format_number.h"
#include "lookback/cli/flags.h"
#include "lookback/cli/output.h"
#include "lookback/cli/recipe.h"
#include "lookback/io/json.h"
#include "lookback/io/model_folder.h"
#include "lookback/io/safetensors.h"
#include "lookback/tasks/word_vectors.h"
#include "lookback/viz/tokens.h"

namespace lookback::cli {
namespace fs = std::filesystem;
namespace {

struct InspectFlags {
  StringList paths;
  std::string format = "text", near;
  int64_t n = 10;

  void declare(Flags& v) {
    v.words("PATH", paths, 1,
            "a model folder, a checkpoint folder, a .safetensors file, a recipe, an spm.model or a tokenizer.json; "
            "or word vectors that GloVe, word2vec, fastText or lookback vectors wrote: a .vec, .bin or .gz");
    v("near", near, "WORD", "word vectors: the words whose vectors are nearest to that of WORD, with their cosines");
    v("n", n, "N", "how many of them").range(1, 1e9);
    v("format", format, "FORMAT", "text, or json: one object").choices({"text", "json"});
  }
};

Json to_json(const FieldValue& value) {
  return std::visit([](const auto& x) { return Json(x); }, value);
}

Json json_file(const io::File& file) {
  Json out = Json::object();
  for (const io::KeyValue& kv : io::read_json_fields(file)) out[kv.path] = to_json(kv.value);
  return out;
}

// Of int8 rows: how they are stored, not what was learnt.
bool is_scale(const io::SafetensorsFile& file, const std::string& name) {
  const io::TensorEntry* rows = file.find(name.substr(0, name.rfind('.')));
  return rows && rows->dtype == Dtype::i8 && io::scale_name(rows->name) == name;
}

Json tensors_of(io::File opened) {
  const int64_t bytes = opened.size();
  const io::SafetensorsFile file(std::move(opened));
  int64_t parameters = 0;
  StringList dtypes;
  Json tensors = Json::array();
  for (const io::TensorEntry& e : file.entries()) {
    const std::string dtype = name_of(e.dtype);
    Json shape = Json::array();
    for (int k = 0; k < e.shape.rank(); ++k) shape.push_back(e.shape[k]);
    if (!is_scale(file, e.name)) parameters += e.shape.size();
    if (std::find(dtypes.begin(), dtypes.end(), dtype) == dtypes.end()) dtypes.push_back(dtype);
    tensors.push_back({{"name", e.name}, {"dtype", dtype}, {"shape", shape}, {"parameters", e.shape.size()}});
  }
  return {{"file", fs::path(file.path()).filename().string()},
          {"bytes", bytes},
          {"parameters", parameters},
          {"dtypes", dtypes},
          {"metadata", file.metadata()},
          {"tensors", tensors}};
}

// "200 0 11.5 accuracy=96.6 loss=0.75": step, epoch, seconds, scores.
Json validation_of(const std::string& line) {
  Json out = Json::object();
  std::istringstream words(line);
  std::string word;
  for (const char* key : {"step", "epoch", "seconds"})
    if (words >> word) out[key] = Json::parse(word, nullptr, false);
  while (words >> word)
    if (const size_t equals = word.find('='); equals != std::string::npos)
      out[word.substr(0, equals)] = Json::parse(word.substr(equals + 1), nullptr, false);
  return out;
}

Json state_of(const io::ModelFolder& checkpoint) {
  Json out = json_file(checkpoint.open("state.json"));
  for (Json& line : out["validations"])
    if (line.is_string()) line = validation_of(line.get<std::string>());
  return out;
}

Json recipe_of(const std::string& path) {
  const Recipe recipe = read_recipe(path);
  Json keys = Json::object();
  for (const Field& f : recipe.fields)
    if (f.origin != "default") keys[f.path] = to_json(field_value(f));
  return {{"kind", "recipe"}, {"path", path}, {"task", recipe.kind}, {"keys", keys}};
}

Json checkpoint_of(const io::ModelFolder& folder) {
  Json out = {{"kind", "checkpoint"}, {"path", folder.path()}, {"state", state_of(folder)}};
  for (const std::string name : {"weights", "optimizer", "average"})
    if (const std::string file = name + ".safetensors"; folder.has(file)) out[name] = tensors_of(folder.open(file));
  return out;
}

// "checkpoint-120" is 120; nothing for other names.
int64_t step_of(const std::string& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return -1;
  const std::string digits = name.substr(prefix.size());
  if (digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoll(digits);
}

Json training_of(const io::ModelFolder& model) {
  std::vector<int64_t> checkpoints, best;
  std::error_code error;
  const io::ModelFolder training = model.beneath("training");  // no link
  for (const auto& entry : fs::directory_iterator(training.path(), error)) {
    const std::string name = entry.path().filename().string();
    if (const int64_t step = step_of(name, "checkpoint-"); step >= 0) checkpoints.push_back(step);
    if (const int64_t step = step_of(name, "best-"); step >= 0) best.push_back(step);
  }
  std::sort(checkpoints.begin(), checkpoints.end());
  std::sort(best.begin(), best.end());
  Json out = {{"checkpoints", checkpoints}, {"best", best}};
  if (checkpoints.empty()) return out;
  const Json state = state_of(training.beneath("checkpoint-" + std::to_string(checkpoints.back())));
  for (const char* key : {"step", "epoch", "units", "seconds", "validations"})
    if (state.contains(key)) out[key] = state[key];
  return out;
}

Json model_of(const io::ModelFolder& folder) {
  Json out = {{"kind", "model folder"}, {"path", folder.path()}, {"task", tasks::task_of_model(folder.path()).name}};
  out["config"] = json_file(folder.open("config.json"));
  if (folder.has("generation_config.json")) out["generation"] = json_file(folder.open("generation_config.json"));
  for (const std::string place : {"", "source/", "target/"})
    for (const char* name : {"spm.model", "tokenizer.json"})
      if (const std::string file = place + name; folder.has(file)) out[file] = tokenizer_of(folder.open(file));
  if (folder.holds("model.safetensors")) out["weights"] = tensors_of(folder.open("model.safetensors"));
  if (folder.holds("training")) out["training"] = training_of(folder);
  return out;
}

bool is_vector_file(const std::string& path) {
  const std::string ending = fs::path(path).extension().string();
  return ending == ".vec" || ending == ".bin" || ending == ".gz";
}

Json vectors_of(const std::string& path) {
  const data::AllWordVectors all = data::read_all_word_vectors(path);
  return {{"kind", "word vectors"},
          {"path", path},
          {"format", all.format},
          {"words", std::ssize(all.words)},
          {"dimension", all.width}};
}

// Whatever a file of vectors is called, but not what is known for something else.
void check_near(const std::string& path) {
  const std::string ending = fs::path(path).extension().string();
  std::error_code error;
  check<ConfigError>(!fs::is_directory(path, error) && ending != ".toml" && ending != ".safetensors" &&
                         ending != ".model" && ending != ".json",
                     "inspect: --near goes with a file of word vectors (.vec, .bin, .gz), not with ", path);
}

std::string neighbours_of(const InspectFlags& flags, const std::string& path) {
  check_near(path);
  const auto found = tasks::nearest_words(data::read_all_word_vectors(path), flags.near, flags.n);
  if (flags.format == "json") {
    Json list = Json::array();
    for (const tasks::Neighbour& w : found) list.push_back({{"word", w.word}, {"cosine", w.cosine}});
    return Json({{"word", flags.near}, {"neighbours", list}}).dump(2) + "\n";
  }
  std::string out;
  for (const tasks::Neighbour& w : found) out += fixed(w.cosine, 4) + "  " + viz::one_line(w.word) + "\n";
  return out;
}

Json contents_of(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  check<IoError>(fs::exists(status), path, ": ", error ? error.message() : "no such file or folder");
  if (fs::is_directory(status)) {
    const io::ModelFolder folder(path);
    if (folder.has("config.json")) return model_of(folder);
    check<FormatError>(folder.has("state.json"), path,
                       ": neither a model (config.json) nor a checkpoint (state.json) is in this folder");
    return checkpoint_of(folder);
  }
  const std::string ending = fs::path(path).extension().string();
  if (ending == ".toml") return recipe_of(path);
  if (is_vector_file(path)) return vectors_of(path);
  Json out = {{"kind", ending == ".safetensors" ? "safetensors file" : "tokenizer"}, {"path", path}};
  check<FormatError>(
      ending == ".safetensors" || ending == ".model" || ending == ".json", path,
      ": the ending tells nothing; expected .safetensors, .toml, .model or .json, or for word vectors .vec, "
      ".bin or .gz");
  io::File file = io::File::open_regular(path);
  out.update(ending == ".safetensors" ? tensors_of(std::move(file)) : tokenizer_of(file));
  return out;
}

std::string shape_text(const Json& shape) {
  std::string out;
  for (const Json& n : shape) out += (out.empty() ? "" : ", ") + n.dump();
  return "[" + out + "]";
}

std::string tensor_table(const Json& tensors, const std::string& indent) {
  size_t names = 0, shapes = 0;
  for (const Json& t : tensors)
    names = std::max(names, t["name"].get<std::string>().size()),
    shapes = std::max(shapes, shape_text(t["shape"]).size());
  std::string out;
  for (const Json& t : tensors) {
    std::string name = viz::one_line(t["name"].get<std::string>()), shape = shape_text(t["shape"]);
    name.resize(std::max(name.size(), names), ' '), shape.resize(shapes, ' ');
    out += indent + name + "  " + t["dtype"].get<std::string>() + "  " + shape + "  " +
           grouped(t["parameters"].get<int64_t>()) + "\n";
  }
  return out;
}

std::string value_text(const std::string& key, const Json& value) {
  if (key == "bytes") return byte_size(value.get<int64_t>());
  if (value.is_number_integer()) return grouped(value.get<int64_t>());
  if (value.is_string()) return viz::one_line(value.get<std::string>());
  if (value.is_number_float()) return short_number(value.get<double>());
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const Json& v : value) out += (out.empty() ? "" : ", ") + value_text("", v);
  return out.empty() ? "none" : out;
}

// Each object as one line.
std::string lines_of(const Json& objects, const std::string& indent) {
  std::string out;
  for (const Json& object : objects) {
    std::string line;
    for (const auto& [key, value] : object.items())
      line += (line.empty() ? "" : ", ") + viz::one_line(key) + " " + value_text(key, value);
    out += indent + line + "\n";
  }
  return out;
}

// Objects as headings, tensors as a table, lists of objects a line each, everything else as "key: value".
std::string page(const Json& object, const std::string& indent) {
  std::string out;
  for (const auto& [key, value] : object.items()) {
    if (key == "tensors")
      out += tensor_table(value, indent);
    else if (value.is_array() && !value.empty() && value[0].is_object())
      out += indent + viz::one_line(key) + ":\n" + lines_of(value, indent + "  ");
    else if (value.is_object() && !value.empty())
      out += indent + viz::one_line(key) + ":\n" + page(value, indent + "  ");
    else if (!value.is_object())
      out += indent + viz::one_line(key) + ": " + value_text(key, value) + "\n";
  }
  return out;
}

}  // namespace

int run_inspect(Args& args) {
  InspectFlags flags;
  Flags parser("inspect");
  flags.declare(parser);
  parser.parse(args.words);
  std::string path = flags.paths[0];
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (!flags.near.empty()) return print(neighbours_of(flags, path)), 0;
  const Json contents = contents_of(path);
  print(flags.format == "json" ? contents.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                               : page(contents, ""));
  return 0;
}

std::vector<HelpSection> help_inspect() {
  InspectFlags flags;
  Flags parser("inspect");
  flags.declare(parser);
  return parser.help();
}

}  // namespace lookback::cli

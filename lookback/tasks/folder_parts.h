// Private to tasks: files of a model folder that several tasks have.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/data/tokenizer.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/io/model_folder.h"

namespace lookback::tasks {

constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kGenerationFile = "generation_config.json";

// Sets fields from what a JSON file of a model folder says. Throws FormatError for what does not fit.
void read_fields(const io::File& file, Fields fields);

// Numbers that a list of texts holds. Throws ConfigError, naming the key, for one that is none or not finite.
std::vector<double> finite_numbers(const StringList& texts, const char* key);

// Writes options as a JSON file of a folder. Returns its name. Throws IoError.
template <class Options>
std::string save_options(const std::string& folder, const std::string& name, Options options) {
  io::write_file_atomic(folder + "/" + name, io::write_json_fields(fields_of(options)));
  return name;
}

// place + "spm.model" or place + "tokenizer.json", whose name is returned; `place` is "" or a folder that is there,
// with its slash.
std::string save_tokenizer(const data::Tokenizer& tokenizer, const std::string& folder, const std::string& place = "");
// Throws FormatError, also if the folder has both kinds of file, and IoError.
std::shared_ptr<data::Tokenizer> load_tokenizer(const io::ModelFolder& folder, const std::string& place = "");
// Throws FormatError, naming config.json, unless a tokenizer has as many entries as the model's configuration says.
void check_vocabulary(const io::ModelFolder& folder, const data::Tokenizer& tokenizer, int64_t vocabulary);

}  // namespace lookback::tasks

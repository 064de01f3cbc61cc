// Private to tasks: the folder of a translation model, read and written.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "lookback/decode/search_options.h"
#include "lookback/tasks/shortlist.h"
#include "lookback/tasks/translate_model.h"

namespace lookback::tasks {

struct LoadedModel {
  TranslateConfig config;
  Tokenizers tokenizers;
  std::unique_ptr<Seq2Seq> model;               // its values are those of the file, mapped
  bool int8 = false;                            // whether matrices are stored as int8 rows
  std::map<std::string, std::string> metadata;  // of the file
  std::optional<Shortlist> shortlist;
};

// Throws FormatError and IoError, as all of this does.
LoadedModel load_model(const io::ModelFolder& folder);

// config.json alone.
TranslateConfig read_config(const io::ModelFolder& folder);

// generation_config.json; the defaults if there is none.
decode::SearchOptions read_generation(const io::ModelFolder& folder);

// config.json, generation_config.json and the tokenizers; returns their names.
StringList save_model_files(const std::string& folder, TranslateConfig config, decode::SearchOptions search,
                            const Tokenizers& tokenizers);

}  // namespace lookback::tasks

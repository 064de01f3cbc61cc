#include "lookback/tasks/folder_parts.h"

#include <cmath>

#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"

namespace lookback::tasks {

void read_fields(const io::File& file, Fields fields) {
  try {
    for (const io::KeyValue& kv : io::read_json_fields(file)) {
      const std::string origin = file.path() + ":" + std::to_string(kv.line);
      set_field(find_field(fields, kv.path, origin), kv.value, origin);
    }
  } catch (const ConfigError& e) {
    throw FormatError(e.what());
  }
}

std::vector<double> finite_numbers(const StringList& texts, const char* key) {
  std::vector<double> out;
  for (const std::string& text : texts) {
    const auto x = parse_number<double>(text);
    check<ConfigError>(x && std::isfinite(*x), key, ": '", text, "' is no number");
    out.push_back(*x);
  }
  return out;
}

std::string save_tokenizer(const data::Tokenizer& tokenizer, const std::string& folder, const std::string& place) {
  std::string name = place + tokenizer.file_name();
  io::write_file_atomic(folder + "/" + name, tokenizer.bytes());
  return name;
}

std::shared_ptr<data::Tokenizer> load_tokenizer(const io::ModelFolder& folder, const std::string& place) {
  constexpr int64_t kMaxBytes = int64_t{1} << 30;
  const std::string spm = place + "spm.model", json = place + "tokenizer.json";
  // Only a folder without a manifest can leave this open.
  check<FormatError>(!folder.has(spm) || !folder.has(json), folder.path(), ": holds both ", spm, " and ", json,
                     "; one of them is left from another run: remove it, or train the model again");
  const std::string& name = folder.has(spm) ? spm : json;
  return data::parse_tokenizer(folder.read(name, kMaxBytes), folder.path_of(name));
}

void check_vocabulary(const io::ModelFolder& folder, const data::Tokenizer& tokenizer, int64_t vocabulary) {
  check<FormatError>(tokenizer.size() == vocabulary, folder.path(), "/config.json: a vocabulary of ", vocabulary,
                     ", but the tokenizer has ", tokenizer.size());
}

}  // namespace lookback::tasks

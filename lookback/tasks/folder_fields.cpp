#include "lookback/tasks/folder_fields.h"

#include "lookback/base/error.h"
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

}  // namespace lookback::tasks

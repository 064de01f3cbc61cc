#include "lookback/base/error.h"
#include "lookback/io/manifest.h"
#include "tests/fuzz/memory_file.h"

using namespace lookback;
using namespace lookback::io;

// A manifest that is accepted is written and read back as the same; no name leads out of the folder.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<ManifestEntry> files;
  try {
    files = parse_manifest(std::string(as_text(data, size)), "manifest.json");
  } catch (const FormatError&) {
    return 0;
  }
  for (const ManifestEntry& file : files)
    require(!file.name.empty() && file.name.front() != '/' &&
            ("/" + file.name + "/").find("/../") == std::string::npos &&
            (file.sha256.empty() || file.sha256.size() == 64));
  const auto again = parse_manifest(manifest_text(files), "manifest.json");
  require(again.size() == files.size());
  for (size_t k = 0; k < files.size(); ++k)
    require(again[k].name == files[k].name && again[k].sha256 == files[k].sha256 &&
            (files[k].sha256.empty() || again[k].size == files[k].size));
  return 0;
}

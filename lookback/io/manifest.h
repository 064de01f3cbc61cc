// The list of a folder's files, private to this layer: manifest.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lookback::io {

constexpr char kManifestName[] = "manifest.json";

struct ManifestEntry {
  std::string name;  // relative to the folder, with '/'
  int64_t size = 0;
  std::string sha256;  // 64 hex digits
};

// Throws FormatError for a manifest that is damaged or names anything outside the folder.
std::vector<ManifestEntry> parse_manifest(const std::string& bytes, const std::string& origin);

}  // namespace lookback::io

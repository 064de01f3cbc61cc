// Private to io and train: the list of a folder's files, manifest.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lookback::io {

constexpr char kManifestName[] = "manifest.json";

struct ManifestEntry {
  std::string name;  // relative to the folder, with '/'
  // 64 hex digits, with the size; of what a run may write again there is the name alone.
  int64_t size = 0;
  std::string sha256 = "";
};

std::string manifest_text(const std::vector<ManifestEntry>& files);

// Throws FormatError for a manifest that is damaged or names anything outside the folder.
std::vector<ManifestEntry> parse_manifest(const std::string& bytes, const std::string& origin);

}  // namespace lookback::io

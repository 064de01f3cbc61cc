// For tests of data: files in a folder that goes away.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "lookback/base/testing.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

// A folder of its own for each test.
class FolderTest : public ::testing::Test {
 protected:
  // A message without the folder.
  std::string local(std::string message) const {
    const std::string before = folder() + "/";
    for (size_t at; (at = message.find(before)) != message.npos;) message.erase(at, before.size());
    return message;
  }
  void SetUp() override {
    std::string name = ::testing::TempDir() + "lookback_data_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  std::string gz(const std::string& name, const std::string& bytes) const {
    const std::string path = folder_ / name;
    gzFile out = gzopen(path.c_str(), "wb");
    gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(out);
    return path;
  }
  std::string folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

inline LineSource from(std::vector<std::string> lines) {
  return [lines = std::move(lines), k = size_t{0}](std::string& line) mutable {
    if (k == lines.size()) return false;
    line = lines[k++];
    return true;
  };
}

// A few hundred sentences from a small grammar, with umlauts, numbers and punctuation.
inline std::vector<std::string> sentences() {
  const std::vector<std::string> who = {"Ein Mädchen", "Der Hund", "Eine alte Frau",
                                        "Zwei Männer", "Niemand",  "Das Kind"};
  const std::vector<std::string> does = {"sieht", "überquert", "malt", "hört", "verläßt", "grüßt"};
  const std::vector<std::string> what = {"die Straße.",           "das Haus, den Baum und 3,5 Äpfel.",
                                         "einen Fluss?",          "\"Guten Tag!\" (laut).",
                                         "einen E-Mail-Server.",  "nichts...",
                                         "Müller's Café – heute."};
  std::vector<std::string> out;
  for (const auto& a : who)
    for (const auto& b : does)
      for (const auto& c : what) out.push_back(a + " " + b + " " + c);
  return out;
}

}  // namespace lookback::data

#include "lookback/sound/feature_cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/io/temp_folder.h"
#include "lookback/sound/testing.h"

namespace lookback::sound {
namespace {

using io::TempFolder;

struct Recordings {
  Recordings() {
    for (const int64_t n : {4000, 100, 9000, 700})
      paths.push_back(
          folder.file(std::to_string(n) + ".wav", wav(as_doubles(test_sound(n, static_cast<uint64_t>(n))))));
  }
  TempFolder folder;
  std::vector<std::string> paths;
  std::string cache = folder / "cache";
};

const FeatureOptions kOptions{.bins = 20, .deltas = 1};

void expect_right(const FeatureCache& cache, const std::vector<std::string>& paths,
                  const FeatureOptions& options = kOptions) {
  const FeatureExtractor extractor(options);
  ASSERT_EQ(cache.size(), std::ssize(paths));
  for (int64_t k = 0; k < cache.size(); ++k) {
    const Tensor want = plain_rows_of_file(paths[static_cast<size_t>(k)], extractor);
    ASSERT_EQ(cache[k].shape(), want.shape());
    EXPECT_TRUE(std::ranges::equal(cache[k].span<float>(), want.span<float>()));
  }
}

TEST(FeatureCache, IsMadeOnceAndFoundByContent) {
  const Recordings r;
  const FeatureCache made(r.cache, r.paths, kOptions);
  EXPECT_EQ(made.computed(), 4);
  expect_right(made, r.paths);
  EXPECT_EQ(made[1].dim(0), 0);  // too short for a row
  const std::string bytes = io::slurp(r.cache);
  const FeatureCache found(r.cache, r.paths, kOptions);
  EXPECT_EQ(found.computed(), 0);
  expect_right(found, r.paths);
  EXPECT_EQ(io::slurp(r.cache), bytes);
  // What comes after the rows does not matter.
  FeatureOptions later = kOptions;
  later.normalise = "utterance", later.stack = 3, later.skip = 2;
  EXPECT_EQ(FeatureCache(r.cache, r.paths, later).computed(), 0);
  // A copy under another name, in another order, some left out.
  std::filesystem::copy_file(r.paths[2], r.folder / "copy.wav");
  const std::vector<std::string> others = {r.folder / "copy.wav", r.paths[0], r.paths[2], r.paths[0]};
  const FeatureCache renamed(r.cache, others, kOptions);
  EXPECT_EQ(renamed.computed(), 0);
  expect_right(renamed, others);
}

TEST(FeatureCache, WhatChangesIsMadeAgain) {
  const Recordings r;
  FeatureCache(r.cache, r.paths, kOptions);
  const FeatureCache before(r.cache, r.paths, kOptions);
  const std::vector<float> old(before[0].span<float>().begin(), before[0].span<float>().end());
  r.folder.file("4000.wav", wav(as_doubles(test_sound(5000, 9))));
  const FeatureCache after(r.cache, r.paths, kOptions);
  EXPECT_EQ(after.computed(), 1);
  expect_right(after, r.paths);
  EXPECT_TRUE(std::ranges::equal(before[0].span<float>(), old));  // the old file is still mapped
  FeatureOptions other = kOptions;
  other.preemphasis = 0.5;
  EXPECT_EQ(FeatureCache(r.cache, r.paths, other).computed(), 4);
  other.bins = 21;
  EXPECT_EQ(FeatureCache(r.cache, r.paths, other).computed(), 4);
}

TEST(FeatureCache, ADamagedOneIsMadeAgain) {
  const Recordings r;
  FeatureCache(r.cache, r.paths, kOptions);
  const std::string good = io::slurp(r.cache);
  Rng rng(6);
  const auto rebuilt = [&](const std::string& bytes) {
    r.folder.file("cache", bytes);
    const FeatureCache cache(r.cache, r.paths, kOptions);
    EXPECT_EQ(cache.computed(), 4);
    expect_right(cache, r.paths);
    EXPECT_EQ(io::slurp(r.cache), good);
  };
  rebuilt("");
  rebuilt("not a cache");
  rebuilt(good + "x");
  rebuilt(good.substr(0, good.size() / 2));
  rebuilt(good.substr(0, good.size() - 1));
  for (int k = 0; k < 20; ++k) {
    std::string bytes = good;
    const size_t at = k == 0 ? 0 : rng.below(good.size());
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    rebuilt(bytes);
  }
}

TEST(FeatureCache, SaysWhichRecordingsCannotBeRead) {
  const Recordings r;
  std::vector<std::string> paths = r.paths;
  paths.push_back(r.folder.file("bad.wav", "RIFFxxxxWAVE"));
  paths.push_back(r.folder / "missing.wav");
  for (const int64_t computed : {4, 0}) {
    const FeatureCache cache(r.cache, paths, kOptions);
    EXPECT_EQ(cache.computed(), computed);
    ASSERT_EQ(cache.size(), 6);
    for (int64_t k = 0; k < 4; ++k) EXPECT_EQ(cache.problem(k), "");
    for (int64_t k = 4; k < 6; ++k) {
      EXPECT_NE(cache.problem(k).find(paths[static_cast<size_t>(k)]), std::string::npos) << cache.problem(k);
      EXPECT_TRUE(cache[k].empty());
    }
  }
}

TEST(FeatureCache, TwoProcessesAtOnce) {
  const Recordings r;
  std::vector<pid_t> children;
  for (int k = 0; k < 4; ++k) {
    const pid_t child = ::fork();
    if (child == 0) {
      const ThreadScope alone(1);  // the parent's threads are not here
      bool good = true;
      for (int round = 0; round < 5; ++round) {
        // Each with its own part of the list.
        std::vector<std::string> paths = r.paths;
        paths.erase(paths.begin() + k);
        try {
          const FeatureExtractor extractor(kOptions);
          const FeatureCache cache(r.cache, paths, kOptions);
          for (int64_t i = 0; i < 3; ++i)
            good =
                good && std::ranges::equal(cache[i].span<float>(),
                                           plain_rows_of_file(paths[static_cast<size_t>(i)], extractor).span<float>());
        } catch (const std::exception&) {
          good = false;
        }
      }
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
}

}  // namespace
}  // namespace lookback::sound

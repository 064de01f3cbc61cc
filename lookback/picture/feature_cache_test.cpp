#include "lookback/picture/feature_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

#include "lookback/base/error.h"
#include "lookback/io/safetensors.h"
#include "lookback/io/temp_folder.h"
#include "lookback/picture/resize.h"
#include "lookback/picture/testing.h"

namespace lookback::picture {
namespace {

// The colours of four places, and how often it was asked.
struct Corners final : ImageFeatures {
  std::string name = "corners";
  mutable std::atomic<int> calls = 0;

  std::string key() const override { return name; }
  FeatureShape shape() const override { return {2, 2, 3}; }
  Tensor operator()(const Image& image) const override {
    ++calls;
    const Image small = resized(image, 2, 2);
    Tensor out({4, 3});
    for (size_t k = 0; k < 12; ++k) out.data<float>()[k] = small.rgb[k];
    return out;
  }
};

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.bytes(), b.bytes(), static_cast<size_t>(a.byte_size())) == 0;
}

struct Pictures {
  io::TempFolder folder;
  std::vector<std::string> paths{folder.file("a.png", png_bytes(noise(9, 7, 1))),
                                 folder.file("b.png", png_bytes(noise(8, 30, 2))),
                                 folder.file("c.png", png_bytes(drawing(40, 50)))};
  std::string cache = folder / "cache";
};

TEST(PictureCache, ComputesOnceAndFindsByContent) {
  const Pictures p;
  const Corners corners;
  const FeatureCache first(p.cache, p.paths, corners, 3);
  EXPECT_EQ(first.computed(), 3);
  EXPECT_EQ(corners.calls, 9);
  EXPECT_EQ(first.places(), 4);
  EXPECT_EQ(first.width(), 3);
  EXPECT_TRUE(first.problems().empty());
  for (int64_t k = 0; k < 3; ++k) {
    ASSERT_EQ(first[k].shape(), (Shape{3, 4, 3}));
    EXPECT_TRUE(equal(first[k], features_of_file(p.paths[static_cast<size_t>(k)], corners, 3)));
    EXPECT_FALSE(equal(first[k].rows(0, 1), first[k].rows(1, 2)));  // mirrored
  }
  std::filesystem::rename(p.paths[0], p.folder / "renamed");
  const int before = corners.calls;
  const FeatureCache again(p.cache, {p.paths[2], p.folder / "renamed"}, corners, 3);
  EXPECT_EQ(again.computed(), 0);
  EXPECT_EQ(corners.calls, before);
  EXPECT_TRUE(equal(again[0], first[2]));
  EXPECT_TRUE(equal(again[1], first[0]));
  // Other bytes, other views, other features: made anew.
  p.folder.file("b.png", png_bytes(noise(8, 30, 3)));
  EXPECT_EQ(FeatureCache(p.cache, {p.paths[1], p.paths[2]}, corners, 3).computed(), 1);
  EXPECT_EQ(FeatureCache(p.cache, {p.paths[1]}, corners, 1).computed(), 1);
  Corners other;
  other.name = "others";
  EXPECT_EQ(FeatureCache(p.cache, {p.paths[1]}, other, 1).computed(), 1);
}

TEST(PictureCache, DamagedPicturesAreProblemsAndStopNothing) {
  const Pictures p;
  const Corners corners;
  const std::string good = png_bytes(noise(5, 5, 9));
  const std::vector<std::string> paths{p.folder.file("cut.png", good.substr(0, good.size() / 2)),
                                       p.paths[0],
                                       p.folder.file("text.jpg", "hello"),
                                       p.folder / "missing.png",
                                       p.paths[1],
                                       p.folder.file("cut2.png", good.substr(0, good.size() / 2))};
  const FeatureCache cache(p.cache, paths, corners);
  EXPECT_EQ(cache.computed(), 2);
  EXPECT_EQ(cache.problems().size(), 4u);
  EXPECT_EQ(cache.problem(0), paths[0] + ": damaged or cut short: the file ends early");
  EXPECT_EQ(cache.problem(2), paths[2] + ": neither JPEG nor PNG, but text; write JPEG or PNG");
  EXPECT_TRUE(cache.problem(3).starts_with(paths[3] + ": ")) << cache.problem(3);
  EXPECT_EQ(cache.problem(5), paths[5] + ": damaged or cut short: the file ends early");
  for (const int64_t k : {0, 2, 3, 5}) EXPECT_TRUE(cache[k].empty());
  for (const int64_t k : {1, 4}) EXPECT_TRUE(cache.problem(k).empty() && !cache[k].empty());
  // With bad ones only, nothing is written.
  const FeatureCache none(p.folder / "none", {paths[0]}, corners);
  EXPECT_EQ(none.places(), 0);
  EXPECT_FALSE(std::filesystem::exists(p.folder / "none"));
  EXPECT_EQ(FeatureCache(p.cache, paths, corners).computed(), 0);
}

TEST(PictureCache, OfADamagedFileNothingIsUsed) {
  const Pictures p;
  const Corners corners;
  const FeatureCache whole(p.cache, p.paths, corners);
  const std::string bytes = io::slurp(p.cache);
  for (size_t at = 0; at < bytes.size(); at += 23) {
    std::string bad = bytes;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    p.folder.file("cache", bad);
    EXPECT_EQ(FeatureCache(p.cache, p.paths, corners).computed(), 3) << at;
    EXPECT_EQ(io::slurp(p.cache).size(), bytes.size());
    p.folder.file("cache", bytes.substr(0, at));
    const FeatureCache again(p.cache, p.paths, corners);
    EXPECT_EQ(again.computed(), 3) << at;
    EXPECT_TRUE(equal(again[1], whole[1]));
  }
}

TEST(PictureCache, WhatFeaturesThrowIsThrown) {
  struct Broken final : ImageFeatures {
    std::string key() const override { return ""; }
    FeatureShape shape() const override { return {}; }
    Tensor operator()(const Image&) const override { throw ConfigError("no network"); }
  };
  const Pictures p;
  EXPECT_THROW(FeatureCache(p.cache, p.paths, Broken()), ConfigError);
  EXPECT_THROW(FeatureCache(p.folder / "no/such/folder", p.paths, Corners()), IoError);
  EXPECT_THROW(FeatureCache(p.cache, p.paths, Corners(), 0), ShapeError);
  EXPECT_THROW(FeatureCache(p.cache, p.paths, Corners(), kViews + 1), ShapeError);
}

TEST(PictureCache, Views) {
  const Image image = noise(16, 8, 1);
  EXPECT_EQ(view_of(image, 0), image);
  EXPECT_EQ(view_of(image, 1), flipped(image));
  const Image parts[] = {cropped(image, 1, 0, 14, 7), cropped(image, 0, 0, 14, 7), cropped(image, 0, 1, 14, 7),
                         cropped(image, 2, 0, 14, 7), cropped(image, 2, 1, 14, 7)};
  for (int64_t k = 0; k < 5; ++k) {
    EXPECT_EQ(view_of(image, 2 + 2 * k), parts[k]) << k;
    EXPECT_EQ(view_of(image, 3 + 2 * k), flipped(parts[k])) << k;
  }
  EXPECT_EQ(view_of(Image{1, 1, {1, 2, 3}}, 11).rgb, (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_THROW(view_of(image, kViews), ShapeError);
  EXPECT_THROW(view_of(image, -1), ShapeError);
}

// As numpy.save writes it.
std::string npy(const std::string& header, const std::vector<float>& values, int version = 1) {
  const size_t length_bytes = version == 1 ? 2 : 4, before = 8 + length_bytes;
  std::string h = header;
  while ((before + h.size() + 1) % 64 != 0) h += ' ';
  h += '\n';
  std::string out = std::string("\x93NUMPY") + static_cast<char>(version) + '\0';
  for (size_t k = 0; k < length_bytes; ++k) out += static_cast<char>(h.size() >> (8 * k));
  return out + h + std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4);
}

TEST(ReadFeatures, OfNumpy) {
  const io::TempFolder folder;
  const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 2), }";
  for (const int version : {1, 2, 3}) {
    const Tensor t = read_features(folder.file("a.npy", npy(header, values, version)));
    EXPECT_EQ(t.shape(), (Shape{2, 3, 2}));
    EXPECT_TRUE(equal(t, Tensor::of<float>({2, 3, 2}, values)));
  }
  const auto refusal = [&](const std::string& bytes) {
    const std::string path = folder.file("b.npy", bytes);
    try {
      read_features(path);
    } catch (const FormatError& e) {
      EXPECT_TRUE(std::string(e.what()).starts_with(path + ": ")) << e.what();
      return std::string(e.what()).substr(path.size() + 2);
    }
    return std::string("read");
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string h = header;
    return npy(h.replace(h.find(from), from.size(), to), values);
  };
  EXPECT_EQ(refusal(with("<f4", "<f8")), "elements of type '<f8'; features are '<f4' (astype('float32'))");
  EXPECT_EQ(refusal(with("False", "True")), "in Fortran's order; write numpy.ascontiguousarray(features)");
  EXPECT_EQ(refusal(with("2, 3, 2", "12,")), "1 dimensions; features have three: pictures, places, values");
  EXPECT_EQ(refusal(with("2, 3, 2", "0, 3, 2")), "no features: dimension 1 is 0");
  for (const char* shape : {"2, 3, 3", "1, 3, 2", "1099511627776, 1099511627776, 4", "99999999999999999999, 1, 1"})
    EXPECT_NE(refusal(with("2, 3, 2", shape)), "read") << shape;
  EXPECT_NE(refusal(with("shape", "form")), "read");
  const std::string good = npy(header, values);
  for (size_t n = 6; n < good.size(); n += 5) EXPECT_NE(refusal(good.substr(0, n)), "read") << n;
  EXPECT_NE(refusal(good + "x"), "read");
}

TEST(ReadFeatures, OfSafetensors) {
  const io::TempFolder folder;
  const Tensor a = Tensor::full({2, 3, 2}, 1.5), b = Tensor::full({1, 2, 2}, 2);
  const std::string path = folder / "a.safetensors";
  io::write_safetensors(path, std::vector<io::NamedTensor>{{"a", a}});
  EXPECT_TRUE(equal(read_features(path), a));
  EXPECT_TRUE(equal(read_features(path, "a"), a));
  EXPECT_THROW(read_features(path, "b"), FormatError);
  io::write_safetensors(path, std::vector<io::NamedTensor>{{"a", a}, {"b", b}, {"flat", Tensor::full({3}, 1)}});
  EXPECT_TRUE(equal(read_features(path, "b"), b));
  EXPECT_THROW(read_features(path), FormatError);
  EXPECT_THROW(read_features(path, "flat"), FormatError);
  EXPECT_THROW(read_features(folder / "missing.npy"), IoError);
  EXPECT_THROW(read_features(folder.file("short", "x")), FormatError);
}

}  // namespace
}  // namespace lookback::picture

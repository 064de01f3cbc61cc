#include "lookback/picture/cnn_features.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "lookback/base/error.h"
#include "lookback/io/temp_folder.h"
#include "lookback/picture/resize.h"
#include "lookback/picture/testing.h"

namespace lookback::picture {
namespace {

// Protocol buffers by hand: a field of bytes, of a whole number, of packed floats.
std::string varint(uint64_t n) {
  std::string out;
  for (; n > 127; n >>= 7) out += static_cast<char>(n | 128);
  return out + static_cast<char>(n);
}
std::string field(uint64_t number, const std::string& bytes) {
  return varint(number << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string field(uint64_t number, uint64_t value) { return varint(number << 3) + varint(value); }
std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * 4};
}

// A convolution of one place to two channels: 1 red + 2 green + 4 blue + 3, and red - blue, of channels in that order.
const std::vector<float> kWeights{1, 2, 4, 1, 0, -1}, kBias{3, 0};

const char* kPrototxt = R"(name: "tiny"
input: "data"
input_shape { dim: 1 dim: 3 dim: 4 dim: 6 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "flat" type: "Flatten" bottom: "pool" top: "flat" }
)";

std::string caffemodel() {
  const auto blob = [](const std::vector<uint64_t>& dims, const std::vector<float>& values) {
    std::string shape;
    for (const uint64_t d : dims) shape += varint(d);
    return field(7, field(7, field(1, shape)) + field(5, floats(values)));
  };
  return field(1, "tiny") + field(100, field(1, "conv") + field(2, "Convolution") + field(3, "data") +
                                           field(4, "conv") + blob({2, 3, 1, 1}, kWeights) + blob({2}, kBias));
}

std::string onnx() {
  const auto tensor = [](const std::string& name, const std::vector<uint64_t>& dims, const std::vector<float>& values) {
    std::string out;
    for (const uint64_t d : dims) out += field(1, d);
    return field(5, out + field(2, 1) + field(8, name) + field(9, floats(values)));
  };
  const auto value = [](const std::string& name, const std::vector<uint64_t>& dims) {
    std::string shape;
    for (const uint64_t d : dims) shape += field(1, field(1, d));
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)));
  };
  const std::string node = field(1, "data") + field(1, "w") + field(1, "b") + field(2, "out") + field(3, "conv") +
                           field(4, "Conv") +
                           field(5, field(1, "kernel_shape") + field(8, 1) + field(8, 1) + field(20, 7));
  const std::string graph = field(1, node) + field(2, "tiny") + tensor("w", {2, 3, 1, 1}, kWeights) +
                            tensor("b", {2}, kBias) + field(11, value("data", {1, 3, 4, 6})) +
                            field(12, value("out", {1, 2, 4, 6}));
  return field(1, 7) + field(7, graph) + field(8, field(2, 11));
}

struct Files {
  io::TempFolder folder;
  CnnOptions caffe{.weights = folder.file("tiny.caffemodel", caffemodel()),
                   .network = folder.file("tiny.prototxt", kPrototxt),
                   .layer = "conv",
                   .height = 4,
                   .width = 6,
                   .channels = "rgb",
                   .mean = {"10"},
                   .scale = 0.5};
};

#define NEEDS_OPENCV() \
  if (!cnn_missing().empty()) GTEST_SKIP() << cnn_missing()

TEST(NetworkInput, ScalesAndOrders) {
  const Image image = noise(4, 6, 1);
  const auto at = [](const Tensor& t, int64_t c, int64_t y, int64_t x) { return t.data<float>()[(c * 4 + y) * 6 + x]; };
  const Tensor rgb =
      network_input(image, {.height = 4, .width = 6, .channels = "rgb", .mean = {"1", "2", "3"}, .scale = 2});
  const Tensor bgr = network_input(image, {.height = 4, .width = 6, .mean = {"7"}});
  for (int64_t y = 0; y < 4; ++y)
    for (int64_t x = 0; x < 6; ++x)
      for (int64_t c = 0; c < 3; ++c) {
        EXPECT_EQ(at(rgb, c, y, x), 2.0f * static_cast<float>(image.at(y, x)[c] - (c + 1)));
        EXPECT_EQ(at(bgr, c, y, x), static_cast<float>(image.at(y, x)[2 - c] - 7));
      }
  // The middle of a wide picture, and all of it.
  const Image wide = drawing(40, 160);
  const CnnOptions crop{.height = 20, .width = 20, .fit = "crop", .mean = {"0"}};
  EXPECT_EQ(
      std::memcmp(network_input(wide, crop).bytes(), network_input(centre_cropped(wide, 40, 40), crop).bytes(), 4800),
      0);
  CnnOptions stretch = crop;
  stretch.fit = "stretch";
  EXPECT_NE(std::memcmp(network_input(wide, crop).bytes(), network_input(wide, stretch).bytes(), 4800), 0);
  for (const auto& [h, w] : {std::pair<int64_t, int64_t>{1, 1}, {1, 900}, {900, 1}})
    EXPECT_EQ(network_input(noise(h, w, 2), crop).shape(), (Shape{3, 20, 20}));
}

TEST(CnnFeatures, RowsAreThePlacesOfTheGrid) {
  NEEDS_OPENCV();
  const Files files;
  const Image image = noise(4, 6, 2);
  CnnOptions with_onnx = files.caffe;
  with_onnx.weights = files.folder.file("tiny.onnx", onnx());
  with_onnx.network = "";
  CnnOptions last = with_onnx;
  last.layer = "";
  for (const CnnOptions& options : {files.caffe, with_onnx, last}) {
    const CnnFeatures features(options);
    EXPECT_EQ(features.shortest_side(), 6);
    const Tensor out = features(image);
    ASSERT_EQ(out.shape(), (Shape{24, 2})) << options.weights;
    const FeatureShape shape = features.shape();
    EXPECT_EQ(shape.places(), 24);
    EXPECT_EQ(shape.width, 2);
    for (int64_t p = 0; p < 24; ++p) {
      const uint8_t* rgb = image.at(p / 6, p % 6);
      const auto v = [&](int c) { return (static_cast<float>(rgb[c]) - 10) * 0.5f; };
      EXPECT_NEAR(out.data<float>()[2 * p], v(0) + 2 * v(1) + 4 * v(2) + 3, 1e-3) << p;
      EXPECT_NEAR(out.data<float>()[2 * p + 1], v(0) - v(2), 1e-3) << p;
    }
  }
}

TEST(CnnFeatures, DoNotDependOnWhatElseRuns) {
  NEEDS_OPENCV();
  const Files files;
  const CnnFeatures features(files.caffe);
  std::vector<Tensor> alone;
  for (uint64_t k = 0; k < 8; ++k) alone.push_back(features(noise(30, 40, k)));
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (uint64_t k = 0; k < 40; ++k) {
        const Tensor again = features(noise(30, 40, (k + t) % 8));
        wrong[t] += std::memcmp(again.bytes(), alone[(k + t) % 8].bytes(), static_cast<size_t>(again.byte_size())) != 0;
      }
    });
  for (std::thread& t : threads) t.join();
  for (const int w : wrong) EXPECT_EQ(w, 0);
}

std::string refusal(const CnnOptions& options) {
  try {
    CnnFeatures features(options);
    features(noise(4, 6, 1));
  } catch (const ConfigError& e) {
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
    return e.what();
  }
  return "fine";
}

TEST(CnnFeatures, BadNetworks) {
  NEEDS_OPENCV();
  const Files files;
  CnnOptions o = files.caffe;
  o.layer = "konv";
  EXPECT_EQ(refusal(o), o.weights + ": layer 'konv': there is no such layer");
  o.layer = "flat";
  EXPECT_EQ(refusal(o),
            o.weights + ": layer 'flat' has no grid of places, but 2 dimensions; name a convolution or pooling before");
  o = files.caffe;
  o.weights = files.folder.file("bad.caffemodel", "not a network");
  EXPECT_TRUE(refusal(o).starts_with(o.weights + ": ")) << refusal(o);
  o.weights = files.folder.file("bad.onnx", "not a network");
  EXPECT_TRUE(refusal(o).starts_with(o.weights + ": OpenCV cannot read this network: ")) << refusal(o);
  o = files.caffe;
  o.network = files.folder.file("bad.prototxt", "layer {");
  EXPECT_TRUE(refusal(o).starts_with(o.weights + ": OpenCV cannot read this network: ")) << refusal(o);
}

TEST(CnnFeatures, BadOptions) {
  const Files files;
  CnnOptions o = files.caffe;
  o.mean = {"1", "2"};
  EXPECT_EQ(refusal(o), "mean: there are 2 numbers; give one, or one for each channel");
  o.mean = {"1", "x", "3"};
  EXPECT_EQ(refusal(o), "mean: 'x' is not a number");
  o = files.caffe;
  o.network = files.folder / "missing.prototxt";
  EXPECT_THROW(CnnFeatures{o}, IoError);
  o.weights = "";
  EXPECT_THROW(CnnFeatures{o}, ConfigError);
}

// Where OpenCV is missing, it says what to install.
TEST(CnnFeatures, MissingOpencvIsNamed) {
  if (cnn_missing().empty()) GTEST_SKIP() << "OpenCV is there";
  const Files files;
  EXPECT_NE(refusal(files.caffe).find("libopencv-dnn"), std::string::npos) << refusal(files.caffe);
}

TEST(CnnFeatures, KeyIsOfFilesAndOptions) {
  const Files files;
  const std::string key = CnnFeatures(files.caffe).key();
  CnnOptions moved = files.caffe;
  moved.weights = files.folder.file("other.caffemodel", caffemodel());
  EXPECT_EQ(CnnFeatures(moved).key(), key);
  moved.weights = files.folder.file("changed.caffemodel", caffemodel() + field(1, "x"));
  EXPECT_NE(CnnFeatures(moved).key(), key);
  CnnOptions o = files.caffe;
  o.mean = {"11"};
  EXPECT_NE(CnnFeatures(o).key(), key);
  o = files.caffe;
  o.layer = "pool";
  EXPECT_NE(CnnFeatures(o).key(), key);
}

}  // namespace
}  // namespace lookback::picture

// What a convolutional network sees in a picture: the values of one of its layers, a row for each place of a grid. The
// network is a file that the user names (Caffe or ONNX) and OpenCV's dnn runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/picture/image_file.h"
#include "lookback/tensor/tensor.h"

namespace lookback::picture {

// A row for each place of a grid, from the top and in each row from the left.
struct FeatureShape {
  int64_t grid_height = 0, grid_width = 0, width = 0;
  int64_t places() const { return grid_height * grid_width; }
};

// From pictures to features. Methods are const and may run on several threads at once.
class ImageFeatures {
 public:
  virtual ~ImageFeatures() = default;
  // What features depend on besides the picture, for caches; any text.
  virtual std::string key() const = 0;
  // The shorter side that a picture should have at least; 0 where all of it is wanted. See ImageLimits.
  virtual int64_t shortest_side() const { return 0; }
  // What it makes of any picture. Throws as features do.
  virtual FeatureShape shape() const = 0;
  // f32 [places, width], the same shape for every picture.
  virtual Tensor operator()(const Image& image) const = 0;
};

// The defaults are those of SqueezeNet v1.0: 169 places (13 x 13) of 512 values.
struct CnnOptions {
  std::string weights = "squeezenet_v1.0_decoded.caffemodel";  // Caffe's, or *.onnx
  std::string network = "squeezenet_v1.0_deploy.prototxt";     // of Caffe; not read for ONNX
  std::string layer = "fire9/concat";
  std::string input;  // name of the layer that takes the picture
  int64_t height = 227, width = 227;
  std::string fit = "stretch";
  std::string channels = "bgr";
  StringList mean = {"104", "117", "123"};
  double scale = 1;

  void fields(FieldVisitor& v);
  bool is_onnx() const { return weights.ends_with(".onnx"); }
};

// The picture as the network takes it: f32 [3, height, width], (value - mean) * scale. Throws ConfigError for a mean
// that is not one or three numbers.
Tensor network_input(const Image& image, const CnnOptions& options);

// Runs on the calling thread alone, and each picture for itself: its features do not depend on what else runs. Several
// threads have a network each. On another kind of processor the last bits may differ.
class CnnFeatures final : public ImageFeatures {
 public:
  // Throws ConfigError for options that make no sense, and IoError for a file that cannot be read. OpenCV is loaded
  // and the network read with the first picture: whoever finds all in a cache needs neither.
  explicit CnnFeatures(const CnnOptions& options);
  ~CnnFeatures() override;

  const CnnOptions& options() const { return options_; }
  std::string key() const override;  // of the bytes of both files and of all other options
  int64_t shortest_side() const override;
  FeatureShape shape() const override;  // runs the network once
  // Rows of the layer from the top, and in each from the left: [places, channels]. Throws ConfigError if OpenCV is
  // missing, with the package that has it, if it cannot read the network, if there is no such layer, or if that has
  // no grid.
  Tensor operator()(const Image& image) const override;

 private:
  struct Networks;
  // [1, channels, height, width], as the layer gives it.
  Tensor run(const Image& image) const;

  CnnOptions options_;
  std::unique_ptr<Networks> networks_;
};

// Whether this program can run networks: what is missing, or nothing.
std::string cnn_missing();

}  // namespace lookback::picture

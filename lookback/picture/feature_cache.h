// The features of a list of pictures in one file, made once and mapped from then on; and features made elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lookback/picture/cnn_features.h"

namespace lookback::picture {

// View k of a picture, for augmentation: 0 all of it, 1 mirrored, then its middle and four corners of 7/8 of each side,
// and those mirrored: 12 in all. Throws ShapeError for another k.
constexpr int64_t kViews = 12;
Image view_of(const Image& image, int64_t k);

// f(k) for all k in [0, n), several at once: of each picture's FormatError or IoError the message, or "". The first of
// all other errors is thrown.
std::vector<std::string> for_each_picture(int64_t n, const std::function<void(size_t)>& f);

// Features of a picture's file: f32 [views, places, width]. Throws as read_image and `features` do.
Tensor features_of_file(const std::string& path, const ImageFeatures& features, int64_t views = 1,
                        const ImageLimits& limits = {});

// Features by the content of pictures. A picture's key is the SHA-256 of its bytes, of what its features depend on, and
// of the version of this code: one that is renamed is found, one that has changed is read again.
//
// The whole file is checked when it is opened, and of one that is damaged nothing is used. It is written all or
// nothing: processes that write it at the same time each leave a whole one, and go on reading their own.
class FeatureCache {
 public:
  // Opens the cache at `path` and computes what it lacks of `pictures`, several at once; if that was anything, the file
  // is written anew with the features of these pictures alone. A picture that is missing, damaged or too large has a
  // problem and no features; it stops nothing. Throws IoError where the file cannot be written, and what `features`
  // throws besides FormatError and IoError of a picture.
  FeatureCache(const std::string& path, const std::vector<std::string>& pictures, const ImageFeatures& features,
               int64_t views = 1, const ImageLimits& limits = {});

  int64_t size() const { return std::ssize(features_); }
  int64_t computed() const { return computed_; }  // features of how many different pictures were made, not found
  int64_t places() const { return places_; }      // of each picture; 0 if none has features
  int64_t width() const { return width_; }
  // The features of a picture: f32 [views, places, width], mapped and not to be written to. Empty if it has a problem.
  const Tensor& operator[](int64_t k) const { return features_[static_cast<size_t>(k)]; }
  // One line that begins with the path; empty where there is none.
  const std::string& problem(int64_t k) const { return problems_[static_cast<size_t>(k)]; }
  std::vector<std::string> problems() const;  // those that are not empty

 private:
  std::vector<Tensor> features_;
  std::vector<std::string> problems_;
  int64_t computed_ = 0, places_ = 0, width_ = 0;
};

// Features made elsewhere: f32 [N, places, width], mapped. A `.npy` file of NumPy (little-endian, in C order), or a
// tensor of a safetensors file: `name`, or the only one. Throws IoError, and FormatError "path: ..." for anything else,
// another type or shape, and a file that is cut short.
Tensor read_features(const std::string& path, const std::string& name = "");

}  // namespace lookback::picture

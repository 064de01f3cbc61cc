// Private to picture: what opencv_module.cpp, a shared library of its own, offers. Plain C: its standard library need
// not be the program's.
#pragma once

#include <cstdint>

namespace lookback::picture {

struct OpencvModule {
  static constexpr int32_t kVersion = 1;
  static constexpr const char* kSymbol = "lookback_opencv_module";  // an extern "C" const OpencvModule
  static constexpr const char* kFile = "lookback_opencv.so";
  static constexpr int64_t kMessage = 400;

  int32_t version;
  // A network of the bytes of its files; Caffe if there are bytes of a network, else ONNX. Null after a failure, whose
  // reason is in `message` (kMessage bytes); as everywhere here.
  void* (*open)(const char* network, int64_t network_bytes, const char* weights, int64_t weights_bytes, char* message);
  void (*close)(void* net);
  // The values of a layer for an input of f32 [3, height, width]: its sizes, at most four, in `shape`, and the values,
  // which stay until the next call for this network. Names may be empty: the only input, the last layer.
  const float* (*run)(void* net, const float* values, int64_t height, int64_t width, const char* input,
                      const char* layer, int64_t* shape, int32_t* rank, char* message);
};

}  // namespace lookback::picture

// A shared library, loaded with the first network: OpenCV takes longer to start than the program (CMakeLists.txt).
#include "lookback/picture/opencv_module.h"

#include <cstdio>
#include <exception>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace lookback::picture {
namespace {

struct Net {
  cv::dnn::Net net;
  cv::Mat result;
};

// One line of what OpenCV says, without the place in its own code.
void explain(const std::exception& e, char* message) {
  const auto* error = dynamic_cast<const cv::Exception*>(&e);
  std::string text = error ? error->err : e.what();
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  std::snprintf(message, OpencvModule::kMessage, "%s", text.c_str());
}

// The importer of ONNX writes something before the names of nodes, and of outputs of nodes without one.
std::string full_name(cv::dnn::Net& net, const std::string& layer) {
  for (const char* before : {"", "onnx_node!", "onnx_node_output_0!"})
    if (layer.empty() || net.getLayerId(before + layer) >= 0) return layer.empty() ? layer : before + layer;
  throw std::runtime_error("there is no such layer");
}

void* open(const char* network, int64_t network_bytes, const char* weights, int64_t weights_bytes, char* message) {
  try {
    cv::setNumThreads(0);  // ours are enough
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    auto* out = new Net;
    try {
      out->net = network ? cv::dnn::readNetFromCaffe(network, static_cast<size_t>(network_bytes), weights,
                                                     static_cast<size_t>(weights_bytes))
                         : cv::dnn::readNetFromONNX(weights, static_cast<size_t>(weights_bytes));
      if (out->net.empty()) throw std::runtime_error("no layers");
      out->net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
      out->net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
      return out;
    } catch (...) {
      delete out;
      throw;
    }
  } catch (const std::exception& e) {
    explain(e, message);
  }
  return nullptr;
}

void close(void* net) { delete static_cast<Net*>(net); }

const float* run(void* net, const float* values, int64_t height, int64_t width, const char* input, const char* layer,
                 int64_t* shape, int32_t* rank, char* message) {
  try {
    auto& n = *static_cast<Net*>(net);
    const std::vector<int> sizes{1, 3, static_cast<int>(height), static_cast<int>(width)};
    const cv::Mat blob(sizes, CV_32F, const_cast<float*>(values));  // which dnn does not write to
    n.net.setInput(blob, input);
    n.result = n.net.forward(full_name(n.net, layer));
    if (n.result.type() != CV_32F || !n.result.isContinuous()) throw std::runtime_error("its values are no floats");
    if (n.result.dims > 4) throw std::runtime_error("its values have more than four dimensions");
    *rank = n.result.dims;
    for (int k = 0; k < n.result.dims; ++k) shape[k] = n.result.size[k];
    return n.result.ptr<float>();
  } catch (const std::exception& e) {
    explain(e, message);
  }
  return nullptr;
}

}  // namespace
}  // namespace lookback::picture

extern "C" __attribute__((visibility("default"))) const lookback::picture::OpencvModule lookback_opencv_module = {
    lookback::picture::OpencvModule::kVersion, lookback::picture::open, lookback::picture::close,
    lookback::picture::run};

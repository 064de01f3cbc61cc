#include "lookback/picture/cnn_features.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <mutex>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/base/sha256.h"
#include "lookback/io/posix_file.h"
#include "lookback/picture/opencv_module.h"
#include "lookback/picture/resize.h"

namespace lookback::picture {
namespace {

constexpr int64_t kMostBytes = 2'000'000'000;  // of a network's file
constexpr const char* kVersion = "cnn 1";      // of how pictures become features

struct LoadedModule {
  const OpencvModule* functions = nullptr;
  std::string missing;
};

#ifdef LOOKBACK_OPENCV
// OpenCV brings Protocol Buffers, of which SentencePiece, which the program has, offers parts of its own: without
// DEEPBIND those of OpenCV would find these and crash. Sanitizers refuse that flag, and their tests that see pictures
// have no SentencePiece.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kHowToLoad = RTLD_NOW | RTLD_LOCAL;
#else
constexpr int kHowToLoad = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif

// Beside the program, where it is built; in lib/lookback, where it is installed; and wherever the system looks.
std::vector<std::string> module_places() {
  std::error_code ignored;
  const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  const std::string file = OpencvModule::kFile;
  return {(here / file).string(), (here.parent_path() / LOOKBACK_MODULE_FOLDER / file).string(), file};
}
#endif

LoadedModule load_module() {
#ifndef LOOKBACK_OPENCV
  return {nullptr, "this build runs no networks; install libopencv-dnn-dev and build again"};
#else
  std::string reason;
  for (const std::string& place : module_places()) {
    void* const handle = ::dlopen(place.c_str(), kHowToLoad);
    if (!handle) {
      std::error_code ignored;
      if (reason.empty() || std::filesystem::exists(place, ignored)) reason = ::dlerror();
      continue;
    }
    const auto* found = static_cast<const OpencvModule*>(::dlsym(handle, OpencvModule::kSymbol));
    if (found && found->version == OpencvModule::kVersion) return {found, ""};
    reason = place + " is of another build";
  }
  return {nullptr, str_cat(OpencvModule::kFile, ", which runs networks, cannot be loaded (", reason,
                           "); install OpenCV's dnn (Debian: libopencv-dnn406, or libopencv-dnn-dev of any system)")};
#endif
}

const LoadedModule& module() {
  static const LoadedModule loaded = load_module();
  return loaded;
}

std::array<float, 3> means(const CnnOptions& options) {
  std::array<float, 3> out{};
  check<ConfigError>(options.mean.size() == 1 || options.mean.size() == 3, "mean: there are ", options.mean.size(),
                     " numbers; give one, or one for each channel");
  for (size_t c = 0; c < 3; ++c) {
    const std::string& text = options.mean[options.mean.size() == 1 ? 0 : c];
    const auto value = parse_number<float>(text);
    check<ConfigError>(value.has_value() && *value - *value == 0, "mean: '", text, "' is not a number");
    out[c] = *value;
  }
  return out;
}

}  // namespace

void CnnOptions::fields(FieldVisitor& v) {
  v("cnn", weights, "file of a network with its weights: Caffe's .caffemodel, or .onnx");
  v("network", network, "Caffe's .prototxt that belongs to it; not read for ONNX");
  v("layer", layer, "layer whose values are the features; empty is the last one");
  v("input", input, "name of the layer that takes the picture; empty if there is one only");
  v("height", height, "rows of the picture that the network takes").range(1, 4096);
  v("width", width, "its columns").range(1, 4096);
  v("fit", fit, "how a picture gets that size: stretch, all of it; crop, its middle").choices({"stretch", "crop"});
  v("channels", channels, "order of the colours that the network was trained with").choices({"bgr", "rgb"});
  v("mean", mean, "what is subtracted from values of 0 to 255: a number, or one for each channel in their order");
  v("scale", scale, "what they are multiplied by then").range(1e-9, 1e9);
}

std::string cnn_missing() { return module().missing; }

Tensor network_input(const Image& image, const CnnOptions& options) {
  const std::array<float, 3> mean = means(options);
  const int64_t height = options.height, width = options.width;
  Image fitted;
  if (options.fit == "crop") {
    // As large a part of the middle as has the same ratio of sides.
    const int64_t h = std::clamp(image.width * height / width, int64_t{1}, image.height);
    const int64_t w = std::clamp(image.height * width / height, int64_t{1}, image.width);
    fitted = resized(centre_cropped(image, h, w), height, width);
  } else {
    fitted = resized(image, height, width);
  }
  Tensor out({3, height, width});
  const auto scale = static_cast<float>(options.scale);
  float* to = out.data<float>();
  for (size_t c = 0; c < 3; ++c) {
    const uint8_t* from = fitted.rgb.data() + (options.channels == "bgr" ? 2 - c : c);
    for (int64_t k = 0; k < height * width; ++k) *to++ = (static_cast<float>(from[3 * k]) - mean[c]) * scale;
  }
  return out;
}

struct CnnFeatures::Networks {
  std::string key;
  std::mutex mutex;
  std::string network, weights;  // bytes, from the first picture on
  std::vector<void*> idle;

  ~Networks() {
    for (void* net : idle) module().functions->close(net);
  }
};

CnnFeatures::CnnFeatures(const CnnOptions& options) : options_(options), networks_(std::make_unique<Networks>()) {
  means(options_);
  check<ConfigError>(!options_.weights.empty(), "cnn: name the file of a network");
  std::string text = kVersion;
  text += '\n' + io::sha256_file(io::File::open_regular(options_.weights));
  if (!options_.is_onnx()) text += '\n' + io::sha256_file(io::File::open_regular(options_.network));
  CnnOptions others = options_;
  others.weights = others.network = "";
  for (const Field& f : fields_of(others)) text += '\n' + f.path + ' ' + field_text(f);
  networks_->key = sha256_hex(text);
}

CnnFeatures::~CnnFeatures() = default;

std::string CnnFeatures::key() const { return networks_->key; }

int64_t CnnFeatures::shortest_side() const { return std::max(options_.height, options_.width); }

FeatureShape CnnFeatures::shape() const {
  const Tensor values = run({1, 1, std::vector<uint8_t>(3)});
  return {values.dim(2), values.dim(3), values.dim(1)};
}

Tensor CnnFeatures::operator()(const Image& image) const {
  const Tensor values = run(image);
  const int64_t channels = values.dim(1), places = values.dim(2) * values.dim(3);
  Tensor out({places, channels});
  float* to = out.data<float>();
  for (int64_t p = 0; p < places; ++p)
    for (int64_t c = 0; c < channels; ++c) *to++ = values.data<float>()[c * places + p];
  return out;
}

Tensor CnnFeatures::run(const Image& image) const {
  const OpencvModule* functions = module().functions;
  check<ConfigError>(functions != nullptr, "features of a picture: ", module().missing);
  char message[OpencvModule::kMessage] = "";
  // A network for each thread that is at work; it goes back when it is done, whatever happens.
  void* net = nullptr;
  {
    const std::lock_guard lock(networks_->mutex);
    if (!networks_->idle.empty()) {
      net = networks_->idle.back();
      networks_->idle.pop_back();
    } else {
      const bool onnx = options_.is_onnx();
      if (networks_->weights.empty()) {
        networks_->weights = io::read_file(options_.weights, kMostBytes);
        if (!onnx) networks_->network = io::read_file(options_.network, kMostBytes);
      }
      net = functions->open(onnx ? nullptr : networks_->network.data(), std::ssize(networks_->network),
                            networks_->weights.data(), std::ssize(networks_->weights), message);
      check<ConfigError>(net != nullptr, options_.weights, ": OpenCV cannot read this network: ", message);
    }
  }
  const auto give_back = [&](void* used) {
    const std::lock_guard lock(networks_->mutex);
    networks_->idle.push_back(used);
  };
  const std::unique_ptr<void, decltype(give_back)> borrowed(net, give_back);

  const Tensor input = network_input(image, options_);
  int64_t shape[4] = {};
  int32_t rank = 0;
  const float* values = functions->run(net, input.data<float>(), options_.height, options_.width,
                                       options_.input.c_str(), options_.layer.c_str(), shape, &rank, message);
  check<ConfigError>(values != nullptr, options_.weights, ": layer '", options_.layer, "': ", message);
  check<ConfigError>(rank == 4 && shape[0] == 1 && shape[1] >= 1 && shape[2] >= 1 && shape[3] >= 1, options_.weights,
                     ": layer '", options_.layer, "' has no grid of places, but ", rank,
                     " dimensions; name a convolution or pooling before");
  Tensor out({1, shape[1], shape[2], shape[3]});
  std::copy_n(values, out.size(), out.data<float>());
  return out;
}

}  // namespace lookback::picture

// For tests: a model, y = W x + b with noise on x, squared error, gradients by hand, data drawn
// from numbered streams. Small enough that a run takes no time, with everything a trainer can get wrong.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "lookback/base/sha256.h"
#include "lookback/io/atomic_file.h"
#include "lookback/train/trainer.h"

namespace lookback::train {

struct FakeTrainable final : Trainable {
  static constexpr int64_t kIn = 4, kOut = 3;

  Var w = Var::parameter(Tensor::zeros({kOut, kIn})), b = Var::parameter(Tensor::zeros({kOut}));
  Var frozen{Tensor::full({2}, 7)};
  Var unused = Var::parameter(Tensor::full({5}, 2));
  int64_t epoch_batches = 7;
  uint64_t seed = 3;
  float input_noise = 0.1f;
  int64_t runs = 0, validations = 0;
  bool larger = false;
  bool carries = false;  // whether what a batch is trained on depends on the batch before it
  float carry = 0;
  // Hooks: a value to put in the place of the loss or the first gradient; a score in place of the real one.
  std::function<double(int64_t epoch, int64_t batch)> bad_loss, bad_gradient;
  std::function<double(int64_t validation)> scripted;
  std::function<void()> on_validate;

  FakeTrainable() {
    Rng rng(11);
    for (float& x : w.value().span<float>()) x = rng.uniform() - 0.5f;
  }

  std::vector<NamedVar> parameters() override {
    return {{"layer.weight", w}, {"layer.bias", b}, {"tied.weight", w}, {"frozen", frozen}, {"unused", unused}};
  }
  int64_t batches(int64_t) override { return epoch_batches; }
  // Where batch `batch` of an epoch stands in the data: a shuffle that is a pure function of (seed, epoch).
  int64_t place(int64_t epoch, int64_t batch) const {
    std::vector<int64_t> order(static_cast<size_t>(epoch_batches));
    std::iota(order.begin(), order.end(), 0);
    Rng rng(seed, static_cast<uint64_t>(epoch) + 100);
    for (size_t k = order.size(); k > 1; --k) std::swap(order[k - 1], order[rng.below(k)]);
    return order[static_cast<size_t>(batch)];
  }
  static int64_t rows(int64_t place) { return 2 + place % 3; }
  std::string unit() const override { return "values"; }
  int64_t units(int64_t epoch, int64_t batch) override { return rows(place(epoch, batch)) * kOut; }

  BatchResult run(int64_t epoch, int64_t batch, double scale, Noise& noise) override {
    ++runs;
    const int64_t at = place(epoch, batch);
    if (batch == 0) carry = 0;
    BatchResult out = pass(at, rows(at), scale, &noise);
    if (carries) carry = 0.5f * carry + static_cast<float>(out.loss);
    if (bad_gradient) w.grad_buffer().data<float>()[0] += static_cast<float>(bad_gradient(epoch, batch));
    if (bad_loss) out.loss += bad_loss(epoch, batch);
    return out;
  }

  std::vector<io::NamedTensor> carried() override {
    if (!carries) return {};
    return {{"carry", Tensor::full({1}, carry)}};
  }
  void load_carried(const std::vector<io::NamedTensor>& tensors, const std::string& origin) override {
    if (!carries) return Trainable::load_carried(tensors, origin);
    carry = tensors.at(0).value.data<float>()[0];
  }

  Validation validate() override {
    if (on_validate) on_validate();
    const BatchResult r = pass(1000, 20, 0, nullptr);
    const double loss = r.loss / static_cast<double>(r.units);
    return {.scores = {{"loss", loss}, {"score", scripted ? scripted(validations++) : -loss}},
            .samples = {{.texts = {{"source", "a | b"}, {"target", "t"}, {"output", "bad \xFF byte"}}},
                        {.texts = {{"source", "second"}}}}};
  }
  std::vector<ScoreKind> scores() const override { return {{"loss", false}, {"score", larger}, {"absent", false}}; }
  std::function<void()> on_save;
  StringList save_model_files(const std::string& folder) override {
    if (on_save) on_save();
    io::write_file_atomic(folder + "/config.json", "{}\n");
    return {"config.json"};
  }

 private:
  // Forward over `count` rows of data, and backward if scale is not 0.
  BatchResult pass(int64_t at, int64_t count, double scale, Noise* noise) {
    BatchResult out{.units = count * kOut};
    Rng data(17, static_cast<uint64_t>(at));
    const Stream jitter = noise ? noise->next() : Stream{};
    const float* weight = w.value().data<float>();
    for (int64_t n = 0; n < count; ++n) {
      float x[kIn], clean[kIn];
      for (int64_t i = 0; i < kIn; ++i) {
        clean[i] = data.uniform() * 2 - 1 + (noise ? 0.01f * carry : 0);
        const uint32_t word = jitter.words(static_cast<uint64_t>(n))[static_cast<size_t>(i)];
        x[i] = clean[i] + (noise ? input_noise * (static_cast<float>(word) * 0x1p-32f - 0.5f) : 0);
      }
      for (int64_t o = 0; o < kOut; ++o) {
        float y = b.value().data<float>()[o], target = 0.3f * static_cast<float>(o);
        for (int64_t i = 0; i < kIn; ++i) {
          y += weight[o * kIn + i] * x[i];
          target += static_cast<float>((i + 1) * (o == i ? 1 : -1)) * 0.3f * clean[i];
        }
        const float error = y - target;
        out.loss += static_cast<double>(error) * error;
        out.sums["close"] += std::abs(error) < 0.1f;
        if (scale == 0) continue;
        const float d = 2 * error * static_cast<float>(scale);
        b.grad_buffer().data<float>()[o] += d;
        for (int64_t i = 0; i < kIn; ++i) w.grad_buffer().data<float>()[o * kIn + i] += d * x[i];
      }
    }
    return out;
  }
};

// A folder that is gone at the end of the test; in memory where there is such a place, because
// these tests write to disk, and wait for it, thousands of times.
struct TemporaryFolder {
  std::string path;
  TemporaryFolder() {
    const std::filesystem::path memory = "/dev/shm";
    const auto place = ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
    std::string name = (place / "lookback-train-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw IoError("cannot make a folder for the test");
    path = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return path + "/" + name; }
};

inline std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void write_all(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// log.jsonl of a model folder without what the clock said.
inline std::string log_without_time(const std::string& folder) {
  std::string log = read_all(folder + "/training/log.jsonl");
  for (size_t at; (at = log.find("\"time\": {")) != std::string::npos;) log.erase(at, log.find('}', at) + 1 - at);
  return log;
}

// Everything that may not depend on interruptions: weights, the log, the set of files.
inline std::string fingerprint(const std::string& folder) {
  std::string out = log_without_time(folder);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(entry.path(), folder).string();
    if (name.find("events.out") != std::string::npos) continue;
    names.insert(name + (name.ends_with(".safetensors")
                             ? " " + io::sha256_file(io::File::open_regular(entry.path().string()))
                             : ""));
  }
  for (const std::string& name : names) out += name + "\n";
  return out;
}

// Listens, and keeps what it hears.
struct Recorder final : Observer {
  std::vector<Progress> steps;
  std::vector<ValidationRecord> validations;
  std::vector<std::string> messages;
  void progress(const Progress& p) override { steps.push_back(p); }
  void validated(const ValidationRecord& r, const std::vector<Sample>&, bool) override { validations.push_back(r); }
  void message(Severity, std::string_view words) override { messages.emplace_back(words); }
  std::string all() const {
    std::string out;
    for (const std::string& m : messages) out += m + "\n";
    return out;
  }
};

// What f throws as E, or "" if it does not.
template <class E, class F>
std::string message_or_none(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

}  // namespace lookback::train

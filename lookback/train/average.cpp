#include "lookback/train/average.h"

#include <algorithm>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/train/parameters.h"

namespace lookback::train {
namespace {

constexpr int64_t kGrain = 16384;

template <class R>
void move_towards(int64_t n, R* __restrict a, const R* __restrict w, R share) {
  for (int64_t k = 0; k < n; ++k) a[k] += share * (w[k] - a[k]);
}

template <class R>
void add(const Tensor& from, double* __restrict sum) {
  const R* x = from.data<R>();
  for (int64_t k = 0; k < from.size(); ++k) sum[k] += static_cast<double>(x[k]);
}

}  // namespace

WeightAverage::WeightAverage(double decay, int64_t start, const std::vector<NamedVar>& params)
    : decay_(decay), start_(start), params_(unique_parameters(params)) {
  for (const NamedVar& p : params_) average_.push_back(p.var.value().clone());
}

WeightAverage WeightAverage::exponential(double decay, const std::vector<NamedVar>& params) {
  check<ConfigError>(decay > 0 && decay < 1, "ema must be between 0 and 1, got ", decay);
  return WeightAverage(decay, 1, params);
}

WeightAverage WeightAverage::mean(int64_t start, const std::vector<NamedVar>& params) {
  check<ConfigError>(start >= 1, "average_start must be at least 1, got ", start);
  return WeightAverage(0, start, params);
}

void WeightAverage::update() {
  const double t = static_cast<double>(++updates_);
  const double in_mean = static_cast<double>(std::max<int64_t>(1, updates_ - start_ + 1));
  const double share = decay_ > 0 ? 1 - std::min(decay_, (1 + t) / (10 + t)) : 1 / in_mean;
  for (size_t p = 0; p < params_.size(); ++p) {
    const Tensor& value = params_[p].var.value();
    with_float(value.dtype(), [&]<class R>() {
      R* a = average_[p].data<R>();
      const R* w = value.data<R>();
      parallel_for(value.size(), kGrain, [&](int64_t begin, int64_t end) {
        if (share == 1)  // a + (w - a) need not be w
          std::copy(w + begin, w + end, a + begin);
        else
          move_towards<R>(end - begin, a + begin, w + begin, R(share));
      });
    });
  }
}

void WeightAverage::swap() {
  for (size_t p = 0; p < params_.size(); ++p) {
    const Tensor value = params_[p].var.value();
    params_[p].var.set_value(average_[p]);
    average_[p] = value;
  }
}

std::vector<io::NamedTensor> WeightAverage::state() const {
  std::vector<io::NamedTensor> out;
  for (size_t p = 0; p < params_.size(); ++p) out.push_back({params_[p].name, average_[p]});
  return out;
}

void WeightAverage::load_state(const std::vector<io::NamedTensor>& state, int64_t updates, const std::string& origin) {
  std::vector<Tensor> found;
  for (size_t p = 0; p < params_.size(); ++p) found.push_back(find_tensor(state, params_[p].name, average_[p], origin));
  average_ = std::move(found);
  updates_ = updates;
}

void load_mean(const std::vector<std::string>& files, const std::vector<NamedVar>& params) {
  std::vector<io::SafetensorsFile> open;
  for (const std::string& path : files) open.emplace_back(path);
  const double share = 1.0 / static_cast<double>(files.size());
  for (const NamedVar& p : params) {
    Tensor sum = Tensor::zeros(p.var.shape(), Dtype::f64);
    for (const io::SafetensorsFile& file : open) {
      const Tensor value = file.load(p.name);
      check<FormatError>(value.shape() == p.var.shape() && value.dtype() == p.var.dtype(), file.path(), ": ", p.name,
                         " is ", name_of(value.dtype()), value.shape(), ", the model has ", name_of(p.var.dtype()),
                         p.var.shape());
      with_float(value.dtype(), [&]<class R>() { add<R>(value, sum.data<double>()); });
    }
    for (double& x : sum.span<double>()) x *= share;
    p.var.set_value(sum.to(p.var.dtype()));
  }
}

}  // namespace lookback::train

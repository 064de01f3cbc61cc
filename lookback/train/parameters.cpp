#include "lookback/train/parameters.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/base/fields.h"
#include "lookback/base/parallel.h"
#include "lookback/train/update_rules.h"

namespace lookback::train {
namespace {

constexpr int64_t kBlock = 4096;

// The gradient, or those rows of it that are not zero.
const Tensor& kept_grad(const Var& v) { return v.row_grad() ? v.row_grad()->rows : v.grad(); }

bool all_finite(const Tensor& t) {
  return with_float(t.dtype(), [&]<class R>() {
    bool ok = true;
    for (const R x : t.span<R>()) ok &= std::abs(x) <= std::numeric_limits<R>::max();
    return ok;
  });
}

const io::TensorEntry& parameter_entry(const io::SafetensorsFile& file, const std::string& name, Dtype dtype,
                                       const Shape& shape) {
  const io::TensorEntry* entry = file.find(name);
  check<FormatError>(entry != nullptr, file.path(), ": has no tensor '", name, "', which the model needs");
  check<FormatError>(entry->shape == shape && entry->dtype == dtype, file.path(), ": ", name, " is ",
                     name_of(entry->dtype), entry->shape, ", the model has ", name_of(dtype), shape,
                     "; was it trained with other sizes?");
  return *entry;
}

void check_all_known(const io::SafetensorsFile& file, const StringList& known) {
  const std::set<std::string_view> names(known.begin(), known.end());
  for (const io::TensorEntry& entry : file.entries()) {
    if (names.contains(entry.name)) continue;
    throw FormatError(
        str_cat(file.path(), ": the model has no parameter '", entry.name, "'", nearest_match(entry.name, known)));
  }
}

}  // namespace

std::vector<NamedVar> unique_parameters(const std::vector<NamedVar>& named) {
  std::set<std::pair<const Node*, int>> seen;
  std::set<std::string> names;
  std::vector<NamedVar> out;
  for (const NamedVar& p : named) {
    if (!p.var.needs_grad() || !seen.insert({p.var.node_ptr().get(), p.var.output()}).second) continue;
    check<ConfigError>(names.insert(p.name).second, "two parameters are called '", p.name, "'");
    out.push_back(p);
  }
  return out;
}

std::vector<io::NamedTensor> tensors_of(const std::vector<NamedVar>& params) {
  std::vector<io::NamedTensor> out;
  for (const NamedVar& p : params) out.push_back({p.name, p.var.value()});
  return out;
}

void clear_grads(const std::vector<NamedVar>& params) {
  for (const NamedVar& p : params) p.var.clear_grad();
}

double GradNorm::operator()(const std::vector<NamedVar>& params) {
  double total = 0;
  for (const NamedVar& p : params) {
    const Tensor& grad = kept_grad(p.var);
    if (grad.empty()) continue;
    const int64_t n = grad.size();
    partial_.resize(std::max(partial_.size(), static_cast<size_t>((n + kBlock - 1) / kBlock)));
    with_float(grad.dtype(), [&]<class R>() {
      const R* g = grad.data<R>();
      parallel_for(n, kBlock, [&](int64_t begin, int64_t end) {
        partial_[static_cast<size_t>(begin / kBlock)] = detail::square_sum(g + begin, end - begin);
      });
    });
    for (int64_t k = 0; k * kBlock < n; ++k) total += partial_[static_cast<size_t>(k)];
  }
  return std::sqrt(total);
}

std::optional<std::string> first_non_finite_grad(const std::vector<NamedVar>& params) {
  for (const NamedVar& p : params)
    if (!kept_grad(p.var).empty() && !all_finite(kept_grad(p.var))) return p.name;
  return std::nullopt;
}

std::optional<std::string> first_non_finite_value(const std::vector<NamedVar>& params) {
  for (const NamedVar& p : params)
    if (!all_finite(p.var.value())) return p.name;
  return std::nullopt;
}

void load_parameters(const io::SafetensorsFile& file, const std::vector<NamedVar>& params) {
  StringList known;
  for (const NamedVar& p : params) known.push_back(p.name), parameter_entry(file, p.name, p.var.dtype(), p.var.shape());
  check_all_known(file, known);
  for (const NamedVar& p : params) p.var.set_value(file.load(p.name));
}

std::vector<NamedVar> matching(const std::vector<NamedVar>& named, const StringList& patterns) {
  StringList names;
  std::set<std::string> found;
  for (const NamedVar& p : named) names.push_back(p.name);
  for (const std::string& pattern : patterns) {
    const auto fits = [&](const std::string& name) {
      return ::fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
    };
    check<ConfigError>(std::ranges::any_of(names, fits), "train.freeze: no parameter is called '", pattern, "'",
                       nearest_match(pattern, names));
    std::ranges::copy_if(names, std::inserter(found, found.end()), fits);
  }
  std::vector<NamedVar> out;
  std::ranges::copy_if(named, std::back_inserter(out), [&](const NamedVar& p) { return found.contains(p.name); });
  return out;
}

void freeze(const std::vector<NamedVar>& named, const StringList& patterns) {
  for (const NamedVar& p : matching(named, patterns)) p.var.node().needs_grad = false;
  check<ConfigError>(patterns.empty() || !unique_parameters(named).empty(),
                     "train.freeze leaves nothing to train: it names every parameter");
}

StartReport start_from(const io::SafetensorsFile& file, const std::vector<NamedVar>& params) {
  StartReport out;
  std::set<std::string> known;
  for (const NamedVar& p : params) {
    known.insert(p.name);
    const io::TensorEntry* entry = file.find(p.name);
    check<FormatError>(!entry || entry->dtype != Dtype::i8, file.path(), ": ", p.name,
                       " is kept as int8 rows; start from the model that was exported");
    if (!entry || entry->shape != p.var.shape()) {
      out.missing.push_back(str_cat(p.name, " ", p.var.shape(), entry ? str_cat(", there ", entry->shape) : ""));
      continue;
    }
    p.var.set_value(file.load(p.name).to(p.var.dtype()));
    out.taken.push_back(p.name);
  }
  for (const io::TensorEntry& entry : file.entries())
    if (!known.contains(entry.name)) out.unused.push_back(entry.name);
  check<FormatError>(!out.taken.empty(), file.path(), ": no parameter of this model is there in its shape");
  return out;
}

bool map_parameters(io::SafetensorsFile& file, const std::vector<NamedVar>& params) {
  // Of the int8 rows, which have their scales beside them.
  const auto scale_entry = [&](const NamedVar& p) -> const io::TensorEntry* {
    const io::TensorEntry* entry = file.find(p.name);
    if (!entry || entry->dtype != Dtype::i8 || p.var.shape().rank() != 2) return nullptr;
    return &parameter_entry(file, io::scale_name(p.name), Dtype::f32, {p.var.dim(0)});
  };
  StringList known;
  bool any = false;
  for (const NamedVar& p : params) {
    const bool int8 = scale_entry(p) != nullptr;
    known.push_back(p.name), parameter_entry(file, p.name, int8 ? Dtype::i8 : p.var.dtype(), p.var.shape());
    if (int8) known.push_back(io::scale_name(p.name)), any = true;
  }
  check_all_known(file, known);
  for (const NamedVar& p : params) {
    const io::TensorEntry& entry = *file.find(p.name);
    if (const io::TensorEntry* scales = scale_entry(p))
      p.var.set_int8_rows(file.map(entry), file.map(*scales));
    else
      p.var.set_value(file.map(entry));
  }
  return any;
}

const Tensor& find_tensor(const std::vector<io::NamedTensor>& tensors, const std::string& name, const Tensor& like,
                          const std::string& origin) {
  const auto at = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  check<FormatError>(at != tensors.end(), origin, ": has no tensor '", name,
                     "'; was the run started with other options?");
  check<FormatError>(at->value.shape() == like.shape() && at->value.dtype() == like.dtype(), origin, ": ", name, " is ",
                     name_of(at->value.dtype()), at->value.shape(), ", expected ", name_of(like.dtype()), like.shape());
  return at->value;
}

}  // namespace lookback::train

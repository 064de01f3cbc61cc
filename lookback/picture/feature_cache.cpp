#include "lookback/picture/feature_cache.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/sha256.h"
#include "lookback/io/keyed_rows.h"
#include "lookback/io/posix_file.h"
#include "lookback/io/safetensors.h"
#include "lookback/picture/resize.h"

namespace lookback::picture {
namespace {

constexpr std::string_view kVersion = "picture 1";  // of how files become pictures, and pictures views

// NumPy's header: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 169, 512), }, in any order.
Shape npy_shape(std::string_view header, const std::string& path) {
  const auto value_of = [&](std::string_view key) {
    const size_t at = header.find(str_cat("'", key, "':"));
    check<FormatError>(at != header.npos, path, ": damaged: its header has no ", key);
    std::string_view rest = header.substr(at + key.size() + 3);
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const size_t end = rest.starts_with('(') ? rest.find(')') : rest.find_first_of(",}");
    check<FormatError>(end != rest.npos, path, ": damaged: its header breaks off");
    return rest.substr(0, end);
  };
  const std::string_view type = value_of("descr"), order = value_of("fortran_order"), sizes = value_of("shape");
  check<FormatError>(type == "'<f4'", path, ": elements of type ", type, "; features are '<f4' (astype('float32'))");
  check<FormatError>(order == "False", path, ": in Fortran's order; write numpy.ascontiguousarray(features)");
  std::vector<int64_t> out;
  int64_t number = -1;
  for (const char c : sizes) {
    if (c >= '0' && c <= '9') {
      number = std::max<int64_t>(number, 0) * 10 + (c - '0');
      check<FormatError>(number <= int64_t{1} << 40, path, ": damaged: a dimension of ", number, "...");
    } else if (number >= 0) {
      out.push_back(number), number = -1;
    }
  }
  if (number >= 0) out.push_back(number);
  check<FormatError>(out.size() == 3, path, ": ", out.size(),
                     " dimensions; features have three: pictures, places, values");
  return {out[0], out[1], out[2]};
}

Tensor read_npy(const io::File& file, const std::string& path) {
  const int64_t size = file.size();
  char head[12] = {};
  file.read_exactly(0, head, std::min<int64_t>(size, std::ssize(head)));
  const int major = static_cast<unsigned char>(head[6]);
  check<FormatError>(size >= 12 && major >= 1 && major <= 3, path,
                     ": damaged, or of a newer version of NumPy's format");
  const int length_bytes = major == 1 ? 2 : 4;
  int64_t length = 0;
  for (int k = length_bytes; k-- > 0;) length = length << 8 | static_cast<unsigned char>(head[8 + k]);
  const int64_t begin = 8 + length_bytes + length;
  check<FormatError>(begin <= size && length <= 100'000, path, ": damaged: a header of ", length, " bytes");
  std::string header(static_cast<size_t>(length), '\0');
  file.read_exactly(8 + length_bytes, header.data(), length);
  const Shape shape = npy_shape(header, path);
  int64_t elements = (size - begin) / 4;  // that are left for the dimensions still to come
  for (int k = 0; k < 3; ++k) {
    check<FormatError>(shape[k] >= 1, path, ": no features: dimension ", k + 1, " is ", shape[k]);
    elements /= shape[k];
  }
  check<FormatError>(elements >= 1 && size - begin == shape.size() * 4, path, ": cut short or damaged: shape ", shape,
                     " needs another number of bytes than the ", size - begin, " it has");
  const std::shared_ptr<std::byte> mapping = file.map(size);
  if (mapping && begin % 4 == 0) return Tensor::view(shape, Dtype::f32, mapping.get() + begin, mapping);
  Tensor out(shape);
  file.read_exactly(begin, reinterpret_cast<char*>(out.bytes()), out.byte_size());
  return out;
}

}  // namespace

std::vector<std::string> for_each_picture(int64_t n, const std::function<void(size_t)>& f) {
  std::vector<std::string> problems(static_cast<size_t>(n));
  parallel_try(n, 1, [&](int64_t at, int64_t) {
    const auto k = static_cast<size_t>(at);
    try {
      f(k);
    } catch (const FormatError& e) {
      problems[k] = e.what();
    } catch (const IoError& e) {
      problems[k] = e.what();
    }
  });
  return problems;
}

Image view_of(const Image& image, int64_t k) {
  check(k >= 0 && k < kViews, "view ", k, " of a picture: there are ", kViews);
  if (k == 0) return image;
  if (k % 2 == 1) return flipped(view_of(image, k - 1));
  const int64_t height = std::max<int64_t>(image.height * 7 / 8, 1), width = std::max<int64_t>(image.width * 7 / 8, 1);
  if (k == 2) return centre_cropped(image, height, width);
  const bool bottom = k == 8 || k == 10, right = k == 6 || k == 10;
  return cropped(image, bottom ? image.height - height : 0, right ? image.width - width : 0, height, width);
}

Tensor features_of_file(const std::string& path, const ImageFeatures& features, int64_t views,
                        const ImageLimits& limits) {
  check(views >= 1 && views <= kViews, "views: ", views, " is outside 1 to ", kViews);
  ImageLimits wanted = limits;
  // Views are parts of 7/8.
  if (wanted.shortest_side == 0 && features.shortest_side() > 0)
    wanted.shortest_side = views > 2 ? (features.shortest_side() * 8 + 6) / 7 : features.shortest_side();
  const Image image = read_image(path, wanted);
  Tensor out;
  for (int64_t v = 0; v < views; ++v) {
    const Tensor one = features(view_of(image, v));
    check(one.shape().rank() == 2, "features of a picture: [places, values], not ", one.shape());
    if (out.empty()) out = Tensor({views, one.dim(0), one.dim(1)});
    check(one.dim(0) == out.dim(1) && one.dim(1) == out.dim(2), "features of two pictures differ in shape");
    std::memcpy(out.bytes() + v * one.byte_size(), one.bytes(), static_cast<size_t>(one.byte_size()));
  }
  return out;
}

FeatureCache::FeatureCache(const std::string& path, const std::vector<std::string>& pictures,
                           const ImageFeatures& features, int64_t views, const ImageLimits& limits) {
  const std::string text = str_cat(kVersion, '\n', views, '\n', limits.pixels, '\n', limits.bytes, '\n',
                                   limits.shortest_side, '\n', features.key());
  std::vector<std::string> keys(pictures.size());
  problems_ = for_each_picture(std::ssize(keys), [&](size_t k) {
    keys[k] = sha256_hex(io::sha256_file(io::File::open_regular(pictures[k])) + '\n' + text);
  });
  const auto by_view = [&](const Tensor& rows) { return rows.reshape({views, rows.dim(0) / views, rows.dim(1)}); };
  io::KeyedRows found = io::open_keyed_rows(path);  // [views * places, width]
  io::KeyedRows wanted;
  std::map<std::string, std::string> refused;  // key -> problem
  std::vector<size_t> missing;                 // pictures, one for each key
  for (size_t k = 0; k < keys.size(); ++k) {
    if (keys[k].empty()) continue;
    const auto it = found.find(keys[k]);
    if (!wanted.emplace(keys[k], it == found.end() ? Tensor() : it->second).second) continue;
    if (it == found.end()) missing.push_back(k);
  }
  if (!missing.empty()) {
    io::KeyedRowsWriter writer(path);
    for (const auto& [key, rows] : wanted)
      if (!rows.empty()) writer.add(key, rows);
    constexpr size_t kAtOnce = 64;  // pictures in memory, as features
    Shape shape = {0};              // of all features
    for (const auto& [key, rows] : wanted)
      if (!rows.empty()) shape = by_view(rows).shape();
    for (size_t begin = 0; begin < missing.size(); begin += kAtOnce) {
      const size_t n = std::min(kAtOnce, missing.size() - begin);
      std::vector<Tensor> made(n);
      const std::vector<std::string> problems = for_each_picture(static_cast<int64_t>(n), [&](size_t k) {
        made[k] = features_of_file(pictures[missing[begin + k]], features, views, limits);
      });
      for (size_t k = 0; k < n; ++k) {
        const size_t picture = missing[begin + k];
        if (made[k].empty()) {
          refused[keys[picture]] = problems[k], problems_[picture] = problems[k];
          continue;
        }
        if (shape.rank() != 3) shape = made[k].shape();
        check(made[k].shape() == shape, "features of two pictures differ in shape: ", shape, " and ", made[k].shape());
        writer.add(keys[picture], made[k].reshape({views * shape[1], shape[2]}));
        ++computed_;
      }
    }
    if (computed_ > 0) {
      writer.commit(shape[2]);
      found = io::open_keyed_rows(path);
    }
  }
  for (size_t k = 0; k < keys.size(); ++k) {
    Tensor& rows = features_.emplace_back();
    if (keys[k].empty()) continue;
    if (const auto it = refused.find(keys[k]); it != refused.end()) {
      // The same bytes under another name have the same problem, with that name.
      if (problems_[k].empty())
        for_each_picture(1, [&](size_t) { features_of_file(pictures[k], features, views, limits); })[0].swap(
            problems_[k]);
      continue;
    }
    const auto it = found.find(keys[k]);
    // Another process may have put its own file there, or the disk returns something else.
    rows = it == found.end() ? features_of_file(pictures[k], features, views, limits) : by_view(it->second);
    places_ = rows.dim(1), width_ = rows.dim(2);
  }
}

std::vector<std::string> FeatureCache::problems() const {
  std::vector<std::string> out;
  std::ranges::copy_if(problems_, std::back_inserter(out), [](const std::string& p) { return !p.empty(); });
  return out;
}

Tensor read_features(const std::string& path, const std::string& name) {
  const io::File file = io::File::open_regular(path);
  char head[6] = {};
  file.read_exactly(0, head, std::min<int64_t>(file.size(), std::ssize(head)));
  if (std::string_view(head, 6) == "\x93NUMPY") return read_npy(file, path);
  io::SafetensorsFile tensors(path);
  check<FormatError>(!name.empty() || tensors.entries().size() == 1, path, ": there are ", tensors.entries().size(),
                     " tensors; name the one that has the features");
  const io::TensorEntry* entry = nullptr;
  for (const io::TensorEntry& e : tensors.entries())
    if (name.empty() || e.name == name) entry = &e;
  check<FormatError>(entry != nullptr, path, ": there is no tensor '", name, "'");
  check<FormatError>(entry->dtype == Dtype::f32 && entry->shape.rank() == 3, path, ": tensor '", entry->name, "' is ",
                     name_of(entry->dtype), " of shape ", entry->shape,
                     "; features are f32 of three dimensions: pictures, places, values");
  return tensors.map(*entry);
}

}  // namespace lookback::picture

#include "lookback/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <set>

#include "lookback/base/arithmetic.h"
#include "lookback/base/error.h"
#include "lookback/base/fields.h"
#include "lookback/base/utf8.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/json.h"
#include "lookback/io/quote.h"
#include "lookback/io/safetensors_header.h"

namespace lookback::io {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little endian");

void check_names(const std::string& path, std::span<const NamedTensor> tensors,
                 const std::map<std::string, std::string>& metadata) {
  std::set<std::string_view> seen;
  for (const NamedTensor& t : tensors) {
    check<FormatError>(!t.name.empty() && t.name != "__metadata__", path, ": ", quote(t.name),
                       " cannot be the name of a tensor");
    check<FormatError>(valid_utf8(t.name), path, ": the tensor name ", quote(t.name), " is not valid UTF-8");
    check<FormatError>(seen.insert(t.name).second, path, ": the tensor ", quote(t.name), " is given twice");
  }
  for (const auto& [key, value] : metadata)
    check<FormatError>(valid_utf8(key) && valid_utf8(value), path, ": the metadata ", quote(key),
                       " is not valid UTF-8");
}

// Which tensor's elements come first, second, ... in the file.
std::vector<size_t> data_order(std::span<const NamedTensor> tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return item_size(tensors[a].value.dtype()) > item_size(tensors[b].value.dtype());
  });
  return order;
}

std::string header_text(std::span<const NamedTensor> tensors, const std::vector<size_t>& order,
                        const std::map<std::string, std::string>& metadata) {
  std::vector<int64_t> begin(tensors.size());
  int64_t at = 0;
  for (const size_t k : order) begin[k] = at, at += tensors[k].value.byte_size();

  std::string out = "{";
  if (!metadata.empty()) {
    out += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata)
      out += (out.back() == '{' ? "" : ",") + json_quote(key) + ":" + json_quote(value);
    out += "}";
  }
  for (size_t k = 0; k < tensors.size(); ++k) {
    const Tensor& t = tensors[k].value;
    out +=
        str_cat(out.size() > 1 ? "," : "", json_quote(tensors[k].name), ":{\"dtype\":\"", safetensors_name(t.dtype()),
                "\",\"shape\":", t.shape(), ",\"data_offsets\":[", begin[k], ",", begin[k] + t.byte_size(), "]}");
  }
  out += "}";
  out.resize((out.size() + 7) / 8 * 8, ' ');
  return out;
}

}  // namespace

std::string scale_name(std::string_view name) { return std::string(name) + ".scale"; }

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  check_names(path, tensors, metadata);
  const std::vector<size_t> order = data_order(tensors);
  const std::string header = header_text(tensors, order, metadata);
  check<FormatError>(static_cast<int64_t>(header.size()) <= kMaxSafetensorsHeader, path, ": the header would have ",
                     header.size(), " bytes, more than ", kMaxSafetensorsHeader);
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&length), sizeof length});
  file.write(header);
  for (const size_t k : order) {
    const Tensor& t = tensors[k].value;
    file.write({reinterpret_cast<const char*>(t.bytes()), static_cast<size_t>(t.byte_size())});
  }
  file.commit();
}

SafetensorsFile::SafetensorsFile(const std::string& path) : SafetensorsFile(File::open_regular(path)) {}

SafetensorsFile::SafetensorsFile(File file) : file_(std::move(file)), bytes_(file_.size()) {
  const std::string& path = file_.path();
  const int64_t size = bytes_;
  check<FormatError>(size >= 8, path, ": has ", size, " bytes, too few for a safetensors file");
  uint64_t length = 0;
  file_.read_exactly(0, reinterpret_cast<char*>(&length), sizeof length);
  check<FormatError>(length <= static_cast<uint64_t>(kMaxSafetensorsHeader), path, ": says its header has ", length,
                     " bytes, more than ", kMaxSafetensorsHeader, "; is this a safetensors file?");
  const auto header_bytes = static_cast<int64_t>(length);
  check<FormatError>(header_bytes <= size - 8, path, ": says its header has ", header_bytes, " bytes, but only ",
                     size - 8, " follow; it was cut short");
  std::string json(length, '\0');
  file_.read_exactly(8, json.data(), header_bytes);

  const int64_t data_begin = 8 + header_bytes;
  SafetensorsHeader header = parse_safetensors_header(json, size - data_begin, path);
  entries_ = std::move(header.entries);
  metadata_ = std::move(header.metadata);
  for (size_t k = 0; k < entries_.size(); ++k) {
    entries_[k].offset += data_begin;
    index_.emplace(entries_[k].name, k);
  }
}

const TensorEntry* SafetensorsFile::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &entries_[it->second];
}

Tensor SafetensorsFile::load(std::string_view name) const {
  if (const TensorEntry* entry = find(name)) return load(*entry);
  std::vector<std::string> known;
  for (const TensorEntry& e : entries_) known.push_back(e.name);
  throw FormatError(str_cat(path(), ": has no tensor ", quote(name), nearest_match(name, known)));
}

Tensor SafetensorsFile::load(const TensorEntry& entry) const {
  Tensor out(entry.shape, entry.dtype);
  file_.read_exactly(entry.offset, reinterpret_cast<char*>(out.bytes()), entry.bytes);
  return out;
}

Tensor SafetensorsFile::map(const TensorEntry& entry) {
  if (!mapping_) mapping_ = file_.map(bytes_);
  if (!mapping_ || entry.offset % item_size(entry.dtype) != 0) return load(entry);
  return Tensor::view(entry.shape, entry.dtype, mapping_.get() + entry.offset, mapping_);
}

}  // namespace lookback::io

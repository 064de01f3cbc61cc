#include "lookback/io/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "lookback/base/arithmetic.h"
#include "lookback/base/error.h"
#include "lookback/io/json_events.h"
#include "lookback/io/quote.h"

namespace lookback::io {
namespace {

constexpr Dtype kDtypes[] = {Dtype::f32, Dtype::f64, Dtype::i32, Dtype::bf16, Dtype::i8};
constexpr std::string_view kMetadata = "__metadata__";

// {"__metadata__": {"k": "v"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
class HeaderReader final : public JsonEvents {
 public:
  SafetensorsHeader header;

  void on_key(std::string& key) override {
    if (depth_ == 1) {
      if (!names_.insert(key).second) fail("the tensor ", quote(key), " appears twice");
      if (key.empty()) fail("a tensor has no name");
      in_metadata_ = key == kMetadata;
      if (!in_metadata_) header.entries.push_back({.name = key});
    } else if (in_metadata_) {
      if (!header.metadata.emplace(key, "").second) fail("the metadata key ", quote(key), " appears twice");
    } else {
      const bool known = key == "dtype" || key == "shape" || key == "data_offsets";
      if (!known) fail(tensor(), " has an unknown key ", quote(key));
      if (!parts_.insert(key).second) fail(tensor(), " has ", quote(key), " twice");
    }
    key_ = key;
  }

  void start_object() override {
    if (depth_ == 2 || in_list_) fail("an object is not allowed here");
    ++depth_;
    if (depth_ == 2) parts_.clear();
  }

  void end_object() override {
    if (--depth_ != 1 || std::exchange(in_metadata_, false)) return;
    for (const char* part : {"dtype", "shape", "data_offsets"})
      if (!parts_.contains(part)) fail(tensor(), " has no ", part);
    finish(header.entries.back());
  }

  void start_array() override {
    if (depth_ != 2 || in_metadata_ || in_list_ || key_ == "dtype") fail("a list is not allowed here");
    in_list_ = true;
    list_size_ = 0;
  }

  void end_array() override {
    in_list_ = false;
    if (key_ == "data_offsets" && list_size_ != 2) fail(tensor(), " must have two data_offsets");
  }

  void on_integer(int64_t x) override {
    if (!in_list_) fail("a number is not allowed here");
    if (x < 0) fail(tensor(), " has a negative number, ", x, ", in ", key_);
    if (key_ == "shape") {
      Shape& shape = header.entries.back().shape;
      if (list_size_ == 0) shape = Shape{};
      if (shape.rank() == Shape::kMaxRank) fail(tensor(), " has more than ", Shape::kMaxRank, " dimensions");
      shape.push_back(x);
    } else {
      if (list_size_ == 2) fail(tensor(), " must have two data_offsets");
      (list_size_ == 0 ? begin_ : end_) = x;
    }
    ++list_size_;
  }

  void on_number(double x) override { fail(tensor(), " has a number that is not whole, ", x); }

  void on_string(std::string& s) override {
    if (depth_ != 2 || in_list_ || (!in_metadata_ && key_ != "dtype")) fail("a string is not allowed here");
    if (in_metadata_) {
      header.metadata[key_] = std::move(s);
      return;
    }
    for (const Dtype d : kDtypes) {
      if (s != safetensors_name(d)) continue;
      header.entries.back().dtype = d;
      return;
    }
    fail(tensor(), " has dtype ", quote(s), ", which is not supported (F32, F64, I32, BF16 and I8 are)");
  }

  // on_null and on_bool are refused as everything not overridden.

 private:
  std::string tensor() const {
    return header.entries.empty() ? "the header" : "the tensor " + quote(header.entries.back().name);
  }

  // All of one tensor has been read: do its numbers fit together?
  void finish(TensorEntry& e) {
    std::optional<int64_t> bytes = item_size(e.dtype);
    // Without the zeros first, so that [0, huge, huge] is an overflow however it is ordered.
    for (int k = 0; k < e.shape.rank() && bytes; ++k)
      if (e.shape[k] != 0) bytes = checked_mul(*bytes, e.shape[k]);
    if (!bytes) fail(tensor(), " has a shape that overflows, ", e.shape);
    for (int k = 0; k < e.shape.rank(); ++k)
      if (e.shape[k] == 0) bytes = 0;
    if (end_ < begin_) fail(tensor(), " ends at ", end_, ", before its start at ", begin_);
    if (end_ - begin_ != *bytes)
      fail(tensor(), " holds ", end_ - begin_, " bytes, its shape ", e.shape, " needs ", *bytes);
    e.offset = begin_;
    e.bytes = *bytes;
  }

  std::set<std::string> names_, parts_;
  std::string key_;
  int depth_ = 0;
  bool in_metadata_ = false, in_list_ = false;
  int list_size_ = 0;
  int64_t begin_ = 0, end_ = 0;
};

// Entries must tile [0, data_bytes) without gap or overlap: a file that passes has exactly one reading.
void check_layout(const std::vector<TensorEntry>& entries, int64_t data_bytes, const std::string& origin) {
  std::vector<size_t> order(entries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const TensorEntry &x = entries[a], &y = entries[b];
    return std::pair(x.offset, x.bytes) < std::pair(y.offset, y.bytes);
  });
  int64_t at = 0;
  for (const size_t k : order) {
    const TensorEntry& e = entries[k];
    check<FormatError>(e.offset >= at, origin, ": the tensor ", quote(e.name), " starts at ", e.offset,
                       ", inside the one before it, which ends at ", at);
    check<FormatError>(e.offset == at, origin, ": a gap before the tensor ", quote(e.name), ", which starts at ",
                       e.offset, ", expected ", at);
    at = e.offset + e.bytes;
  }
  check<FormatError>(at <= data_bytes, origin, ": the file has ", data_bytes, " bytes of data, its header needs ", at,
                     "; it was cut short");
  check<FormatError>(at == data_bytes, origin, ": the file has ", data_bytes - at, " bytes that no tensor covers");
}

}  // namespace

const char* safetensors_name(Dtype dtype) {
  constexpr const char* kNames[] = {"F32", "F64", "I32", "BF16", "I8"};
  return kNames[static_cast<int>(dtype)];
}

SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t data_bytes, const std::string& origin) {
  check<FormatError>(!json.empty() && json.front() == '{', origin, ": the header does not start with '{'");
  HeaderReader reader;
  parse_json(json, origin, reader);
  check_layout(reader.header.entries, data_bytes, origin);
  return std::move(reader.header);
}

}  // namespace lookback::io

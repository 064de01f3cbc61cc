// The safetensors format: 8 bytes of header length, a JSON header, then the
// elements. https://huggingface.co/docs/safetensors. Files written here are
// read by that library and the other way round.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/io/posix_file.h"
#include "lookback/tensor/tensor.h"

namespace lookback::io {

struct NamedTensor {
  std::string name;
  Tensor value;
};

// Where one tensor lies in a file.
struct TensorEntry {
  std::string name;
  Dtype dtype = Dtype::f32;
  Shape shape;
  int64_t offset = 0;  // bytes from the start of the file
  int64_t bytes = 0;
};

// A matrix NAME may be stored as int8 rows: NAME is I8 [N, C], and NAME.scale is F32 [N], one factor
// for each row. This is the second name.
std::string scale_name(std::string_view name);

constexpr int64_t kMaxSafetensorsHeader = 100'000'000;  // bytes, as the reference implementation has it

// Writes all or nothing (see atomic_file.h). The same input gives the same bytes: the header
// lists tensors in the order given; the elements lie sorted by element size, largest first, so
// that each tensor is aligned to its own type. Throws FormatError for a name that is empty,
// given twice, reserved or not UTF-8, and IoError.
void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

// An open file whose header has been checked in full: there is exactly one way to read it.
class SafetensorsFile {
 public:
  // Reads the header, not the elements. Throws IoError if it cannot be opened and FormatError,
  // naming the file and tensor, for whatever is wrong with it: a header that is cut short, too
  // long or not JSON, a key twice, a dtype other than F32 F64 I32 BF16 I8, a shape that is
  // negative, overflows or has over five dimensions, tensors that overlap, leave gaps or do not
  // fill the file to its end.
  explicit SafetensorsFile(const std::string& path);
  explicit SafetensorsFile(File file);

  const std::string& path() const { return file_.path(); }
  // In the order of the header.
  const std::vector<TensorEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // Null when there is no such tensor.
  const TensorEntry* find(std::string_view name) const;

  // A copy of one tensor's elements. Throws FormatError, naming the nearest match, if there is
  // no such tensor, and IoError if the file became shorter meanwhile.
  Tensor load(std::string_view name) const;
  Tensor load(const TensorEntry& entry) const;
  // The same without a copy: a view of the mapped file, read-only, which outlives this object. Only
  // what cannot be mapped or is not aligned to its type is copied after all.
  Tensor map(const TensorEntry& entry);

 private:
  File file_;
  int64_t bytes_;                       // in the file
  std::shared_ptr<std::byte> mapping_;  // of the whole file, once somebody asked
  std::vector<TensorEntry> entries_;
  std::map<std::string, size_t, std::less<>> index_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace lookback::io

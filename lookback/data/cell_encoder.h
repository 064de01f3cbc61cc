// From a cell of a table to ids.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lookback/base/rng.h"

namespace lookback::data {

// What makes ids of the cells of a column: a tokenizer of texts, a set of labels. Const and safe for several threads.
class CellEncoder {
 public:
  virtual ~CellEncoder() = default;

  // The ids of a cell; none for a cell that is no example (see why_none). Throws FormatError for text that is not
  // UTF-8.
  virtual std::vector<int32_t> encode(std::string_view cell) const = 0;
  // The ids of a cell that is read beside others of its row, see Column::beside; encode's unless overridden.
  using Cells = std::span<const std::string_view>;
  virtual std::vector<int32_t> encode_beside(std::string_view cell, Cells others) const;
  // Ids as training may see them: encode's, or a random choice where sampling() is not 0.
  virtual std::vector<int32_t> encode_sampled(std::string_view cell, Rng& rng) const;
  virtual double sampling() const { return 0; }
  // Whether a cell that is blank is an example like any other.
  virtual bool encodes_blank() const { return false; }
  // Ids are in [0, size()).
  virtual int64_t size() const = 0;
  // Why a cell of this column gives no ids: "the source is empty".
  virtual std::string why_none(const std::string& column, std::string_view cell) const;
};

}  // namespace lookback::data

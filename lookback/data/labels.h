// Labels by number.
#pragma once

#include <string>
#include <vector>

#include "lookback/data/cell_encoder.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

// The labels of a task, in ascending order. A cell is one label, white space at its ends aside.
class Labels final : public CellEncoder {
 public:
  // Throws FormatError for fewer than two, for an empty one and for one given twice.
  explicit Labels(std::vector<std::string> names, const std::string& origin);
  // All that the lines hold, blank ones passed over.
  static Labels learn(const LineSource& lines, const std::string& origin);

  std::vector<int32_t> encode(std::string_view cell) const override;
  int64_t size() const override { return static_cast<int64_t>(names_.size()); }
  std::string why_none(const std::string& column, std::string_view cell) const override;

  const std::string& name(int32_t id) const { return names_.at(static_cast<size_t>(id)); }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
};

}  // namespace lookback::data

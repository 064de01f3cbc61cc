// Labels by number.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/data/cell_encoder.h"
#include "lookback/data/tokenizer.h"

namespace lookback::data {

struct LabelOptions {
  bool several = false;
  std::string separator = ",";
  StringList names;

  void fields(FieldVisitor& v) {
    v("several", several, "an example may have any number of labels, none included; else each has one");
    v("separator", separator, "several: what stands between the labels of a cell, and of an output");
    v("names", names, "what outputs call a label of the data, \"0=negative\"; others as the data have them");
  }
};

// The labels of a task, in ascending order. A cell is one label or, where an example may have several, any number of
// them with separators between; a label may be written by its name, too. White space around each is passed over.
class Labels final : public CellEncoder {
 public:
  // Throws FormatError for fewer than two (with `several`: none), for an empty one and for one given twice; ConfigError
  // for names of labels there are not, for two labels of one name, and for a separator that is empty or in a name.
  Labels(StringList labels, const LabelOptions& options, const std::string& origin);
  // All that the lines hold, blank ones passed over.
  static Labels learn(const LineSource& lines, const LabelOptions& options, const std::string& origin);

  // One id; or, of several, those of the cell in ascending order and then count(), so that a cell without labels is an
  // example, too. No ids for a label that there is not.
  std::vector<int32_t> encode(std::string_view cell) const override;
  bool encodes_blank() const override { return options_.several; }
  int64_t size() const override { return count() + (options_.several ? 1 : 0); }
  std::string why_none(const std::string& column, std::string_view cell) const override;

  int64_t count() const { return static_cast<int64_t>(labels_.size()); }
  const std::string& name(int32_t id) const { return names_.at(static_cast<size_t>(id)); }
  // Names with separators between.
  std::string text(std::span<const int32_t> ids) const;
  // A cell as an output that is right would write it. A label that training has not stays as it is.
  std::string as_output(std::string_view cell) const;
  const StringList& labels() const { return labels_; }  // of the data
  const StringList& names() const { return names_; }    // of outputs
  const LabelOptions& options() const { return options_; }

 private:
  std::vector<std::string_view> parts(std::string_view cell) const;
  int32_t id(std::string_view label) const;  // -1 for an unknown one

  StringList labels_, names_;
  LabelOptions options_;
};

}  // namespace lookback::data

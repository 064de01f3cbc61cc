#include "lookback/tasks/export.h"

#include <algorithm>
#include <cmath>

#include "lookback/io/atomic_file.h"
#include "lookback/io/safetensors.h"
#include "lookback/ops/int8_rows.h"
#include "lookback/tasks/folder_parts.h"
#include "lookback/tasks/model_card.h"

namespace lookback::tasks {
namespace {

// The tensors of a file: each parameter as it is, or, where products read it, as int8 rows and their scales.
std::vector<io::NamedTensor> stored(const Exported& model, const ExportOptions& options) {
  std::vector<io::NamedTensor> out;
  for (const NamedVar& p : model.parameters) {
    ops::Int8Rows rows{p.var.value(), p.var.row_scales()};
    if (options.weights == "int8" && rows.scales.empty() && p.var.shape().rank() == 2 &&
        std::ranges::find(model.kept_from_int8, p.name) == model.kept_from_int8.end() && p.role != Role::score_filter)
      rows = ops::to_int8_rows(p.var.value());
    out.push_back({p.name, rows.rows});
    if (rows.scales.empty()) continue;
    for (const float scale : rows.scales.span<float>())
      check<FormatError>(std::isfinite(scale), model.from.path_of(kWeightsFile), ": ", p.name,
                         " has a value that is not finite");
    out.push_back({io::scale_name(p.name), rows.scales});
  }
  return out;
}

}  // namespace

void write_exported(const Exported& model, const std::string& folder, const ExportOptions& options) {
  const bool int8 = model.int8 || options.weights == "int8";
  auto metadata = model.metadata;
  if (int8) metadata["quantization"] = "int8 rows, NAME = NAME.scale[row] * NAME[row]";
  io::write_safetensors(folder + "/" + kWeightsFile, stored(model, options), metadata);
  io::write_file_atomic(folder + "/README.md", exported_card(model.from, model.task, int8));
}

}  // namespace lookback::tasks

#include "lookback/tasks/common_options.h"

#include "lookback/ops/precision.h"

namespace lookback::tasks {

void CommonOptions::common_fields(FieldVisitor& v) {
  v("batch", batch, "inputs that are predicted together; changes no output").range(1, 100000);
  v("precision", precision,
    "what the factors of matrix products are rounded to: f32; bf16; auto: bf16 where the processor is faster at it, "
    "else f32; int8, with a scale for each row of the weights and of what they meet")
      .choices({"f32", "bf16", "int8", "auto"});
}

void CommonOptions::check_precision(const LogSink& log) const {
  if (const std::string warning = ops::precision_warning(precision); !warning.empty()) log(Severity::warning, warning);
}

}  // namespace lookback::tasks

// Private to models: the histories of a forecaster as an encoder reads them.
#pragma once

#include "lookback/models/forecast_network.h"
#include "lookback/ops/sequence.h"

namespace lookback {

// `span` steps are a row: side by side, then what holds for the whole series, [N, span * P + S]. `shape` is of so many
// rows for each history; the rows come by sequence.
Sequence history_rows(const NetworkInput& in, const Ragged& shape, int64_t span);

}  // namespace lookback

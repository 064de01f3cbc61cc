// An attention score: how well does a decoder state match each source position?
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lookback/base/fields.h"
#include "lookback/nn/module.h"
#include "lookback/ops/attentive_lstm.h"

namespace lookback {

struct Score {
  virtual ~Score() = default;
  // Once per source sentence: memory [S, M] -> keys [S, A].
  virtual Var keys(const Var& memory) const = 0;
  // Once per target step: query [N, Q] -> energies [N, T], before mask and softmax.
  virtual Var energies(const Var& query, const Var& keys, const ops::Visible& visible) const = 0;
  // The same as a formula, if it is of a form that whole decoder loops know.
  virtual std::optional<ops::ScoreForm> form() const { return {}; }
  virtual void params(ParamVisitor&) {}
};

struct ScoreSizes {
  int64_t query, memory, attention;  // widths Q, M and A
};

// The scores there are, by name.
StringList score_names();

// Throws ConfigError if there is no such score or the sizes do not suit it.
std::unique_ptr<Score> make_score(const std::string& name, const ScoreSizes& sizes);

}  // namespace lookback

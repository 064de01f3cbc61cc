#include "lookback/tasks/transcribe_fusion.h"

#include <string_view>
#include <unordered_map>

#include "lookback/models/language_session.h"
#include "lookback/tasks/language_model.h"
#include "lookback/tasks/task_definition.h"

namespace lookback::tasks {
namespace {

// Text that each way of cutting words or characters cuts into another number of tokens: at spaces or at punctuation;
// into code points, graphemes or bytes (the accent is a code point of its own).
constexpr const char* kProbe = "a,b e\u0301";

void check_cut_alike(const std::string& folder, const data::Tokenizer& own, const data::Tokenizer& theirs) {
  check<ConfigError>(own.kind() == theirs.kind(), "lm = ", folder, ": its tokenizer's kind is '", theirs.kind(),
                     "' and this model's is '", own.kind(), "': train a language model with tokenizer.kind = '",
                     own.kind(), "'");
  if (own.kind() != "word" && own.kind() != "char") return;
  check<ConfigError>(own.encode(kProbe).size() == theirs.encode(kProbe).size(), "lm = ", folder,
                     ": its tokenizer cuts text in another way than this model's: tokenizer.",
                     own.kind() == "word" ? "split" : "unit", " has to be the same");
}

}  // namespace

struct FusedModel::Model : Loaded<LanguageTask> {
  using Loaded::Loaded;
};

FusedModel::~FusedModel() = default;

FusedModel::FusedModel(const std::string& folder, const data::Tokenizer& tokenizer) {
  const TaskKind& kind = task_of_model(folder);
  check<ConfigError>(kind.name == std::string_view(LanguageTask::kName), "lm = ", folder, ": is a model of task ",
                     kind.name, "; this needs one of task ", LanguageTask::kName);
  model_ = std::make_unique<const Model>(io::ModelFolder(folder));
  const data::Tokenizer& theirs = *model_->network.tokenizer;
  check_cut_alike(folder, tokenizer, theirs);
  std::unordered_map<std::string, int32_t> id_of;
  for (int32_t id = data::kSpecials; id < theirs.size(); ++id) id_of.emplace(theirs.piece(id), id);
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    if (id < data::kSpecials) {
      token_of_.push_back(id);  // which are the same everywhere
      continue;
    }
    const std::string piece = tokenizer.piece(id);
    auto at = id_of.find(piece);
    if (at == id_of.end()) at = id_of.find(theirs.spelling(piece));
    token_of_.push_back(at == id_of.end() ? data::kUnk : at->second);
    if (at == id_of.end()) unknown_.push_back(piece);
  }
  check<ConfigError>(std::ssize(unknown_) < tokenizer.size() - data::kSpecials, "lm = ", folder,
                     ": its vocabulary has none of this model's tokens");
}

decode::Term FusedModel::term(int64_t sentences, double weight) const {
  return {.decoder = make_decoder(LanguageSession(*model_->network.model, {}, sentences)),
          .weight = weight,
          .token_of = token_of_,
          .unknown = data::kUnk};
}

const FusedModel& FusedModels::of(const std::string& folder, const data::Tokenizer& tokenizer) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<const FusedModel>& found = models_[folder];
  if (!found) found = std::make_unique<const FusedModel>(folder, tokenizer);
  return *found;
}

}  // namespace lookback::tasks

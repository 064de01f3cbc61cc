#include "lookback/cli/conversation.h"

#include <algorithm>
#include <utility>

#include "lookback/io/json.h"

namespace lookback::cli {
namespace {

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return text;
}

std::string json_strings(const StringList& texts) {
  return io::json_list(texts, [](const std::string& text) { return io::json_quote(text); });
}

}  // namespace

Conversation::Conversation(StringList knowledge, int64_t turns)
    : knowledge_(std::move(knowledge)), known_at_start_(knowledge_.size()), turns_(static_cast<size_t>(turns)) {
  for (std::string& row : knowledge_) row = one_line(std::move(row));
}

void Conversation::ask(std::string turn) {
  exchanges_.push_back({one_line(std::move(turn)), "", ++said_, knowledge_.size()});
}

void Conversation::reply(std::string text) { exchanges_.back().reply = one_line(std::move(text)); }

void Conversation::know(std::string row) { knowledge_.push_back(one_line(std::move(row))); }

bool Conversation::undo() {
  if (empty()) return false;
  exchanges_.pop_back();
  return true;
}

void Conversation::reset() {
  exchanges_.clear();
  knowledge_.resize(known_at_start_);
}

StringList Conversation::history() const {
  StringList out;
  const size_t all = 2 * exchanges_.size() - 1;  // the last exchange may have no reply yet
  for (size_t k = turns_ == 0 ? 0 : all - std::min(all, turns_); k < all; ++k)
    out.push_back(k % 2 == 0 ? exchanges_[k / 2].said : exchanges_[k / 2].reply);
  return out;
}

StringList Conversation::knowledge() const {
  return {knowledge_.begin(), knowledge_.begin() + static_cast<ptrdiff_t>(exchanges_.back().knowledge)};
}

tasks::Input Conversation::input() const {
  tasks::Input out{.line = exchanges_.back().number};
  out.fields["history"] = joined(history(), "\n");
  if (const StringList known = knowledge(); !known.empty()) out.fields["knowledge"] = joined(known, "\n");
  return out;
}

std::string Conversation::row() const {
  return io::JsonObject()
      .raw("history", json_strings(history()))
      .raw("knowledge", json_strings(knowledge()))
      .add("reply", last_reply())
      .text();
}

}  // namespace lookback::cli

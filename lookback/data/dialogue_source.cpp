#include "lookback/data/dialogue_source.h"

#include <algorithm>

#include "lookback/data/delexicaliser.h"

namespace lookback::data {
namespace {

std::vector<std::string_view> lines_of(std::string_view cell) {
  std::vector<std::string_view> out;
  while (!cell.empty()) {
    const size_t end = std::min(cell.find('\n'), cell.size());
    out.push_back(cell.substr(0, end));
    cell.remove_prefix(std::min(end + 1, cell.size()));
  }
  return out;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == std::string_view::npos; }

}  // namespace

std::vector<DialogueSource::Part> DialogueSource::parts(std::string_view knowledge, std::string_view history) const {
  std::vector<Part> out;
  for (const std::string_view row : lines_of(knowledge))
    if (!is_blank(row)) out.push_back({kKnowledge, std::string(row)});
  std::vector<std::string_view> turns = lines_of(history);
  std::erase_if(turns, is_blank);
  const size_t kept = options_.turns > 0 ? std::min(turns.size(), static_cast<size_t>(options_.turns)) : turns.size();
  for (size_t k = turns.size() - kept; k < turns.size(); ++k)
    out.push_back({(turns.size() - k) % 2 == 1 ? kOther : kOwn, std::string(turns[k])});
  if (options_.delexicalise) {
    const Delexicaliser values(knowledge);
    for (Part& part : out) part.text = values.encode(part.text);
  }
  return out;
}

std::string DialogueSource::reply_in(std::string_view knowledge, std::string_view reply) const {
  return options_.delexicalise ? Delexicaliser(knowledge).encode(reply) : std::string(reply);
}

std::string DialogueSource::reply_out(std::string_view knowledge, std::string_view written) const {
  return options_.delexicalise ? Delexicaliser(knowledge).decode(written) : std::string(written);
}

std::string DialogueSource::text(std::string_view knowledge, std::string_view history) const {
  std::string out;
  for (const Part& part : parts(knowledge, history)) out.append(out.empty() ? "" : "\n").append(part.text);
  return out;
}

std::vector<int32_t> DialogueSource::tokens(std::string_view knowledge, std::string_view history) const {
  std::vector<int32_t> out;
  for (const Part& part : parts(knowledge, history)) {
    const std::vector<int32_t> ids = tokenizer_->encode(part.text);
    out.insert(out.end(), ids.begin(), ids.end());
  }
  return out;
}

std::vector<int32_t> DialogueSource::segments(std::string_view knowledge, std::string_view history) const {
  std::vector<int32_t> out;
  for (const Part& part : parts(knowledge, history))
    if (const auto tokens = std::ssize(tokenizer_->encode(part.text)); tokens > 0)
      out.push_back(part.role), out.push_back(static_cast<int32_t>(tokens));
  return out;
}

}  // namespace lookback::data

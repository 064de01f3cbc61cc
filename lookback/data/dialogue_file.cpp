#include "lookback/data/dialogue_file.h"

#include <charconv>
#include <optional>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/base/parse.h"
#include "lookback/base/sha256.h"
#include "lookback/data/unicode.h"

namespace lookback::data {
namespace {

constexpr std::string_view kEndOfTurn = "__eou__";

// The number that a line begins with, and what follows the blank behind it; nothing for another line.
std::optional<std::pair<int64_t, std::string_view>> numbered(std::string_view line) {
  const size_t end = line.find(' ');
  if (end == line.npos) return std::nullopt;
  const auto number = parse_number<int64_t>(line.substr(0, end));
  return number ? std::optional(std::pair(*number, line.substr(end + 1))) : std::nullopt;
}

}  // namespace

uint64_t dialogue_hash(std::string_view turns) {
  const std::string lower = lowercased(turns);
  std::string kept;
  bool has_any = false;
  for (const std::string_view c : codepoints(lower)) {
    const bool counts = is_letter(codepoint(c)) || is_digit(codepoint(c));
    has_any = has_any || counts;
    if (counts || c == "\n") kept += c;
  }
  uint64_t out = 0;
  const std::string hex = sha256_hex(kept);
  if (has_any) std::from_chars(hex.data(), hex.data() + 16, out, 16);
  return out;
}

DialogueFile::DialogueFile(LineReader& file, LineTally& tally, std::string name,
                           std::shared_ptr<const DialogueHashes> without)
    : file_(file), tally_(tally), name_(std::move(name)), without_(std::move(without)) {}

bool DialogueFile::next(Row& row) {
  while (next_ == entries_.size())
    if (!read_dialogue()) return false;
  const Entry& e = entries_[next_++];
  row = {.line = e.line, .dialogue = hash_, .problem = e.problem};
  if (e.problem) return true;
  row.history = turns_.substr(0, e.begin - 1);  // without the line's end before the reply
  row.knowledge = knowledge_.substr(0, e.known);
  row.reply = turns_.substr(e.begin, e.end - e.begin);
  return true;
}

bool DialogueFile::next_line() {
  if (waiting_) return !(waiting_ = false);
  return file_.next(line_);
}

bool DialogueFile::read_dialogue() {
  turns_.clear(), knowledge_.clear(), entries_.clear();
  count_ = 0, next_ = 0;
  do {
    if (!next_line()) return false;
    if (trimmed(line_).empty()) tally_.add(line_, file_.number(), true);
  } while (trimmed(line_).empty());
  if (shape_ == Shape::unknown) {
    shape_ = line_.find(kEndOfTurn) != line_.npos ? Shape::eou : Shape::numbered;
    EncodingGuess guess;
    guess.add(line_, 1);
    check<FormatError>(shape_ == Shape::eou || numbered(line_), name_, ":", file_.number(),
                       ": begins no dialogue: a line is a number, a blank, a turn, a tab and its reply, or a dialogue "
                       "whose turns each end with ",
                       kEndOfTurn, is_utf8_text(line_) ? "" : "; the line is not UTF-8, " + guess.advice());
  }
  shape_ == Shape::eou ? read_eou() : read_numbered();
  hash_ = dialogue_hash(turns_);
  if (without_ && hash_ != 0 && without_->contains(hash_)) {
    ++passed_over_;
    std::erase_if(entries_, [](const Entry& e) { return !e.problem; });
  }
  return true;
}

void DialogueFile::add_turn(std::string_view turn, bool is_reply) {
  if (count_++ > 0) turns_ += '\n';
  turns_ += trimmed(turn);
  const size_t size = trimmed(turn).size();
  if (is_reply) entries_.push_back({file_.number(), knowledge_.size(), turns_.size() - size, turns_.size(), nullptr});
}

void DialogueFile::read_eou() {
  const bool is_text = is_utf8_text(line_);
  tally_.add(line_, file_.number(), is_text);
  if (!is_text) return add_problem(why_not_utf8(line_));
  std::string_view rest = trimmed(line_);
  if (!rest.ends_with(kEndOfTurn)) return add_problem("the last turn does not end with __eou__");
  for (size_t end; (end = rest.find(kEndOfTurn)) != rest.npos; rest.remove_prefix(end + kEndOfTurn.size()))
    add_turn(rest.substr(0, end), count_ > 0);
  if (count_ == 1) add_problem("a dialogue of one turn has no reply");
}

void DialogueFile::read_numbered() {
  int64_t before = -1, last = 0;
  do {
    if (trimmed(line_).empty()) {
      tally_.add(line_, file_.number(), true);
      break;
    }
    const auto found = numbered(line_);
    if (found && found->first <= before) {
      waiting_ = true;
      break;
    }
    const bool is_text = is_utf8_text(line_);
    tally_.add(line_, file_.number(), is_text);
    if (found) before = found->first;
    last = file_.number();
    if (!is_text) {
      add_problem(why_not_utf8(line_));
    } else if (!found) {
      add_problem("a line of a dialogue begins with no number and a blank");
    } else if (const size_t tab = found->second.find('\t'); tab == line_.npos) {
      if (trimmed(found->second).empty()) {
        add_problem("nothing follows the number");
        continue;
      }
      if (!knowledge_.empty()) knowledge_ += '\n';
      knowledge_ += trimmed(found->second);
    } else if (found->second.find('\t', tab + 1) != line_.npos) {
      add_problem("a turn has more than one tab");
    } else {
      add_turn(found->second.substr(0, tab), false);
      add_turn(found->second.substr(tab + 1), true);
    }
  } while (next_line());
  if (entries_.empty()) entries_.push_back({last, 0, 0, 0, "a dialogue without a tab has no reply"});
}

}  // namespace lookback::data

#include "lookback/cli/converse.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/cli/drawing.h"
#include "lookback/viz/tokens.h"

namespace lookback::cli {
namespace {

// How many warnings of the model are said one by one; the others are counted.
constexpr int64_t kWarnings = 3;
constexpr std::string_view kBlank = " \t";

std::string_view trimmed(std::string_view s) {
  s.remove_prefix(std::min(s.find_first_not_of(kBlank), s.size()));
  return s.substr(0, s.find_last_not_of(kBlank) + 1);
}

class Chat {
 public:
  Chat(const tasks::TaskModel& model, const tasks::PredictOptions& options, Conversation conversation,
       const ChatEnds& ends)
      : model_(model), options_(options), conversation_(std::move(conversation)), ends_(ends) {}

  void run() {
    bool more = true;
    for (std::string line; !over_ && (more = next(line));) follow(line);
    if (!more && ends_.terminal) ends_.write("\n");  // what follows does not stand behind the prompt
    if (warned_ > kWarnings) ends_.log(Severity::warning, str_cat(warned_ - kWarnings, " more warning(s) like these"));
  }

  void help(std::string_view) {
    constexpr size_t kColumn = 16;
    std::string out;
    for (const HelpEntry& e : chat_commands().entries)
      out += "  " + e.name + std::string(kColumn - std::min(kColumn - 1, e.name.size()), ' ') + e.text + "\n";
    ends_.write(out);
  }

  void know(std::string_view row) {
    conversation_.know(std::string(row));
    hint("known from here on");
  }

  void why(std::string_view file) {
    if (conversation_.empty()) return warn("/why: there is no reply yet");
    std::string drawn;
    try {
      std::optional<Drawing> drawing;
      if (!file.empty()) drawing.emplace("/why", std::string(file));
      const viz::Figure figure = model_.explain(conversation_.input(), options_);
      if (drawing)
        drawing->write({figure});
      else
        drawn = on_terminal({figure});
    } catch (const Error& e) {
      return warn(e.what());
    }
    if (file.empty()) return ends_.write(drawn);
    hint(str_cat("drawn: ", file));
  }

  void undo(std::string_view) {
    if (!conversation_.undo()) return warn("/undo: there is nothing to take back");
    hint(conversation_.empty() ? "taken back; nothing was said yet"
                               : "taken back; the last reply is again: " + conversation_.last_reply());
  }

  void reset(std::string_view) {
    conversation_.reset();
    hint("forgotten");
  }

  void quit(std::string_view) { over_ = true; }

 private:
  bool next(std::string& line) {
    if (ends_.terminal) ends_.write("> ");
    ++lines_;
    return ends_.next(line);
  }

  void follow(const std::string& line) {
    if (const auto bad = find_invalid_utf8(line))
      return warn(str_cat("line ", lines_, ": byte ", *bad + 1, " is not UTF-8; the line was passed over"));
    if (trimmed(line).empty()) return hint("an empty line says nothing; /help lists what can be done");
    if (!line.starts_with('/')) return ask(line);
    if (line.starts_with("//")) return ask(line.substr(1));
    obey(line);
  }

  void ask(std::string turn) {
    conversation_.ask(std::move(turn));
    const tasks::Input input = conversation_.input();
    const auto predictions = model_.predict(std::span(&input, 1), options_, tasks::TaskModel::Detail::text_only);
    conversation_.reply(predictions.at(0).outputs.at(0).text);
    if (ends_.keep) ends_.keep(conversation_.row() + "\n");
    const std::string& reply = conversation_.last_reply();
    ends_.write((ends_.terminal ? viz::one_line(reply) : reply) + "\n");
    for (const auto& [field, warning] : predictions[0].warnings)
      if (++warned_ <= kWarnings) warn(str_cat("turn ", input.line, ": ", field, ": ", warning));
  }

  void obey(std::string_view line);

  void warn(std::string_view words) const { ends_.log(Severity::warning, words); }
  // For people only.
  void hint(std::string_view words) const {
    if (ends_.terminal) ends_.log(Severity::info, words);
  }

  const tasks::TaskModel& model_;
  const tasks::PredictOptions& options_;
  Conversation conversation_;
  const ChatEnds& ends_;
  bool over_ = false;
  int64_t lines_ = 0, warned_ = 0;  // lines read, warnings of the model
};

struct ChatCommand {
  std::string_view name, argument, text;  // "[FILE]" may be left out
  void (Chat::*run)(std::string_view);
};

constexpr ChatCommand kCommands[] = {
    {"/why", "[FILE]",
     "draw what the model looked at for the last reply, here or in a file, by its ending: .html, .svg, .png or .json",
     &Chat::why},
    {"/know", "TEXT", "one more row of knowledge, from the next turn on", &Chat::know},
    {"/undo", "", "take the last turn and its reply back", &Chat::undo},
    {"/reset", "", "forget what was said, and what /know added", &Chat::reset},
    {"/help", "", "list the commands", &Chat::help},
    {"/quit", "", "end, as the end of the input does", &Chat::quit},
};

void Chat::obey(std::string_view line) {
  const size_t end = std::min(line.find_first_of(kBlank), line.size());
  const std::string_view name = line.substr(0, end), argument = trimmed(line.substr(end));
  const auto command = std::ranges::find(kCommands, name, &ChatCommand::name);
  if (command == std::end(kCommands)) {
    StringList known;
    for (const ChatCommand& c : kCommands) known.emplace_back(c.name);
    return warn(str_cat("unknown command '", name, "'", nearest_match(name, known),
                        "; /help lists them; a turn that begins with a slash is written with two"));
  }
  if (command->argument.empty() && !argument.empty())
    return warn(str_cat(name, ": takes nothing, got '", argument, "'"));
  if (command->argument == "TEXT" && argument.empty()) return warn(str_cat(name, ": TEXT is missing: ", command->text));
  (this->*command->run)(argument);
}

}  // namespace

void converse(const tasks::TaskModel& model, const tasks::PredictOptions& options, Conversation conversation,
              const ChatEnds& ends) {
  Chat(model, options, std::move(conversation), ends).run();
}

HelpSection chat_commands() {
  HelpSection out{"lines that are commands", {}};
  for (const ChatCommand& c : kCommands)
    out.entries.push_back({str_cat(c.name, c.argument.empty() ? "" : " ", c.argument), std::string(c.text)});
  out.entries.push_back({"//TEXT", "the turn /TEXT"});
  return out;
}

}  // namespace lookback::cli

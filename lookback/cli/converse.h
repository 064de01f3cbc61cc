// The loop of `lookback chat`: lines in, replies out, and commands between them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "lookback/base/log.h"
#include "lookback/cli/command.h"
#include "lookback/cli/conversation.h"
#include "lookback/tasks/task.h"

namespace lookback::cli {

// Where a conversation is held.
struct ChatEnds {
  std::function<bool(std::string&)> next;       // the next line that somebody wrote, without its end; false: no more
  std::function<void(std::string_view)> write;  // what they get to see, at once
  LogSink log;                                  // what is no reply: warnings, and hints for people
  std::function<void(std::string_view)> keep;   // takes each exchange, a JSON line with its end; may be none
  bool terminal = false;                        // whether somebody sits there: prompts and hints
};

// Replies to each line with a model of task "chat" until the lines end or one of them is /quit. A reply is one line.
// A line that cannot be followed is a warning, and nothing is lost. Throws what the model and `ends` throw.
void converse(const tasks::TaskModel& model, const tasks::PredictOptions& options, Conversation conversation,
              const ChatEnds& ends);

// The commands, as a section of help.
HelpSection chat_commands();

}  // namespace lookback::cli

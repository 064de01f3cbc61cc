// What was said so far between somebody and a chat model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lookback/base/fields.h"
#include "lookback/tasks/task.h"

namespace lookback::cli {

// Exchanges of a turn and its reply, and rows of knowledge. Line ends in what is handed over become spaces, since
// turns and rows are lines of the model's input.
class Conversation {
 public:
  // `knowledge` is there from the start and stays; the model gets the newest `turns` turns, of both sides: 0 is all.
  explicit Conversation(StringList knowledge = {}, int64_t turns = 0);

  // Opens an exchange, which reply() then closes.
  void ask(std::string turn);
  void reply(std::string text);
  // A further row of knowledge, for the turns that follow.
  void know(std::string row);
  // Takes the last exchange back; false if there is none.
  bool undo();
  // Forgets all exchanges and what know() added.
  void reset();

  bool empty() const { return exchanges_.empty(); }
  // The last reply. There must be one.
  const std::string& last_reply() const { return exchanges_.back().reply; }

  // What the model got, or is to get, for the last exchange: "history", turns with '\n' between them, the oldest first,
  // and "knowledge", where there is some. Its number, on which draws depend, is that of the turn among all that were
  // ever said here, so that a turn taken back and said again is drawn anew. There must be an exchange.
  tasks::Input input() const;
  // The last exchange as a row of training data, without a line's end, with what the model got:
  // {"history": [...], "knowledge": [...], "reply": "..."}.
  std::string row() const;

 private:
  struct Exchange {
    std::string said, reply;
    int64_t number;    // of the turn, from 1
    size_t knowledge;  // rows that were known
  };

  StringList history() const;
  StringList knowledge() const;

  StringList knowledge_;
  size_t known_at_start_, turns_;
  std::vector<Exchange> exchanges_;
  int64_t said_ = 0;  // turns, those taken back and forgotten included
};

}  // namespace lookback::cli

// Lines read ahead by a thread of their own, so that whoever works on them takes what is there:
// much from a file, one line from somebody who types.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lookback::cli {

class LineQueue {
 public:
  // Starts to read at once; holds at most `lines` lines, and few if they are long. What LineReader
  // throws, take() throws. An object that goes away before the end leaves its thread behind to
  // wait for input; that thread touches nothing but itself.
  LineQueue(const std::string& path, size_t lines);
  // The same of lines from elsewhere: true and the next one, or false at the end.
  using LineSource = std::function<bool(std::string& line)>;
  LineQueue(LineSource source, size_t lines);
  ~LineQueue();
  LineQueue(const LineQueue&) = delete;
  LineQueue& operator=(const LineQueue&) = delete;

  // Waits for a line, then returns all there are, in order; none only at the end.
  std::vector<std::string> take();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lookback::cli

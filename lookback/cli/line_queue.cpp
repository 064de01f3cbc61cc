#include "lookback/cli/line_queue.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "lookback/base/line_reader.h"

namespace lookback::cli {
namespace {

constexpr size_t kMaxBytes = size_t{4} << 20;

}  // namespace

struct LineQueue::State {
  State(LineSource source, size_t most) : next(std::move(source)), most_lines(most) {}

  const LineSource next;
  const size_t most_lines;
  std::mutex lock;
  std::condition_variable changed;
  std::vector<std::string> lines;
  size_t bytes = 0;
  bool ended = false, abandoned = false;
  std::exception_ptr error;

  void put(std::string line) {
    std::unique_lock hold(lock);
    changed.wait(hold, [&] { return abandoned || (lines.size() < most_lines && bytes < kMaxBytes); });
    bytes += line.size();
    lines.push_back(std::move(line));
    changed.notify_all();
  }

  void read_all() {
    std::exception_ptr problem;
    try {
      for (std::string line; !abandoned_now() && next(line);) put(line);
    } catch (...) {
      problem = std::current_exception();
    }
    const std::lock_guard hold(lock);
    error = problem;
    ended = true;
    changed.notify_all();
  }

  bool abandoned_now() {
    const std::lock_guard hold(lock);
    return abandoned;
  }
};

LineQueue::LineQueue(const std::string& path, size_t lines)
    : LineQueue([reader = std::make_shared<LineReader>(path)](std::string& line) { return reader->next(line); },
                lines) {}

LineQueue::LineQueue(LineSource source, size_t lines) : state_(std::make_shared<State>(std::move(source), lines)) {
  // Not joined: reading may wait for ever for somebody who types nothing.
  std::thread([state = state_] { state->read_all(); }).detach();
}

LineQueue::~LineQueue() {
  const std::lock_guard hold(state_->lock);
  state_->abandoned = true;
  state_->changed.notify_all();
}

std::vector<std::string> LineQueue::take() {
  std::unique_lock hold(state_->lock);
  state_->changed.wait(hold, [&] { return state_->ended || !state_->lines.empty(); });
  std::vector<std::string> out = std::exchange(state_->lines, {});
  state_->bytes = 0;
  if (out.empty() && state_->error) std::rethrow_exception(state_->error);
  state_->changed.notify_all();
  return out;
}

}  // namespace lookback::cli

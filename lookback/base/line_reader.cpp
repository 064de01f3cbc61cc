#include "lookback/base/line_reader.h"

#include <exception>
#include <string_view>

#include "lookback/base/error.h"

namespace lookback {

struct LineReader::Impl {
  bool next(std::string& line);
  [[noreturn]] void damaged(const std::string& what) const {
    throw FormatError(str_cat(bytes.name(), ":", number + 1, ": ", what));
  }

  ByteReader bytes;
  int64_t number = 0;
  std::exception_ptr failure = nullptr;
};

bool LineReader::Impl::next(std::string& line) {
  line.clear();
  bool any = false, ended = false;
  while (!ended) {
    const std::string_view ready = bytes.peek();
    if (ready.empty()) break;
    any = true;
    const size_t end = ready.find('\n');
    const std::string_view part = ready.substr(0, end);
    if (line.size() + part.size() > static_cast<size_t>(kMaxLine))
      damaged(str_cat("the line is longer than ", kMaxLine >> 20, " MiB; is this a text file?"));
    line.append(part);
    ended = end != std::string_view::npos;
    bytes.take(ended ? end + 1 : ready.size());
  }
  if (ended && !line.empty() && line.back() == '\r') line.pop_back();
  if (number == 0 && std::string_view(line).substr(0, 3) == "\xEF\xBB\xBF") {
    line.erase(0, 3);
    any = ended || !line.empty();
  }
  if (!any) return false;
  ++number;
  return true;
}

LineReader::LineReader(const std::string& path) : LineReader(ByteReader(path)) {}
LineReader::LineReader(ByteReader bytes) : impl_(new Impl{std::move(bytes)}) {}
LineReader::~LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;

bool LineReader::next(std::string& line) {
  if (impl_->failure) std::rethrow_exception(impl_->failure);
  try {
    try {
      return impl_->next(line);
    } catch (const DamagedGzipError& e) {
      impl_->damaged(e.reason);
    }
  } catch (const Error&) {
    impl_->failure = std::current_exception();
    throw;
  }
}

int64_t LineReader::number() const { return impl_->number; }

}  // namespace lookback

#include "lookback/base/line_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <string_view>
#include <system_error>
#include <vector>

#include "lookback/base/error.h"

namespace lookback {
namespace {

constexpr size_t kBuffer = size_t{1} << 17;

std::string reason(int error) { return std::generic_category().message(error); }

bool is_gzip_magic(std::string_view s) { return s.size() >= 2 && s[0] == '\x1F' && s[1] == '\x8B'; }

// An open file descriptor that knows what to call itself in messages.
class Input {
 public:
  explicit Input(const std::string& path) : name_(path == "-" ? "standard input" : path) {
    fd_ = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    check<IoError>(fd_ >= 0, name_, ": cannot open: ", reason(errno));
    struct stat info {};
    if (::fstat(fd_, &info) == 0 && S_ISDIR(info.st_mode)) {
      close();
      throw IoError(str_cat(name_, ": cannot read: ", reason(EISDIR)));
    }
  }
  ~Input() { close(); }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  const std::string& name() const { return name_; }
  // Up to n bytes; 0 only at the end.
  size_t read(char* out, size_t n) {
    for (;;) {
      const ssize_t got = ::read(fd_, out, n);
      if (got >= 0) return static_cast<size_t>(got);
      check<IoError>(errno == EINTR, name_, ": cannot read: ", reason(errno));
    }
  }

 private:
  void close() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
    fd_ = -1;
  }
  std::string name_;
  int fd_ = -1;
};

}  // namespace

struct LineReader::Impl {
  explicit Impl(const std::string& path) : input(path), raw(kBuffer) {}
  ~Impl() {
    if (inflating) inflateEnd(&z);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool next(std::string& line);
  void fill();
  bool read_raw();
  void start();
  bool start_member();
  void inflate_some();
  [[noreturn]] void damaged(const std::string& what) const {
    throw FormatError(str_cat(input.name(), ":", number + 1, ": ", what));
  }

  Input input;
  std::vector<char> raw;       // bytes as they are in the file
  std::string_view raw_left;   // the part of `raw` not used yet
  std::vector<char> unpacked;  // only for gzip
  std::string_view ready;      // text not handed out yet
  z_stream z{};
  bool started = false;
  bool gzip = false;
  bool inflating = false;  // z is initialised
  bool in_member = false;  // between a gzip header and its trailer
  bool at_end = false;
  int64_t number = 0;
  std::exception_ptr failure;
};

// One more block of raw bytes; false at the end of the file.
bool LineReader::Impl::read_raw() {
  const size_t n = input.read(raw.data(), raw.size());
  raw_left = {raw.data(), n};
  return n > 0;
}

// Reads enough to tell gzip from text; a pipe may give a single byte at first.
void LineReader::Impl::start() {
  started = true;
  size_t have = 0;
  while (have < 3) {
    const size_t n = input.read(raw.data() + have, raw.size() - have);
    if (n == 0) break;
    have += n;
  }
  raw_left = {raw.data(), have};
  gzip = is_gzip_magic(raw_left);
  if (gzip) {
    unpacked.resize(kBuffer);
    check<IoError>(inflateInit2(&z, 16 + MAX_WBITS) == Z_OK, input.name(), ": not enough memory to unpack");
    inflating = in_member = true;
  }
}

// After a member's trailer: another member, zero padding to the end, or nothing.
bool LineReader::Impl::start_member() {
  bool padding = false;
  for (;;) {
    if (raw_left.empty() && !read_raw()) return false;
    if (raw_left.front() != '\0') break;
    padding = true;
    const size_t next = raw_left.find_first_not_of('\0');
    raw_left.remove_prefix(next == std::string_view::npos ? raw_left.size() : next);
  }
  // zlib itself checks the rest of the header, also where a block ends inside it.
  if (padding || raw_left.front() != '\x1F') damaged("the compressed data is followed by something that is not gzip");
  inflateReset(&z);
  in_member = true;
  return true;
}

void LineReader::Impl::inflate_some() {
  z.next_out = reinterpret_cast<Bytef*>(unpacked.data());
  z.avail_out = static_cast<uInt>(unpacked.size());
  while (z.avail_out == unpacked.size()) {
    if (!in_member && !start_member()) {
      at_end = true;
      return;
    }
    if (raw_left.empty() && !read_raw()) damaged("the compressed data ends early; the file was cut short");
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(raw_left.data()));
    z.avail_in = static_cast<uInt>(raw_left.size());
    const int code = inflate(&z, Z_NO_FLUSH);
    raw_left = raw_left.substr(raw_left.size() - z.avail_in);
    if (code == Z_STREAM_END)
      in_member = false;
    else if (code != Z_OK && code != Z_BUF_ERROR)
      damaged(str_cat("the compressed data is damaged (", z.msg ? z.msg : "zlib error", ")"));
  }
  ready = {unpacked.data(), unpacked.size() - z.avail_out};
}

// More text into `ready`, or at_end.
void LineReader::Impl::fill() {
  if (!started) {
    start();
    if (gzip)
      inflate_some();
    else
      ready = raw_left;
  } else if (gzip) {
    inflate_some();
  } else {
    read_raw();
    ready = raw_left;
  }
  if (ready.empty()) at_end = true;
}

bool LineReader::Impl::next(std::string& line) {
  line.clear();
  bool any = false, ended = false;
  while (!ended) {
    if (ready.empty()) {
      if (at_end) break;
      fill();
      continue;
    }
    any = true;
    const size_t end = ready.find('\n');
    const std::string_view part = ready.substr(0, end);
    if (line.size() + part.size() > static_cast<size_t>(kMaxLine))
      damaged(str_cat("the line is longer than ", kMaxLine >> 20, " MiB; is this a text file?"));
    line.append(part);
    ready.remove_prefix(end == std::string_view::npos ? ready.size() : end + 1);
    ended = end != std::string_view::npos;
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

LineReader::LineReader(const std::string& path) : impl_(std::make_unique<Impl>(path)) {}
LineReader::~LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;

bool LineReader::next(std::string& line) {
  if (impl_->failure) std::rethrow_exception(impl_->failure);
  try {
    return impl_->next(line);
  } catch (const Error&) {
    impl_->failure = std::current_exception();
    throw;
  }
}

int64_t LineReader::number() const { return impl_->number; }

}  // namespace lookback

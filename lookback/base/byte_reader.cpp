#include "lookback/base/byte_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <vector>

namespace lookback {
namespace {

constexpr size_t kBuffer = size_t{1} << 17, kSmallest = size_t{1} << 12;

std::string reason(int error) { return std::generic_category().message(error); }

constexpr std::string_view kGzipMagic = "\x1F\x8B";

// An open file descriptor that knows what to call itself in messages.
class Input {
 public:
  explicit Input(const std::string& path) : name_(path == "-" ? "standard input" : path) {
    fd_ = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    check<IoError>(fd_ >= 0, name_, ": cannot open: ", reason(errno));
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return;
    if (S_ISDIR(info.st_mode)) {
      close();
      throw IoError(str_cat(name_, ": cannot read: ", reason(EISDIR)));
    }
    if (S_ISREG(info.st_mode)) size_ = static_cast<size_t>(info.st_size);
  }
  ~Input() { close(); }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  const std::string& name() const { return name_; }
  // Of the file, as far as one knows.
  std::optional<size_t> size() const { return size_; }
  // Up to n bytes; 0 only at the end.
  size_t read(char* out, size_t n) {
    for (;;) {
      const ssize_t got = ::read(fd_, out, n);
      if (got >= 0) return static_cast<size_t>(got);
      check<IoError>(errno == EINTR, name_, ": cannot read: ", reason(errno));
    }
  }
  // Goes up to n bytes on, not beyond the end; says how many. 0 where there is no going without reading.
  int64_t seek_on(int64_t n) {
    struct stat info {};
    if (::fstat(fd_, &info) != 0 || !S_ISREG(info.st_mode)) return 0;
    const off_t at = ::lseek(fd_, 0, SEEK_CUR);
    if (at < 0 || at >= info.st_size) return 0;
    const off_t on = std::min<off_t>(n, info.st_size - at);
    return ::lseek(fd_, on, SEEK_CUR) < 0 ? 0 : on;
  }

 private:
  void close() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
    fd_ = -1;
  }
  std::string name_;
  int fd_ = -1;
  std::optional<size_t> size_;
};

}  // namespace

struct ByteReader::Impl {
  explicit Impl(const std::string& path)
      : input(path),
        block(std::clamp(input.size().value_or(kBuffer), kSmallest, kBuffer)),
        raw(std::make_unique_for_overwrite<char[]>(block)) {}
  ~Impl() {
    if (inflating) inflateEnd(&z);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool fill();
  bool read_raw();
  void start();
  bool start_member();
  void inflate_some();
  void hold(size_t least);
  void take(size_t n) {
    ready.remove_prefix(n);
    offset += static_cast<int64_t>(n);
  }
  [[noreturn]] void damaged(const std::string& what) const {
    throw DamagedGzipError(str_cat(input.name(), ": byte ", offset + static_cast<int64_t>(ready.size()), ": ", what),
                           what);
  }

  Input input;
  size_t block;                 // of `raw`; of a small file a whole one costs more than to read it
  std::unique_ptr<char[]> raw;  // bytes as they are in the file
  std::string_view raw_left;    // the part of `raw` not used yet
  std::vector<char> unpacked;   // only for gzip
  std::string held;             // several blocks in one, where more than one was asked for
  std::string_view ready;       // bytes not taken yet
  z_stream z{};
  bool started = false;
  bool gzip = false;
  bool inflating = false;  // z is initialised
  bool in_member = false;  // between a gzip header and its trailer
  bool at_end = false;
  int64_t offset = 0;  // of the first byte of `ready`
};

// One more block of raw bytes; false at the end of the file.
bool ByteReader::Impl::read_raw() {
  const size_t n = input.read(raw.get(), block);
  raw_left = {raw.get(), n};
  return n > 0;
}

// Reads enough to tell gzip from the rest: a pipe may give a single byte at first. It waits for no more than that: an
// empty line may be all that somebody types before they want an answer.
void ByteReader::Impl::start() {
  started = true;
  do {
    const size_t n = input.read(raw.get() + raw_left.size(), block - raw_left.size());
    raw_left = {raw.get(), raw_left.size() + n};
    if (n == 0) break;
  } while (raw_left.size() < kGzipMagic.size() && kGzipMagic.starts_with(raw_left));
  gzip = raw_left.starts_with(kGzipMagic);
  if (gzip) {
    unpacked.resize(kBuffer);
    check<IoError>(inflateInit2(&z, 16 + MAX_WBITS) == Z_OK, input.name(), ": not enough memory to unpack");
    inflating = in_member = true;
  }
}

// After a member's trailer: another member, zero padding to the end, or nothing.
bool ByteReader::Impl::start_member() {
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

void ByteReader::Impl::inflate_some() {
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

// One more block in `ready`, which must be empty; false at the end.
bool ByteReader::Impl::fill() {
  if (at_end) return false;
  const bool first = !started;
  if (first) start();
  if (gzip) {
    inflate_some();
  } else {
    if (!first) read_raw();
    ready = raw_left;
  }
  if (ready.empty()) at_end = true;
  return !ready.empty();
}

// Makes `ready` at least so long, unless the file ends before.
void ByteReader::Impl::hold(size_t least) {
  std::string bytes(ready);
  ready = {};
  while (bytes.size() < least && fill()) {
    bytes += ready;
    ready = {};
  }
  held = std::move(bytes);
  ready = held;
}

ByteReader::ByteReader(const std::string& path) : impl_(std::make_unique<Impl>(path)) {}
ByteReader::~ByteReader() = default;
ByteReader::ByteReader(ByteReader&&) noexcept = default;
ByteReader& ByteReader::operator=(ByteReader&&) noexcept = default;

std::string_view ByteReader::peek(size_t least) {
  if (impl_->ready.empty()) impl_->fill();
  if (impl_->ready.size() < least && !impl_->at_end) impl_->hold(least);
  return impl_->ready;
}

void ByteReader::take(size_t n) { impl_->take(n); }

size_t ByteReader::read(char* out, size_t n) {
  size_t got = 0;
  while (got < n && !peek().empty()) {
    const size_t part = std::min(n - got, impl_->ready.size());
    std::memcpy(out + got, impl_->ready.data(), part);
    impl_->take(part);
    got += part;
  }
  return got;
}

int64_t ByteReader::skip(int64_t n) {
  int64_t left = n;
  while (left > 0 && !peek().empty()) {
    const int64_t part = std::min(left, static_cast<int64_t>(impl_->ready.size()));
    impl_->take(static_cast<size_t>(part));
    left -= part;
    if (impl_->gzip || !impl_->ready.empty() || left < static_cast<int64_t>(kBuffer)) continue;
    const int64_t on = impl_->input.seek_on(left);
    impl_->offset += on;
    left -= on;
  }
  return n - left;
}

int64_t ByteReader::offset() const { return impl_->offset; }
const std::string& ByteReader::name() const { return impl_->input.name(); }

}  // namespace lookback

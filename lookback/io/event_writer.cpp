#include "lookback/io/event_writer.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "lookback/base/error.h"
#include "lookback/base/utf8.h"
#include "lookback/io/quote.h"

namespace lookback::io {
namespace {

// Written out when this much waits, even without flush().
constexpr size_t kMaxWaiting = size_t{1} << 20;

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t n = 0; n < 256; ++n) {
    uint32_t c = n;
    for (int k = 0; k < 8; ++k) c = (c >> 1) ^ (c & 1 ? 0x82F63B78u : 0u);
    table[n] = c;
  }
  return table;
}
constexpr auto kCrcTable = crc_table();

template <class U>
std::string little_endian(U x) {
  std::string out;
  for (size_t k = 0; k < sizeof x; ++k) out += static_cast<char>(x >> (8 * k));
  return out;
}

std::string masked_crc(std::string_view bytes) { return little_endian(std::rotr(crc32c(bytes), 15) + 0xA282EAD8u); }

// Protocol buffers: a field is its number and wire type, then the value.
std::string varint(uint64_t x) {
  std::string out;
  for (; x >= 0x80; x >>= 7) out += static_cast<char>((x & 0x7F) | 0x80);
  return out + static_cast<char>(x);
}
std::string pb_int(int field, int64_t x) {
  return varint(static_cast<uint64_t>(field) << 3) + varint(static_cast<uint64_t>(x));
}
std::string pb_double(int field, double x) {
  return varint(static_cast<uint64_t>(field) << 3 | 1) + little_endian(std::bit_cast<uint64_t>(x));
}
std::string pb_float(int field, float x) {
  return varint(static_cast<uint64_t>(field) << 3 | 5) + little_endian(std::bit_cast<uint32_t>(x));
}
std::string pb_bytes(int field, std::string_view x) {
  return varint(static_cast<uint64_t>(field) << 3 | 2) + varint(x.size()) + std::string(x);
}

// Field numbers of event.proto, summary.proto, tensor.proto and tensor_shape.proto.
namespace event {
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}
namespace session {
constexpr int kStatus = 1, kStart = 1;
}
namespace summary {
constexpr int kValue = 1, kTag = 1, kSimpleValue = 2, kImage = 4, kTensor = 8, kMetadata = 9;
constexpr int kPluginData = 1, kPluginName = 1;
constexpr int kImageHeight = 1, kImageWidth = 2, kImageColorspace = 3, kImagePng = 4;
}  // namespace summary
namespace tensor {
constexpr int kDtype = 1, kString = 7, kShape = 2, kDim = 2, kDimSize = 1, kStringValue = 8;
}

std::string summary_field(std::string_view tag, std::string_view value) {
  check<FormatError>(!tag.empty() && valid_utf8(tag), "event file: the tag ", quote(tag),
                     " is empty or not valid UTF-8");
  return pb_bytes(event::kSummary, pb_bytes(summary::kValue, pb_bytes(summary::kTag, tag) + std::string(value)));
}

// events.out.tfevents.SECONDS.lookback.N: readers take files in the order of their names.
File create_event_file(const std::string& folder, double now) {
  const double seconds = std::isfinite(now) ? std::clamp(now, 0.0, 9999999999.0) : 0.0;
  for (int n = 0;; ++n) {
    char name[80];
    std::snprintf(name, sizeof name, "events.out.tfevents.%010lld.lookback.%04d", static_cast<long long>(seconds), n);
    File file = File::create_new((std::filesystem::path(folder) / name).string());
    if (file.valid()) return file;
  }
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t c = 0xFFFFFFFFu;
  for (const char b : bytes) c = kCrcTable[(c ^ static_cast<uint8_t>(b)) & 0xFF] ^ (c >> 8);
  return ~c;
}

std::string tfrecord_frame(std::string_view bytes) {
  const std::string length = little_endian(static_cast<uint64_t>(bytes.size()));
  return length + masked_crc(length) + std::string(bytes) + masked_crc(bytes);
}

EventWriter::EventWriter(const std::string& folder, std::function<double()> wall_clock)
    : wall_clock_(std::move(wall_clock)), file_(create_event_file(folder, wall_clock_())) {
  add(0, pb_bytes(event::kFileVersion, "brain.Event:2"));
  flush();
}

EventWriter::~EventWriter() {
  try {
    flush();
  } catch (const Error&) {
  }
}

void EventWriter::add(int64_t step, std::string_view field) {
  waiting_ += tfrecord_frame(pb_double(event::kWallTime, wall_clock_()) + (step ? pb_int(event::kStep, step) : "") +
                             std::string(field));
  if (waiting_.size() > kMaxWaiting) flush();
}

void EventWriter::scalar(std::string_view tag, int64_t step, double value) {
  add(step, summary_field(tag, pb_float(summary::kSimpleValue, static_cast<float>(value))));
}

void EventWriter::text(std::string_view tag, int64_t step, std::string_view value) {
  check<FormatError>(valid_utf8(value), "event file: the text for ", quote(tag), " is not valid UTF-8");
  const std::string metadata = pb_bytes(summary::kPluginData, pb_bytes(summary::kPluginName, "text"));
  const std::string shape = pb_bytes(tensor::kDim, pb_int(tensor::kDimSize, 1));
  const std::string body =
      pb_int(tensor::kDtype, tensor::kString) + pb_bytes(tensor::kShape, shape) + pb_bytes(tensor::kStringValue, value);
  add(step, summary_field(tag, pb_bytes(summary::kTensor, body) + pb_bytes(summary::kMetadata, metadata)));
}

void EventWriter::image(std::string_view tag, int64_t step, std::string_view png) {
  const auto number = [&](size_t at) {
    uint32_t x = 0;
    for (size_t k = 0; k < 4; ++k) x = x << 8 | static_cast<uint8_t>(png[at + k]);
    return static_cast<int64_t>(x);
  };
  check<FormatError>(png.size() >= 33 && png.substr(0, 8) == "\x89PNG\r\n\x1A\n" && png.substr(12, 4) == "IHDR",
                     "event file: the image for ", quote(tag), " is not a PNG file");
  // The colour type of the PNG (0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA) as a number of channels.
  constexpr int kChannels[] = {1, 1, 3, 3, 2, 1, 4};
  const auto type = static_cast<uint8_t>(png[25]);
  check<FormatError>(type <= 6, "event file: the image for ", quote(tag), " has an unknown colour type");
  add(step, summary_field(tag, pb_bytes(summary::kImage, pb_int(summary::kImageHeight, number(20)) +
                                                             pb_int(summary::kImageWidth, number(16)) +
                                                             pb_int(summary::kImageColorspace, kChannels[type]) +
                                                             pb_bytes(summary::kImagePng, png))));
}

void EventWriter::restart_at(int64_t step) {
  add(step, pb_bytes(event::kSessionLog, pb_int(session::kStatus, session::kStart)));
}

void EventWriter::flush() {
  try {
    file_.write_all(waiting_);
  } catch (const IoError&) {
    // A torn frame would hide everything after it: take it back, and keep the events for the next try.
    if (::ftruncate(file_.fd(), written_) != 0) waiting_.clear();
    throw;
  }
  written_ += static_cast<int64_t>(waiting_.size());
  waiting_.clear();
}

}  // namespace lookback::io

// Event files as TensorBoard reads them: TFRecord frames around
// tensorflow.Event messages, encoded by hand.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lookback/io/posix_file.h"

namespace lookback::io {

// CRC-32C (Castagnoli), as in RFC 3720.
uint32_t crc32c(std::string_view bytes);

// One TFRecord frame: length, masked CRC of the length, the bytes, masked CRC of the bytes.
std::string tfrecord_frame(std::string_view bytes);

// Writes one new event file per object, in `folder`; a run that is resumed goes on in another
// file, and the reader joins them. Events are kept until flush() and written in whole frames, so
// what a killed run leaves is readable to the last flush. Throws IoError where the disk refuses
// (the file then still ends with a whole frame) and FormatError for tags or text that are not UTF-8.
class EventWriter {
 public:
  // `wall_clock` gives seconds since 1970; it names the file and stamps the events. The folder must exist.
  EventWriter(const std::string& folder, std::function<double()> wall_clock);
  ~EventWriter();  // flushes, and keeps silent if that fails
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  const std::string& path() const { return file_.path(); }

  void scalar(std::string_view tag, int64_t step, double value);
  // Markdown, in the text tab.
  void text(std::string_view tag, int64_t step, std::string_view value);
  // `png` is a whole PNG file; FormatError otherwise.
  void image(std::string_view tag, int64_t step, std::string_view png);
  // Tells the reader that events of this step and later in older files are void: call after a resume.
  void restart_at(int64_t step);

  void flush();

 private:
  void add(int64_t step, std::string_view field);

  std::function<double()> wall_clock_;
  File file_;
  int64_t written_ = 0;  // bytes of whole frames in the file
  std::string waiting_;  // frames not written yet
};

}  // namespace lookback::io

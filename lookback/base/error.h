// What can go wrong, by kind. The library throws where outside values enter
// (ops, io, options, tasks) and never prints, exits or aborts.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace lookback {

// Root of every exception the library throws. Callers that only need "did it
// work" catch this; the command line maps the subclasses to exit codes.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct ShapeError : Error {  // the caller's tensors do not fit together
  using Error::Error;
};
struct ConfigError : Error {  // an option, flag or recipe key is unknown or out of range
  using Error::Error;
};
struct FormatError : Error {  // a file or request is malformed
  using Error::Error;
};
struct IoError : Error {  // the operating system refused: missing, unreadable, disk full
  using Error::Error;
};
struct NumericError : Error {  // a loss or gradient is not finite
  using Error::Error;
};
struct DeviceError : Error {  // no kernel for this device, or the device failed
  using Error::Error;
};

// All parts streamed into one string: str_cat("row ", 3) is "row 3".
template <class... Parts>
std::string str_cat(const Parts&... parts) {
  std::ostringstream out;
  ((out << parts), ...);
  return std::move(out).str();
}

// Throws E with the parts as its message unless ok. The parts are only
// formatted on failure.
template <class E = ShapeError, class... Parts>
void check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    throw E(str_cat(parts...));
}

}  // namespace lookback

// What can go wrong, by kind. The library throws where outside values enter
// (ops, io, options, tasks) and never prints, exits or aborts.
#pragma once

#include <initializer_list>
#include <ostream>
#include <stdexcept>
#include <string>
#include <type_traits>

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

namespace detail {

// What operator<< writes, without its type: one function makes a text of any parts, and is not compiled anew for each
// of a thousand lists of types.
class Part {
 public:
  template <class T>
  Part(const T& value) {
    if constexpr (std::is_array_v<T>) {  // a literal; all lengths are one type
      value_ = value, write_ = [](std::ostream& out, const void* v) { out << static_cast<const char*>(v); };
    } else {
      value_ = &value, write_ = [](std::ostream& out, const void* v) { out << *static_cast<const T*>(v); };
    }
  }

 private:
  friend std::string joined(std::initializer_list<Part> parts);
  const void* value_;
  void (*write_)(std::ostream&, const void*);
};
std::string joined(std::initializer_list<Part> parts);

template <class E>
[[noreturn, gnu::cold, gnu::noinline]] void fail(std::initializer_list<Part> parts) {
  throw E(joined(parts));
}

}  // namespace detail

// All parts streamed into one string: str_cat("row ", 3) is "row 3".
template <class... Parts>
std::string str_cat(const Parts&... parts) {
  return detail::joined({detail::Part(parts)...});
}

// Throws E with the parts as its message unless ok. The parts are only
// formatted on failure.
template <class E = ShapeError, class... Parts>
void check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    detail::fail<E>({detail::Part(parts)...});
}

}  // namespace lookback

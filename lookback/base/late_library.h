// Private to sound and picture: libraries that are loaded when a function of theirs is called first.
#pragma once

#include <dlfcn.h>

#include <string>

#include "lookback/base/error.h"

namespace lookback {

// A shared library that may be missing.
class LateLibrary {
 public:
  // `purpose` begins the message if it cannot be loaded; `package` is Debian's.
  LateLibrary(std::string file, std::string purpose, std::string package)
      : handle_(::dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL)),
        file_(std::move(file)),
        purpose_(std::move(purpose)),
        package_(std::move(package)) {}

  bool loaded() const { return handle_ != nullptr; }
  // Throws FormatError if there is no such library or function.
  void* find(const char* function) const {
    void* const found = handle_ ? ::dlsym(handle_, function) : nullptr;
    check<FormatError>(found != nullptr, purpose_, " needs ", file_, ", which cannot be loaded or lacks ", function,
                       "; install it (Debian: ", package_, ")");
    return found;
  }

 private:
  void* handle_;  // stays open to the program's end
  std::string file_, purpose_, package_;
};

// A function of the library that `library()` returns, found when it is called.
template <const LateLibrary& (*library)(), class F>
struct LateFunction;
template <const LateLibrary& (*library)(), class R, class... A>
struct LateFunction<library, R(A...)> {
  const char* name;

  R operator()(A... arguments) const { return reinterpret_cast<R (*)(A...)>(library().find(name))(arguments...); }
};

}  // namespace lookback

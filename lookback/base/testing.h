// For tests.
#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <string>

namespace lookback {

// The message of the exception E that f must throw.
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  } catch (const std::exception& e) {
    ADD_FAILURE() << "another exception: " << e.what();
    return "";
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

}  // namespace lookback

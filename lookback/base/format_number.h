// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace lookback {

// "12s", "3m 05s", "1h 02m"; "?" for what is not finite.
std::string duration(double seconds);
// "29,000"
std::string grouped(int64_t n);
// "1.2 MB", in powers of 1000.
std::string byte_size(int64_t bytes);
// With this many digits after the point: "0.93", "1.00"; never a locale's comma, never "-0.00".
std::string fixed(double x, int digits);
// With four digits: "0.7559", "1.2e-05".
std::string short_number(double x);

}  // namespace lookback

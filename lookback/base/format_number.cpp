#include "lookback/base/format_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace lookback {
namespace {

std::string two_parts(const char* pattern, int64_t a, int64_t b) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, pattern, static_cast<long long>(a), static_cast<long long>(b));
  return buffer;
}

}  // namespace

std::string duration(double seconds) {
  constexpr double kForEver = 1e9;
  if (!std::isfinite(seconds) || seconds > kForEver) return "?";
  const int64_t s = std::llround(seconds);
  if (s < 60) return std::to_string(s) + "s";
  return s < 3600 ? two_parts("%lldm %02llds", s / 60, s % 60) : two_parts("%lldh %02lldm", s / 3600, s / 60 % 60);
}

std::string grouped(int64_t n) {
  std::string out = std::to_string(n);
  for (auto at = std::ssize(out) - 3; at > (n < 0 ? 1 : 0); at -= 3) out.insert(static_cast<size_t>(at), ",");
  return out;
}

std::string byte_size(int64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  double x = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"kB", "MB", "GB", "TB"})
    if (x >= 999.95) x /= 1000, unit = next;
  return fixed(x, 1) + " " + unit;
}

std::string fixed(double x, int digits) {
  char buffer[400];  // the largest double has 309 digits before the point
  const auto [end, error] =
      std::to_chars(buffer, buffer + sizeof buffer, x, std::chars_format::fixed, std::min(digits, 40));
  std::string out(buffer, error == std::errc() ? end : buffer);
  if (out.starts_with('-') && out.find_first_not_of("-0.") == std::string::npos) out.erase(0, 1);
  return out;
}

std::string short_number(double x) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.4g", x);
  return buffer;
}

}  // namespace lookback

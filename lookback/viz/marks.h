// Private to viz: what a drawing says of its origin, near its beginning.
#pragma once

#include <string_view>

namespace lookback::viz {

constexpr std::string_view kHtmlMark = "<meta name=\"generator\" content=\"lookback\">";
constexpr std::string_view kSvgMark = "<metadata>drawn by lookback</metadata>";
constexpr std::string_view kJsonMark = "{\"generator\":\"lookback\",";
// A text chunk: length, type, "Software", "lookback", CRC.
constexpr std::string_view kPngMark("\0\0\0\x11tEXtSoftware\0lookback\x89\xC8\xB0\x57", 29);

}  // namespace lookback::viz

// Private to viz: pixels within the text of a document.
#pragma once

#include <string>

#include "lookback/viz/picture.h"

namespace lookback::viz {

// The bytes of a PNG file that holds these pixels and nothing else.
std::string png_of(const Pixels& pixels);

// "data:image/png;base64,iVBO...": letters that need no escape in markup and style.
std::string data_uri(const Pixels& pixels);

}  // namespace lookback::viz

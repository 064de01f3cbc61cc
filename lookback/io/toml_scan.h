// Private to io: what the TOML parser is given.
#pragma once

#include <string>
#include <string_view>

namespace lookback::io {

// The same document with the same lines in ASCII: comments dropped, every string in "..." or
// """...""" with escapes. For two reasons: toml++ 3.3 runs into undefined behaviour on letters
// such as U+00FC in unlucky places, and takes some Unicode spaces for TOML's; and a key with
// very many dots would exhaust its stack. What TOML does not allow in the first place (bytes
// that are not UTF-8, control characters, letters outside ASCII without quotes, strings not
// closed) is a ConfigError "origin:line: ..." here.
std::string plain_toml(std::string_view toml, const std::string& origin);

}  // namespace lookback::io

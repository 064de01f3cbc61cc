// Which tags may follow one another where tags mark spans.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lookback::data {

// bio (IOB2): B-X begins a span of type X, I-X goes on with it. bioes: besides E-X ends it, and S-X is one of one
// token; a span of several has to end. Any other tag is outside of spans. A tag B or I alone is of the type "".
enum class TagScheme { none, bio, bioes };

// "none", "bio" or "bioes".
TagScheme parse_tag_scheme(std::string_view name);

// Whether `tag` may stand behind `before`; where one of them is empty, it is the border of the sequence.
bool may_follow(TagScheme scheme, std::string_view before, std::string_view tag);

// The first tag, from 0, that may not stand where it does; tags.size() if the sequence may not end so.
std::optional<size_t> first_forbidden(TagScheme scheme, std::span<const std::string_view> tags);

}  // namespace lookback::data

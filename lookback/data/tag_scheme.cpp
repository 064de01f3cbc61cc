#include "lookback/data/tag_scheme.h"

#include "lookback/base/error.h"

namespace lookback::data {
namespace {

struct Parts {
  char place;  // B, I, E, S, or O for all that is outside
  std::string_view type;
};

Parts parts_of(TagScheme scheme, std::string_view tag) {
  const std::string_view places = scheme == TagScheme::bio ? "BI" : "BIES";
  if (tag.empty() || places.find(tag[0]) == places.npos || (tag.size() > 1 && tag[1] != '-')) return {'O', ""};
  return {tag[0], tag.substr(std::min<size_t>(2, tag.size()))};
}

}  // namespace

TagScheme parse_tag_scheme(std::string_view name) {
  if (name == "bio") return TagScheme::bio;
  if (name == "bioes") return TagScheme::bioes;
  check<ConfigError>(name == "none", "'", name, "' is no scheme of tags; choose none, bio or bioes");
  return TagScheme::none;
}

bool may_follow(TagScheme scheme, std::string_view before, std::string_view tag) {
  if (scheme == TagScheme::none) return true;
  const Parts a = parts_of(scheme, before), b = parts_of(scheme, tag);
  const bool goes_on = b.place == 'I' || b.place == 'E', open = a.place == 'B' || a.place == 'I';
  if (goes_on) return open && a.type == b.type;
  return scheme == TagScheme::bio || !open;
}

std::optional<size_t> first_forbidden(TagScheme scheme, std::span<const std::string_view> tags) {
  std::string_view before;
  for (size_t k = 0; k < tags.size(); before = tags[k++])
    if (!may_follow(scheme, before, tags[k])) return k;
  return may_follow(scheme, before, "") ? std::nullopt : std::optional(tags.size());
}

}  // namespace lookback::data

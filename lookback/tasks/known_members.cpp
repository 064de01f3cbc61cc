#include "lookback/tasks/known_members.h"

namespace lookback::tasks {
namespace {

constexpr size_t kBytes = size_t{32} << 20;  // then all are forgotten, and the frequent ones soon back
constexpr size_t kBytesOfOne = 128;          // beside its text and ids
constexpr size_t kIdsOfSpelling = 8;         // a case and some characters, of a word like most

void append(data::Ids& to, const data::Ids& ids) { to.insert(to.end(), ids.begin(), ids.end()); }

}  // namespace

KnownMembers::Encoded KnownMembers::operator()(const StringList& members) {
  const std::lock_guard lock(mutex_);
  Encoded out;
  out.ids.reserve(members.size()), out.spelling.reserve(spellings_ ? kIdsOfSpelling * members.size() : 0);
  for (const std::string& member : members) {
    const Encoded& one = encoded(member);
    append(out.ids, one.ids), append(out.spelling, one.spelling);
  }
  return out;
}

const KnownMembers::Encoded& KnownMembers::encoded(const std::string& member) {
  if (const auto found = known_.find(member); found != known_.end()) return found->second;
  Encoded one{members_->encode_members({member}), {}};
  if (spellings_) one.spelling = spellings_->encode_members({member});
  if (bytes_ > kBytes) known_.clear(), bytes_ = 0;
  bytes_ += kBytesOfOne + member.size() + sizeof(int32_t) * (one.ids.size() + one.spelling.size());
  return known_.emplace(member, std::move(one)).first->second;
}

}  // namespace lookback::tasks

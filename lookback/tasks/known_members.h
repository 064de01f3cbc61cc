// Private to tasks: the ids of members of sequences that were met before.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "lookback/data/table.h"
#include "lookback/data/tag_cells.h"

namespace lookback::tasks {

// Text is mostly made of few words: each that comes again is encoded once. Many threads may ask at once.
class KnownMembers {
 public:
  struct Encoded {
    data::Ids ids, spelling;
  };
  // `spellings` is null where how members are written does not matter.
  KnownMembers(std::shared_ptr<const data::MemberCells> members, std::shared_ptr<const data::MemberCells> spellings)
      : members_(std::move(members)), spellings_(std::move(spellings)) {}

  // Of all members, one after the other: what both say of them by themselves.
  Encoded operator()(const StringList& members);

 private:
  const Encoded& encoded(const std::string& member);

  const std::shared_ptr<const data::MemberCells> members_, spellings_;
  std::mutex mutex_;
  std::unordered_map<std::string, Encoded> known_;
  size_t bytes_ = 0;  // about those that they take
};

}  // namespace lookback::tasks

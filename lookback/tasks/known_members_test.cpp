#include "lookback/tasks/known_members.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace lookback::tasks {
namespace {

using data::Ids;

// As many ids of a member as it has letters, or one, and says how often it was asked.
class Letters final : public data::MemberCells {
 public:
  explicit Letters(bool all) : all_(all) {}
  Ids encode_members(const std::vector<std::string_view>& members) const override {
    ++asked;
    Ids out;
    for (const std::string_view m : members)
      for (const char c : m.substr(0, all_ ? m.size() : 1)) out.push_back(c);
    return out;
  }
  data::SequenceUnit unit() const override { return data::SequenceUnit::token; }
  int64_t size() const override { return 256; }
  mutable int asked = 0;

 private:
  bool all_;
};

TEST(KnownMembers, EachIsEncodedOnce) {
  const auto first = std::make_shared<Letters>(false), all = std::make_shared<Letters>(true);
  KnownMembers known(first, all);
  for (int round = 0; round < 3; ++round) {
    const auto [ids, spelling] = known({"ab", "c", "ab"});
    EXPECT_EQ(ids, (Ids{'a', 'c', 'a'}));
    EXPECT_EQ(spelling, (Ids{'a', 'b', 'c', 'a', 'b'}));
  }
  EXPECT_EQ(first->asked, 2);
  EXPECT_EQ(all->asked, 2);
  EXPECT_TRUE(known({}).ids.empty());
  EXPECT_TRUE(KnownMembers(first, nullptr)({"ab"}).spelling.empty());
}

TEST(KnownMembers, AreForgottenWhenTheyTakeMuchRoom) {
  const auto all = std::make_shared<Letters>(true);
  KnownMembers known(all, nullptr);
  for (int k = 0; k < 40; ++k)
    EXPECT_EQ(known({std::string(500'000, static_cast<char>('a' + k % 20))}).ids[1], 'a' + k % 20);
  EXPECT_GT(all->asked, 20);
}

TEST(KnownMembers, ManyThreadsMayAsk) {
  const auto all = std::make_shared<Letters>(true);
  KnownMembers known(all, all);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int k = 0; k < 200; ++k)
        EXPECT_EQ(known({"ab", std::string(1, static_cast<char>('a' + k % 26))}).ids[2], 'a' + k % 26);
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(all->asked, 2 * 27);
}

}  // namespace
}  // namespace lookback::tasks

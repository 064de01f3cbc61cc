#include "lookback/base/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace lookback {
namespace {

// FIPS 180-4 examples.
TEST(Sha256, StandardVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(
      sha256_hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs"
                 "mnopqrstnopqrstu"),
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, AnyCutGivesTheSame) {
  std::string s;
  for (int k = 0; k < 300; ++k) s += static_cast<char>(k * 7);
  for (size_t n = 0; n <= s.size(); ++n) {
    Sha256 sum;
    sum.update(std::string_view(s).substr(0, n));
    EXPECT_EQ(sum.hex(), sha256_hex(s.substr(0, n)));
    sum.update(std::string_view(s).substr(n));
    EXPECT_EQ(sum.hex(), sha256_hex(s)) << n;
  }
}

}  // namespace
}  // namespace lookback

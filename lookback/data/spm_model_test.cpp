#include "lookback/data/spm_model.h"

#include <bit>
#include <cstring>
#include <limits>

#include "lookback/base/error.h"
#include "lookback/base/rng.h"
#include "lookback/data/testing.h"

namespace lookback::data {
namespace {

// A protocol buffer field of wire type 2 with a number under 16.
std::string field(int number, const std::string& bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  for (size_t n = bytes.size();; n >>= 7) {
    out += static_cast<char>((n & 0x7F) | (n > 0x7F ? 0x80 : 0));
    if (n <= 0x7F) break;
  }
  return out + bytes;
}
std::string number_field(int number, uint64_t value) {
  std::string out = number < 16
                        ? std::string(1, static_cast<char>(number << 3))
                        : std::string{static_cast<char>((number << 3 & 0x7F) | 0x80), static_cast<char>(number >> 4)};
  do {
    out += static_cast<char>((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
    value >>= 7;
  } while (value > 0);
  return out;
}
std::string piece(const std::string& text, float score, int type) {
  const auto bits = std::bit_cast<uint32_t>(score);
  std::string raw(4, '\0');
  std::memcpy(raw.data(), &bits, 4);
  return field(1, field(1, text) + '\x15' + raw + number_field(3, static_cast<uint64_t>(type)));
}
std::string specials() {
  return piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("<pad>", 0, 3);
}
std::string bpe_trainer() { return field(2, number_field(3, 2)); }

std::string told(const std::string& bytes) {
  return message_of<FormatError>([&] { parse_tokenizer(bytes, "m"); });
}

TEST(SpmModel, SmallestModel) {
  const std::string bytes = specials() + piece("a", -1, 1) + piece("ab", -2, 1) + bpe_trainer();
  const SpmModel m = parse_spm(bytes, "m");
  EXPECT_EQ(m.kind, "bpe");
  ASSERT_EQ(m.pieces.size(), 6u);
  EXPECT_EQ(m.pieces[5].text, "ab");
  EXPECT_EQ(m.pieces[5].score, -2);
  EXPECT_FALSE(m.lowercase);
  EXPECT_TRUE(parse_spm(mark_lowercase(bytes), "m").lowercase);
  EXPECT_EQ(parse_tokenizer(bytes, "m")->size(), 6);
  EXPECT_EQ(spm_byte("<0xE4>"), 0xE4);
  for (const char* s : {"<0xe4>", "<0xE4", "0xE4", "<0xG4>", "<0xE4>>"}) EXPECT_EQ(spm_byte(s), std::nullopt) << s;
}

TEST(SpmModel, DamagedPieces) {
  const std::string ok = specials() + piece("a", -1, 1), end = bpe_trainer();
  const std::pair<std::string, const char*> damages[] = {
      {ok + piece("", -1, 1) + end, "piece 5 is empty"},
      {ok + piece("a", -1, 1) + end, "there twice"},
      {ok + piece(std::string("a\0b", 3), -1, 1) + end, "zero byte"},
      {ok + piece("\xFF", -1, 1) + end, "not UTF-8"},
      {ok + piece("b", std::numeric_limits<float>::quiet_NaN(), 1) + end, "not a number"},
      {ok + piece("b", std::numeric_limits<float>::infinity(), 1) + end, "not a number"},
      {ok + piece("b", -1, 7) + end, "unknown type 7"},
      {ok + piece("b", -1, 2) + end, "second unknown"},
      {ok + piece("<0x41>", -1, 6) + end, "byte pieces"},
      {ok + piece("b", -1, 6) + end, "no byte"},
      {ok + field(2, number_field(3, 2) + number_field(35, 1)), "0 byte pieces, expected 256"},
      {ok + field(2, number_field(3, 9)), "unknown model type"},
      {ok + end + end, "twice"},
      {ok + end + field(9, "x"), "field 9"},
      {ok + end + number_field(1, 3), "field 1"},
      {piece("a", -1, 1) + end, "piece 0 of the SentencePiece model must be <unk>"},
      {piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("a", 0, 1) + end, "--pad_id=3"},
      {piece("<unk>", 0, 2) + piece("<s>", 0, 1) + piece("</s>", 0, 3) + piece("<pad>", 0, 3) + end, "must be <s>"},
      {piece("<unk>", 0, 2) + end, "must be <s>"},
      {ok + std::string("\x0F", 1), "wire type 7"},
      {ok + std::string("\x00\x01", 2), "field number 0"},
      {ok + std::string("\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "cut short"},
      {ok + std::string("\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "number too long"},
  };
  for (const auto& [bytes, why] : damages) {
    const std::string m = told(bytes);
    EXPECT_EQ(m.substr(0, 3), "m: ");
    EXPECT_NE(m.find(why), std::string::npos) << "expected '" << why << "', got '" << m << "'";
  }
}

// A table of normalisation rules with the given trie units and strings.
std::string with_table(const std::vector<uint32_t>& units, const std::string& strings, uint32_t size) {
  std::string blob(4 + units.size() * 4, '\0');
  std::memcpy(blob.data(), &size, 4);
  std::memcpy(blob.data() + 4, units.data(), units.size() * 4);
  return specials() + piece("a", -1, 1) + bpe_trainer() + field(3, field(2, blob + strings));
}

constexpr uint32_t kLeaf = 1u << 8;
constexpr uint32_t unit(uint32_t offset, uint32_t label) { return offset << 10 | label; }

TEST(SpmModel, DamagedNormalisationTable) {
  const std::string end(1, '\0');
  // Root at 0 with its children at 0 ^ 256; 'a' is at 256 ^ 97 and its value at that ^ 512.
  std::vector<uint32_t> good(1024, unit(0, 0x1FF) | 0x80000000);
  good[0] = unit(256, 0);
  good[256 ^ 97] = unit(512, 97) | kLeaf;
  good[(256 ^ 97) ^ 512] = 0x80000000;
  const auto table = [&](auto change, const std::string& strings, uint32_t size = 4096) {
    std::vector<uint32_t> units = good;
    change(units);
    return with_table(units, strings, size);
  };
  const auto same = [](auto&) {};
  EXPECT_NO_THROW(parse_spm(table(same, std::string("b") + end), "m"));
  const auto t = parse_tokenizer(table(same, std::string("b") + end), "m");
  EXPECT_EQ(t->encode("a"), (std::vector<int32_t>{kUnk})) << "the rule a -> b was applied";

  EXPECT_NE(told(table(same, "b")).find("no end"), std::string::npos);
  EXPECT_NE(told(table(same, "b" + end, 4095)).find("larger than itself"), std::string::npos);
  EXPECT_NE(told(table(same, "b" + end, 4100)).find("larger than itself"), std::string::npos);
  EXPECT_NE(told(table(same, "b" + end, 0)).find("larger than itself"), std::string::npos);
  EXPECT_NE(told(table([](auto& u) { u[0] = unit(1u << 20, 0); }, end)).find("outside itself"), std::string::npos);
  EXPECT_NE(told(table([](auto& u) { u[256 ^ 97] = unit(1u << 20, 97); }, end)).find("outside itself"),
            std::string::npos);
  EXPECT_NE(told(table([](auto& u) { u[(256 ^ 97) ^ 512] = 0x80000002; }, "b" + end)).find("outside its strings"),
            std::string::npos);
  // 'a' leads back to the root's children.
  EXPECT_NE(told(table([](auto& u) { u[256 ^ 97] = unit(97, 97); }, end)).find("circle"), std::string::npos);
  EXPECT_NE(told(specials() + piece("a", -1, 1) + bpe_trainer() + field(3, field(2, "abc"))).find("cut short"),
            std::string::npos);
  const std::string once = field(2, std::string("\x00\x00", 2));
  EXPECT_NE(told(specials() + field(3, field(2, "") + field(2, ""))).find("two normalisation"), std::string::npos);
}

// A chain of leaves longer than the array SentencePiece collects them in.
TEST(SpmModel, TooManyRulesForOnePlace) {
  const auto chain = [](uint32_t length) {
    std::vector<uint32_t> units(16384, 0x800001FF);
    uint32_t base = 256;
    units[0] = unit(256, 0);
    for (uint32_t k = 1; k <= length; ++k) {
      const uint32_t at = base ^ 97, next = 256 * (k + 1);
      units[at] = unit(at ^ next, 97) | kLeaf;
      units[next] = 0x80000000;
      base = next;
    }
    return with_table(units, std::string(1, '\0'), 65536);
  };
  EXPECT_NO_THROW(parse_spm(chain(32), "m"));
  EXPECT_NE(told(chain(33)).find("too many rules"), std::string::npos);
}

// Real models, cut at every length and with random bytes changed: refused, or usable without harm.
TEST(SpmModel, CutAndChangedModels) {
  for (const std::string kind : {"bpe", "unigram"})
    for (const std::string normalization : {"nmt_nfkc", "identity"}) {
      const auto t = train_tokenizer({.kind = kind, .size = 150, .normalization = normalization}, from(sentences()));
      const std::string good = t->bytes();
      for (size_t n = 0; n < good.size(); n += 1 + good.size() / 300) {
        const std::string cut = good.substr(0, n);
        try {
          parse_tokenizer(cut, "m");  // a cut between two fields is a smaller model
        } catch (const FormatError&) {
        }
      }
      Rng rng(3);
      for (int trial = 0; trial < 150; ++trial) {
        std::string bad = good;
        // The pieces and the settings around the large table, as often as the table.
        const uint64_t reach = trial % 2 ? good.size() : std::min<uint64_t>(good.size(), 3000);
        for (int k = 0; k < 3; ++k) bad[rng.below(reach)] = static_cast<char>(rng.next());
        try {
          const auto odd = parse_tokenizer(bad, "m");
          for (size_t k = 0; k < 40; ++k) odd->decode(odd->encode(sentences()[k]));
        } catch (const FormatError&) {
        }
      }
    }
}

}  // namespace
}  // namespace lookback::data

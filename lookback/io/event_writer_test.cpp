#include "lookback/io/event_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "lookback/base/error.h"
#include "lookback/io/temp_folder.h"

namespace lookback::io {
namespace {

using namespace std::string_literals;

std::string from_hex(const std::string& hex) {
  std::string out;
  for (size_t k = 0; k < hex.size(); k += 2) out += static_cast<char>(std::stoi(hex.substr(k, 2), nullptr, 16));
  return out;
}

// A clock that says 0.5, 1.5, 2.5 ...
std::function<double()> ticking() {
  return [t = -0.5]() mutable { return t += 1; };
}

// Three by two pixels, grey.
const std::string kPng = from_hex(
    "89504e470d0a1a0a0000000d4948445200000003000000020800000000b81f39c60000001049444154789c6360646266606165030000460016"
    "77f5c87f0000000049454e44ae426082");

// Recorded from the protocol buffers and the framing of the tensorboard 2.21.0 package.
const std::string kVersionFrame =
    from_hex("1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c");
const std::string kScalarFrame =
    from_hex("2100000000000000017becf609000000000000044010ac022a130a110a0a6c6f73732f747261696e150000803e55c45f02");
const std::string kInfiniteFrame =
    from_hex("200000000000000029eda950090000000000000c4010ffffffffffffffffff012a0a0a080a0178150000807fd8f6300c");
const std::string kTextFrame = from_hex(
    "3200000000000000241956ec09000000000000124010022a250a230a046e6f74654211080712041202080142072a2a68c3a92a2a4a080a060a"
    "04"
    "74657874a0cec6ca");
const std::string kImageFrame = from_hex(
    "6700000000000000baadcdd409000000000000164010032a5a0a580a036d61702251080210031801224989504e470d0a1a0a0000000d494844"
    "52"
    "00000003000000020800000000b81f39c60000001049444154789c636064626660616503000046001677f5c87f0000000049454e44ae426082"
    "ed"
    "2c4742");
const std::string kRestartFrame = from_hex("0f000000000000006d532b09090000000000001a4010043a020801cda9f549");

// RFC 3720, B.4.
TEST(EventWriter, Crc32c) {
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
}

TEST(EventWriter, BytesOfEveryKindOfEvent) {
  const TempFolder folder;
  std::string path;
  {
    EventWriter out(folder.path(), ticking());
    path = out.path();
    EXPECT_EQ(slurp(path), kVersionFrame) << "a new file can be read at once";
    out.scalar("loss/train", 300, 0.25);
    out.scalar("x", -1, std::numeric_limits<double>::infinity());
    out.text("note", 2, "**h\xC3\xA9**");
    out.image("map", 3, kPng);
    EXPECT_EQ(slurp(path), kVersionFrame) << "the rest waits for flush";
    out.flush();
    out.flush();
    EXPECT_EQ(slurp(path), kVersionFrame + kScalarFrame + kInfiniteFrame + kTextFrame + kImageFrame);
    out.restart_at(4);
  }
  EXPECT_EQ(slurp(path), kVersionFrame + kScalarFrame + kInfiniteFrame + kTextFrame + kImageFrame + kRestartFrame)
      << "the destructor flushes";
}

TEST(EventWriter, AResumeGoesOnInANewFileThatSortsLater) {
  const TempFolder folder;
  for (int k = 0; k < 12; ++k) EventWriter(folder.path(), [] { return 1700000000.7; });
  EventWriter(folder.path(), [] { return 1700000001.0; });
  const auto names = folder.names();
  ASSERT_EQ(names.size(), 13u);
  EXPECT_EQ(names[0], "events.out.tfevents.1700000000.lookback.0000");
  EXPECT_EQ(names[11], "events.out.tfevents.1700000000.lookback.0011");
  EXPECT_EQ(names[12], "events.out.tfevents.1700000001.lookback.0000");
}

TEST(EventWriter, WritesOutWhenMuchWaits) {
  const TempFolder folder;
  EventWriter out(folder.path(), ticking());
  out.text("t", 1, std::string(2 << 20, 'x'));
  EXPECT_GT(slurp(out.path()).size(), size_t{2} << 20);
}

TEST(EventWriter, AFullDiskLeavesWholeFramesAndLosesNothing) {
  const TempFolder folder;
  EventWriter out(folder.path(), ticking());
  out.scalar("loss/train", 300, 0.25);
  out.flush();
  out.scalar("x", -1, std::numeric_limits<double>::infinity());
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit{kVersionFrame.size() + kScalarFrame.size() + 10, before.rlim_max};
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  EXPECT_THROW(out.flush(), IoError);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(slurp(out.path()), kVersionFrame + kScalarFrame);
  out.flush();
  EXPECT_EQ(slurp(out.path()), kVersionFrame + kScalarFrame + kInfiniteFrame);
}

TEST(EventWriter, Refuses) {
  const TempFolder folder;
  EXPECT_THROW(EventWriter(folder / "absent", ticking()), IoError);
  EventWriter out(folder.path(), ticking());
  EXPECT_THROW(out.scalar("", 1, 0), FormatError);
  EXPECT_THROW(out.scalar("\xFF", 1, 0), FormatError);
  EXPECT_THROW(out.text("t", 1, "\xFF"), FormatError);
  EXPECT_THROW(out.image("t", 1, "GIF89a"), FormatError);
  EXPECT_THROW(out.image("t", 1, kPng.substr(0, 20)), FormatError);
  std::string unknown = kPng;
  unknown[25] = 9;
  EXPECT_THROW(out.image("t", 1, unknown), FormatError);
  out.flush();
  EXPECT_EQ(slurp(out.path()), kVersionFrame) << "what was refused left nothing behind";
}

}  // namespace
}  // namespace lookback::io

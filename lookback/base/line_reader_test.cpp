#include "lookback/base/line_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "lookback/base/error.h"

namespace lookback {
namespace {

using namespace std::string_literals;
using Lines = std::vector<std::string>;

// One gzip member holding `s`.
std::string gzip(const std::string& s) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&z, s.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(s.data()));
  z.avail_in = static_cast<uInt>(s.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

Lines read_all(LineReader& reader) {
  Lines out;
  for (std::string line; reader.next(line);) {
    out.push_back(line);
    EXPECT_EQ(reader.number(), static_cast<int64_t>(out.size()));
  }
  return out;
}

class LineReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "line_reader_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& bytes, const std::string& name = "text") const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  Lines lines(const std::string& bytes) const {
    LineReader reader(file(bytes));
    return read_all(reader);
  }
  // The lines before the FormatError that must come, and its message.
  std::pair<Lines, std::string> failure(const std::string& bytes) const {
    LineReader reader(file(bytes));
    Lines out;
    std::string line;
    try {
      while (reader.next(line)) out.push_back(line);
    } catch (const FormatError& e) {
      EXPECT_THROW(reader.next(line), FormatError) << "a second call must fail too";
      return {out, e.what()};
    }
    ADD_FAILURE() << "nothing was thrown";
    return {out, ""};
  }
  std::filesystem::path folder_;
};

// First, because the peak it looks at is that of the whole process.
TEST_F(LineReaderTest, ConstantMemory) {
  // 200 MB of short lines in 200 KB of gzip.
  std::string block;
  while (block.size() < 1000000) block += "the same short line again\n";
  const std::string packed = gzip(block);
  std::string all;
  for (int k = 0; k < 200; ++k) all += packed;
  LineReader reader(file(all));
  struct rusage before {
  }, after{};
  getrusage(RUSAGE_SELF, &before);
  int64_t bytes = 0;
  for (std::string line; reader.next(line);) bytes += static_cast<int64_t>(line.size()) + 1;
  getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(bytes, static_cast<int64_t>(block.size()) * 200);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 << 10) << "KiB";
}

TEST_F(LineReaderTest, EndsOfLines) {
  EXPECT_EQ(lines(""), Lines{});
  EXPECT_EQ(lines("\n"), Lines{""});
  EXPECT_EQ(lines("a"), Lines{"a"});
  EXPECT_EQ(lines("a\n"), Lines{"a"});
  EXPECT_EQ(lines("a\n\nb"), (Lines{"a", "", "b"}));
  EXPECT_EQ(lines("a\r\nb\r\n\r\n"), (Lines{"a", "b", ""}));
  EXPECT_EQ(lines("a\rb\r\r\nc\r"), (Lines{"a\rb\r", "c\r"}));
}

TEST_F(LineReaderTest, KeepsEveryOtherByte) {
  EXPECT_EQ(lines("a\0b\n\0\n\xFF\x80"s), (Lines{"a\0b"s, "\0"s, "\xFF\x80"s}));
  EXPECT_EQ(lines("x\xE2\x80\xA8y\x0B\x0C\n"), Lines{"x\xE2\x80\xA8y\x0B\x0C"}) << "only \\n ends a line";
}

TEST_F(LineReaderTest, DropsAByteOrderMarkAtTheStartOnly) {
  EXPECT_EQ(lines("\xEF\xBB\xBF"
                  "a\n\xEF\xBB\xBF"
                  "b\n"),
            (Lines{"a",
                   "\xEF\xBB\xBF"
                   "b"}));
  EXPECT_EQ(lines("\xEF\xBB\xBF"), Lines{});
  EXPECT_EQ(lines("\xEF\xBB\xBF\n"), Lines{""});
  EXPECT_EQ(lines("\xEF\xBB"), Lines{"\xEF\xBB"});
}

TEST_F(LineReaderTest, LinesAcrossBuffers) {
  std::string all;
  Lines expected;
  for (int n : {1, 131071, 131072, 131073, 0, 400000, 7}) {
    expected.push_back(std::string(static_cast<size_t>(n), static_cast<char>('a' + n % 26)));
    all += expected.back() + "\r\n";
  }
  EXPECT_EQ(lines(all), expected);
  EXPECT_EQ(lines(gzip(all)), expected);
}

TEST_F(LineReaderTest, GzipByContentNotByName) {
  const std::string packed = gzip("one\ntwo");
  LineReader plain_name(file(packed, "packed.txt"));
  EXPECT_EQ(read_all(plain_name), (Lines{"one", "two"}));
  LineReader packed_name(file("one\ntwo\n", "plain.gz"));
  EXPECT_EQ(read_all(packed_name), (Lines{"one", "two"}));
}

TEST_F(LineReaderTest, GzipMembersJoin) {
  EXPECT_EQ(lines(gzip("a\nb") + gzip("") + gzip("c\nd\n") + gzip("e")), (Lines{"a", "bc", "d", "e"}));
  EXPECT_EQ(lines(gzip("a\n") + std::string(300000, '\0')), Lines{"a"}) << "zero padding is not data";
  EXPECT_EQ(lines(gzip("")), Lines{});
}

TEST_F(LineReaderTest, GzipCutShortAnywhere) {
  std::string all;
  for (int k = 0; k < 200; ++k) all += "line " + std::to_string(k * k) + "\n";
  const std::string packed = gzip(all);
  for (size_t n = 2; n < packed.size(); n += n < 20 || n + 20 > packed.size() ? 1 : 17) {
    const auto [got, message] = failure(packed.substr(0, n));
    EXPECT_NE(message.find("text:" + std::to_string(got.size() + 1) + ": the compressed data ends early"),
              std::string::npos)
        << n << ": " << message;
  }
  EXPECT_EQ(failure(gzip("a\n") + packed.substr(0, 5)).first, Lines{"a"}) << "cut inside a second header";
}

TEST_F(LineReaderTest, GzipDamaged) {
  std::string packed = gzip("some text that is long enough to be packed\nsome text that is long\n");
  std::string flipped = packed;
  flipped[packed.size() - 6] ^= 1;  // the stored CRC
  EXPECT_NE(failure(flipped).second.find("the compressed data is damaged"), std::string::npos);
  flipped = packed;
  flipped[packed.size() - 2] ^= 1;  // the stored length
  EXPECT_NE(failure(flipped).second.find("the compressed data is damaged"), std::string::npos);
  flipped = packed;
  flipped[2] = 9;  // an unknown method
  EXPECT_NE(failure(flipped).second.find("the compressed data is damaged"), std::string::npos);
  EXPECT_NE(failure(packed + "tail").second.find("followed by something that is not gzip"), std::string::npos);
  EXPECT_NE(failure(packed + "\0\0tail"s).second.find("followed by something that is not gzip"), std::string::npos);
  EXPECT_NE(failure(packed + "\x1F"
                             "x")
                .second.find("damaged"),
            std::string::npos);
}

TEST_F(LineReaderTest, ALineTooLong) {
  const std::string longest(static_cast<size_t>(LineReader::kMaxLine), 'x');
  EXPECT_EQ(lines(gzip("a\n" + longest + "\nb\n")).size(), 3u);
  const auto [got, message] = failure(gzip("a\n" + longest + "x\nb\n"));
  EXPECT_EQ(got, Lines{"a"});
  EXPECT_NE(message.find("text:2: the line is longer than 64 MiB"), std::string::npos) << message;
}

TEST_F(LineReaderTest, WhatCannotBeOpened) {
  try {
    LineReader reader((folder_ / "absent.txt").string());
    FAIL();
  } catch (const IoError& e) {
    EXPECT_EQ(std::string(e.what()), (folder_ / "absent.txt").string() + ": cannot open: No such file or directory");
  }
  try {
    LineReader reader(folder_.string());
    FAIL();
  } catch (const IoError& e) {
    EXPECT_EQ(std::string(e.what()), folder_.string() + ": cannot read: Is a directory");
  }
  EXPECT_THROW(LineReader(""), IoError);
}

TEST_F(LineReaderTest, StandardInputAsADribblingPipe) {
  for (const std::string& sent : {"a\nb\r\nc"s, gzip("a\nb\nc")}) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const int saved = dup(STDIN_FILENO);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    std::thread writer([&] {
      for (const char c : sent) {
        EXPECT_EQ(write(ends[1], &c, 1), 1);
        // The next byte only when this one was read: every read gives exactly one.
        for (int left = 1; left > 0; std::this_thread::yield()) ASSERT_EQ(ioctl(ends[1], FIONREAD, &left), 0);
      }
      close(ends[1]);
    });
    Lines got;
    {
      LineReader reader("-");
      got = read_all(reader);
    }
    writer.join();
    EXPECT_NE(fcntl(STDIN_FILENO, F_GETFD), -1) << "standard input stays open";
    dup2(saved, STDIN_FILENO);
    close(saved);
    EXPECT_EQ(got, (Lines{"a", "b", "c"}));
  }
}

TEST_F(LineReaderTest, AnEmptyLineIsThereBeforeAnythingFollows) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  // One read too many is then an error instead of waiting for ever.
  ASSERT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  const int saved = dup(STDIN_FILENO);
  dup2(ends[0], STDIN_FILENO);
  close(ends[0]);
  LineReader reader("-");
  for (const std::string& sent : {""s, "a"s}) {
    EXPECT_EQ(write(ends[1], (sent + "\n").data(), sent.size() + 1), static_cast<ssize_t>(sent.size() + 1));
    std::string line = "before";
    EXPECT_TRUE(reader.next(line));
    EXPECT_EQ(line, sent);
  }
  close(ends[1]);
  dup2(saved, STDIN_FILENO);
  close(saved);
}

TEST_F(LineReaderTest, Moves) {
  LineReader a(file("one\ntwo\n"));
  std::string line;
  EXPECT_TRUE(a.next(line));
  LineReader b(std::move(a));
  EXPECT_TRUE(b.next(line));
  EXPECT_EQ(line, "two");
  EXPECT_EQ(b.number(), 2);
}

}  // namespace
}  // namespace lookback

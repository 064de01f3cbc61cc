#include "lookback/base/byte_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "lookback/base/line_reader.h"

namespace lookback {
namespace {

class ByteReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "byte_reader_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    for (int64_t k = 0; k < 1000000; ++k) bytes_ += static_cast<char>(k * k % 251);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // The same bytes as they are, and packed.
  std::vector<std::string> both() const {
    const std::string plain = folder_ / "plain", packed = folder_ / "packed";
    std::ofstream(plain, std::ios::binary) << bytes_;
    gzFile out = gzopen(packed.c_str(), "wb");
    gzwrite(out, bytes_.data(), static_cast<unsigned>(bytes_.size()));
    gzclose(out);
    return {plain, packed};
  }
  std::filesystem::path folder_;
  std::string bytes_;
};

TEST_F(ByteReaderTest, ReadsPeeksAndSkips) {
  for (const std::string& path : both()) {
    ByteReader reader(path);
    std::string some(100, '\0');
    EXPECT_EQ(reader.peek(4).substr(0, 4), bytes_.substr(0, 4));
    EXPECT_EQ(reader.offset(), 0) << "a look takes nothing";
    EXPECT_EQ(reader.read(some.data(), some.size()), 100u);
    EXPECT_EQ(some, bytes_.substr(0, 100));
    EXPECT_EQ(reader.skip(500000), 500000);
    EXPECT_EQ(reader.offset(), 500100);
    EXPECT_EQ(reader.peek(300000).substr(0, 300000), bytes_.substr(500100, 300000)) << "more than one block";
    EXPECT_EQ(reader.peek(400000).substr(0, 400000), bytes_.substr(500100, 400000)) << "and still more";
    reader.take(1);
    EXPECT_EQ(reader.peek().front(), bytes_[500101]);
    EXPECT_EQ(reader.skip(499000), 499000);
    some.resize(2000);
    EXPECT_EQ(reader.read(some.data(), some.size()), 899u) << "only what there is";
    EXPECT_EQ(some.substr(0, 899), bytes_.substr(999101));
    EXPECT_EQ(reader.offset(), 1000000);
    EXPECT_TRUE(reader.peek(10).empty());
    EXPECT_EQ(reader.skip(1), 0);
    EXPECT_EQ(reader.read(some.data(), 1), 0u);
  }
}

TEST_F(ByteReaderTest, SkipsNotBeyondTheEnd) {
  for (const std::string& path : both()) {
    ByteReader reader(path);
    EXPECT_EQ(reader.skip(int64_t{1} << 60), 1000000);
    EXPECT_EQ(reader.offset(), 1000000);
    EXPECT_EQ(ByteReader(path).peek(size_t{1} << 30).size(), 1000000u);
  }
}

TEST_F(ByteReaderTest, LinesOfTheRest) {
  bytes_ = "number 2\none\ntwo\n";
  for (const std::string& path : both()) {
    ByteReader bytes(path);
    bytes.peek();
    bytes.take(9);
    LineReader lines(std::move(bytes));
    std::string line;
    EXPECT_TRUE(lines.next(line));
    EXPECT_EQ(line, "one");
    EXPECT_TRUE(lines.next(line));
    EXPECT_FALSE(lines.next(line));
  }
}

TEST_F(ByteReaderTest, ErrorsSayTheByte) {
  const std::string packed = both()[1];
  std::filesystem::resize_file(packed, std::filesystem::file_size(packed) / 2);
  ByteReader reader(packed);
  try {
    reader.skip(1000000);
    FAIL();
  } catch (const DamagedGzipError& e) {
    EXPECT_EQ(e.reason, "the compressed data ends early; the file was cut short");
    EXPECT_EQ(std::string(e.what()), packed + ": byte " + std::to_string(reader.offset()) + ": " + e.reason);
  }
  EXPECT_THROW(ByteReader(folder_.string()), IoError);
  EXPECT_THROW(ByteReader(folder_ / "absent"), IoError);
}

}  // namespace
}  // namespace lookback

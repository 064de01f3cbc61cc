#include "lookback/io/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include "lookback/base/error.h"
#include "lookback/base/sha256.h"
#include "lookback/io/temp_folder.h"

namespace lookback::io {
namespace {

using namespace std::string_literals;

std::string safetensors(const std::string& header, const std::string& data) {
  uint64_t n = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &n, 8);
  return out + header + data;
}

std::vector<NamedTensor> samples() {
  const Tensor bf16 = Tensor::of<float>({2}, {1, 3}).to(Dtype::bf16);
  return {{"c", Tensor::of<int8_t>({3}, {-1, 2, 3})},
          {"encoder.weight", Tensor::of<float>({1, 2}, {1.5, -2})},
          {"a \"quoted\"\n\xC3\xBC", bf16},
          {"scalar", Tensor::of<int32_t>({}, {7})},
          {"e", Tensor::of<double>({1}, {0.1})},
          {"none", Tensor::zeros({0, 3})},
          {"default", Tensor()}};
}

TEST(Safetensors, RoundTrip) {
  const TempFolder folder;
  const auto tensors = samples();
  const std::map<std::string, std::string> metadata{{"format", "pt"}, {"b\"", "\n\xC3\xBC"}};
  write_safetensors(folder / "m.safetensors", tensors, metadata);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"m.safetensors"});
  const SafetensorsFile file(folder / "m.safetensors");
  EXPECT_EQ(file.metadata(), metadata);
  ASSERT_EQ(file.entries().size(), tensors.size());
  for (size_t k = 0; k < tensors.size(); ++k) {
    const TensorEntry& e = file.entries()[k];
    EXPECT_EQ(e.name, tensors[k].name);
    EXPECT_EQ(e.offset % item_size(e.dtype), 0) << e.name << " must be aligned";
    const Tensor got = file.load(e.name);
    EXPECT_EQ(got.shape(), tensors[k].value.shape());
    EXPECT_EQ(got.dtype(), tensors[k].value.dtype());
    ASSERT_EQ(got.byte_size(), tensors[k].value.byte_size());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(got.bytes()) % 64, 0u);
    if (got.byte_size() > 0) {
      EXPECT_EQ(std::memcmp(got.bytes(), tensors[k].value.bytes(), static_cast<size_t>(got.byte_size())), 0) << e.name;
    }
  }
  EXPECT_EQ(file.find("nothing"), nullptr);
}

TEST(Safetensors, AViewWritesItsOwnPart) {
  const TempFolder folder;
  const Tensor all = Tensor::of<float>({3, 2}, {0, 1, 2, 3, 4, 5});
  const NamedTensor part{"part", all.rows(1, 2)};
  write_safetensors(folder / "m", std::span(&part, 1));
  const Tensor got = SafetensorsFile(folder / "m").load("part");
  EXPECT_EQ(got.shape(), (Shape{1, 2}));
  EXPECT_EQ(got.data<float>()[0], 2);
  EXPECT_EQ(got.data<float>()[1], 3);
}

TEST(Safetensors, AMappedTensorIsThatOfTheFileAndOutlivesIt) {
  const TempFolder folder;
  const auto tensors = samples();
  write_safetensors(folder / "m", tensors);
  std::vector<Tensor> mapped;
  {
    SafetensorsFile file(folder / "m");
    for (const TensorEntry& e : file.entries()) mapped.push_back(file.map(e));
    EXPECT_TRUE(mapped[0].bytes() - file.entries()[0].offset == mapped[1].bytes() - file.entries()[1].offset)
        << "one mapping for all";
  }
  std::remove((folder / "m").c_str());
  for (size_t k = 0; k < tensors.size(); ++k) {
    EXPECT_EQ(mapped[k].shape(), tensors[k].value.shape());
    ASSERT_EQ(mapped[k].byte_size(), tensors[k].value.byte_size());
    if (mapped[k].byte_size() > 0) {
      EXPECT_EQ(std::memcmp(mapped[k].bytes(), tensors[k].value.bytes(), static_cast<size_t>(mapped[k].byte_size())),
                0);
    }
  }
}

TEST(Safetensors, WhatIsNotAlignedIsCopied) {
  const TempFolder folder;
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})" + " "s;
  ASSERT_NE((8 + header.size()) % 4, 0U);
  SafetensorsFile file(folder.file("m", safetensors(header, "\0\0\x80\x3F"s)));
  EXPECT_EQ(file.map(*file.find("a")).data<float>()[0], 1);
}

TEST(Safetensors, AFileCutShortBeforeItIsMappedIsRefused) {
  const TempFolder folder;
  const std::vector<NamedTensor> tensors = {{"a", Tensor::zeros({1000})}};
  write_safetensors(folder / "m", tensors);
  SafetensorsFile file(folder / "m");
  ASSERT_EQ(::truncate((folder / "m").c_str(), 2000), 0);
  EXPECT_NE(message_of<IoError>([&] { file.map(*file.find("a")); }).find("became shorter"), std::string::npos);
}

TEST(Safetensors, NothingAtAll) {
  const TempFolder folder;
  write_safetensors(folder / "m", {});
  EXPECT_EQ(slurp(folder / "m"), safetensors("{}      ", ""));
  EXPECT_TRUE(SafetensorsFile(folder / "m").entries().empty());
}

// The bytes are part of the format: a change here changes the digest of every model.
TEST(Safetensors, BytesAreFixed) {
  const TempFolder folder;
  write_safetensors(folder / "m", samples(), {{"k", "v"}});
  const std::string header =
      "{\"__metadata__\":{\"k\":\"v\"},"
      "\"c\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[24,27]},"
      "\"encoder.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]},"
      "\"a \\\"quoted\\\"\\n\xC3\xBC\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[20,24]},"
      "\"scalar\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[16,20]},"
      "\"e\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
      "\"none\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[20,20]},"
      "\"default\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[20,20]}}";
  const std::string data = "\x9a\x99\x99\x99\x99\x99\xb9?\0\0\xc0?\0\0\0\xc0\7\0\0\0\x80?@@\xff\2\3"s;
  EXPECT_EQ(slurp(folder / "m"), safetensors(header + std::string((8 - header.size() % 8) % 8, ' '), data));
}

// Written by the reference implementation, safetensors 0.8.0 for Python.
TEST(Safetensors, ReadsTheReferenceImplementation) {
  const TempFolder folder;
  const std::string header =
      "{\"__metadata__\":{\"k\":\"v \xc3\xa9\"},\"e\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
      "\"b\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]},"
      "\"f\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[16,16]},"
      "\"d\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[16,20]},"
      "\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[20,24]},"
      "\"c\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[24,27]}} ";
  const std::string data = "\x9a\x99\x99\x99\x99\x99\xb9?\0\0\xc0?\0\0\0\xc0\7\0\0\0\x80?@@\xff\2\3"s;
  ASSERT_EQ(header.size(), 0x168u);
  const SafetensorsFile file(folder.file("m", safetensors(header, data)));
  EXPECT_EQ(file.metadata().at("k"), "v \xc3\xa9");
  EXPECT_EQ(file.load("e").data<double>()[0], 0.1);
  EXPECT_EQ(file.load("b").data<float>()[1], -2);
  EXPECT_EQ(file.load("f").shape(), (Shape{0, 3}));
  EXPECT_EQ(file.load("d").data<int32_t>()[0], 7);
  EXPECT_EQ(file.load("a").to(Dtype::f32).data<float>()[1], 3);
  EXPECT_EQ(file.load("c").data<int8_t>()[0], -1);
}

TEST(Safetensors, WriterRefusesBadNames) {
  const TempFolder folder;
  const Tensor x = Tensor::zeros({1});
  const auto refused = [&](std::vector<NamedTensor> tensors, std::map<std::string, std::string> metadata = {}) {
    return message_of<FormatError>([&] { write_safetensors(folder / "m", tensors, metadata); });
  };
  EXPECT_NE(refused({{"a", x}, {"a", x}}).find("'a' is given twice"), std::string::npos);
  EXPECT_NE(refused({{"", x}}).find("cannot be the name"), std::string::npos);
  EXPECT_NE(refused({{"__metadata__", x}}).find("cannot be the name"), std::string::npos);
  EXPECT_NE(refused({{"a\xFF", x}}).find("'a?' is not valid UTF-8"), std::string::npos);
  EXPECT_NE(refused({}, {{"\xFF", ""}}).find("is not valid UTF-8"), std::string::npos);
  EXPECT_NE(refused({}, {{"a", "\xFF"}}).find("is not valid UTF-8"), std::string::npos);
  EXPECT_TRUE(folder.names().empty());
  EXPECT_THROW(write_safetensors(folder / "no/m", {}), IoError);
}

TEST(Safetensors, NoSuchTensor) {
  const TempFolder folder;
  write_safetensors(folder / "m", samples());
  const SafetensorsFile file(folder / "m");
  EXPECT_EQ(message_of<FormatError>([&] { file.load("encoder.wieght"); }),
            folder / "m" + ": has no tensor 'encoder.wieght'; did you mean 'encoder.weight'?");
}

TEST(Safetensors, CutShortWhileOpen) {
  const TempFolder folder;
  const NamedTensor big{"big", Tensor::zeros({100000})};
  write_safetensors(folder / "m", std::span(&big, 1));
  const SafetensorsFile file(folder / "m");
  ASSERT_EQ(truncate((folder / "m").c_str(), 5000), 0);
  EXPECT_EQ(message_of<IoError>([&] { file.load("big"); }),
            folder / "m" + ": the file became shorter while it was read");
}

TEST(Safetensors, WhatCannotBeOpened) {
  const TempFolder folder;
  EXPECT_EQ(message_of<IoError>([&] { SafetensorsFile(folder / "m"); }),
            folder / "m" + ": cannot open: No such file or directory");
  EXPECT_THROW(SafetensorsFile(folder.path()), IoError);
}

struct Bad {
  const char* name;
  std::string bytes;
  const char* message;

  friend std::ostream& operator<<(std::ostream& out, const Bad& bad) { return out << bad.name; }
};

// `part` in place of the description of tensor a, two floats.
std::string one(const std::string& part, size_t data_bytes = 8) {
  return safetensors("{\"a\":" + part + "}", std::string(data_bytes, '\0'));
}
std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}
const std::string kGood = tensor("F32", "[2]", "[0,8]");
std::string two(const std::string& first, const std::string& second, size_t data_bytes) {
  return safetensors("{\"a\":" + tensor("F32", "[2]", first) + ",\"b\":" + tensor("F32", "[2]", second) + "}",
                     std::string(data_bytes, '\0'));
}

class SafetensorsDamage : public ::testing::TestWithParam<Bad> {};

TEST_P(SafetensorsDamage, IsNamed) {
  const TempFolder folder;
  const std::string path = folder.file("m.safetensors", GetParam().bytes);
  const std::string got = message_of<FormatError>([&] { SafetensorsFile{path}; });
  EXPECT_EQ(got.find(path + ":"), 0u) << got;
  EXPECT_NE(got.find(GetParam().message), std::string::npos) << got;
  EXPECT_EQ(got.find('\n'), std::string::npos) << got;
  EXPECT_LT(got.size(), path.size() + 250) << got;
}

INSTANTIATE_TEST_SUITE_P(
    Header, SafetensorsDamage,
    ::testing::ValuesIn(std::vector<Bad>{
        {"Empty", "", "has 0 bytes, too few"},
        {"SevenBytes", "1234567", "has 7 bytes, too few"},
        {"LengthHuge", std::string(8, '\xFF') + "{}", "more than 100000000"},
        {"LengthNegativeAsSigned", "\0\0\0\0\0\0\0\x80{}"s, "more than 100000000"},
        {"LengthOver100MB", "\x01\xE1\xF5\x05\0\0\0\0{}"s, "says its header has 100000001 bytes, more than 100000000"},
        {"HeaderCutShort", safetensors("{\"a\":" + kGood + "}", "").substr(0, 30), "it was cut short"},
        {"NoHeader", safetensors("", ""), "does not start with '{'"},
        {"LeadingSpace", safetensors(" {}", ""), "does not start with '{'"},
        {"ByteOrderMark", safetensors("\xEF\xBB\xBF{}", ""), "does not start with '{'"},
        {"HtmlPage", "<!DOCTYPE html><html><body>404</body></html>",
         "more than 100000000; is this a safetensors file?"},
        {"NotUtf8", safetensors("{\"\xFF\":" + kGood + "}", std::string(8, '\0')), "byte 2 is not valid UTF-8"},
        {"Surrogate", safetensors("{\"\\ud800\":" + kGood + "}", std::string(8, '\0')), "not JSON"},
        {"NulPadding", safetensors("{}\0\0"s, ""), "byte 2 is NUL"},
        {"CutJson", safetensors("{\"a\":", ""), "not JSON"},
        {"TrailingJson", safetensors("{}{}", ""), "not JSON"},
        {"Array", safetensors("[]", ""), "does not start with '{'"},
        {"DeepNesting", safetensors("{\"a\":" + std::string(1000000, '['), ""), "a list is not allowed here"},
        {"DeepObjects", one("{\"dtype\":{\"a\":{}}}"), "an object is not allowed here"},
        {"SameTensorTwice", safetensors("{\"a\":" + kGood + ",\"a\":" + kGood + "}", std::string(8, '\0')),
         "the tensor 'a' appears twice"},
        {"MetadataTwice", safetensors("{\"__metadata__\":{},\"__metadata__\":{}}", ""), "'__metadata__' appears twice"},
        {"MetadataKeyTwice", safetensors("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", ""),
         "the metadata key 'k' appears twice"},
        {"MetadataNumber", safetensors("{\"__metadata__\":{\"k\":1}}", ""), "a number is not allowed here"},
        {"MetadataObject", safetensors("{\"__metadata__\":{\"k\":{}}}", ""), "an object is not allowed here"},
        {"MetadataList", safetensors("{\"__metadata__\":{\"k\":[]}}", ""), "a list is not allowed here"},
        {"MetadataString", safetensors("{\"__metadata__\":\"k\"}", ""), "a string is not allowed here"},
        {"EmptyName", safetensors("{\"\":" + kGood + "}", std::string(8, '\0')), "a tensor has no name"},
    }),
    [](const auto& i) { return i.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Tensor, SafetensorsDamage,
    ::testing::ValuesIn(std::vector<Bad>{
        {"NotAnObject", one("7"), "a number is not allowed here"},
        {"Null", one("null"), "null is not allowed here"},
        {"NoDtype", one("{\"shape\":[2],\"data_offsets\":[0,8]}"), "the tensor 'a' has no dtype"},
        {"NoShape", one("{\"dtype\":\"F32\",\"data_offsets\":[0,8]}"), "the tensor 'a' has no shape"},
        {"NoOffsets", one("{\"dtype\":\"F32\",\"shape\":[2]}"), "the tensor 'a' has no data_offsets"},
        {"KeyTwice", one("{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"),
         "the tensor 'a' has 'dtype' twice"},
        {"UnknownKey", one("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"link\":\"x\"}"),
         "the tensor 'a' has an unknown key 'link'"},
        {"DtypeF16", one(tensor("F16", "[4]", "[0,8]")), "the tensor 'a' has dtype 'F16', which is not supported"},
        {"DtypeI64", one(tensor("I64", "[1]", "[0,8]")), "the tensor 'a' has dtype 'I64', which is not supported"},
        {"DtypeLowerCase", one(tensor("f32", "[2]", "[0,8]")), "has dtype 'f32'"},
        {"DtypeNumber", one("{\"dtype\":1,\"shape\":[2],\"data_offsets\":[0,8]}"), "a number is not allowed here"},
        {"DtypeLong", one(tensor(std::string(100000, 'F'), "[2]", "[0,8]")), "FFF...'"},
        {"NameWithNewline", safetensors("{\"a\\nb\":" + tensor("F16", "[4]", "[0,8]") + "}", std::string(8, '\0')),
         "the tensor 'a?b' has dtype"},
        {"ShapeNegative", one(tensor("F32", "[-2]", "[0,8]")), "the tensor 'a' has a negative number, -2, in shape"},
        {"ShapeFraction", one(tensor("F32", "[2.0]", "[0,8]")), "the tensor 'a' has a number that is not whole"},
        {"ShapeOver64Bits", one(tensor("F32", "[18446744073709551616]", "[0,8]")), "does not fit in 64 bits"},
        {"ShapeOverflows", one(tensor("F32", "[4294967296,4294967296]", "[0,8]")),
         "the tensor 'a' has a shape that overflows"},
        {"BytesOverflow", one(tensor("F64", "[2305843009213693952]", "[0,0]"), 0), "overflows"},
        {"ZeroTimesOverflow", one(tensor("F32", "[4294967296,4294967296,0]", "[0,0]"), 0), "overflows"},
        {"OverflowAfterZero", one(tensor("F32", "[0,4294967296,4294967296]", "[0,0]"), 0), "overflows"},
        {"RankSix", one(tensor("F32", "[1,1,1,1,1,2]", "[0,8]")), "the tensor 'a' has more than 5 dimensions"},
        {"ShapeString", one(tensor("F32", "[\"2\"]", "[0,8]")), "a string is not allowed here"},
        {"ShapeNested", one(tensor("F32", "[[2]]", "[0,8]")), "a list is not allowed here"},
        {"ShapeNoList", one(tensor("F32", "2", "[0,8]")), "a number is not allowed here"},
        {"OffsetsOne", one(tensor("F32", "[2]", "[0]")), "the tensor 'a' must have two data_offsets"},
        {"OffsetsThree", one(tensor("F32", "[2]", "[0,8,8]")), "the tensor 'a' must have two data_offsets"},
        {"OffsetsNegative", one(tensor("F32", "[2]", "[-8,0]")), "negative number, -8, in data_offsets"},
        {"OffsetsReversed", one(tensor("F32", "[2]", "[8,0]")), "the tensor 'a' ends at 0, before its start at 8"},
        {"SizeTooSmall", one(tensor("F32", "[3]", "[0,8]")), "the tensor 'a' holds 8 bytes, its shape [3] needs 12"},
        {"SizeTooLarge", one(tensor("F32", "[1]", "[0,8]")), "the tensor 'a' holds 8 bytes, its shape [1] needs 4"},
    }),
    [](const auto& i) { return i.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Layout, SafetensorsDamage,
    ::testing::ValuesIn(std::vector<Bad>{
        {"Overlap", two("[0,8]", "[4,12]", 12),
         "the tensor 'b' starts at 4, inside the one before it, which ends at 8"},
        {"SamePlace", two("[0,8]", "[0,8]", 8), "starts at 0, inside the one before it"},
        {"Gap", two("[0,8]", "[12,20]", 20), "a gap before the tensor 'b', which starts at 12, expected 8"},
        {"GapAtTheStart", one(tensor("F32", "[2]", "[8,16]"), 16), "a gap before the tensor 'a'"},
        {"EmptyInsideAnother",
         safetensors("{\"a\":" + kGood + ",\"b\":" + tensor("F32", "[0]", "[4,4]") + "}", std::string(8, '\0')),
         "the tensor 'b' starts at 4, inside"},
        {"DataCutShort", one(kGood, 7), "the file has 7 bytes of data, its header needs 8; it was cut short"},
        {"NoData", one(kGood, 0), "it was cut short"},
        {"ExtraByte", one(kGood, 9), "the file has 1 bytes that no tensor covers"},
        {"DataWithoutTensors", safetensors("{}", "x"), "the file has 1 bytes that no tensor covers"},
    }),
    [](const auto& i) { return i.param.name; });

TEST(Safetensors, TheGoodOnesAmongTheBad) {
  const TempFolder folder;
  for (const std::string& bytes :
       {one(kGood), two("[8,16]", "[0,8]", 16), safetensors("{}", ""),
        safetensors("{\"a\" : " + kGood + "} \n\t\r ", std::string(8, '\0')),
        safetensors("{\"a\":" + kGood + ",\"b\":" + tensor("I8", "[0,9]", "[8,8]") + "}", std::string(8, '\0'))})
    EXPECT_NO_THROW(SafetensorsFile{folder.file("m", bytes)}) << bytes;
}

TEST(Safetensors, EveryCutAndFlipIsRefusedOrHarmless) {
  const TempFolder folder;
  write_safetensors(folder / "m", samples(), {{"k", "v"}});
  const std::string bytes = slurp(folder / "m");
  for (size_t n = 0; n < bytes.size(); ++n)
    EXPECT_THROW(SafetensorsFile{folder.file("cut", bytes.substr(0, n))}, FormatError) << n;
  for (size_t n = 0; n < bytes.size(); ++n) {
    std::string flipped = bytes;
    flipped[n] ^= static_cast<char>(1 << (n % 8));
    try {
      const SafetensorsFile file(folder.file("flipped", flipped));
      for (const TensorEntry& e : file.entries()) file.load(e);
    } catch (const FormatError&) {
    }
  }
}

}  // namespace
}  // namespace lookback::io

#include "lookback/tasks/pictures.h"

#include <gtest/gtest.h>

#include "lookback/base/error.h"
#include "lookback/io/safetensors.h"
#include "lookback/io/temp_folder.h"

namespace lookback::tasks {
namespace {

std::vector<std::string> names(const std::vector<CaptionedPicture>& pictures) {
  std::vector<std::string> out;
  for (const CaptionedPicture& p : pictures)
    out.push_back(p.path.substr(p.path.rfind('/') + 1) + ":" + std::to_string(p.captions.size()));
  return out;
}

template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing was thrown";
}

struct Lists {
  io::TempFolder folder;
  data::TableReport report;

  std::vector<CaptionedPicture> part(Split split, const PictureData& data) {
    report = {};
    data.validate();
    return data.part(split, folder.path(), report);
  }
};

TEST(PictureData, RowsOfOnePictureAreItsCaptions) {
  Lists l;
  l.folder.file("train.tsv", "b.jpg\t0\tone\na.jpg\t0\ttwo\nb.jpg\t1\tthree\nc.jpg\t0\t\n\t0\tfour\n");
  const PictureData data{.train = {"train.tsv"}, .valid = {"last 1"}, .images = "photos", .columns = {"1", "3"}};
  const auto train = l.part(Split::train, data);
  EXPECT_EQ(names(train), (std::vector<std::string>{"a.jpg:1"}));
  const auto valid = l.part(Split::valid, data);
  ASSERT_EQ(names(valid), (std::vector<std::string>{"b.jpg:2"}));
  EXPECT_EQ(valid[0].captions, (StringList{"one", "three"}));
  EXPECT_EQ(valid[0].path, l.folder.path() + "/photos/b.jpg");
  EXPECT_TRUE(valid[0].where.ends_with("train.tsv:1")) << valid[0].where;
  EXPECT_EQ(l.report.left_out.size(), 2);  // a caption and a name that are empty
  PictureData strict = data;
  strict.bad_lines = "stop";
  EXPECT_NE(message_of<FormatError>([&] { l.part(Split::train, strict); }).find("train.tsv:4"), std::string::npos);
}

TEST(PictureData, PartsShareNoPicture) {
  Lists l;
  std::string list;
  for (int k = 0; k < 50; ++k)
    for (const char* caption : {"x", "y"}) list += "p" + std::to_string(100 + k) + ".png\t" + caption + "\n";
  l.folder.file("all.tsv", list);
  for (const char* valid : {"20 %", "last 7"}) {
    const PictureData data{.train = {"all.tsv"}, .valid = {valid}};
    const auto a = names(l.part(Split::train, data)), b = names(l.part(Split::valid, data));
    EXPECT_EQ(a.size() + b.size(), 50) << valid;
    EXPECT_EQ(l.report.read, std::ssize(b) * 2);
    EXPECT_GT(b.size(), 2) << valid;
    for (const std::string& name : b) EXPECT_EQ(std::ranges::count(a, name), 0) << name;
    if (std::string(valid) == "last 7") {
      EXPECT_EQ(b.front(), "p143.png:2");
    }
  }
}

TEST(PictureData, RefusesWhatCannotBe) {
  Lists l;
  l.folder.file("all.tsv", "a.png\tx\n");
  const auto refusal = [&](const PictureData& data) {
    return message_of<ConfigError>([&] { l.part(Split::valid, data); });
  };
  EXPECT_NE(refusal({.valid = {"v.tsv"}}).find("data.train"), std::string::npos);
  EXPECT_NE(refusal({.train = {"all.tsv"}}).find("data.valid"), std::string::npos);
  EXPECT_NE(refusal({.train = {"all.tsv"}, .valid = {"last few"}}).find("last 100"), std::string::npos);
  EXPECT_NE(refusal({.train = {"all.tsv"}, .valid = {"last 1"}}).find("has 1 pictures"), std::string::npos);
  EXPECT_NE(refusal({.train = {"all.tsv"}, .valid = {"10 %"}, .test = {"10 %"}}).find("data.test"), std::string::npos);
  EXPECT_NE(refusal({.train = {"all.tsv"}, .valid = {"10 %"}, .pictures = "none", .cache = "c"}).find("data.cache"),
            std::string::npos);
}

TEST(Seeing, FeaturesMadeElsewhere) {
  io::TempFolder folder;
  Tensor many({3, 2, 4});
  for (int64_t k = 0; k < many.size(); ++k) many.data<float>()[k] = static_cast<float>(k);
  const std::string path = folder.path() + "/many.safetensors";
  const io::NamedTensor named[] = {{"features", many}};
  io::write_safetensors(path, named);
  EXPECT_TRUE(names_features(path + "#1") && names_features("a.npy") && !names_features("a.png"));
  Seeing seeing;
  const Tensor second = seeing.features(path + "#1");
  ASSERT_EQ(second.shape(), (Shape{1, 2, 4}));
  EXPECT_EQ(second.data<float>()[0], 8);
  const auto refusal = [&](const std::string& name) { return message_of<FormatError>([&] { seeing.features(name); }); };
  EXPECT_NE(refusal(path).find("say which one"), std::string::npos);
  EXPECT_NE(refusal(path + "#3").find("no #3"), std::string::npos);
  EXPECT_NE(refusal("a.png").find("features.cnn"), std::string::npos);
  seeing.shape.width = 5;
  EXPECT_NE(refusal(path + "#0").find("has 4 features"), std::string::npos);
}

}  // namespace
}  // namespace lookback::tasks

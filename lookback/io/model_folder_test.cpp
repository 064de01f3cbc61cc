#include "lookback/io/model_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "lookback/base/error.h"
#include "lookback/io/atomic_file.h"
#include "lookback/io/temp_folder.h"

namespace lookback::io {
namespace {
namespace fs = std::filesystem;

// A folder with `a`, `sub/b` and a manifest that lists them.
std::string make(const TempFolder& place) {
  AtomicFolder out(place / "model");
  fs::create_directory(out.path() + "/sub");
  write_file_atomic(out.path() + "/a", "A");
  write_file_atomic(out.path() + "/sub/b", "B");
  out.commit();
  return place / "model";
}

TEST(ModelFolder, ReadsWhatTheManifestListsAndNothingElse) {
  const TempFolder place;
  const std::string model = make(place);
  place.file("model/extra", "x");
  const ModelFolder folder(model);
  EXPECT_EQ(folder.read("a", 10) + folder.read("sub/b", 10), "AB");
  EXPECT_FALSE(folder.has("extra"));
  EXPECT_EQ(message_of<FormatError>([&] { folder.open("extra"); }),
            model + "/extra: is no file of this folder (manifest.json does not list it)");
  EXPECT_NE(message_of<FormatError>([&] { folder.read("a", 0); }).find("larger than"), std::string::npos);
  fs::remove(model + "/a");
  EXPECT_TRUE(folder.has("a"));
  EXPECT_FALSE(folder.holds("a"));
  EXPECT_THROW(folder.open("a"), IoError);
}

TEST(ModelFolder, WithoutAManifestItHasWhatIsThere) {
  const TempFolder place;
  place.file("a", "A");
  const ModelFolder folder(place.path());
  EXPECT_TRUE(folder.has("a"));
  EXPECT_FALSE(folder.has("b"));
  EXPECT_EQ(folder.read("a", 10), "A");
  EXPECT_THROW(folder.open("b"), IoError);
}

TEST(ModelFolder, FollowsNoLinkAndLeavesTheFolderByNoName) {
  const TempFolder place;
  const std::string model = make(place);
  place.file("secret", "S");
  fs::create_symlink(model, place / "link");
  EXPECT_EQ(ModelFolder(place / "link").read("a", 10), "A") << "the folder itself may be a link";
  for (const std::string name : {"a", "sub/b", "sub", "manifest.json"}) {
    fs::rename(model + "/" + name, place / "aside");
    fs::create_symlink(place / "aside", model + "/" + name);
    const auto message = message_of<FormatError>([&] {
      const ModelFolder folder(model);
      folder.open("a"), folder.open("sub/b");
    });
    EXPECT_EQ(message, model + "/" + name + ": is a link; links in a model folder are not followed");
    EXPECT_NE(verify_folder(model).value_or("").find("is a link"), std::string::npos) << name;
    fs::remove(model + "/" + name);
    fs::rename(place / "aside", model + "/" + name);
  }
  const ModelFolder bare(place.path());
  fs::create_directory_symlink(model, place / "folder");
  EXPECT_THROW(bare.beneath("folder"), FormatError);
  EXPECT_EQ(bare.beneath("model").read("a", 10), "A");
  for (const std::string name : {"../secret", "model/../secret", "/etc/hostname", "", ".", "model//", "./secret"})
    EXPECT_THROW(bare.open(name), FormatError) << name;
}

TEST(ModelFolder, AllFilesAreOfOneFolderWhateverTakesItsName) {
  const TempFolder place;
  const std::string model = make(place);
  const ModelFolder folder(model);
  fs::rename(model, place / "old");
  fs::create_directory(model);
  place.file("model/a", "other");
  EXPECT_EQ(folder.read("a", 10), "A");
}

TEST(ModelFolder, OddThingsAreRefused) {
  const TempFolder place;
  place.file("file", "x");
  EXPECT_THROW(ModelFolder(place / "file"), IoError);
  EXPECT_THROW(ModelFolder(place / "absent"), IoError);
  ASSERT_EQ(::mkfifo((place / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(ModelFolder(place.path()).open("pipe"), IoError) << "a pipe nobody writes to must not hang";
  place.file("manifest.json", "{\"icons\": []}");
  EXPECT_THROW(ModelFolder(place.path()), FormatError);
  place.file("manifest.json", "{\"format\": 1, \"files\": [{\"name\": \"file\"}]}");
  EXPECT_EQ(ModelFolder(place.path()).read("file", 10), "x") << "a run lists names alone";
  EXPECT_NE(verify_folder(place.path()), std::nullopt) << "but vouches for nothing";
}

}  // namespace
}  // namespace lookback::io

#include "lookback/io/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "lookback/base/error.h"
#include "lookback/base/sha256.h"
#include "lookback/io/temp_folder.h"

namespace lookback::io {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

// While it lives, files cannot grow over `bytes`: the write fails as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

// While it lives, this process has no right to write into other users' folders.
class OrdinaryUser {
 public:
  OrdinaryUser() : root_(geteuid() == 0) {
    if (root_ && seteuid(65534) != 0) ADD_FAILURE() << "cannot give up root";
  }
  ~OrdinaryUser() {
    if (root_ && seteuid(0) != 0) std::abort();
  }

 private:
  bool root_;
};

TEST(AtomicFile, WritesAndReplaces) {
  const TempFolder folder;
  const std::string path = folder / "a";
  write_file_atomic(path, "one");
  EXPECT_EQ(slurp(path), "one");
  write_file_atomic(path, std::string("t\0wo", 4));
  EXPECT_EQ(slurp(path), std::string("t\0wo", 4));
  write_file_atomic(path, "");
  EXPECT_EQ(slurp(path), "");
  EXPECT_EQ(folder.names(), Names{"a"});
}

TEST(AtomicFile, InTheCurrentFolder) {
  const TempFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_file_atomic("plain", "x");
  fs::current_path(before);
  EXPECT_EQ(slurp(folder / "plain"), "x");
}

TEST(AtomicFile, KeepsPermissionsAndReplacesLinks) {
  const TempFolder folder;
  const std::string path = folder.file("a", "old");
  chmod(path.c_str(), 0640);
  write_file_atomic(path, "new");
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  fs::create_symlink(path, folder / "link");
  write_file_atomic(folder / "link", "other");
  EXPECT_FALSE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(slurp(path), "new");
}

TEST(AtomicFile, ALongName) {
  const TempFolder folder;
  const std::string path = folder / std::string(255, 'n');
  write_file_atomic(path, "x");
  EXPECT_EQ(slurp(path), "x");
}

TEST(AtomicFile, NotCommittedLeavesNothing) {
  const TempFolder folder;
  const std::string path = folder.file("a", "old");
  {
    AtomicFile file(path);
    file.write("half");
    EXPECT_EQ(folder.names().size(), 2u);
  }
  EXPECT_EQ(slurp(path), "old");
  EXPECT_EQ(folder.names(), Names{"a"});
}

TEST(AtomicFile, FullDiskKeepsTheOldFile) {
  const TempFolder folder;
  const std::string path = folder.file("a", "old");
  std::string message;
  {
    const FileSizeLimit limit(1000);
    message = message_of<IoError>([&] { write_file_atomic(path, std::string(5000, 'x')); });
  }
  EXPECT_EQ(message, path + ": cannot write: File too large");
  EXPECT_EQ(slurp(path), "old");
  EXPECT_EQ(folder.names(), Names{"a"}) << "the temporary must be gone";
}

TEST(AtomicFile, NoSpaceIsNamed) {
  const File full(::open("/dev/full", O_WRONLY | O_CLOEXEC), "/dev/full", "model.safetensors");
  if (!full.valid()) GTEST_SKIP() << "no /dev/full here";
  EXPECT_EQ(message_of<IoError>([&] { full.write_all("x"); }),
            "model.safetensors: cannot write: No space left on device");
}

TEST(AtomicFile, NoPermission) {
  const TempFolder folder;
  const std::string path = folder.file("a", "old");
  chmod(folder.path().c_str(), 0555);
  std::string message;
  {
    const OrdinaryUser user;
    message = message_of<IoError>([&] { write_file_atomic(path, "new"); });
  }
  chmod(folder.path().c_str(), 0755);
  EXPECT_EQ(message, path + ": cannot create: Permission denied");
  EXPECT_EQ(slurp(path), "old");
}

TEST(AtomicFile, BadPaths) {
  const TempFolder folder;
  const std::string missing = folder / "no/such/a";
  EXPECT_EQ(message_of<IoError>([&] { write_file_atomic(missing, "x"); }),
            missing + ": cannot create: No such file or directory");
  fs::create_directory(folder / "d");
  folder.file("d/inside", "x");
  EXPECT_EQ(message_of<IoError>([&] { write_file_atomic(folder / "d", "x"); }),
            folder / "d" + ": cannot write: Is a directory");
  EXPECT_EQ(folder.names(), Names{"d"});
  for (const char* bad : {"", "/", "..", "a/.."}) EXPECT_THROW(write_file_atomic(bad, "x"), IoError) << bad;
}

TEST(AtomicFile, KilledAtAnyMomentThereIsOneOrTheOther) {
  const TempFolder folder;
  const std::string path = folder / "a";
  const std::string one(300000, '1'), two(300000, '2');
  write_file_atomic(path, one);
  for (int k = 0; k < 20; ++k) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (;;) {
        write_file_atomic(path, two);
        write_file_atomic(path, one);
      }
    }
    usleep(static_cast<useconds_t>(1000 + 700 * k));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const std::string now = slurp(path);
    EXPECT_TRUE(now == one || now == two) << now.size();
  }
  remove_stale_temporaries(folder.path());
  EXPECT_EQ(folder.names(), Names{"a"});
}

TEST(StaleTemporaries, OnlyTheDeadOnesGo) {
  const TempFolder folder;
  folder.file(".a.tmp-1-0", "left behind");
  fs::create_directory(folder / ".model.tmp-99999-3");
  folder.file(".model.tmp-99999-3/weights", "left behind");
  for (const char* keep : {"a", ".a.tmp", "a.tmp-1-0", ".tmp-1-0", ".a.tmp-1-x", ".a.tmp-1", ".a.tmp--1"})
    folder.file(keep, "mine");
  AtomicFile alive(folder / "b");
  AtomicFolder alive_folder(folder / "c");
  EXPECT_EQ(remove_stale_temporaries(folder.path()), 2);
  EXPECT_EQ(folder.names().size(), 7u + 2u);
  alive.commit();
  alive_folder.commit();
  EXPECT_EQ(remove_stale_temporaries(folder.path()), 0);
  EXPECT_THROW(remove_stale_temporaries(folder / "absent"), IoError);
}

TEST(StaleTemporaries, ALinkIsNotFollowed) {
  const TempFolder folder;
  fs::create_directory(folder / "precious");
  folder.file("precious/file", "x");
  fs::create_directory_symlink(folder / "precious", folder / ".m.tmp-1-1");
  EXPECT_EQ(remove_stale_temporaries(folder.path()), 0) << "no writer makes links, so it is not ours";
  EXPECT_EQ(slurp(folder / "precious/file"), "x");
}

class AtomicFolderTest : public ::testing::Test {
 protected:
  // A finished folder "model" with two files and one inside a folder.
  std::string make() const {
    AtomicFolder out(folder_ / "model");
    write_file_atomic(out.path() + "/config.json", "{}\n");
    write_file_atomic(out.path() + "/weights", std::string(100000, 'w'));
    fs::create_directory(out.path() + "/sub");
    write_file_atomic(out.path() + "/sub/log", "line\n");
    out.commit();
    return folder_ / "model";
  }
  std::string wrong(const std::string& path) const { return verify_folder(path).value_or("nothing is wrong"); }
  TempFolder folder_;
};

TEST_F(AtomicFolderTest, CommitsWithAManifest) {
  const std::string model = make();
  EXPECT_EQ(folder_.names(), Names{"model"});
  EXPECT_EQ(wrong(model), "nothing is wrong");
  EXPECT_EQ(slurp(model + "/manifest.json"),
            "{\n  \"format\": 1,\n  \"files\": [\n"
            "    {\"name\": \"config.json\", \"size\": 3, \"sha256\": \"" +
                sha256_hex("{}\n") +
                "\"},\n"
                "    {\"name\": \"sub/log\", \"size\": 5, \"sha256\": \"" +
                sha256_hex("line\n") +
                "\"},\n"
                "    {\"name\": \"weights\", \"size\": 100000, \"sha256\": \"" +
                sha256_hex(std::string(100000, 'w')) + "\"}\n  ]\n}\n");
  folder_.file("model/notes.txt", "mine");
  EXPECT_EQ(wrong(model), "nothing is wrong") << "files of others are no fault";
}

TEST_F(AtomicFolderTest, EmptyAndWithSlash) {
  AtomicFolder out(folder_ / "model/");
  out.commit();
  EXPECT_EQ(wrong(folder_ / "model"), "nothing is wrong");
  EXPECT_THROW(out.commit(), IoError);
}

TEST_F(AtomicFolderTest, WithoutCommitNothingStays) {
  {
    AtomicFolder out(folder_ / "model");
    write_file_atomic(out.path() + "/weights", "w");
    EXPECT_FALSE(fs::exists(folder_ / "model"));
  }
  EXPECT_EQ(folder_.names(), Names{});
}

TEST_F(AtomicFolderTest, ReplacesItsOwnWork) {
  const std::string model = make();
  AtomicFolder out(model);
  write_file_atomic(out.path() + "/weights", "second");
  EXPECT_EQ(slurp(model + "/weights").size(), 100000u);
  out.commit();
  EXPECT_EQ(slurp(model + "/weights"), "second");
  EXPECT_FALSE(fs::exists(model + "/config.json"));
  EXPECT_EQ(wrong(model), "nothing is wrong");
}

TEST_F(AtomicFolderTest, ReplacesAnEmptyFolderAndLeavesNothingBehind) {
  fs::create_directory(folder_ / "model");
  make();
  make();
  EXPECT_EQ(folder_.names(), Names{"model"});
}

TEST_F(AtomicFolderTest, NeverDeletesWhatItDidNotMake) {
  fs::create_directory(folder_ / "thesis");
  folder_.file("thesis/chapter1", "years of work");
  EXPECT_NE(message_of<IoError>([&] { AtomicFolder out(folder_ / "thesis"); }).find("was not written by this program"),
            std::string::npos);
  folder_.file("plain", "x");
  EXPECT_NE(message_of<IoError>([&] { AtomicFolder out(folder_ / "plain"); }).find("is not a folder"),
            std::string::npos);
  // It may also appear while the folder is being written.
  AtomicFolder late(folder_ / "late");
  fs::create_directory(folder_ / "late");
  folder_.file("late/chapter2", "more work");
  EXPECT_THROW(late.commit(), IoError);
  EXPECT_EQ(slurp(folder_ / "late/chapter2"), "more work");
}

TEST_F(AtomicFolderTest, RefusesLinksInside) {
  AtomicFolder out(folder_ / "model");
  fs::create_symlink("/etc/hostname", out.path() + "/link");
  EXPECT_NE(message_of<FormatError>([&] { out.commit(); }).find("neither a file nor a folder"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "model"));
}

TEST_F(AtomicFolderTest, DamageIsFoundAndNamed) {
  const std::string model = make();
  const std::string weights = slurp(model + "/weights"), manifest = slurp(model + "/manifest.json");
  const auto expect = [&](const std::string& part) {
    EXPECT_NE(wrong(model).find(part), std::string::npos) << wrong(model);
  };

  std::string flipped = weights;
  flipped[77777] ^= 1;
  folder_.file("model/weights", flipped);
  expect("model/weights: its contents changed");
  folder_.file("model/weights", weights.substr(0, 99999));
  expect("model/weights: has 99999 bytes, manifest.json says 100000");
  folder_.file("model/weights", "");
  expect("model/weights: has 0 bytes");
  fs::remove(model + "/weights");
  expect("model/weights: missing");
  fs::create_directory(model + "/weights");
  expect("Is a directory");
  fs::remove(model + "/weights");
  folder_.file("elsewhere", weights);
  fs::create_symlink(folder_ / "elsewhere", model + "/weights");
  expect("model/weights: is a link");
  fs::remove(model + "/weights");
  folder_.file("model/weights", weights);
  fs::rename(model + "/sub", folder_ / "sub");
  fs::create_directory_symlink(folder_ / "sub", model + "/sub");
  expect("model/sub: is a link");
  fs::remove(model + "/sub");
  fs::rename(folder_ / "sub", model + "/sub");
  EXPECT_EQ(wrong(model), "nothing is wrong");

  fs::remove(model + "/manifest.json");
  expect("manifest.json: missing; the folder was not written completely");
  for (size_t n : {size_t{0}, size_t{1}, manifest.size() / 2, manifest.size() - 2}) {
    folder_.file("model/manifest.json", manifest.substr(0, n));
    expect("manifest.json:");
  }
  EXPECT_NE(wrong(folder_ / "absent"), "nothing is wrong");
}

TEST_F(AtomicFolderTest, HostileManifests) {
  fs::create_directory(folder_ / "m");
  folder_.file("secret", "x");
  const std::string tail = "\", \"size\": 1, \"sha256\": \"" + sha256_hex("x") + "\"}";
  const auto with = [&](const std::string& name) {
    return "{\"format\": 1, \"files\": [{\"name\": \"" + name + tail + "]}";
  };
  for (const char* name : {"../secret", "/etc/passwd", "a/../../secret", "..", ".", "", "a/", "./a", "a\\u0000b"}) {
    folder_.file("m/manifest.json", with(name));
    EXPECT_NE(wrong(folder_ / "m").find("leads out of the folder"), std::string::npos)
        << name << ": " << wrong(folder_ / "m");
  }
  const std::string other[] = {
      "{\"format\": 2, \"files\": []}",
      "{\"files\": []}",
      "{\"format\": 1}",
      "{\"format\": 1, \"files\": [], \"files\": []}",
      "{\"format\": 1, \"files\": {}}",
      "{\"format\": 1, \"files\": [[]]}",
      "{\"format\": 1, \"files\": [1]}",
      "{\"format\": 1, \"files\": [{}]}",
      "{\"format\": 1, \"files\": [{\"name\": \"a\", \"size\": -1, \"sha256\": \"\"}]}",
      "{\"format\": 1, \"files\": [{\"name\": \"a\", \"size\": 1, \"sha256\": \"\", \"mode\": 1}]}",
      "{\"format\": 1, \"files\": [{\"name\": \"a\", \"name\": \"b\", \"sha256\": \"\"}]}",
      "[]",
      "7",
      "",
      "{\"format\": 1, \"files\": []} x",
  };
  for (const std::string& bytes : other) {
    folder_.file("m/manifest.json", bytes);
    EXPECT_NE(wrong(folder_ / "m").find("m/manifest.json"), std::string::npos) << bytes << ": " << wrong(folder_ / "m");
  }
  folder_.file("m/manifest.json",
               "{\"format\": 1, \"files\": [{\"name\": \"a" + tail + ", {\"name\": \"a" + tail + "]}");
  EXPECT_NE(wrong(folder_ / "m").find("listed twice"), std::string::npos);
}

TEST_F(AtomicFolderTest, KilledAtAnyMomentThereIsAWholeOne) {
  const std::string model = make();
  for (int k = 0; k < 15; ++k) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (;;) make();
    }
    usleep(static_cast<useconds_t>(2000 + 1500 * k));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    EXPECT_EQ(wrong(model), "nothing is wrong");
  }
  remove_stale_temporaries(folder_.path());
  EXPECT_EQ(folder_.names(), Names{"model"});
}

}  // namespace
}  // namespace lookback::io

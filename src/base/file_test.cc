#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace bascule {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

class File : public testing::Test {
 protected:
  File() {
    std::string pattern = (fs::temp_directory_path() / "bascule-file-XXXXXX").string();
    base_ = fs::canonical(::mkdtemp(pattern.data()));
    root_ = base_ / "root";
    fs::create_directories(root_ / "folder");
    put(root_ / "folder" / "a.txt", "hello");
    put(base_ / "secret", "no");
  }
  ~File() override { fs::remove_all(base_); }

  static void put(const fs::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  static std::string text(const fs::path& path) {
    const auto bytes = read_file(path, 1000);
    return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size())
                 : bytes.error().message;
  }

  fs::path base_;
  fs::path root_;
};

TEST_F(File, IsReadWhole) {
  EXPECT_EQ(text(root_ / "folder" / "a.txt"), "hello");
  put(root_ / "empty", "");
  EXPECT_EQ(text(root_ / "empty"), "");
}

TEST_F(File, BeyondTheLimitIsRefusedWithTheLimit) {
  put(root_ / "big", std::string(1001, 'x'));
  const auto read = read_file(root_ / "big", 1000);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kPayloadTooLarge);
  EXPECT_NE(read.error().message.find("larger than the limit of 1.0 kB"), std::string::npos);
  EXPECT_TRUE(read_file(root_ / "big", 1001));
}

TEST_F(File, ThatIsNoneIsRefused) {
  EXPECT_EQ(read_file(root_ / "none", 1000).error().code, Code::kNotFound);
  EXPECT_EQ(read_file(root_ / "folder", 1000).error().code, Code::kInvalidArgument);
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_file(root_ / "pipe", 1000).error().code, Code::kInvalidArgument);  // and does not wait
}

TEST_F(File, IsWrittenWholeAndLeavesNoTemporary) {
  ASSERT_TRUE(write_file(root_ / "out", "one"));
  ASSERT_TRUE(write_file(root_ / "out", "second"));
  EXPECT_EQ(text(root_ / "out"), "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), {}), 2);  // folder and out
}

TEST_F(File, ThatCannotBeWrittenIsSaidAndLeavesNothing) {
  const auto written = write_file(root_ / "missing" / "out", "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kUnavailable);
  ASSERT_FALSE(write_file(root_ / "folder", "x"));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), {}), 1);
}

TEST_F(File, SafeJoinGivesAPathBelowTheRoot) {
  EXPECT_EQ(safe_join(root_, "folder/a.txt").value(), root_ / "folder" / "a.txt");
  EXPECT_EQ(safe_join(root_, "./folder").value(), root_ / "folder");
  EXPECT_EQ(safe_join(root_, "new/file").value(), root_ / "new" / "file");
  EXPECT_EQ(safe_join(root_, "..a/b..").value(), root_ / "..a" / "b..");
  EXPECT_EQ(safe_join(root_, std::string(255, 'x')).value(), root_ / std::string(255, 'x'));
}

TEST_F(File, SafeJoinTakesPercentSignsAndBackslashesLiterally) {
  EXPECT_EQ(safe_join(root_, "%2e%2e%2fsecret").value(), root_ / "%2e%2e%2fsecret");
  EXPECT_EQ(safe_join(root_, "..\\secret").value(), root_ / "..\\secret");
}

TEST_F(File, SafeJoinRefusesWhatLeaves) {
  const std::string names[] = {"",
                               "/",
                               "/etc/passwd",
                               "//etc/passwd",
                               "..",
                               "../secret",
                               "folder/../../secret",
                               "folder/..",
                               "folder/",
                               "folder//a.txt",
                               "a\0b"s,
                               "../root/folder/a.txt",
                               std::string(256, 'x'),
                               "folder/" + std::string(300, 'x')};
  for (const std::string& name : names) {
    const auto joined = safe_join(root_, name);
    ASSERT_FALSE(joined) << name << " gave " << joined->string();
    EXPECT_EQ(joined.error().code, Code::kInvalidArgument) << name;
    EXPECT_LT(joined.error().message.size(), 250U) << name;
  }
}

TEST_F(File, SafeJoinRefusesLinksThatLeave) {
  fs::create_symlink("../secret", root_ / "relative");
  fs::create_symlink(base_ / "secret", root_ / "absolute");
  fs::create_directory_symlink(base_, root_ / "up");
  fs::create_symlink(base_ / "not-there-yet", root_ / "dangling");
  fs::create_symlink("loop", root_ / "loop");
  for (const char* name :
       {"relative", "absolute", "up", "up/secret", "up/new", "dangling", "dangling/x", "loop", "loop/x"}) {
    const auto joined = safe_join(root_, name);
    EXPECT_FALSE(joined) << name << " gave " << joined->string();
  }
}

TEST_F(File, SafeJoinFollowsLinksThatStay) {
  fs::create_symlink("folder/a.txt", root_ / "inside");
  EXPECT_EQ(safe_join(root_, "inside").value(), root_ / "folder" / "a.txt");
  fs::create_directory_symlink(root_, base_ / "alias");  // the root itself may be reached through a link
  EXPECT_EQ(safe_join(base_ / "alias", "folder").value(), root_ / "folder");
}

TEST_F(File, SafeJoinIsNotFooledByANeighbourWithTheSamePrefix) {
  fs::create_directories(base_ / "root-other");
  fs::create_directory_symlink("../root-other", root_ / "neighbour");
  EXPECT_FALSE(safe_join(root_, "neighbour"));
}

TEST(ModelName, IsPlain) {
  for (const char* name : {"a", "yolo26n", "My_Model-2.1", "0"}) EXPECT_TRUE(valid_model_name(name)) << name;
  EXPECT_TRUE(valid_model_name(std::string(128, 'm')));
  const std::string refused[] = {"",    ".",     "..", ".hidden", "-flag", "a/b",
                                 "a b", "a\0b"s, "ä",  "a%2e",    "a\nb",  std::string(129, 'm')};
  for (const std::string& name : refused) EXPECT_FALSE(valid_model_name(name)) << name;
}

}  // namespace
}  // namespace bascule

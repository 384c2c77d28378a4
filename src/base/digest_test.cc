#include "base/digest.h"

#include <array>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>

namespace bascule {
namespace {

TEST(FileDigest, IsThatOfTheStandard) {
  const auto file = std::filesystem::temp_directory_path() / ("bascule_digest_" + std::to_string(::getpid()));
  std::ofstream(file) << "abc";
  // FIPS 180-4, example for SHA-256.
  EXPECT_EQ(file_digest(file).value(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  std::filesystem::remove(file);
  EXPECT_FALSE(file_digest(file));
}

TEST(Digest, IsThatOfTheStandard) {
  EXPECT_EQ(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// RFC 4231, test cases 2 and 6.
TEST(KeyedDigest, IsThatOfTheStandard) {
  const std::array<std::string_view, 3> parts{"what do ya ", "", "want for nothing?"};
  EXPECT_EQ(keyed_digest("Jefe", parts), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const std::array<std::string_view, 1> part{"Test Using Larger Than Block-Size Key - Hash Key First"};
  EXPECT_EQ(keyed_digest(std::string(131, '\xaa'), part),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(keyed_digest("", {}), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

}  // namespace
}  // namespace bascule

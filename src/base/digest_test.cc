#include "base/digest.h"

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

}  // namespace
}  // namespace bascule

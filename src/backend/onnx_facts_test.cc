#include "backend/onnx_facts.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace bascule::backend {
namespace {

namespace fs = std::filesystem;

const fs::path kData = fs::path(BASCULE_SOURCE_DIR) / "tests" / "data";

TEST(OnnxFacts, NamesTheClassesOfAClassifier) {
  const OnnxFacts facts = read_onnx_facts(kData / "general" / "iris_zipmap.onnx");
  EXPECT_TRUE(facts.whole);
  EXPECT_EQ(facts.class_labels, (std::vector<std::string>{"setosa", "versicolor", "virginica"}));
  EXPECT_TRUE(facts.weight_files.empty());
}

TEST(OnnxFacts, ReadsMetadata) {
  for (const auto& entry : fs::directory_iterator(kData / "yolo")) {
    if (entry.path().extension() != ".onnx") continue;
    const OnnxFacts facts = read_onnx_facts(entry.path());
    EXPECT_TRUE(facts.whole) << entry.path();
    EXPECT_TRUE(facts.metadata.contains("task")) << entry.path();
    EXPECT_TRUE(facts.metadata.contains("names")) << entry.path();
  }
}

TEST(OnnxFacts, NamesWeightFilesWhereverTheTensorIs) {
  EXPECT_EQ(read_onnx_facts(kData / "hostile" / "external_missing.onnx").weight_files,
            std::vector<std::string>{"weights.bin"});
  // In an attribute of a node.
  EXPECT_EQ(read_onnx_facts(kData / "hostile" / "external_constant.onnx").weight_files.size(), 1U);
  EXPECT_EQ(read_onnx_facts(kData / "hostile" / "external_absolute.onnx").weight_files.size(), 1U);
}

TEST(OnnxFacts, AreNotWholeWhereTheFileIsNot) {
  EXPECT_FALSE(read_onnx_facts(kData / "no_such_file.onnx").whole);
  EXPECT_FALSE(read_onnx_facts(fs::path(BASCULE_SOURCE_DIR) / "README.md").whole);
}

}  // namespace
}  // namespace bascule::backend

#include "backend/weight_files.h"

#include <fstream>
#include <string>

#include <gmock/gmock.h>

namespace bascule::backend {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

const fs::path kData = fs::path(BASCULE_SOURCE_DIR) / "tests" / "data";

TEST(WeightFiles, LieBesideTheModelByItsName) {
  EXPECT_THAT(weight_files("ir/yolo.xml"), ElementsAre("ir/yolo.bin"));
  EXPECT_THAT(weight_files("a/model.pdmodel"), ElementsAre("a/model.pdiparams"));
  EXPECT_THAT(weight_files("a/model.tflite"), IsEmpty());
}

TEST(WeightFiles, AreWhatAnOnnxFileNamesBelowItsFolder) {
  const fs::path hostile = kData / "hostile";
  EXPECT_THAT(weight_files(hostile / "external_missing.onnx"), ElementsAre(hostile / "weights.bin"));
  EXPECT_THAT(weight_files(hostile / "external_absolute.onnx"), IsEmpty());
  EXPECT_THAT(weight_files(kData / "no_such_file.onnx"), IsEmpty());
}

TEST(WeightFiles, AreTheVariablesOfASavedModel) {
  const fs::path folder = fs::path(testing::TempDir()) / "weight_files_saved_model";
  fs::create_directories(folder / "variables");
  for (const char* name : {"variables.index", "variables.data-00000-of-00001"}) {
    std::ofstream(folder / "variables" / name) << "x";
  }
  EXPECT_THAT(weight_files(folder / "saved_model.pb"),
              ElementsAre(folder / "variables" / "variables.data-00000-of-00001",
                          folder / "variables" / "variables.index"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace bascule::backend

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "engines.h"
#include "expected.h"
#include "tasks/task.h"

namespace bascule::conformance {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = BASCULE_SOURCE_DIR;
const fs::path kShared = kRoot / ".." / "shared";

// One file of expected answers and what made them.
struct Case {
  std::string name;
  fs::path expected;
  fs::path models;
  fs::path pictures;
  std::string engine;
};

// A model with the task that was understood from it.
class Detector {
 public:
  Detector(const fs::path& file, const std::string& engine) {
    auto loaded = engine_of(engine).load(file, {.threads = 1});
    if (!loaded) {
      ADD_FAILURE() << loaded.error().message;
      return;
    }
    executable_ = *std::move(loaded);
    understanding_ = tasks::understand(executable_->spec(), {});
  }

  [[nodiscard]] bool serves_pictures() const { return understanding_.task != nullptr; }
  [[nodiscard]] const content::ModelInfo& info() const { return understanding_.info; }

  Result<content::Detections> predict(const fs::path& file, const content::PredictOptions& options) {
    BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(file, 100'000'000));
    const content::EncodedPicture picture{.bytes = bytes, .owner = nullptr, .name = file.filename()};
    const tasks::Task& task = *understanding_.task;
    BASCULE_ASSIGN(const tasks::Plan plan, task.plan(picture, options));
    BASCULE_ASSIGN(tensor::MutableTensor slot,
                   tensor::make_tensor(tensor::DataType::kFp32, plan.input_shape));
    BASCULE_TRY(task.prepare(picture, plan, scratch_, slot.bytes));
    const tensor::NamedTensor input{.name = executable_->spec().inputs.front().name, .tensor = slot.tensor};
    BASCULE_ASSIGN(const auto outputs, executable_->run({&input, 1}, {}));
    BASCULE_ASSIGN(content::Prediction prediction, task.finish(plan, scratch_, outputs));
    return std::get<content::Detections>(std::move(prediction));
  }

 private:
  std::unique_ptr<backend::Executable> executable_;
  tasks::Understanding understanding_;
  tasks::Scratch scratch_;
};

class Reference : public testing::TestWithParam<Case> {};

TEST_P(Reference, GivesTheSameBoxes) {
  const Case& one = GetParam();
  if (!fs::exists(one.expected)) GTEST_SKIP() << "There is no " << one.expected.lexically_normal();
  const ExpectedSet set = read_expected(one.expected);
  Detector detector(one.models / set.model, one.engine);
  ASSERT_TRUE(detector.serves_pictures());
  EXPECT_EQ(detector.info().task, "detect");
  Deviation deviation;
  for (const ExpectedPicture& picture : set.pictures) {
    const auto found = detector.predict(
        one.pictures / picture.file, {.confidence = picture.confidence,
                                      .iou = set.iou,
                                      .size = content::PictureSize{.height = set.size, .width = set.size}});
    ASSERT_TRUE(found) << picture.file << ": " << found.error().message;
    EXPECT_EQ(found->picture, picture.size) << picture.file;
    EXPECT_TRUE(std::is_sorted(found->rows.begin(), found->rows.end(),
                               [](const content::Detection& a, const content::Detection& b) {
                                 return a.confidence > b.confidence;
                               }));
    for (const std::string& complaint : compare(picture, found->rows, deviation)) ADD_FAILURE() << complaint;
    for (const ExpectedRow& row : picture.rows) {
      EXPECT_EQ(detector.info().class_names.at(row.detection.class_id), row.name);
    }
  }
  EXPECT_GT(deviation.pictures, 0U);
  EXPECT_GT(deviation.rows, 0U);
  std::printf("%-26s %s\n", one.name.c_str(), deviation.text().c_str());
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string name : {"yolo26n", "yolo26n-end2end", "yolo26n-nms", "yolov8n"}) {
    const fs::path data = kRoot / "tests" / "data";
    all.push_back(
        {name, data / "expected" / "yolo" / (name + ".json"), data / "yolo", data / "pictures", {}});
  }
  for (const std::string name : {"yolo26n", "yolo26n-end2end", "yolo26n-nms", "yolo11n", "yolov8n"}) {
    all.push_back({"photos-" + name,
                   kShared / "expected" / "yolo" / (name + ".json"),
                   kShared / "models" / "yolo",
                   kShared / "data" / "photos",
                   {}});
  }
  for (const auto& [name, pictures] : {std::pair<std::string, std::string>{"fruit--photos", "fruit"},
                                       {"fruit--trays", "trays"},
                                       {"fruit-end2end--trays", "trays"},
                                       {"steel--steel", "steel"}}) {
    all.push_back({"trained-" + name,
                   kShared / "expected" / "trained" / (name + ".json"),
                   kShared / "models" / "trained",
                   kShared / "data" / pictures / "images",
                   {}});
  }
  const std::vector<Case> first = all;
  for (Case& one : all) one.engine = "onnxruntime";
  for (Case one : first) {
    one.name = "openvino-" + one.name;
    one.engine = "openvino";
    all.push_back(std::move(one));
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Detection, Reference, testing::ValuesIn(cases()), [](const auto& instance) {
  std::string name = instance.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace bascule::conformance

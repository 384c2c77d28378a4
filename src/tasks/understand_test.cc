#include <algorithm>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tasks/task.h"

namespace bascule::tasks {
namespace {

using tensor::DataType;
using tensor::Shape;

backend::ModelSpec model(Shape input, Shape output, std::map<std::string, std::string> metadata = {}) {
  return {.format = "onnx",
          .inputs = {{.name = "images", .type = DataType::kFp32, .shape = std::move(input)}},
          .outputs = {{.name = "output0", .type = DataType::kFp32, .shape = std::move(output)}},
          .metadata = std::move(metadata)};
}

// What the package's exporter writes beside the texts that nobody reads.
std::map<std::string, std::string> exported(std::string task = "detect") {
  return {{"author", "Ultralytics"},
          {"version", "8.4.190"},
          {"stride", "32"},
          {"task", std::move(task)},
          {"head", "Detect"},
          {"batch", "1"},
          {"imgsz", "[320, 416]"},
          {"names", "{0: 'apple', 1: 'banana'}"},
          {"args", "{'data': None, 'nms': None, 'dynamic': True}"},
          {"channels", "3"},
          {"end2end", "False"}};
}

std::string fact(const Understanding& understanding, std::string_view name) {
  for (const content::Fact& fact : understanding.info.facts) {
    if (fact.name == name) return fact.value + " <- " + fact.origin;
  }
  return "no such fact";
}

TEST(Understand, ASquareLetterboxIsAChoiceOfModelsThatTakeAnySize) {
  const TaskOptions square{.letterbox = content::LetterboxShape::kSquare};
  const auto any_size = understand(model({-1, 3, -1, -1}, {-1, 6, -1}, exported()), square);
  EXPECT_EQ(fact(any_size, "padding"), "to the full picture size <- the setting letterbox");
  const auto fixed = understand(model({1, 3, 320, 416}, {1, 6, -1}, exported()), square);
  EXPECT_THAT(fact(fixed, "padding"), testing::StartsWith("to the full picture size <- input shape"));
}

TEST(Understand, ReadsAnExportedDetector) {
  const auto got = understand(model({-1, 3, -1, -1}, {-1, 6, -1}, exported()), {});
  EXPECT_NE(got.task, nullptr);
  EXPECT_EQ(got.task->name(), "detect");
  EXPECT_EQ(got.info.task, "detect");
  EXPECT_EQ(got.info.format, "onnx");
  EXPECT_TRUE(got.info.batchable);
  EXPECT_EQ(got.info.author_version, "8.4.190");
  EXPECT_EQ(got.info.class_names, (content::ClassNames{{0, "apple"}, {1, "banana"}}));
  EXPECT_EQ(got.info.picture_size, (content::PictureSize{.height = 320, .width = 416}));
  EXPECT_EQ(got.info.stride, 32);
  EXPECT_EQ(got.info.inputs.size(), 1U);
  EXPECT_THAT(fact(got, "output layout"), testing::StartsWith("raw anchors"));
  EXPECT_THAT(fact(got, "padding"), testing::StartsWith("only up to"));
  EXPECT_THAT(fact(got, "picture size"), testing::EndsWith("<- ONNX metadata 'imgsz'"));
}

TEST(Understand, TellsTheThreeLayoutsApart) {
  const auto layout = [](Shape output, std::string_view key, std::string value) {
    auto metadata = exported();
    metadata[std::string(key)] = std::move(value);
    const auto got = understand(model({-1, 3, -1, -1}, std::move(output), metadata), {});
    EXPECT_NE(got.task, nullptr);
    return fact(got, "output layout");
  };
  EXPECT_THAT(layout({-1, 6, -1}, "end2end", "False"), testing::StartsWith("raw"));
  EXPECT_THAT(layout({-1, 300, 6}, "end2end", "True"), testing::HasSubstr("nothing is left"));
  EXPECT_THAT(layout({-1, -1, -1}, "end2end", "True"), testing::HasSubstr("nothing is left"));
  EXPECT_THAT(layout({-1, 300, 6}, "args", "{'nms': True}"),
              testing::HasSubstr("suppresses overlaps itself"));
}

TEST(Understand, LetsFixedSidesWinOverTheMetadata) {
  const auto got = understand(model({1, 3, 640, 512}, {1, 6, 6720}, exported()), {});
  ASSERT_NE(got.task, nullptr);
  EXPECT_EQ(got.info.picture_size, (content::PictureSize{.height = 640, .width = 512}));
  EXPECT_FALSE(got.info.batchable);
  EXPECT_THAT(fact(got, "padding"), testing::StartsWith("to the full"));
}

TEST(Understand, ReadsASizeOfOneNumberAndNamesInAList) {
  auto metadata = exported();
  metadata["imgsz"] = "640";
  metadata["names"] = "['a', 'b']";
  const auto got = understand(model({-1, 3, -1, -1}, {-1, 6, -1}, metadata), {});
  EXPECT_EQ(got.info.picture_size, (content::PictureSize{.height = 640, .width = 640}));
  EXPECT_EQ(got.info.class_names, (content::ClassNames{{0, "a"}, {1, "b"}}));
}

TEST(Understand, RecognisesADetectorByItsShapes) {
  const auto raw = understand(model({1, 3, 640, 640}, {1, 84, 8400}), {});
  ASSERT_NE(raw.task, nullptr);
  EXPECT_EQ(raw.info.task, "detect");
  EXPECT_EQ(raw.info.class_names.size(), 80U);
  EXPECT_EQ(raw.info.class_names.at(79), "class79");
  EXPECT_EQ(raw.info.stride, 32);
  EXPECT_NE(understand(model({-1, 3, 480, 640}, {-1, 6, 6300}), {}).task, nullptr);
  EXPECT_NE(understand(model({1, 3, 640, 640}, {1, 300, 6}), {}).task, nullptr);
  EXPECT_NE(understand(model({-1, 3, -1, -1}, {-1, 300, 6}), {}).task, nullptr);
}

TEST(Understand, LeavesOtherShapesToTensors) {
  for (const auto& [input, output] : {std::pair<Shape, Shape>{{1, 3, 640, 640}, {1, 84, 8401}},
                                      {{1, 3, 640, 640}, {1, 25200, 85}},
                                      {{1, 1, 640, 640}, {1, 84, 8400}},
                                      {{-1, 3, -1, -1}, {-1, 84, -1}},
                                      {{1, 3, 224, 224}, {1, 1000}},
                                      {{1, 3, 640, 640}, {1, 4, 8400}},
                                      {{1, 16}, {1, 300, 6}},
                                      {{}, {}}}) {
    const auto got = understand(model(input, output), {});
    EXPECT_EQ(got.task, nullptr) << tensor::to_string(output);
    EXPECT_TRUE(got.info.task.empty());
    EXPECT_THAT(fact(got, "task"), testing::StartsWith("none: served as tensors"));
  }
}

TEST(Understand, ServesEveryTaskWithOutputsOfItsShape) {
  const auto served = [](std::string task, std::vector<Shape> outputs, DataType type = DataType::kFp32) {
    auto metadata = exported(task);
    metadata["kpt_shape"] = "(17, 3)";
    auto spec = model({-1, 3, -1, -1}, outputs.front(), std::move(metadata));
    spec.outputs[0].type = type;
    if (outputs.size() > 1) spec.outputs.push_back({.name = "output1", .type = type, .shape = outputs[1]});
    auto got = understand(spec, {});
    EXPECT_EQ(got.info.task, task);
    return got.task != nullptr && got.task->name() == task ? "yes" : fact(got, "pictures");
  };
  EXPECT_EQ(served("segment", {{-1, 38, -1}, {-1, 32, -1, -1}}), "yes");
  EXPECT_THAT(served("segment", {{-1, 38, -1}}), testing::HasSubstr("a second one"));
  EXPECT_THAT(served("segment", {{-1, 36, -1}, {-1, 32, -1, -1}}), testing::HasSubstr("4 + classes + 32"));
  EXPECT_EQ(served("pose", {{-1, 56, -1}}), "yes");
  EXPECT_EQ(served("obb", {{-1, 7, -1}}), "yes");
  EXPECT_EQ(served("classify", {{-1, 2}}), "yes");
  EXPECT_THAT(served("classify", {{-1, 2, 3}}), testing::HasSubstr("FP32 [N, classes]"));
  EXPECT_EQ(served("semantic", {{-1, -1, -1}}, DataType::kUint8), "yes");
  EXPECT_THAT(served("semantic", {{-1, -1, -1}}), testing::HasSubstr("UINT8 [N, height, width]"));
  EXPECT_EQ(served("depth", {{-1, 1, -1, -1}}), "yes");
  EXPECT_THAT(served("depth", {{-1, 2, -1, -1}}), testing::HasSubstr("FP32 [N, 1, height, width]"));
}

TEST(Understand, WantsToKnowHowManyKeypointsThereAre) {
  for (const std::string shape : {"", "17", "(17,)", "(0, 3)", "(17, 4)", "(1001, 3)", "('a', 3)"}) {
    auto metadata = exported("pose");
    if (!shape.empty()) metadata["kpt_shape"] = shape;
    const auto got = understand(model({-1, 3, -1, -1}, {-1, 56, -1}, metadata), {});
    EXPECT_EQ(got.task, nullptr) << shape;
    EXPECT_THAT(fact(got, "pictures"), testing::HasSubstr("kpt_shape"));
  }
}

TEST(Understand, KnowsNoOtherTasks) {
  const auto other = understand(model({-1, 3, -1, -1}, {-1, 6, -1}, exported("text-classification\n")), {});
  EXPECT_EQ(other.info.task, "");
  EXPECT_THAT(fact(other, "task"), testing::HasSubstr("'text-classification\\n'"));
}

TEST(Understand, SaysWhyADetectorIsNotServedWithPictures) {
  auto half = model({-1, 3, -1, -1}, {-1, 6, -1}, exported());
  half.inputs[0].type = DataType::kFp16;
  auto two = model({-1, 3, -1, -1}, {-1, 6, -1}, exported());
  two.inputs.push_back({.name = "size", .type = DataType::kInt64, .shape = {2}});
  auto transformer = exported();
  transformer["head"] = "RTDETRDecoder";
  auto none = model({-1, 3, -1, -1}, {-1, 6, -1}, exported());
  none.outputs.clear();
  for (const auto& [spec, why] : std::vector<std::pair<backend::ModelSpec, std::string>>{
           {half, "only FP32"},
           {two, "it has 2 inputs"},
           {none, "it has no output"},
           {model({8, 3, 640, 640}, {4, 6, 8400}, exported()), "fixed batch"},
           {model({1, 3, 640, 1'000'000}, {1, 6, -1}, exported()), "sides may be 1 to"},
           {model({1, 3, 640}, {1, 6, 8400}, exported()), "was expected"},
           {model({1, 3, 640, 640}, {1, 300, 84}, transformer), "4 + classes"},
           {model({1, 3, 640, 640}, {1, 4, 8400}, exported()), "4 + classes"}}) {
    const auto got = understand(spec, {});
    EXPECT_EQ(got.task, nullptr) << why;
    EXPECT_EQ(got.info.task, "detect");
    EXPECT_THAT(fact(got, "pictures"), testing::HasSubstr(why));
  }
}

TEST(Understand, IgnoresHostileMetadataAndSaysSo) {
  auto metadata = exported();
  metadata["names"] = std::string(500'000, '{');
  metadata["imgsz"] = "[1e400, -3]";
  metadata["stride"] = "99999999999999999999";
  metadata["args"] = "__import__('os').system('true')";
  metadata["end2end"] = "Perhaps";
  metadata["version"] = std::string(10'000, 'x');
  const auto got = understand(model({1, 3, 640, 640}, {1, 6, 8400}, metadata), {});
  ASSERT_NE(got.task, nullptr);
  EXPECT_EQ(got.info.class_names, (content::ClassNames{{0, "class0"}, {1, "class1"}}));
  EXPECT_EQ(got.info.stride, 32);
  EXPECT_TRUE(got.info.author_version.empty());
  const auto ignored = std::count_if(got.info.facts.begin(), got.info.facts.end(),
                                     [](const content::Fact& f) { return f.name == "ignored metadata"; });
  EXPECT_EQ(ignored, 6);
}

TEST(Understand, RefusesNamesOutOfRange) {
  for (const std::string names :
       {"{-1: 'a'}", "{9999999999: 'a'}", "{'0': 'a'}", "{0: None}", "7", "{0: []}"}) {
    auto metadata = exported();
    metadata["names"] = names;
    const auto got = understand(model({1, 3, 640, 640}, {1, 6, 8400}, metadata), {});
    EXPECT_EQ(got.info.class_names.at(0), "class0") << names;
    EXPECT_THAT(fact(got, "ignored metadata"), testing::HasSubstr("names")) << names;
  }
}

}  // namespace
}  // namespace bascule::tasks

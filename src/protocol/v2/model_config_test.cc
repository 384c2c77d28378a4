#include "protocol/v2/model_config.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <grpc_service.pb.h>

namespace bascule::protocol::v2 {
namespace {

using content::ModelConfig;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Result<ModelConfig> read(std::string_view text) { return parse_model_config(text, "config.pbtxt"); }

std::string refusal(std::string_view text) {
  const auto read_config = read(text);
  return read_config ? "it was accepted" : read_config.error().message;
}

std::string setting(const ModelConfig& config, std::string_view name) {
  const auto found = std::ranges::find(config.settings, name, &content::ConfiguredSetting::name);
  if (found == config.settings.end()) return "absent";
  std::string out;
  for (const std::string& item : found->items) out += item + ";";
  return out + found->place;
}

constexpr std::string_view kFull = R"(name: "m"
platform: "onnxruntime_onnx"
max_batch_size: 8
default_model_filename: "net.onnx"
version_policy { specific { versions: [ 2, 5 ] } }
input [ { name: "picture" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 3, -1, -1 ] },
        { name: "scale" data_type: TYPE_FP16 dims: [ 1 ] reshape { shape: [ ] } optional: true } ]
output [ { name: "class" data_type: TYPE_STRING dims: [ 10 ] label_filename: "labels.txt" } ]
dynamic_batching {
  preferred_batch_size: [ 4, 8 ]
  max_queue_delay_microseconds: 100
  preserve_ordering: true
  priority_levels: 3
  default_priority_level: 2
  default_queue_policy { default_timeout_microseconds: 5000 max_queue_size: 7 }
}
instance_group [ { count: 2 kind: KIND_CPU }, { count: 1 kind: KIND_AUTO } ]
parameters { key: "a" value { string_value: "b" } }
parameters { key: "intra_op_thread_count" value { string_value: "3" } }
model_warmup [ { name: "w" batch_size: 2 count: 3
  inputs { key: "picture" value { data_type: TYPE_FP32 dims: [ 3, 4, 4 ] random_data: true } }
  inputs { key: "scale" value { data_type: TYPE_FP16 dims: [ 1 ] input_data_file: "scale.raw" } } } ]
)";

TEST(ModelConfig, IsReadInFull) {
  const auto config = read(kFull);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->name, "m");
  EXPECT_EQ(config->platform, "onnxruntime_onnx");
  EXPECT_EQ(config->default_model_filename, "net.onnx");
  EXPECT_EQ(config->max_batch_size, 8U);
  EXPECT_THAT(config->versions->specific, ElementsAre(2, 5));
  ASSERT_THAT(config->inputs, SizeIs(2));
  EXPECT_EQ(config->inputs[0].name, "picture");
  EXPECT_EQ(config->inputs[0].type, tensor::DataType::kFp32);
  EXPECT_EQ(config->inputs[0].format, content::TensorFormat::kNchw);
  EXPECT_THAT(config->inputs[0].dims, ElementsAre(3, -1, -1));
  EXPECT_FALSE(config->inputs[0].reshape);
  EXPECT_TRUE(config->inputs[1].optional);
  EXPECT_EQ(config->inputs[1].reshape, tensor::Shape());
  ASSERT_THAT(config->outputs, SizeIs(1));
  EXPECT_EQ(config->outputs[0].type, tensor::DataType::kString);
  EXPECT_EQ(config->outputs[0].labels, "labels.txt");
  EXPECT_EQ(config->parameters.at("a"), "b");
  EXPECT_THAT(config->not_done, SizeIs(0));

  EXPECT_EQ(setting(*config, "max_batch_size"), "8;config.pbtxt:3");
  EXPECT_EQ(setting(*config, "preferred_batch_size"), "4;8;config.pbtxt:10");
  EXPECT_EQ(setting(*config, "max_queue_delay_microseconds"), "100;config.pbtxt:11");
  EXPECT_EQ(setting(*config, "preserve_ordering"), "true;config.pbtxt:12");
  EXPECT_EQ(setting(*config, "priority_levels"), "3;config.pbtxt:13");
  EXPECT_EQ(setting(*config, "default_priority_level"), "2;config.pbtxt:14");
  EXPECT_EQ(setting(*config, "default_timeout_microseconds"), "5000;config.pbtxt:15");
  EXPECT_EQ(setting(*config, "max_queue_size"), "7;config.pbtxt:15");
  EXPECT_EQ(setting(*config, "instances"), "3;config.pbtxt:17");
  EXPECT_EQ(setting(*config, "threads"), "3;config.pbtxt:18");

  ASSERT_THAT(config->warm_up, SizeIs(1));
  EXPECT_EQ(config->warm_up[0].rows, 2U);
  EXPECT_EQ(config->warm_up[0].count, 3U);
  ASSERT_THAT(config->warm_up[0].inputs, SizeIs(2));
  EXPECT_EQ(config->warm_up[0].inputs[0].data, content::WarmUpInput::Data::kRandom);
  EXPECT_EQ(config->warm_up[0].inputs[1].file, "scale.raw");
}

TEST(ModelConfig, MayBeEmptyOrHoldOnlyMetadata) {
  const auto empty = read("");
  ASSERT_TRUE(empty) << empty.error().message;
  EXPECT_FALSE(empty->max_batch_size);
  EXPECT_THAT(empty->settings, SizeIs(0));
  const auto guide =
      read(R"(optimization { execution_accelerators { gpu_execution_accelerator { name: "tensorrt"
      parameters { key: "precision_mode" value: "FP16" } } } }
    parameters { key: "metadata" value: { string_value: "{'names': {0: 'person'}}" } })");
  ASSERT_TRUE(guide) << guide.error().message;
  EXPECT_EQ(guide->parameters.at("metadata"), "{'names': {0: 'person'}}");
  EXPECT_THAT(guide->not_done, ElementsAre("optimization.execution_accelerators (config.pbtxt:1)"));
  EXPECT_THAT(read("optimization { }")->not_done, SizeIs(0));
}

TEST(ModelConfig, SaysOfABatchOnlyWhatStandsThere) {
  EXPECT_EQ(read("max_batch_size: 0")->max_batch_size, 0U);
  EXPECT_EQ(setting(*read("max_batch_size: 0"), "max_batch_size"), "absent");
  EXPECT_FALSE(read("name: 'm'")->max_batch_size);
  EXPECT_EQ(setting(*read("instance_group { kind: KIND_CPU }"), "instances"), "absent");
}

TEST(ModelConfig, ReadsVersionPolicies) {
  EXPECT_EQ(read("version_policy { all { } }")->versions->latest, 0U);
  EXPECT_EQ(read("version_policy: { latest { num_versions: 3 } }")->versions->latest, 3U);
  EXPECT_FALSE(read("name: 'm'")->versions);
  EXPECT_THAT(refusal("version_policy { latest { } }"), HasSubstr("num_versions 0"));
  EXPECT_THAT(refusal("version_policy { specific { versions: [ 1, -2 ] } }"), HasSubstr("version -2"));
  EXPECT_THAT(refusal("version_policy { specific { } }"), HasSubstr("no versions"));
}

TEST(ModelConfig, ReadsSequences) {
  const auto config = read(R"(sequence_batching {
    max_sequence_idle_microseconds: 5000000
    control_input [
      { name: "START" control [ { kind: CONTROL_SEQUENCE_START fp32_false_true: [ 0, 1 ] } ] },
      { name: "END" control [ { kind: CONTROL_SEQUENCE_END bool_false_true: [ false, true ] } ] },
      { name: "READY" control [ { kind: CONTROL_SEQUENCE_READY int32_false_true: [ -1, 7 ] } ] },
      { name: "CORRID" control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 } ] } ] })");
  ASSERT_TRUE(config) << config.error().message;
  const content::SequenceBatching& sequences = *config->sequences;
  EXPECT_EQ(sequences.max_idle, std::chrono::seconds(5));
  EXPECT_EQ(sequences.strategy, content::SequenceBatching::Strategy::kDirect);
  ASSERT_THAT(sequences.controls, SizeIs(4));
  EXPECT_EQ(sequences.controls[0].kind, content::ControlKind::kStart);
  EXPECT_EQ(sequences.controls[0].type, tensor::DataType::kFp32);
  EXPECT_EQ(sequences.controls[1].type, tensor::DataType::kBool);
  EXPECT_THAT(sequences.controls[2].false_true, ElementsAre(-1, 7));
  EXPECT_EQ(sequences.controls[3].kind, content::ControlKind::kCorrelationId);
  EXPECT_EQ(sequences.controls[3].type, tensor::DataType::kUint64);
  EXPECT_EQ(read("sequence_batching { }")->sequences->max_idle, std::chrono::seconds(1));

  const auto oldest = read(R"(sequence_batching { oldest {
    max_candidate_sequences: 4 preferred_batch_size: [ 2, 3 ] max_queue_delay_microseconds: 9 } })");
  ASSERT_TRUE(oldest) << oldest.error().message;
  EXPECT_EQ(oldest->sequences->strategy, content::SequenceBatching::Strategy::kOldest);
  EXPECT_EQ(oldest->sequences->max_candidates, 4U);
  EXPECT_THAT(oldest->not_done, SizeIs(0));
  std::vector<std::string> said;
  for (const auto& setting : oldest->settings)
    said.push_back(fmt::format("{} {}", setting.name, setting.items.back()));
  EXPECT_THAT(said, ElementsAre("max_candidate_sequences 4", "preferred_batch_size 3",
                                "max_queue_delay_microseconds 9"));
}

TEST(ModelConfig, ReadsEnsembles) {
  const auto config = read(R"(platform: 'ensemble' ensemble_scheduling { max_inflight_requests: 3 step [
    { model_name: 'a' model_version: -1 input_map { key: 'i' value: 'X' } output_map { key: 'o' value: 'mid' } },
    { model_name: 'b' model_version: 4 input_map { key: 'i' value: 'mid' } output_map { key: 'o' value: 'Y' } } ] })");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->not_done, SizeIs(0));
  ASSERT_TRUE(config->ensemble);
  EXPECT_EQ(config->ensemble->max_inflight_requests, 3U);
  ASSERT_THAT(config->ensemble->steps, SizeIs(2));
  EXPECT_EQ(config->ensemble->steps[0].version, "");
  EXPECT_EQ(config->ensemble->steps[0].inputs.at("i"), "X");
  EXPECT_EQ(config->ensemble->steps[1].version, "4");
  EXPECT_EQ(config->ensemble->steps[1].outputs.at("o"), "Y");
}

TEST(ModelConfig, RefusesEnsemblesThatMakeNoSense) {
  constexpr std::string_view kStep =
      "step { model_name: 'a' input_map { key: 'i' value: 'X' } output_map { key: 'o' value: 'Y' } }";
  const auto ensemble = [](std::string_view inner) {
    return refusal(fmt::format("platform: 'ensemble' ensemble_scheduling {{ {} }}", inner));
  };
  EXPECT_THAT(refusal("platform: 'ensemble'"), HasSubstr("ensemble_scheduling is missing"));
  EXPECT_THAT(refusal(fmt::format("platform: 'x' ensemble_scheduling {{ {} }}", kStep)),
              HasSubstr("is 'ensemble'"));
  EXPECT_THAT(ensemble(""), HasSubstr("given 0 times"));
  EXPECT_THAT(ensemble("step { model_name: '../a' }"), HasSubstr("cannot name a model"));
  EXPECT_THAT(ensemble("step { model_name: 'a' model_version: -2 }"), HasSubstr("model_version is -2"));
  EXPECT_THAT(ensemble("step { model_name: 'a' }"), HasSubstr("input_map is empty"));
  EXPECT_THAT(ensemble("step { model_name: 'a' input_map { key: 'i' value: 'X' } }"),
              HasSubstr("output_map is empty"));
  EXPECT_THAT(refusal(fmt::format(
                  "platform: 'ensemble' instance_group {{ count: 2 }} ensemble_scheduling {{ {} }}", kStep)),
              HasSubstr("has no instances"));
}

TEST(ModelConfig, ReadsStatesOfSequences) {
  const auto config = read(R"(sequence_batching {
    state [
      { input_name: 'A' output_name: 'B' data_type: TYPE_INT32 dims: [ -1 ] },
      { input_name: 'C' output_name: 'D' data_type: TYPE_FP32 dims: [ 2 ]
        initial_state: { data_type: TYPE_FP32 dims: [ 2 ] data_file: 'two' name: 'n' } },
      { input_name: 'E' output_name: 'F' data_type: TYPE_FP32 dims: [ -1, 3 ]
        initial_state: { data_type: TYPE_FP32 dims: [ 4, 3 ] zero_data: true } } ] })");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->not_done, SizeIs(0));
  const auto& states = config->sequences->states;
  ASSERT_THAT(states, SizeIs(3));
  EXPECT_EQ(states[0].input, "A");
  EXPECT_EQ(states[0].output, "B");
  EXPECT_EQ(states[0].type, tensor::DataType::kInt32);
  EXPECT_EQ(*states[0].dims, (tensor::Shape{-1}));
  EXPECT_FALSE(states[0].initial_dims);
  EXPECT_EQ(states[1].initial_file, "two");
  EXPECT_EQ(*states[2].initial_dims, (tensor::Shape{4, 3}));
  EXPECT_EQ(states[2].initial_file, "");
}

TEST(ModelConfig, RefusesStatesThatMakeNoSense) {
  const auto state = [](std::string_view inner) {
    return refusal(fmt::format("sequence_batching {{ state {{ {} }} }}", inner));
  };
  constexpr std::string_view kGood = "input_name: 'A' output_name: 'B' data_type: TYPE_FP32 dims: [ 1 ]";
  EXPECT_THAT(state("output_name: 'B' data_type: TYPE_FP32"), HasSubstr("input_name is missing"));
  EXPECT_THAT(state("input_name: 'A' data_type: TYPE_FP32"), HasSubstr("output_name is missing"));
  EXPECT_THAT(state("input_name: 'A' output_name: 'B'"), HasSubstr("data_type of state 'A' is missing"));
  EXPECT_THAT(state(fmt::format("{} initial_state {{ dims: [ 1 ] }}", kGood)),
              HasSubstr("zero_data is missing, and so is data_file"));
  EXPECT_THAT(state(fmt::format("{} initial_state {{ dims: [ -1 ] zero_data: true }}", kGood)),
              HasSubstr("hold -1"));
  EXPECT_THAT(state(fmt::format("{} initial_state {{ data_type: TYPE_INT8 zero_data: true }}", kGood)),
              HasSubstr("is INT8, but the state's is FP32"));
  EXPECT_THAT(refusal(fmt::format("sequence_batching {{ state [ {{ {} }}, {{ {} }} ] }}", kGood, kGood)),
              HasSubstr("is the state of another pair"));
}

TEST(ModelConfig, RefusesControlsThatMakeNoSense) {
  const auto control = [](std::string_view inner) {
    return refusal(
        fmt::format("sequence_batching {{ control_input {{ name: 'C' control {{ {} }} }} }}", inner));
  };
  EXPECT_THAT(control("kind: CONTROL_SEQUENCE_START"), HasSubstr("0 values; it needs 2"));
  EXPECT_THAT(control("int32_false_true: [ 1 ]"), HasSubstr("1 values; it needs 2"));
  EXPECT_THAT(control("int32_false_true: [ 0, 1 ] fp32_false_true: [ 0, 1 ]"), HasSubstr("give one"));
  EXPECT_THAT(control("kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_FP32"), HasSubstr("TYPE_UINT64"));
  EXPECT_THAT(refusal("sequence_batching { control_input { name: 'C' } }"), HasSubstr("given 0 times"));
  EXPECT_THAT(refusal("sequence_batching { max_sequence_idle_microseconds: 18446744073709551615 }"),
              HasSubstr("may be at most"));
  EXPECT_THAT(refusal(R"(sequence_batching {
    control_input { name: 'A' control { int32_false_true: [ 0, 1 ] } }
    control_input { name: 'A' control { kind: CONTROL_SEQUENCE_END int32_false_true: [ 0, 1 ] } } })"),
              HasSubstr("config.pbtxt:3: name 'A' is declared twice"));
}

TEST(ModelConfig, NamesWhatIsNotDone) {
  const auto config = read(R"(
    response_cache { enable: true }
    model_transaction_policy { decoupled: true }
    instance_group { kind: KIND_GPU gpus: [ 0 ] }
    dynamic_batching { priority_queue_policy { key: 1 value { max_queue_size: 1 } }
      default_queue_policy { timeout_action: DELAY } }
    optimization { cuda { graphs: true } input_pinned_memory { enable: true } }
    batch_input { kind: BATCH_ELEMENT_COUNT }
    model_repository_agents { agents { name: 'checksum' } })");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(
      config->not_done,
      ElementsAre(HasSubstr("batch_input (config.pbtxt:8)"), HasSubstr("optimization.cuda"),
                  HasSubstr("timeout_action DELAY"), HasSubstr("priority_queue_policy"),
                  HasSubstr("KIND_GPU, it runs on the CPU (config.pbtxt:4)"),
                  HasSubstr("model_transaction_policy.decoupled (config.pbtxt:3)"),
                  HasSubstr("model_repository_agents"), HasSubstr("response_cache (config.pbtxt:2)")));
  EXPECT_THAT(read("response_cache { }")->not_done, SizeIs(0));
}

TEST(ModelConfig, RefusesWhatIsNoConfiguration) {
  EXPECT_THAT(refusal("name: 'm'\nmax_batch: 8"), HasSubstr("config.pbtxt:2:"));
  EXPECT_THAT(refusal("name: 'm'\nmax_batch: 8"), HasSubstr("max_batch"));
  EXPECT_THAT(refusal("input { data_type: TYPE_FLOAT }"), HasSubstr("TYPE_FLOAT"));
  EXPECT_THAT(refusal("input ["), HasSubstr("config.pbtxt:1"));
  EXPECT_THAT(refusal("\x01\x02"), HasSubstr("config.pbtxt:1"));
  EXPECT_THAT(refusal("max_batch_size: -1"), HasSubstr("is -1"));
  EXPECT_THAT(refusal("max_batch_size: 99999999999"), HasSubstr("99999999999"));
  EXPECT_THAT(refusal("instance_group { count: -3 }"), HasSubstr("is -3"));
  EXPECT_THAT(refusal("input { name: 'x' dims: [ 1, 0 ] }"), HasSubstr("hold 0"));
  EXPECT_THAT(refusal("input { name: 'x' dims: [ -2 ] }"), HasSubstr("hold -2"));
  EXPECT_THAT(refusal("input { name: 'x' dims: [ 9223372036854775807 ] }"), HasSubstr("9223372036854775807"));
  EXPECT_THAT(refusal("input { name: 'x' dims: [ 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1 ] }"),
              HasSubstr("are 17; at most 16"));
  EXPECT_THAT(refusal("input { dims: [ 1 ] }"), HasSubstr("name is missing"));
  EXPECT_THAT(refusal("input { name: 'a\\nb' }"), HasSubstr("control characters"));
  EXPECT_THAT(refusal(fmt::format("input {{ name: '{}' }}", std::string(1000, 'a'))),
              HasSubstr("1000 bytes"));
  EXPECT_THAT(refusal("input { name: 'x' } input { name: 'x' }"), HasSubstr("'x' is declared twice"));
  EXPECT_THAT(refusal("input { name: 'x' dims: [ 2 ] reshape { shape: [ -1 ] } }"),
              HasSubstr("open dimensions"));
  EXPECT_THAT(refusal("input { name: 'x' format: FORMAT_NHWC dims: [ 3 ] }"), HasSubstr("it needs 3"));
  EXPECT_THAT(refusal("model_warmup { count: 4294967295 }"), HasSubstr("more than a warm-up"));
  EXPECT_THAT(refusal("model_warmup { inputs { key: 'x' value { data_type: TYPE_FP32 dims: [ -1 ] } } }"),
              HasSubstr("hold -1"));
  EXPECT_THAT(refusal("model_warmup { inputs { key: 'x' value { zero_data: true } } }"),
              HasSubstr("data_type"));
  EXPECT_THAT(refusal("model_warmup { inputs { key: 'x' value { data_type: TYPE_FP32 } } }"),
              HasSubstr("input_data_file of 'x'"));
}

TEST(ModelConfig, HasLimits) {
  EXPECT_THAT(refusal(std::string(kMaxModelConfig + 1, ' ')), HasSubstr("at most 1048576"));
  EXPECT_TRUE(read(std::string(kMaxModelConfig, ' ')));
  std::string many;
  for (int i = 0; i < 2000; ++i) many += fmt::format("input {{ name: 'i{}' }}", i);
  EXPECT_THAT(refusal(many), HasSubstr("more than 1024"));
  std::string deep = "ensemble_scheduling { step ";
  for (int i = 0; i < 10000; ++i) deep += "{ step ";
  EXPECT_THAT(refusal(deep), HasSubstr("config.pbtxt:1"));
  EXPECT_THAT(refusal("parameters " + std::string(500'000, '[')), HasSubstr("config.pbtxt:1"));
  std::string groups;
  for (int i = 0; i < 200; ++i) groups += "instance_group { kind: KIND_GPU }";
  EXPECT_THAT(read(groups)->not_done, SizeIs(32));
}

TEST(ModelConfig, IsReadAsJson) {
  const auto config = parse_model_config_json(
      R"({"max_batch_size":"16","input":[{"name":"x","data_type":"TYPE_INT32","dims":["16"]}],
          "instanceGroup":[{"kind":"kind_cpu","count":2}]})",
      "config");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->max_batch_size, 16U);
  EXPECT_THAT(config->inputs[0].dims, ElementsAre(16));
  EXPECT_EQ(setting(*config, "max_batch_size"), "16;config");
  EXPECT_EQ(setting(*config, "instances"), "2;config");
  for (const std::string_view bad :
       {R"("parameters": {"config": {{"max_batch_size": "16"}}})", "", "[]", "{\"max_batch_size\":\"x\"}",
        "{\"unknown\":1}", "{max_batch_size:16}", "{} {}", "{\"input\":{}}", "{\"max_batch_size\":1e40}"}) {
    EXPECT_FALSE(parse_model_config_json(bad, "config")) << bad;
  }
  const std::string deep = std::string(500'000, '[');
  EXPECT_FALSE(parse_model_config_json(deep, "config"));
}

// A model as it is served where nothing was declared.
content::ServedModel served(content::ModelInfo info, std::size_t rows = 1) {
  info.name = "m";
  info.version = "1";
  info.backend = "onnxruntime";
  info.format = "onnx";
  info.file = "m.onnx";
  return {.info = std::make_shared<const content::ModelInfo>(std::move(info)),
          .settings = {.instances = 2},
          .max_batch_size = rows};
}

content::ModelInfo two_tensors() {
  content::ModelInfo info;
  info.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {-1, 4}}};
  info.outputs = {{.name = "y", .type = tensor::DataType::kString, .shape = {-1, 2}}};
  info.batchable = true;
  return info;
}

TEST(ModelConfig, IsWrittenOfAModelThatDeclaredNothing) {
  content::ModelInfo info = two_tensors();
  info.metadata_literal = "{'task': 'detect'}";
  const json config = json::parse(write_model_config(served(info, 16)));
  EXPECT_EQ(config["name"], "m");
  EXPECT_EQ(config["platform"], "onnxruntime_onnx");
  EXPECT_EQ(config["backend"], "onnxruntime");
  EXPECT_EQ(config["max_batch_size"], 16);
  EXPECT_EQ(config["input"][0]["name"], "x");
  EXPECT_EQ(config["input"][0]["data_type"], "TYPE_FP32");
  EXPECT_EQ(config["input"][0]["format"], "FORMAT_NONE");
  EXPECT_EQ(config["input"][0]["dims"], json::array({4}));
  EXPECT_EQ(config["input"][0]["optional"], false);
  EXPECT_FALSE(config["input"][0].contains("reshape"));
  EXPECT_EQ(config["output"][0]["data_type"], "TYPE_STRING");
  EXPECT_EQ(config["output"][0]["label_filename"], "");
  EXPECT_EQ(config["instance_group"][0]["count"], 2);
  EXPECT_EQ(config["instance_group"][0]["kind"], "KIND_CPU");
  EXPECT_EQ(config["version_policy"]["latest"]["num_versions"], 1);
  EXPECT_EQ(config["dynamic_batching"]["max_queue_delay_microseconds"], 0);
  EXPECT_EQ(config["parameters"]["metadata"]["string_value"], "{'task': 'detect'}");
  EXPECT_EQ(config["metric_tags"], json::object());
  EXPECT_EQ(config["batch_input"], json::array());
  EXPECT_FALSE(config.contains("sequence_batching"));

  inference::ModelConfigResponse message;
  ASSERT_TRUE(message.ParseFromString(write_model_config_message(served(info, 16))));
  EXPECT_EQ(message.config().max_batch_size(), 16);
}

TEST(ModelConfig, IsWrittenWithTheBatchThatIsServed) {
  EXPECT_EQ(json::parse(write_model_config(served(two_tensors(), 1)))["max_batch_size"], 1);
  EXPECT_FALSE(json::parse(write_model_config(served(two_tensors(), 1))).contains("dynamic_batching"));
  content::ModelInfo fixed = two_tensors();
  fixed.batchable = false;
  fixed.inputs[0].shape = {1, 4};
  const json config = json::parse(write_model_config(served(fixed)));
  EXPECT_EQ(config["max_batch_size"], 0);
  EXPECT_EQ(config["input"][0]["dims"], json::array({1, 4}));
  fixed.static_batch = 8;
  EXPECT_EQ(json::parse(write_model_config(served(fixed)))["max_batch_size"], 8);
}

TEST(ModelConfig, IsWrittenAsItWasDeclared) {
  auto config = read(kFull);
  ASSERT_TRUE(config) << config.error().message;
  content::ModelInfo info;
  info.config = std::make_shared<const ModelConfig>(*std::move(config));
  content::ServedModel model = served(info, 8);
  model.settings = {
      .max_batch_size = 8, .preferred_batch_size = {4, 8}, .preserve_ordering = true, .instances = 3};
  const json written = json::parse(write_model_config(model));
  EXPECT_EQ(written["max_batch_size"], 8);
  EXPECT_EQ(written["input"][0]["dims"], json::array({3, -1, -1}));
  EXPECT_EQ(written["input"][0]["format"], "FORMAT_NCHW");
  EXPECT_EQ(written["input"][1]["reshape"]["shape"], json::array());
  EXPECT_EQ(written["output"][0]["label_filename"], "labels.txt");
  EXPECT_EQ(written["version_policy"]["specific"]["versions"], json::array({2, 5}));
  EXPECT_EQ(written["dynamic_batching"]["preferred_batch_size"], json::array({4, 8}));
  EXPECT_EQ(written["instance_group"][0]["count"], 2);
  EXPECT_EQ(written["instance_group"][1]["kind"], "KIND_CPU");
  EXPECT_EQ(written["model_warmup"][0]["inputs"]["picture"]["random_data"], true);
  EXPECT_FALSE(written["model_warmup"][0]["inputs"]["picture"].contains("zero_data"));
  EXPECT_EQ(written["default_model_filename"], "net.onnx");
  // What is written is read again.
  const auto again = parse_model_config_json(written.dump(), "answer");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->inputs.size(), 2U);
}

// Mutations of a full configuration are read or refused, and what is read can be written; under the
// sanitizers of the build for tests.
TEST(ModelConfig, SurvivesMutations) {
  std::mt19937 random(20261126);
  static constexpr std::string_view kBytes = "{}[]:,\"'\\#-0123456789eE.naxTYPE_ \n\x01\x80\xff";
  int accepted = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string text(kFull);
    for (std::size_t change = 0; change < 1 + random() % 3; ++change) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0: text.insert(at, 1, kBytes[random() % kBytes.size()]); break;
        case 1: text.erase(at, 1 + random() % 20); break;
        case 2: text[at] = kBytes[random() % kBytes.size()]; break;
        default: text.insert(at, text.substr(random() % text.size(), 1 + random() % 60));
      }
    }
    auto config = read(text);
    if (!config) {
      EXPECT_THAT(config.error().message, HasSubstr("config.pbtxt"));
      continue;
    }
    ++accepted;
    content::ModelInfo info;
    info.config = std::make_shared<const ModelConfig>(*std::move(config));
    EXPECT_TRUE(json::accept(write_model_config(served(info)))) << text;
  }
  EXPECT_GT(accepted, 50);
  EXPECT_LT(accepted, 3900);
}

}  // namespace
}  // namespace bascule::protocol::v2

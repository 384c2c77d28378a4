#include "catalog/catalog.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"
#include "base/text.h"
#include "catalog/loader.h"
#include "catalog/source.h"

namespace bascule::catalog {
namespace {

namespace fs = std::filesystem;
using content::ModelState;
using testing::HasSubstr;

class AnyTask final : public tasks::Task {
 public:
  [[nodiscard]] std::string_view name() const override { return "detect"; }
  Result<tasks::Plan> plan(const content::EncodedPicture&, const content::PredictOptions&) const override {
    return tasks::Plan{};
  }
  Result<void> prepare(const content::EncodedPicture&, const tasks::Plan&, tasks::Scratch&,
                       std::span<std::byte>) const override {
    return {};
  }
  Result<content::Prediction> finish(const tasks::Plan&, tasks::Scratch&,
                                     std::span<const tensor::NamedTensor>) const override {
    return content::Detections{};
  }
};

Handle model(const std::string& name, const std::string& version, bool pictures = false) {
  auto info = std::make_shared<content::ModelInfo>();
  info->name = name;
  info->version = version;
  return std::make_shared<LoadedModel>(LoadedModel{.info = std::move(info),
                                                   .executable = nullptr,
                                                   .task = pictures ? std::make_shared<AnyTask>() : nullptr});
}

TEST(Catalog, PinsTheHighestReadyVersion) {
  Catalog catalog("");
  catalog.set_ready(model("m", "9"));
  catalog.set_ready(model("m", "10"));
  catalog.set_failed("m", "11", "it is broken");
  EXPECT_EQ((*catalog.pin("m", ""))->info->version, "10");
  EXPECT_EQ((*catalog.pin("m", "9"))->info->version, "9");
}

TEST(Catalog, UnknownModelSuggestsTheNearest) {
  Catalog catalog("");
  catalog.set_ready(model("detector", "1"));
  const auto pinned = catalog.pin("detectr", "");
  ASSERT_FALSE(pinned);
  EXPECT_EQ(pinned.error().reason, Reason::kUnknownModel);
  EXPECT_EQ(pinned.error().code, Code::kNotFound);
  EXPECT_THAT(pinned.error().message, HasSubstr("did you mean 'detector'?"));
}

TEST(Catalog, UnknownVersionNamesThoseItHas) {
  Catalog catalog("");
  catalog.set_ready(model("m", "3"));
  for (const char* version : {"4", "x", "-1", "99999999999999999999"}) {
    const auto pinned = catalog.pin("m", version);
    ASSERT_FALSE(pinned);
    EXPECT_EQ(pinned.error().reason, Reason::kUnknownVersion);
    EXPECT_THAT(pinned.error().message, HasSubstr("it has 3"));
  }
}

TEST(Catalog, LoadingAndFailedModelsAreNotReadyAndSayWhy) {
  Catalog catalog("");
  catalog.set_loading("a", "1");
  catalog.set_failed("b", "1", "The file ends early.");
  EXPECT_EQ(catalog.pin("a", "").error().reason, Reason::kModelNotReady);
  EXPECT_THAT(catalog.pin("b", "").error().message, HasSubstr("The file ends early"));
  EXPECT_THAT(catalog.pin("b", "1").error().message, HasSubstr("The file ends early"));
}

TEST(Catalog, AnEmptyNameMeansTheDefaultOrTheOnlyOneThatFits) {
  Catalog with_default("b");
  with_default.set_ready(model("a", "1"));
  with_default.set_ready(model("b", "1"));
  EXPECT_EQ((*with_default.pin("", ""))->info->name, "b");

  Catalog catalog("");
  EXPECT_EQ(catalog.pin("", "").error().reason, Reason::kModelNotReady);
  catalog.set_ready(model("tensors", "1"));
  catalog.set_ready(model("pictures", "1", true));
  EXPECT_EQ((*catalog.pin("", "", content::Kind::kPicture))->info->name, "pictures");
  const auto ambiguous = catalog.pin("", "");
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().code, Code::kInvalidArgument);
  EXPECT_THAT(ambiguous.error().message, HasSubstr("pictures, tensors"));
  catalog.set_ready(model("more", "1", true));
  EXPECT_THAT(catalog.pin("", "", content::Kind::kPicture).error().message,
              HasSubstr("2 models that take pictures are loaded"));
}

TEST(Catalog, APinnedVersionOutlivesItsReplacement) {
  Catalog catalog("");
  catalog.set_ready(model("m", "1"));
  const Handle held = *catalog.pin("m", "");
  catalog.set_ready(model("m", "1"));
  EXPECT_NE(held, *catalog.pin("m", ""));
  EXPECT_EQ(held.use_count(), 1);
}

class Folder : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            (std::string("catalog_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  void touch(const fs::path& relative) {
    fs::create_directories((root_ / relative).parent_path());
    std::ofstream(root_ / relative) << "x";
  }
  Result<std::vector<ModelSource>> find(const std::string& relative = "") {
    return find_models({ModelPath{.path = root_ / relative}}, backend_);
  }
  fs::path root_;
  backend::FakeBackend backend_;
};

using FindModels = Folder;

TEST_F(FindModels, AFileAndAFolderOfFiles) {
  touch("b.fake");
  touch("a.fake");
  touch("notes.txt");
  ASSERT_TRUE(find("a.fake"));
  EXPECT_EQ(find("a.fake")->at(0).name, "a");
  const auto all = find();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ(all->at(0).name, "a");
  EXPECT_EQ(all->at(1).version, "1");
}

TEST_F(FindModels, ARepositoryGivesTheHighestVersion) {
  touch("repo/m/2/model.fake");
  touch("repo/m/10/model.fake");
  touch("repo/m/config.pbtxt");
  touch("repo/n/1/model.fake");
  const auto found = find("repo");
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ(found->at(0).version, "10");
  EXPECT_EQ(found->at(0).config, nullptr);
}

// The sources of a repository of which m and n have a configuration each.
TEST_F(FindModels, ConfigurationsChooseVersionsFilesAndEngines) {
  touch("repo/m/1/net.fake");
  touch("repo/m/2/net.fake");
  touch("repo/m/2/model.fake");
  touch("repo/m/3/model.fake");
  fs::create_directories(root_ / "repo/gone");
  touch("repo/plain/1/model.fake");
  std::map<std::string, content::ModelConfig> configs;
  configs["m"] = {
      .origin = "config.pbtxt", .default_model_filename = "net.fake", .versions = VersionPolicy{.latest = 0}};
  configs["gone"] = {.origin = "config.pbtxt", .platform = "fake"};
  const ConfigReader read =
      [&](const fs::path& folder) -> Result<std::shared_ptr<const content::ModelConfig>> {
    const auto at = configs.find(folder.filename().string());
    if (at == configs.end()) return nullptr;
    return std::make_shared<const content::ModelConfig>(at->second);
  };
  const auto look = [&](bool win = false) {
    std::map<std::string, std::string> out;
    const auto found =
        find_models({{.path = root_ / "repo"}}, backend_, {.versions_win = win, .read_config = read});
    for (const ModelSource& source : *found) {
      out[source.name + "/" + source.version] =
          source.problem ? source.problem->message : source.engine + source.file.filename().string();
    }
    return out;
  };
  using Map = std::map<std::string, std::string>;
  const std::string no_file = "It has no model file: its folder holds no VERSION/model.onnx.";
  EXPECT_EQ(look(),
            (Map{{"gone/1", no_file}, {"m/1", "net.fake"}, {"m/2", "net.fake"}, {"plain/1", "model.fake"}}));
  EXPECT_EQ(look(true), (Map{{"gone/1", no_file}, {"m/2", "net.fake"}, {"plain/1", "model.fake"}}));

  content::ModelConfig& gone = configs["gone"];
  gone.name = "other";
  EXPECT_THAT(look()["gone/1"], HasSubstr("the name is 'other', but the folder's is 'gone'"));
  gone = {.origin = "config.pbtxt", .platform = "tensorrt_plan"};
  EXPECT_THAT(look()["gone/1"], HasSubstr("the platform is 'tensorrt_plan', which is not served here"));
  gone = {.origin = "config.pbtxt", .backend = "identity"};
  EXPECT_EQ(look()["gone/1"], "identityconfig.pbtxt");
  gone.backend = "python";
  EXPECT_THAT(look()["gone/1"], HasSubstr("the backend is 'python'"));
  gone.inputs.push_back({.name = "a", .type = tensor::DataType::kString, .dims = {-1}});
  gone.outputs.push_back({.name = "b", .type = tensor::DataType::kString, .dims = {-1}});
  EXPECT_EQ(look()["gone/1"], "identityconfig.pbtxt");
  touch("repo/gone/1/model.py");
  EXPECT_THAT(look()["gone/1"], HasSubstr("the backend is 'python'"));
  gone = {.origin = "config.pbtxt"};
  configs["m"].default_model_filename = "../../plain/1/model.fake";
  EXPECT_THAT(look()["m/1"], HasSubstr("default_model_filename"));
}

TEST_F(FindModels, TellsWhereAModelsOwnSettingsLieAndWhichPathLedToIt) {
  touch("repo/m/3/model.fake");
  touch("a.b.fake");
  const auto found = find_models({{.path = root_ / "a.b.fake"}, {.path = root_ / "repo"}}, backend_);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->at(0).settings, root_ / "a.b.yaml");
  EXPECT_EQ(found->at(0).given, 0U);
  EXPECT_EQ(found->at(1).settings, fs::canonical(root_) / "repo/m/model.yaml");
  EXPECT_EQ(found->at(1).given, 1U);
}

TEST_F(FindModels, OneModelOfARepository) {
  touch("repo/m/3/model.fake");
  const auto found = find("repo/m");
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->at(0).name, "m");
  EXPECT_EQ(found->at(0).version, "3");
}

TEST_F(FindModels, ForeignFilesAreRefusedWithTheCommandThatConverts) {
  for (const char* name : {"m.pt", "m.PT", "m.engine", "m.mar"}) {
    touch(name);
    const auto found = find(name);
    ASSERT_FALSE(found) << name;
    EXPECT_THAT(found.error().message, HasSubstr("format=onnx")) << name;
  }
}

TEST_F(FindModels, TwoFilesOfOneNameAreAnError) {
  touch("a/m.fake");
  touch("b/m.fake");
  const auto found = find_models({{.path = root_ / "a/m.fake"}, {.path = root_ / "b/m.fake"}}, backend_);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("would both be served as 'm'"));
}

TEST_F(FindModels, ANameGoesToOneModelAndNoMore) {
  touch("a.fake");
  const auto named = [&](const fs::path& path, const std::string& name) {
    return find_models({ModelPath{.path = path, .name = name}}, backend_);
  };
  const auto one = named(root_ / "a.fake", "other");
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(one->at(0).name, "other");
  EXPECT_THAT(named(root_ / "a.fake", "../x").error().message, HasSubstr("'../x' cannot name a model"));
  touch("odd/my model.fake");  // what the refusal of such a file advises must work
  const auto odd = named(root_ / "odd/my model.fake", "other");
  ASSERT_TRUE(odd) << odd.error().message;
  EXPECT_EQ(odd->at(0).name, "other");
  touch("b.fake");
  EXPECT_THAT(named(root_, "other").error().message,
              HasSubstr("holds 2 models; the name 'other' can only be given to one"));
}

TEST_F(FindModels, NothingThereIsASentence) {
  EXPECT_THAT(find("absent").error().message, HasSubstr("There is no file or folder"));
  EXPECT_THAT(find().error().message, HasSubstr("holds no models"));
  touch("odd name.fake");
  EXPECT_THAT(find().error().message, HasSubstr("cannot name a model"));
}

TEST_F(FindModels, OneBadNameInAFolderIsPassedOver) {
  touch("good.fake");
  touch("my model.fake");
  touch("repo x/1/model.fake");
  touch("repo x/2/model.fake");
  const Found found = scan_models({{.path = root_}}, {.versions = {.latest = 0}}, backend_);
  ASSERT_EQ(found.sources.size(), 1U);
  EXPECT_EQ(found.sources[0].name, "good");
  EXPECT_TRUE(found.problems.empty());
  ASSERT_EQ(found.skipped.size(), 2U);
  EXPECT_THAT(found.skipped[0], HasSubstr("my model.fake' is passed over: 'my model' cannot name a model"));
  EXPECT_THAT(found.skipped[1], HasSubstr("'repo x' cannot name a model"));
  // Given themselves they are errors.
  EXPECT_THAT(find("my model.fake").error().message, HasSubstr("cannot name a model"));
  EXPECT_THAT(find("repo x").error().message, HasSubstr("cannot name a model"));
}

using LoadModel = Folder;

TEST_F(LoadModel, RunsOnZerosOfTheSmallestShapes) {
  std::atomic<int> runs = 0;
  backend::FakeModel fake;
  fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {-1, 16}}};
  fake.run = [&](std::span<const tensor::NamedTensor> inputs) -> Result<std::vector<tensor::NamedTensor>> {
    EXPECT_EQ(inputs[0].tensor.shape, (tensor::Shape{1, 16}));
    ++runs;
    return std::vector<tensor::NamedTensor>{};
  };
  backend_.add("m", fake);
  const SteadyClock clock;
  const auto loaded =
      load_model({.name = "m", .version = "1", .file = root_ / "m.fake"}, backend_, {}, clock);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_GT(runs.load(), 1);
  EXPECT_EQ((*loaded)->measured_bytes, 64U);
}

// Passes loads on, and notes with how many threads.
class NotedThreads final : public backend::Backend {
 public:
  explicit NotedThreads(const backend::Backend& inner) : inner_(inner) {}
  [[nodiscard]] std::string_view name() const override { return inner_.name(); }
  [[nodiscard]] bool accepts(const fs::path& file) const override { return inner_.accepts(file); }
  Result<std::unique_ptr<backend::Executable>> load(const fs::path& file,
                                                    const backend::LoadOptions& options) const override {
    threads.push_back(options.threads);
    return inner_.load(file, options);
  }
  mutable std::vector<int> threads;

 private:
  const backend::Backend& inner_;
};

class LoneRuns : public Folder {
 protected:
  // What a model whose runs take so long offers to lone ones.
  std::shared_ptr<const WideRuns> offered(Duration run, content::ModelSettings settings) {
    backend::FakeModel fake;
    fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {1, 16}}};
    fake.run = [&clock = clock_, run](const auto&) -> Result<std::vector<tensor::NamedTensor>> {
      clock.time += run;
      return std::vector<tensor::NamedTensor>{};
    };
    backend_.add("m", fake);
    touch("m.fake");
    const auto loaded = load_model({.name = "m", .version = "1", .file = root_ / "m.fake"}, noted_,
                                   {.settings = std::move(settings)}, clock_);
    EXPECT_TRUE(loaded) << loaded.error().message;
    return loaded ? (*loaded)->wide : nullptr;
  }
  struct MovedClock final : Clock {
    [[nodiscard]] TimePoint now() const override { return time; }
    TimePoint time{};
  };
  MovedClock clock_;
  NotedThreads noted_{backend_};
};

TEST_F(LoneRuns, AModelWhoseRunsAreLongIsLoadedOnceMoreWithTheirThreads) {
  const auto wide = offered(std::chrono::milliseconds(6), {.lone_threads = 3});
  ASSERT_NE(wide, nullptr);
  EXPECT_EQ(noted_.threads, (std::vector{1})) << "not before it is of use";
  wide->load();
  EXPECT_EQ(noted_.threads, (std::vector{1, 3}));
  const WideRuns::Model usual = *backend_.load("m.fake", {});
  EXPECT_NE(wide->choose(usual), usual);
}

TEST_F(LoneRuns, ShortRunsAndThoseOfManyThreadsStayAsTheyAre) {
  EXPECT_EQ(offered(std::chrono::milliseconds(4), {.lone_threads = 3}), nullptr);
  EXPECT_EQ(offered(std::chrono::milliseconds(6), {.lone_threads = 1}), nullptr);
  EXPECT_EQ(offered(std::chrono::milliseconds(6), {.threads = 4, .lone_threads = 4}), nullptr);
}

TEST_F(LoneRuns, AnotherFileThanTheOneThatServesIsNotUsed) {
  const auto wide = offered(std::chrono::milliseconds(6), {.lone_threads = 3});
  ASSERT_NE(wide, nullptr);
  std::ofstream(root_ / "m.fake") << "changed";
  wide->load();
  const WideRuns::Model usual = *backend_.load("m.fake", {});
  EXPECT_EQ(wide->choose(usual), usual);
}

// A model of any number of columns, on which zeros of its smallest shape fail.
backend::FakeModel wide_only(std::vector<tensor::Shape>& shapes) {
  backend::FakeModel fake;
  fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {-1, -1}}};
  fake.run = [&](std::span<const tensor::NamedTensor> inputs) -> Result<std::vector<tensor::NamedTensor>> {
    if (inputs[0].tensor.shape[1] < 4) return internal_error("Too short.");
    if (shapes.empty() || shapes.back() != inputs[0].tensor.shape) shapes.push_back(inputs[0].tensor.shape);
    return std::vector<tensor::NamedTensor>{};
  };
  return fake;
}

// The file's stem is the number of columns.
Result<content::InferRequest> sample_of(const fs::path& file) {
  content::InferRequest request;
  const auto columns = text::parse_int(file.stem().string());
  if (!columns) return invalid_argument("This is no sample.");
  auto slot = tensor::make_tensor(tensor::DataType::kFp32, {1, *columns});
  std::ranges::fill(slot->bytes, std::byte{0});
  request.inputs.push_back({.name = "x", .tensor = slot->tensor});
  return request;
}

TEST_F(LoadModel, RunsEverySampleInPlaceOfZerosAndMeasuresWithTheFirst) {
  std::vector<tensor::Shape> shapes;
  backend_.add("m", wide_only(shapes));
  const SteadyClock clock;
  const auto loaded =
      load_model({.name = "m", .version = "1", .file = root_ / "m.fake"}, backend_,
                 {.settings = {.warm_up = {"8.json", "5.json"}}, .read_sample = sample_of}, clock);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(shapes, (std::vector<tensor::Shape>{{1, 8}, {1, 5}, {1, 8}}));
  EXPECT_EQ((*loaded)->measured_bytes, 32U);
}

TEST_F(LoadModel, ASampleThatFailsIsNamedAndTheModelDoesNotServe) {
  for (const auto& [file, cause] : std::vector<std::pair<std::string, std::string>>{
           {"none.json", "This is no sample."}, {"2.json", "Too short."}}) {
    std::vector<tensor::Shape> shapes;
    backend_.add("m", wide_only(shapes));
    const SteadyClock clock;
    const auto loaded =
        load_model({.name = "m", .version = "1", .file = root_ / "m.fake"}, backend_,
                   {.settings = {.warm_up = {"8.json", file}}, .read_sample = sample_of}, clock);
    ASSERT_FALSE(loaded) << file;
    EXPECT_THAT(loaded.error().message, HasSubstr("The sample '" + file + "' of warm_up failed: " + cause));
  }
}

TEST_F(LoadModel, AModelThatCannotRunIsNotServed) {
  backend::FakeModel fake;
  fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {-1, 16}}};
  fake.run = [](auto) -> Result<std::vector<tensor::NamedTensor>> { return internal_error("No kernel."); };
  backend_.add("m", fake);
  const SteadyClock clock;
  const auto loaded =
      load_model({.name = "m", .version = "1", .file = root_ / "m.fake"}, backend_, {}, clock);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("No kernel."));
}

TEST_F(LoadModel, AFailureOnAGuessedShapeIsOnlyAFact) {
  backend::FakeModel fake;
  fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {-1, -1}}};
  fake.run = [](auto) -> Result<std::vector<tensor::NamedTensor>> { return internal_error("Too short."); };
  backend_.add("m", fake);
  const SteadyClock clock;
  const auto loaded =
      load_model({.name = "m", .version = "1", .file = root_ / "m.fake"}, backend_, {}, clock);
  ASSERT_TRUE(loaded);
  EXPECT_EQ((*loaded)->info->facts.back().name, "warm-up");
}

}  // namespace
}  // namespace bascule::catalog

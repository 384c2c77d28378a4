#include "catalog/manager.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"
#include "base/stepped.h"

namespace bascule::catalog {
namespace {

namespace fs = std::filesystem;
using content::ModelState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Managing : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            (std::string("manager_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override {
    manager_.reset();
    fs::remove_all(root_);
  }
  // A file that begins with "bad" does not load; each write has a size of its own, so that its stamp differs.
  void write(const fs::path& relative, const std::string& text) {
    fs::create_directories((root_ / relative).parent_path());
    std::ofstream(root_ / relative) << text << std::string(++writes_, '.');
  }
  void start(VersionPolicy versions = {}, bool wanted = true) {
    ManagerOptions options;
    options.scan = [this, versions = std::move(versions)] {
      return scan_models({{.path = root_}}, {.versions = versions}, backend_);
    };
    options.wanted = [wanted](const std::string&) { return wanted; };
    options.load = [this](const ModelSource& source) -> Result<Handle> {
      loads_.push_back(source.name + "/" + source.version);
      std::string text;
      std::getline(std::ifstream(source.file), text);
      if (text.starts_with("bad")) return invalid_argument("The file is bad.");
      auto info = std::make_shared<content::ModelInfo>();
      info->name = source.name;
      info->version = source.version;
      return std::make_shared<LoadedModel>(LoadedModel{.info = std::move(info), .executable = nullptr});
    };
    options.freed = [this] { ++freed_; };
    const Found found = options.scan();
    manager_.emplace(std::move(options), clock_, catalog_, loader_);
    manager_->start(found, [](const Result<void>&) {});
    loader_.run();
  }
  Result<void> load(const std::string& name) {
    std::optional<Result<void>> result;
    manager_->load(name, [&](Result<void> done) { result = std::move(done); });
    loader_.run();
    return *result;
  }
  Result<void> unload(const std::string& name) {
    std::optional<Result<void>> result;
    manager_->unload(name, [&](Result<void> done) { result = std::move(done); });
    loader_.run();
    return *result;
  }
  bool rescan() {
    bool settled = false;
    manager_->rescan([&](bool done) { settled = done; });
    loader_.run();
    return settled;
  }
  // "m/1 ready", …
  std::vector<std::string> index() {
    static constexpr const char* kStates[] = {"loading", "ready", "failed", "unloaded"};
    std::vector<std::string> out;
    for (const auto& status : catalog_.list()) {
      out.push_back(status.name + "/" + status.version + " " +
                    kStates[static_cast<std::size_t>(status.state)]);
    }
    return out;
  }
  std::vector<std::string> loads() { return std::exchange(loads_, {}); }

  fs::path root_;
  backend::FakeBackend backend_;
  SteadyClock clock_;
  StepExecutor loader_;
  Catalog catalog_{""};
  std::optional<Manager> manager_;
  std::vector<std::string> loads_;
  std::size_t writes_ = 0;
  int freed_ = 0;
};

TEST_F(Managing, LoadsAtTheStartWhatIsWanted) {
  write("a.fake", "");
  write("b.fake", "bad");
  start();
  EXPECT_THAT(index(), ElementsAre("a/1 ready", "b/1 failed"));
}

TEST_F(Managing, AChangeOfItsOwnSettingsReloadsAModelAndNoOther) {
  write("plain.fake", "");
  write("repository/1/model.fake", "");
  start();
  EXPECT_THAT(loads(), ElementsAre("plain/1", "repository/1"));
  EXPECT_TRUE(rescan());
  EXPECT_THAT(loads(), IsEmpty());
  write("plain.yaml", "max_batch_size: 1");
  EXPECT_FALSE(rescan());  // not believed before it rests
  EXPECT_TRUE(rescan());
  EXPECT_THAT(loads(), ElementsAre("plain/1"));
  write("repository/model.yaml", "max_batch_size: 1");
  EXPECT_FALSE(rescan());
  EXPECT_TRUE(rescan());
  EXPECT_THAT(loads(), ElementsAre("repository/1"));
  fs::remove(root_ / "plain.yaml");
  EXPECT_FALSE(rescan());
  EXPECT_TRUE(rescan());
  EXPECT_THAT(loads(), ElementsAre("plain/1"));
}

TEST_F(Managing, ListsWhatIsNotWantedAndLoadsItOnRequest) {
  write("a.fake", "");
  start({}, false);
  EXPECT_THAT(loads(), IsEmpty());
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded"));
  EXPECT_TRUE(rescan());
  EXPECT_THAT(loads(), IsEmpty());
  EXPECT_TRUE(load("a"));
  EXPECT_THAT(index(), ElementsAre("a/1 ready"));
}

TEST_F(Managing, AReloadSwapsAndTheOldLivesAsLongAsItIsPinned) {
  write("a.fake", "");
  start();
  Handle old = *catalog_.pin("a", "");
  EXPECT_TRUE(load("a"));
  EXPECT_NE(old, *catalog_.pin("a", ""));
  loader_.run();
  EXPECT_EQ(freed_, 0);
  old.reset();
  EXPECT_EQ(freed_, 0) << "not by whoever lets go last";
  loader_.run();
  EXPECT_EQ(freed_, 1);
}

TEST_F(Managing, AFailedReloadLeavesTheOldServingAndSaysWhy) {
  write("a.fake", "");
  start();
  const Handle old = *catalog_.pin("a", "");
  write("a.fake", "bad");
  const auto loaded = load("a");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().reason, Reason::kLoadFailed);
  EXPECT_EQ(loaded.error().fields.name, "a");
  EXPECT_EQ(old, *catalog_.pin("a", ""));
  EXPECT_EQ(catalog_.list()[0].state, ModelState::kReady);
  EXPECT_THAT(catalog_.list()[0].reason, HasSubstr("last reload failed: The file is bad."));
  write("a.fake", "");
  EXPECT_TRUE(load("a"));
  EXPECT_EQ(catalog_.list()[0].reason, "");
}

TEST_F(Managing, AnUnknownModelIsNotFound) {
  write("detector.fake", "");
  start();
  const auto loaded = load("detectr");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kNotFound);
  EXPECT_EQ(loaded.error().reason, Reason::kLoadFailed);
  EXPECT_THAT(loaded.error().message, HasSubstr("did you mean 'detector'?"));
  EXPECT_EQ(unload("detectr").error().reason, Reason::kUnloadFailed);
}

TEST_F(Managing, UnloadedStaysUnloadedUntilLoadedOnRequest) {
  write("a.fake", "");
  start();
  EXPECT_TRUE(unload("a"));
  EXPECT_TRUE(unload("a"));
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded"));
  EXPECT_THAT(catalog_.pin("a", "").error().message, HasSubstr("unloaded on request"));
  write("a.fake", "");
  EXPECT_TRUE(rescan());
  EXPECT_TRUE(rescan());
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded"));
  EXPECT_TRUE(load("a"));
  EXPECT_THAT(index(), ElementsAre("a/1 ready"));
}

TEST_F(Managing, AChangedFileIsReloadedOnceItRests) {
  write("a.fake", "");
  start();
  EXPECT_TRUE(rescan());
  EXPECT_THAT(loads(), ElementsAre("a/1"));
  write("a.fake", "");
  EXPECT_FALSE(rescan());
  write("a.fake", "");
  EXPECT_FALSE(rescan()) << "still being written";
  EXPECT_THAT(loads(), IsEmpty());
  EXPECT_TRUE(rescan());
  EXPECT_TRUE(rescan());
  EXPECT_THAT(loads(), ElementsAre("a/1"));
}

TEST_F(Managing, AFileThatFailsIsNotTriedAgainBeforeItChanges) {
  write("a.fake", "bad");
  start();
  loads();
  EXPECT_TRUE(rescan());
  EXPECT_THAT(loads(), IsEmpty());
  write("a.fake", "");
  rescan();
  rescan();
  EXPECT_THAT(index(), ElementsAre("a/1 ready"));
}

TEST_F(Managing, ANewVersionReplacesTheOldOneOnceItServes) {
  write("m/1/model.fake", "");
  start();
  write("m/2/model.fake", "bad");
  rescan();
  EXPECT_TRUE(rescan());
  EXPECT_TRUE(rescan());
  EXPECT_THAT(index(), ElementsAre("m/1 ready", "m/2 failed"));
  write("m/2/model.fake", "");
  rescan();
  EXPECT_TRUE(rescan());
  EXPECT_THAT(index(), ElementsAre("m/1 unloaded", "m/2 ready"));
  fs::remove_all(root_ / "m/2");
  rescan();
  EXPECT_TRUE(rescan());
  EXPECT_THAT(index(), ElementsAre("m/1 ready"));
}

TEST_F(Managing, AModelIsDroppedWhenItsFileIsGoneTwice) {
  write("a.fake", "");
  write("b.fake", "");
  start();
  fs::remove(root_ / "a.fake");
  EXPECT_FALSE(rescan());
  EXPECT_THAT(index(), ElementsAre("a/1 ready", "b/1 ready"));
  EXPECT_TRUE(rescan());
  EXPECT_THAT(index(), ElementsAre("b/1 ready"));
  EXPECT_EQ(freed_, 1);
  write("a.fake", "");
  EXPECT_FALSE(rescan());
  EXPECT_TRUE(rescan());
  EXPECT_THAT(index(), ElementsAre("a/1 ready", "b/1 ready"));
}

TEST_F(Managing, AllVersionsWhereThePolicySaysSo) {
  for (const char* version : {"1", "2", "3"}) write(fs::path("m") / version / "model.fake", "");
  start(*parse_version_policy("all"));
  EXPECT_THAT(index(), ElementsAre("m/1 ready", "m/2 ready", "m/3 ready"));
}

TEST_F(Managing, AStoppedLoaderRefusesAndModelsAreStillFreed) {
  write("a.fake", "");
  start();
  const std::weak_ptr<const LoadedModel> old = *catalog_.pin("a", "");
  loader_.stopped = true;
  EXPECT_EQ(load("a").error().code, Code::kUnavailable);
  EXPECT_FALSE(rescan());
  catalog_.forget("a", "1");
  EXPECT_TRUE(old.expired());
}

TEST(VersionPolicy, IsReadStrictly) {
  EXPECT_EQ(parse_version_policy("latest:2")->latest, 2U);
  EXPECT_EQ(parse_version_policy("all")->latest, 0U);
  EXPECT_THAT(parse_version_policy("specific:1,3")->specific, ElementsAre(1U, 3U));
  for (const char* wrong : {"", "latest", "latest:", "latest:0", "latest:1,2", "specific:", "specific:1,",
                            "specific:x", "specific:-1", "All", "newest:1", "latest:99999999999999999999"}) {
    ASSERT_FALSE(parse_version_policy(wrong)) << wrong;
    EXPECT_THAT(parse_version_policy(wrong).error().message,
                HasSubstr("it must be latest:N, all or specific"));
  }
}

}  // namespace
}  // namespace bascule::catalog

#include <map>
#include <optional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/stepped.h"
#include "catalog/manager.h"

namespace bascule::catalog {
namespace {

using content::ModelState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Models whose need of memory is written down; each file is half as large.
class Memory : public testing::Test {
 protected:
  struct Held {
    ~Held() { *in_use -= bytes; }
    LoadedModel model;
    std::uint64_t bytes;
    std::uint64_t* in_use;
  };
  void add(const std::string& name, std::uint64_t bytes, const std::string& version = "1") {
    files_.push_back({.name = name,
                      .version = version,
                      .file = "/nowhere/" + name + version,
                      .note = {},
                      .stamp = {.model = {.bytes = bytes / 2, .inode = ++inodes_}, .settings = {}},
                      .home = {}});
    needs_[files_.back().file] = bytes;
  }
  void start(ManagerOptions options) {
    options.scan = [this] { return Found{.sources = files_, .problems = {}, .skipped = {}}; };
    options.load = [this](const ModelSource& source) { return load(source); };
    options.resident = [this] { return in_use_; };
    options.evicted = [this](const std::string& name) { evicted_.push_back(name); };
    manager_.emplace(std::move(options), clock_, catalog_, loader_);
    manager_->start({.sources = files_, .problems = {}, .skipped = {}}, [](const Result<void>&) {});
    loader_.run();
  }
  Result<Handle> load(const ModelSource& source) {
    loads_.push_back(source.name);
    if (bad_.contains(source.name)) return invalid_argument("The file is bad.");
    const std::uint64_t bytes = needs_[source.file];
    in_use_ += bytes;
    most_in_use_ = std::max(most_in_use_, in_use_);
    auto info = std::make_shared<content::ModelInfo>();
    info->name = source.name;
    info->version = source.version;
    const auto held =
        std::make_shared<Held>(LoadedModel{.info = std::move(info), .executable = nullptr}, bytes, &in_use_);
    return Handle(held, &held->model);
  }
  // What a request does: pins, or asks for the model and waits.
  Handle use(const std::string& name, const std::string& version = "") {
    const auto found = catalog_.use(name, version);
    if (!found) return nullptr;
    if (found->model != nullptr) return found->model;
    manager_->want(found->loads, [this](const Result<void>& result) { woken_ += result ? 1 : 100; });
    return nullptr;
  }
  Handle use_and_wait(const std::string& name, const std::string& version = "") {
    (void)use(name, version);
    loader_.run();
    const auto found = catalog_.use(name, version);
    return found ? found->model : nullptr;
  }
  // "a/1 ready", …
  std::vector<std::string> index() {
    static constexpr const char* kStates[] = {"loading", "ready", "failed", "unloaded"};
    std::vector<std::string> out;
    for (const auto& status : catalog_.list()) {
      out.push_back(status.name + "/" + status.version + " " +
                    kStates[static_cast<std::size_t>(status.state)] + (status.on_use ? ", on use" : ""));
    }
    return out;
  }
  std::vector<std::string> loads() { return std::exchange(loads_, {}); }

  std::vector<ModelSource> files_;
  std::map<std::filesystem::path, std::uint64_t> needs_;
  std::set<std::string> bad_;
  std::uint64_t inodes_ = 0;
  std::uint64_t in_use_ = 0;
  std::uint64_t most_in_use_ = 0;
  std::vector<std::string> loads_;
  std::vector<std::string> evicted_;
  int woken_ = 0;
  HeldClock clock_;
  StepExecutor loader_;
  Catalog catalog_{""};
  std::optional<Manager> manager_;
};

TEST_F(Memory, WhatDoesNotFitAtTheStartIsLoadedByTheFirstRequest) {
  for (const char* name : {"a", "b", "c", "d"}) add(name, 40);
  start({.memory_budget = 100});
  EXPECT_THAT(index(), ElementsAre("a/1 ready", "b/1 ready", "c/1 unloaded, on use", "d/1 unloaded, on use"));
  EXPECT_THAT(loads(), ElementsAre("a", "b", "c")) << "c was tried, d was not";
  EXPECT_EQ(in_use_, 80U);
  EXPECT_EQ(catalog_.list()[0].memory_bytes, 40U);
  EXPECT_THAT(catalog_.list()[2].reason, HasSubstr("loads on first use"));
  ASSERT_NE(use("a"), nullptr);  // so that b was used longest ago
  EXPECT_NE(use_and_wait("c"), nullptr);
  EXPECT_THAT(index(), ElementsAre("a/1 ready", "b/1 unloaded, on use", "c/1 ready", "d/1 unloaded, on use"));
  EXPECT_THAT(evicted_, ElementsAre("b"));
  EXPECT_THAT(catalog_.list()[1].reason, HasSubstr("to make room; it loads again when asked for"));
  EXPECT_EQ(catalog_.list()[1].memory_bytes, 0U);
  EXPECT_NE(use_and_wait("b"), nullptr);
  EXPECT_THAT(evicted_, ElementsAre("b", "a"));
  EXPECT_LE(most_in_use_, 120U);
}

TEST_F(Memory, ABusyModelFinishesWhatItBeganFirst) {
  for (const char* name : {"a", "b"}) add(name, 60);
  start({.memory_budget = 100});
  Handle busy = use("a");
  ASSERT_NE(busy, nullptr);
  loads();
  EXPECT_EQ(use_and_wait("b"), nullptr);
  EXPECT_THAT(loads(), IsEmpty()) << "the memory of a is not free";
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded, on use", "b/1 loading, on use"));
  EXPECT_EQ(use("a"), nullptr) << "waits";
  EXPECT_EQ(woken_, 0);
  busy.reset();
  loader_.run();
  EXPECT_THAT(loads(), ElementsAre("b", "a")) << "in the order in which they were asked for";
  EXPECT_EQ(woken_, 2);
  EXPECT_EQ(in_use_, 60U);
  EXPECT_EQ(most_in_use_, 120U) << "at the start, where b was found not to fit; never since";
}

TEST_F(Memory, WhatAloneIsMoreThanTheBudgetSaysSo) {
  add("a", 40);
  add("huge", 300);    // its file is larger than the budget
  add("larger", 110);  // only its memory is
  start({.memory_budget = 100});
  EXPECT_THAT(index(), ElementsAre("a/1 ready", "huge/1 failed", "larger/1 failed"));
  EXPECT_THAT(loads(), ElementsAre("a", "larger"));
  EXPECT_THAT(catalog_.list()[1].reason, HasSubstr("more than the budget"));
  EXPECT_EQ(in_use_, 40U);
  std::optional<Result<void>> loaded;
  manager_->load("larger", [&](Result<void> result) { loaded = std::move(result); });
  loader_.run();
  ASSERT_TRUE(loaded && !*loaded);
  EXPECT_EQ(loaded->error().reason, Reason::kLoadFailed);
  EXPECT_THAT(loaded->error().message, HasSubstr("Raise memory_budget_mb"));
  EXPECT_THAT(loads(), IsEmpty()) << "it is known by now";
  EXPECT_THAT(evicted_, IsEmpty());
}

TEST_F(Memory, AFailureIsNotTriedAgainForAWhile) {
  add("a", 40);
  bad_.insert("a");
  start({.wanted = [](const std::string&) { return false; }, .load_on_use = true});
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded, on use"));
  EXPECT_EQ(use_and_wait("a"), nullptr);
  EXPECT_THAT(index(), ElementsAre("a/1 failed, on use"));
  EXPECT_EQ(use_and_wait("a"), nullptr);
  EXPECT_THAT(loads(), ElementsAre("a"));
  EXPECT_EQ(woken_, 2);
  EXPECT_THAT(catalog_.pin("a", "").error().message, HasSubstr("The file is bad"));
  bad_.clear();
  clock_.time += std::chrono::seconds(11);
  EXPECT_NE(use_and_wait("a"), nullptr);
}

TEST_F(Memory, AFileThatChangedIsTriedAtOnce) {
  add("a", 40);
  bad_.insert("a");
  start({.wanted = [](const std::string&) { return false; }, .load_on_use = true});
  EXPECT_EQ(use_and_wait("a"), nullptr);
  bad_.clear();
  files_[0].stamp.model.inode = 99;
  manager_->rescan([](bool settled) { EXPECT_TRUE(settled); });
  loader_.run();
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded, on use"));
  EXPECT_NE(use_and_wait("a"), nullptr);
}

TEST_F(Memory, OneLoadAnswersAllWhoWait) {
  add("a", 40);
  start({.wanted = [](const std::string&) { return false; }, .load_on_use = true});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(use("a"), nullptr);
  loader_.run();
  EXPECT_EQ(woken_, 5);
  EXPECT_THAT(loads(), ElementsAre("a"));
  EXPECT_THAT(index(), ElementsAre("a/1 ready"));
}

TEST_F(Memory, WhatWasUnloadedOnRequestStaysUnloaded) {
  add("a", 40);
  start({.memory_budget = 100});
  manager_->unload("a", [](const Result<void>& done) { EXPECT_TRUE(done); });
  loader_.run();
  EXPECT_EQ(use_and_wait("a"), nullptr);
  EXPECT_EQ(woken_, 0);
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded"));
}

TEST_F(Memory, UnloadedWhileRequestsWait) {
  add("a", 60);
  add("b", 60);
  start({.memory_budget = 100});
  const Handle busy = use("a");
  EXPECT_EQ(use_and_wait("b"), nullptr);
  manager_->unload("b", [](const Result<void>& done) { EXPECT_TRUE(done); });
  loader_.run();
  EXPECT_EQ(woken_, 1) << "they are told at once";
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded, on use", "b/1 unloaded"));
}

TEST_F(Memory, AReloadKeepsTheOldOneAndThenMakesRoom) {
  add("a", 40);
  add("b", 50);
  start({.memory_budget = 100});
  needs_[files_[0].file] = 60;  // a grows
  Handle old = use("a");
  std::optional<Result<void>> loaded;
  manager_->load("a", [&](Result<void> result) { loaded = std::move(result); });
  loader_.run();
  ASSERT_TRUE(loaded && *loaded);
  EXPECT_NE(use("a"), old);
  EXPECT_THAT(evicted_, ElementsAre("b"));
  EXPECT_EQ(in_use_, 100U) << "the old a is pinned";
  EXPECT_NE(use_and_wait("b"), nullptr);
  EXPECT_EQ(in_use_, 90U) << "b and the old a; the new one went, since nobody uses it";
  old.reset();
  loader_.run();
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded, on use", "b/1 ready"));
}

TEST_F(Memory, TheVersionsOfAModelComeAndGoTogether) {
  add("a", 30, "2");
  add("a", 30, "1");
  add("b", 50);
  start({.memory_budget = 100});
  EXPECT_THAT(index(), ElementsAre("a/1 ready", "a/2 ready", "b/1 unloaded, on use"));
  EXPECT_NE(use_and_wait("b"), nullptr);
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded, on use", "a/2 unloaded, on use", "b/1 ready"));
  loads();
  const Handle latest = use_and_wait("a");
  ASSERT_NE(latest, nullptr);
  EXPECT_EQ(latest->info->version, "2");
  EXPECT_THAT(index(), ElementsAre("a/1 ready", "a/2 ready", "b/1 unloaded, on use"));
}

TEST_F(Memory, AnEmptyNameDoesNotMeanWhateverIsLoaded) {
  add("a", 60);
  add("b", 60);
  start({.memory_budget = 100});
  const auto found = catalog_.use("", "");
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("a, b"));
}

TEST_F(Memory, ALoaderWithoutRoomLosesNoMemory) {
  add("a", 60);
  add("b", 60);
  start({.memory_budget = 100});
  Handle busy = use("a");
  EXPECT_EQ(use_and_wait("b"), nullptr);
  loader_.most = 1;
  manager_->rescan([](bool) {});
  busy.reset();  // its way to the loader is full
  loader_.run();
  EXPECT_THAT(index(), ElementsAre("a/1 unloaded, on use", "b/1 ready"));
  EXPECT_EQ(in_use_, 60U);
}

TEST_F(Memory, StopTellsThoseWhoStillWait) {
  add("a", 60);
  add("b", 60);
  start({.memory_budget = 100});
  Handle busy = use("a");
  EXPECT_EQ(use_and_wait("b"), nullptr);
  std::optional<Result<void>> loaded;
  manager_->load("b", [&](Result<void> result) { loaded = std::move(result); });
  loader_.run();
  EXPECT_FALSE(loaded);
  loader_.stopped = true;
  manager_->stop();
  EXPECT_EQ(woken_, 100);
  ASSERT_TRUE(loaded && !*loaded);
  EXPECT_EQ(loaded->error().code, Code::kUnavailable);
  busy.reset();
  EXPECT_EQ(in_use_, 0U) << "freed by who let go of it";
}

TEST_F(Memory, NoBudgetNoLimit) {
  for (const char* name : {"a", "b", "c"}) add(name, 1ULL << 40U);
  start({});
  EXPECT_THAT(index(), ElementsAre("a/1 ready", "b/1 ready", "c/1 ready"));
}

}  // namespace
}  // namespace bascule::catalog

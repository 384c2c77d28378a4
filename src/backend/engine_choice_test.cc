#include "backend/engine_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"

namespace bascule::backend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A fake under another name, which takes the fake's files.
class Named final : public Backend {
 public:
  Named(std::string name, std::unique_ptr<Backend> inner)
      : name_(std::move(name)), inner_(std::move(inner)) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] bool accepts(const std::filesystem::path& file) const override {
    return inner_->accepts(file);
  }
  Result<std::unique_ptr<Executable>> load(const std::filesystem::path& file,
                                           const LoadOptions& options) const override {
    return inner_->load(file, options);
  }

 private:
  const std::string name_;
  const std::unique_ptr<Backend> inner_;
};

std::unique_ptr<Backend> two(Result<void> first, Result<void> second) {
  auto a = std::make_unique<FakeBackend>();
  a->add("cat", {.spec = {.format = "fake", .engine = "a"}, .load_result = std::move(first)});
  auto b = std::make_unique<FakeBackend>();
  b->add("cat", {.spec = {.format = "fake", .engine = "b"}, .load_result = std::move(second)});
  std::vector<std::unique_ptr<Backend>> engines;
  engines.push_back(std::make_unique<Named>("a", std::move(a)));
  engines.push_back(std::make_unique<Named>("b", std::move(b)));
  return choose_among(std::move(engines));
}

TEST(EngineChoice, PrefersTheFirst) {
  const auto engines = two({}, {});
  EXPECT_EQ(engines->name(), "a");
  EXPECT_THAT(engines->names(), ElementsAre("a", "b"));
  const auto loaded = engines->load("cat.fake", {});
  ASSERT_TRUE(loaded);
  EXPECT_EQ((*loaded)->spec().engine, "a");
  EXPECT_TRUE((*loaded)->spec().notes.empty());
}

TEST(EngineChoice, TakesTheOneThatIsNamed) {
  const auto loaded = two({}, {})->load("cat.fake", {.engine = "b"});
  ASSERT_TRUE(loaded);
  EXPECT_EQ((*loaded)->spec().engine, "b");
  const auto none = two({}, {})->load("cat.fake", {.engine = "c"});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("engines are a, b"));
}

TEST(EngineChoice, TriesTheOtherAndSaysWhy) {
  const auto loaded = two(invalid_argument("It has wings."), {})->load("cat.fake", {});
  ASSERT_TRUE(loaded);
  EXPECT_EQ((*loaded)->spec().engine, "b");
  EXPECT_THAT((*loaded)->spec().notes, ElementsAre("a cannot load it: It has wings."));
  // One that was named is not replaced by another.
  const auto named = two(invalid_argument("It has wings."), {})->load("cat.fake", {.engine = "a"});
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error().message, "It has wings.");
}

TEST(EngineChoice, SaysWhatTheFirstSaidWhereAllFail) {
  const auto none =
      two(invalid_argument("It has wings."), invalid_argument("It has fins."))->load("cat.fake", {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "It has wings.");
}

}  // namespace
}  // namespace bascule::backend

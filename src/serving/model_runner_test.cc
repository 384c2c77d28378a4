#include "serving/model_runner.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"
#include "base/stepped.h"
#include "catalog/catalog.h"

namespace bascule::serving {
namespace {

// Gives its tokens to whoever asks, or to nobody.
class Tokens final : public Executor {
 public:
  Result<void> post(Work /*work*/, std::size_t /*cost*/) override {
    return internal_error("Nothing is posted.");
  }
  [[nodiscard]] bool try_take(std::size_t more) override {
    if (!lone) return false;
    taken += more;
    return true;
  }
  void give_back(std::size_t more) override { taken -= more; }
  [[nodiscard]] std::size_t width() const override { return 4; }

  bool lone = false;  // nothing else runs or waits
  std::size_t taken = 0;
};

// A model whose usual runs answer 1, and those of four threads 4.
class LoneRuns : public testing::Test {
 protected:
  void SetUp() override {
    auto info = std::make_shared<content::ModelInfo>();
    info->name = "m";
    model_.info = std::move(info);
    model_.executable = answers(1);
    model_.wide = std::make_shared<const catalog::WideRuns>(
        4, [this]() -> catalog::WideRuns::Model { return answers(4); });
  }

  std::shared_ptr<const backend::Executable> answers(float value) {
    backend::FakeModel fake;
    fake.spec.outputs = {{.name = "y", .type = tensor::DataType::kFp32, .shape = {1}}};
    fake.run = [this, value](const auto&) -> Result<std::vector<tensor::NamedTensor>> {
      taken_ = tokens_.taken;
      if (fails_) return internal_error("It failed.");
      const std::vector<float> values = {value};
      BASCULE_ASSIGN(auto out, tensor::copy_tensor<float>(tensor::DataType::kFp32, {1}, values));
      return std::vector<tensor::NamedTensor>{{.name = "y", .tensor = std::move(out)}};
    };
    backend::FakeBackend backend;
    backend.add("m", fake);
    return *backend.load("m.fake", {});
  }

  // What the next run answers; nothing where it fails. Whether it is told to be wide has to fit.
  std::optional<float> run() {
    RunPart part;
    RunPart* const parts = &part;
    runner_.run(model_, {&parts, 1});
    EXPECT_EQ(tokens_.taken, 0U) << "afterwards";
    if (!part.answer) return std::nullopt;
    const float value = part.answer->outputs[0].tensor.elements<float>()[0];
    EXPECT_EQ(part.wide, value == 4);
    return value;
  }

  Tokens tokens_;
  StepExecutor background_;
  HeldClock clock_;
  ModelRunner runner_{tokens_, &background_, clock_, batching::Sabotage::kNone};
  catalog::LoadedModel model_;
  bool fails_ = false;
  std::size_t taken_ = 99;  // beside its own token, during the last run
};

TEST_F(LoneRuns, AreWhatTheModelIsLoadedOnceMoreFor) {
  EXPECT_EQ(run(), 1);
  EXPECT_TRUE(background_.queue.empty()) << "nobody was alone yet";
  tokens_.lone = true;
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(background_.queue.size(), 1U);
  background_.run();
  EXPECT_EQ(run(), 4);
  EXPECT_EQ(taken_, 3U);
}

TEST_F(LoneRuns, BesideOthersARunIsAUsualOne) {
  tokens_.lone = true;
  EXPECT_EQ(run(), 1);
  background_.run();
  EXPECT_EQ(run(), 4);
  tokens_.lone = false;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(run(), 1) << i;
}

TEST_F(LoneRuns, AUsualOneForComparisonTakesNoTokens) {
  tokens_.lone = true;
  EXPECT_EQ(run(), 1);
  background_.run();
  EXPECT_EQ(run(), 4);
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(taken_, 0U);
}

TEST_F(LoneRuns, OneThatFailsGivesItsTokensBack) {
  tokens_.lone = true;
  EXPECT_EQ(run(), 1);
  background_.run();
  fails_ = true;
  EXPECT_EQ(run(), std::nullopt);
  EXPECT_EQ(taken_, 3U);
}

TEST_F(LoneRuns, WithoutABackgroundTheModelIsNotLoadedOnceMore) {
  ModelRunner runner(tokens_, nullptr, clock_, batching::Sabotage::kNone);
  tokens_.lone = true;
  RunPart part;
  RunPart* const parts = &part;
  runner.run(model_, {&parts, 1});
  EXPECT_TRUE(model_.wide->wanted()) << "nobody has taken that on";
}

}  // namespace
}  // namespace bascule::serving

#include "serving/control_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Control : public testing::Test {
 protected:
  void ready(const std::string& name, const std::string& version = "1") {
    auto info = std::make_shared<content::ModelInfo>();
    info->name = name;
    info->version = version;
    catalog_.set_ready(std::make_shared<catalog::LoadedModel>(
        catalog::LoadedModel{.info = std::move(info), .executable = nullptr}));
  }
  SteadyClock clock_;
  catalog::Catalog catalog_{""};
  ControlService control_{catalog_, clock_};
};

TEST_F(Control, ReadyOnceOneServesAndNoneLoads) {
  EXPECT_THAT(control_.ready().error().message, HasSubstr("No model is loaded"));
  catalog_.set_loading("a", "1");
  EXPECT_THAT(control_.ready().error().message, HasSubstr("'a' is still loading"));
  ready("a");
  EXPECT_TRUE(control_.ready());
  catalog_.set_loading("a", "1");  // anew
  EXPECT_TRUE(control_.ready());
  catalog_.set_failed("b", "1", "The file is bad.");
  EXPECT_TRUE(control_.ready());
  catalog_.set_unloaded("a", "1", "It was unloaded on request.");
  EXPECT_THAT(control_.ready().error().message, HasSubstr("The file is bad"));
}

TEST_F(Control, AModelThatLoadsOnUseIsReadyUnlessItFails) {
  catalog_.set_unloaded("a", "1", "It is not loaded; it loads on first use.", true);
  EXPECT_TRUE(control_.ready());
  EXPECT_TRUE(control_.model_ready("a", ""));
  EXPECT_TRUE(control_.model_ready("a", "1"));
  EXPECT_EQ(control_.model_ready("a", "2").error().reason, Reason::kUnknownVersion);
  EXPECT_TRUE(control_.ready_versions("a").empty()) << "the index says what is loaded";
  catalog_.set_loading("a", "1", true);
  EXPECT_TRUE(control_.ready()) << "it does not come and go with what requests ask for";
  EXPECT_TRUE(control_.model_ready("a", ""));
  catalog_.set_failed("a", "1", "The file is bad.", true);
  EXPECT_FALSE(control_.ready());
  EXPECT_THAT(control_.model_ready("a", "").error().message, HasSubstr("The file is bad"));
  ready("a");
  EXPECT_TRUE(control_.model_ready("a", ""));
  EXPECT_THAT(control_.ready_versions("a"), ElementsAre("1"));
  catalog_.set_unloaded("a", "1", "It was unloaded on request.");
  EXPECT_EQ(control_.model_ready("a", "").error().reason, Reason::kModelNotReady);
}

TEST_F(Control, WithoutAManagerNothingIsLoadedOnRequest) {
  Reason reason{};
  control_.load("a", nullptr, [&](const Result<void>& result) { reason = result.error().reason; });
  EXPECT_EQ(reason, Reason::kNoModelControl);
  reason = Reason::kNone;
  control_.unload("a", [&](const Result<void>& result) { reason = result.error().reason; });
  EXPECT_EQ(reason, Reason::kNoModelControl);
}

}  // namespace
}  // namespace bascule::serving

#include "protocol/v2/settings.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <grpc_service.pb.h>

namespace bascule::protocol::v2 {
namespace {

using log::Level;
using ::testing::HasSubstr;

RequestBody body_of(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  return {.bytes = std::as_bytes(std::span(*owner)), .owner = owner};
}

std::string why_log(const std::string& json, Level now = Level::kInfo) {
  const auto level = parse_log_settings(body_of(json), now);
  return level ? "it was taken" : level.error().message;
}

std::string why_trace(const std::string& json) {
  const auto checked = check_trace_settings(body_of(json));
  return checked ? "it was taken" : checked.error().message;
}

TEST(LogSettings, TellWhatIsInForce) {
  EXPECT_EQ(write_log_settings(Level::kInfo),
            R"({"log_file":"","log_info":true,"log_warning":true,"log_error":true,"log_verbose_level":0,)"
            R"("log_format":"default"})");
  EXPECT_THAT(write_log_settings(Level::kDebug), HasSubstr(R"("log_verbose_level":1)"));
  EXPECT_THAT(write_log_settings(Level::kOff), HasSubstr(R"("log_warning":false,"log_error":false)"));
}

TEST(LogSettings, WhatIsInForceCanBeSentBack) {
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarning, Level::kError, Level::kOff}) {
    EXPECT_EQ(parse_log_settings(body_of(write_log_settings(level)), Level::kInfo).value(), level);
    inference::LogSettingsResponse response;
    ASSERT_TRUE(response.ParseFromString(write_log_settings_message(level)));
    // Request and response are alike on the wire.
    EXPECT_EQ(parse_log_settings_message(body_of(response.SerializeAsString()), Level::kWarning).value(),
              level);
  }
}

TEST(LogSettings, ChangeTheLevel) {
  const struct {
    Level now;
    std::string_view json;
    Level wanted;
  } cases[] = {
      {Level::kInfo, "", Level::kInfo},
      {Level::kInfo, "{}", Level::kInfo},
      {Level::kInfo, R"({"log_verbose_level":1})", Level::kDebug},
      {Level::kInfo, R"({"log_verbose_level":7})", Level::kDebug},
      {Level::kDebug, R"({"log_verbose_level":0})", Level::kInfo},
      {Level::kInfo, R"({"log_info":false})", Level::kWarning},
      {Level::kInfo, R"({"log_warning":false,"log_info":false})", Level::kError},
      {Level::kError, R"({"log_error":false})", Level::kOff},
      {Level::kOff, R"({"log_error":true,"log_warning":true,"log_info":true,"log_verbose_level":1})",
       Level::kDebug},
      {Level::kWarning, R"({"log_info":null,"log_file":null,"log_format":null,"log_verbose_level":null})",
       Level::kWarning},
  };
  for (const auto& each : cases) {
    const auto level = parse_log_settings(body_of(std::string(each.json)), each.now);
    ASSERT_TRUE(level) << each.json << level.error().message;
    EXPECT_EQ(*level, each.wanted) << each.json;
  }
}

TEST(LogSettings, RefuseWhatIsNotTheirs) {
  EXPECT_THAT(why_log(R"({"log_file":"/etc/passwd"})"),
              HasSubstr("'log_file' is not changed over the network"));
  EXPECT_THAT(why_log(R"({"log_file":["",""]})"), HasSubstr("not changed over the network"));
  EXPECT_THAT(why_log(R"({"log_format":"ISO8601"})"), HasSubstr("'log_format' is not changed"));
  EXPECT_THAT(why_log(R"({"log_infos":true})"), HasSubstr("'log_infos' is unknown; known are log_info"));
  EXPECT_THAT(why_log(R"({"log_info":"yes"})"), HasSubstr("'log_info' must be true or false"));
  EXPECT_THAT(why_log(R"({"log_info":1})"), HasSubstr("'log_info' must be true or false"));
  EXPECT_THAT(why_log(R"({"log_verbose_level":true})"), HasSubstr("must be a whole number"));
  EXPECT_THAT(why_log(R"({"log_verbose_level":-1})"), HasSubstr("a value that none can have"));
  EXPECT_THAT(why_log(R"({"log_verbose_level":{}})"), HasSubstr("a value that none can have"));
  EXPECT_THAT(why_log(R"({"log_warning":false})"), HasSubstr("log_info true, log_warning false"));
  EXPECT_THAT(why_log("[]"), HasSubstr("object"));
  EXPECT_THAT(why_log("{} x"), HasSubstr("byte 3"));
  EXPECT_FALSE(parse_log_settings_message(body_of("\xff"), Level::kInfo));
  inference::LogSettingsRequest request;
  (*request.mutable_settings())["log_file"].set_string_param("../x");
  EXPECT_THAT(parse_log_settings_message(body_of(request.SerializeAsString()), Level::kInfo).error().message,
              HasSubstr("'log_file' is not changed"));
}

TEST(TraceSettings, AreTold) {
  EXPECT_EQ(
      write_trace_settings(),
      R"({"trace_level":["OFF"],"trace_rate":"1000","trace_count":"-1","log_frequency":"0","trace_file":""})");
  inference::TraceSettingResponse response;
  ASSERT_TRUE(response.ParseFromString(write_trace_settings_message()));
  EXPECT_EQ(response.settings().size(), 5U);
  EXPECT_EQ(response.settings().at("trace_level").value(0), "OFF");
}

TEST(TraceSettings, OnlyWhatIsInForceIsTaken) {
  EXPECT_EQ(why_trace(""), "it was taken");
  EXPECT_EQ(why_trace(write_trace_settings()), "it was taken");
  EXPECT_EQ(why_trace(R"({"trace_level":null,"trace_rate":null})"), "it was taken");
  EXPECT_THAT(why_trace(R"({"trace_level":["TIMESTAMPS"]})"),
              HasSubstr("not traced, so 'trace_level' stays 'OFF'"));
  EXPECT_THAT(why_trace(R"({"trace_level":["OFF","TENSORS"]})"), HasSubstr("stays 'OFF'"));
  EXPECT_THAT(why_trace(R"({"trace_rate":1})"), HasSubstr("'trace_rate' must be a string"));
  EXPECT_THAT(why_trace(R"({"trace_file":"traces/x"})"), HasSubstr("'trace_file' stays ''"));
  EXPECT_THAT(why_trace(R"({"traces":"1"})"), HasSubstr("'traces' is unknown"));
  EXPECT_THAT(why_trace(R"({"trace_level":[1]})"), HasSubstr("byte"));
}

TEST(TraceSettings, AMessageNamesItsModel) {
  inference::TraceSettingRequest request;
  request.set_model_name("m");
  (*request.mutable_settings())["trace_rate"];  // to be cleared
  EXPECT_EQ(parse_trace_setting_message(body_of(request.SerializeAsString())).value(), "m");
  (*request.mutable_settings())["trace_level"].add_value("TENSORS");
  EXPECT_THAT(parse_trace_setting_message(body_of(request.SerializeAsString())).error().message,
              HasSubstr("stays 'OFF'"));
}

}  // namespace
}  // namespace bascule::protocol::v2

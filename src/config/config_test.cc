#include <array>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/command_line.h"
#include "config/option.h"

namespace bascule::config {
namespace {

using testing::HasSubstr;

const std::vector<Option>& options() {
  static const std::vector<Option> table = {
      {.name = "host", .type = Type::kText, .fallback = "127.0.0.1", .text = "Address."},
      {.name = "http_port",
       .type = Type::kInteger,
       .fallback = "8000",
       .text = "Port.",
       .min = 0,
       .max = 65535},
      {.name = "log_level",
       .type = Type::kChoice,
       .fallback = "info",
       .text = "Level.",
       .choices = {"debug", "info"}},
      {.name = "quiet", .type = Type::kFlag, .text = "Say less."},
      {.name = "config", .type = Type::kText, .text = "File.", .command_line_only = true},
  };
  return table;
}

Values defaults() {
  Values values;
  EXPECT_TRUE(apply_defaults(options(), values));
  return values;
}

TEST(Yaml, ReadsValuesAndModels) {
  Values values = defaults();
  const auto models = apply_yaml(
      options(), "http_port: 9000\nmodels:\n  - a.onnx\n  - {path: b.onnx, name: bee}\n", "f.yaml", values);
  ASSERT_TRUE(models) << models.error().message;
  EXPECT_EQ(values.integer("http_port"), 9000);
  EXPECT_EQ(values.origin("http_port"), Origin::kFile);
  ASSERT_EQ(models->size(), 2U);
  EXPECT_EQ((*models)[1].path, "b.onnx");
  EXPECT_EQ((*models)[1].name, "bee");
}

struct BadYaml {
  std::string yaml;
  std::string message;
};
class YamlErrors : public testing::TestWithParam<BadYaml> {};

TEST_P(YamlErrors, NameFileLineAndCause) {
  Values values = defaults();
  const auto models = apply_yaml(options(), GetParam().yaml, "f.yaml", values);
  ASSERT_FALSE(models);
  EXPECT_THAT(models.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Table, YamlErrors,
    testing::Values(
        BadYaml{"host: a\nhttp_prot: 1\n", "f.yaml:2: unknown key 'http_prot'; did you mean 'http_port'?"},
        BadYaml{"host: a\nhost: b\n", "f.yaml:2: 'host' is given twice"},
        BadYaml{"http_port: 70000\n", "f.yaml:1: http_port: '70000' is not a number from 0 to 65535"},
        BadYaml{"http_port: [1]\n", "f.yaml:1: 'http_port' must be a single value"},
        BadYaml{"config: x\n", "unknown key 'config'"},
        BadYaml{"models: a.onnx\n", "'models' must be a list"},
        BadYaml{"models: [{nam: a}]\n", "unknown key 'nam'; did you mean 'name'?"},
        BadYaml{"a: [\n", "this is not YAML that can be read"}, BadYaml{"- a\n", "map of keys"}));

TEST(Values, StrongerOriginWinsWhateverTheOrder) {
  Values values = defaults();
  const Option& port = options()[1];
  ASSERT_TRUE(values.set(port, "1", Origin::kFlag, "--http-port"));
  ASSERT_TRUE(values.set(port, "2", Origin::kFile, "file"));
  EXPECT_EQ(values.integer("http_port"), 1);
}

TEST(Environment, ReadsVariablesAndNamesThemInErrors) {
  Values values = defaults();
  ASSERT_TRUE(apply_environment(
      options(), [](const char* name) { return std::string_view(name) == "BASCULE_HOST" ? "::1" : nullptr; },
      values));
  EXPECT_EQ(values.text("host"), "::1");
  const auto bad = apply_environment(
      options(),
      [](const char* name) { return std::string_view(name) == "BASCULE_HTTP_PORT" ? "x" : nullptr; }, values);
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr("BASCULE_HTTP_PORT: 'x' is not a whole number"));
}

std::vector<Command> commands() {
  return {{.name = "serve",
           .text = "Serves.",
           .positional = "PATH",
           .positional_text = "Models.",
           .options = options(),
           .examples = "Example"}};
}

template <std::size_t N>
Result<Parsed> parse(const std::array<const char*, N>& words) {
  return parse_command_line(static_cast<int>(N), words.data(), "1.2.3", "A server.", commands());
}

TEST(CommandLine, GivesPositionalsAndFlags) {
  const auto parsed =
      parse(std::array{"bascule", "serve", "a.onnx", "b.onnx", "--http-port", "0", "--quiet"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_THAT(parsed->positionals, testing::ElementsAre("a.onnx", "b.onnx"));
  EXPECT_EQ(parsed->values.integer("http_port"), 0);
  EXPECT_TRUE(parsed->values.flag("quiet"));
  EXPECT_FALSE(parsed->values.has("host"));
}

TEST(CommandLine, SuggestsTheNearestFlag) {
  const auto parsed = parse(std::array{"bascule", "serve", "a.onnx", "--htp-port", "0"});
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().message, HasSubstr("did you mean --http-port?"));
}

TEST(CommandLine, AnUnknownCommandIsNamed) {
  const auto parsed = parse(std::array{"bascule", "serv", "a.onnx"});
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().message,
              testing::AllOf(HasSubstr("no command 'serv'"), HasSubstr("did you mean 'serve'?")));
}

TEST(CommandLine, ChecksRanges) {
  const auto parsed = parse(std::array{"bascule", "serve", "a.onnx", "--http-port=99999"});
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().message, HasSubstr("--http-port: '99999' is not a number from 0 to 65535"));
}

TEST(CommandLine, HelpAndVersionArePrinted) {
  const auto help = parse(std::array{"bascule", "serve", "--help"});
  ASSERT_TRUE(help);
  EXPECT_THAT(help->print_and_exit,
              testing::AllOf(HasSubstr("--http-port"), HasSubstr("Default: 8000"), HasSubstr("Example")));
  const auto version = parse(std::array{"bascule", "--version"});
  ASSERT_TRUE(version);
  EXPECT_EQ(version->print_and_exit, "1.2.3\n");
}

TEST(CommandLine, MissingPositionalIsASentence) {
  const auto parsed = parse(std::array{"bascule", "serve"});
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().message, HasSubstr("bascule serve --help"));
}

}  // namespace
}  // namespace bascule::config

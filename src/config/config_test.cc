#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

const std::vector<Option>& model_options() {
  static const std::vector<Option> table = {
      {.name = "rows", .type = Type::kInteger, .fallback = "0", .text = "Rows.", .min = 0, .max = 64},
      {.name = "threads",
       .type = Type::kInteger,
       .fallback = "auto",
       .text = "Threads.",
       .min = 1,
       .max = 8,
       .choices = {"auto"}},
      {.name = "liked",
       .type = Type::kInteger,
       .text = "Rows that are liked.",
       .min = 1,
       .max = 64,
       .max_items = 3},
      {.name = "samples", .type = Type::kText, .text = "Files.", .max_items = 4, .one_model_only = true},
  };
  return table;
}

const Tables& tables() {
  static const Tables both{.server = options(), .model = model_options()};
  return both;
}

Values defaults() {
  Values values;
  EXPECT_TRUE(apply_defaults(options(), values));
  EXPECT_TRUE(apply_defaults(model_options(), values));
  return values;
}

TEST(Yaml, ReadsValuesAndModels) {
  Values values = defaults();
  const auto models = apply_yaml(
      tables(), "http_port: 9000\nmodels:\n  - a.onnx\n  - {path: b.onnx, name: bee}\n", "f.yaml", values);
  ASSERT_TRUE(models) << models.error().message;
  EXPECT_EQ(values.integer("http_port"), 9000);
  EXPECT_EQ(values.source("http_port").origin, Origin::kFile);
  EXPECT_EQ(values.source("http_port").place, "f.yaml:1");
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
  const auto models = apply_yaml(tables(), GetParam().yaml, "f.yaml", values);
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
        BadYaml{"models:\n  - path: a\n    row: 1\n", "f.yaml:3: unknown key 'row'; did you mean 'rows'?"},
        BadYaml{"models: [{path: a, rows: 1, rows: 2}]\n", "f.yaml:1: 'rows' is given twice"},
        BadYaml{"models: [{path: a, rows: 65}]\n", "f.yaml:1: rows: '65' is not a number from 0 to 64"},
        BadYaml{"models: [{path: a, host: b}]\n", "unknown key 'host'"},
        BadYaml{"rows: many\n", "f.yaml:1: rows: 'many' is not a whole number from 0 to 64"},
        BadYaml{"threads: some\n", "threads: 'some' is not a whole number from 1 to 8, or auto"},
        BadYaml{"samples: [a]\n", "f.yaml:1: 'samples' is said of one model"},
        BadYaml{"liked: 4\n", "f.yaml:1: 'liked' must be a list"},
        BadYaml{"liked: [1, 2, 3, 4]\n", "liked: 4 values are given; at most 3 are taken"},
        BadYaml{"liked: [1, x]\n", "liked: 'x' is not a whole number"},
        BadYaml{"liked: [1, [2]]\n", "a value of 'liked' must be a single value"},
        BadYaml{"a: [\n", "this is not YAML that can be read"}, BadYaml{"- a\n", "map of keys"}));

TEST(Values, StrongerOriginWinsWhateverTheOrder) {
  Values values = defaults();
  const Option& port = options()[1];
  ASSERT_TRUE(values.set(port, "1", {.origin = Origin::kFlag, .place = "--http-port"}));
  ASSERT_TRUE(values.set(port, "2", {.origin = Origin::kFile, .place = "f.yaml:1"}));
  EXPECT_EQ(values.integer("http_port"), 1);
}

// What each way of setting `rows` gives, by the strongest way that is used.
struct Ways {
  std::string name;
  bool file = false;
  bool own = false;
  bool entry = false;
  bool variable = false;
  bool flag = false;
  std::int64_t rows = 0;
  std::string place;
};
class Precedence : public testing::TestWithParam<Ways> {};

TEST_P(Precedence, TheLaterWins) {
  const Ways& ways = GetParam();
  Values server;
  const Option& rows = model_options()[0];
  if (ways.flag) {
    ASSERT_TRUE(server.set(rows, "5", {.origin = Origin::kFlag, .place = "--rows"}));
  }
  const std::string yaml = std::string(ways.file ? "rows: 1\n" : "") + "models:\n  - path: a\n" +
                           (ways.entry ? "    rows: 3\n" : "");
  const auto entries = apply_yaml(tables(), yaml, "f.yaml", server);
  ASSERT_TRUE(entries) << entries.error().message;
  if (ways.variable) {
    const auto four = [](const char* name) {
      return std::string_view(name) == "BASCULE_ROWS" ? "4" : nullptr;
    };
    ASSERT_TRUE(apply_environment(model_options(), four, server));
  }
  ASSERT_TRUE(apply_defaults(model_options(), server));
  Values own = server;
  if (ways.own) {
    ASSERT_TRUE(apply_model_yaml(model_options(), "rows: 2\n", "m.yaml", own));
  }
  own.merge(entries->at(0).values);
  EXPECT_EQ(own.integer("rows"), ways.rows);
  EXPECT_EQ(own.source("rows").place, ways.place);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Precedence,
    testing::Values(Ways{.name = "None", .place = "default"},
                    Ways{.name = "File", .file = true, .rows = 1, .place = "f.yaml:1"},
                    Ways{.name = "Own", .file = true, .own = true, .rows = 2, .place = "m.yaml:1"},
                    Ways{.name = "Entry", .own = true, .entry = true, .rows = 3, .place = "f.yaml:3"},
                    Ways{
                        .name = "EntryOverFile", .file = true, .entry = true, .rows = 3, .place = "f.yaml:4"},
                    Ways{.name = "Variable",
                         .own = true,
                         .entry = true,
                         .variable = true,
                         .rows = 4,
                         .place = "BASCULE_ROWS"},
                    Ways{.name = "Flag",
                         .file = true,
                         .own = true,
                         .entry = true,
                         .variable = true,
                         .flag = true,
                         .rows = 5,
                         .place = "--rows"}),
    [](const auto& param) { return param.param.name; });

TEST(ModelYaml, ReadsListsAndWords) {
  Values values = defaults();
  EXPECT_EQ(values.integer_or_word("threads"), std::nullopt);
  ASSERT_TRUE(apply_model_yaml(
      model_options(), "# of this model\nliked: [2, 4]\nsamples:\n  - a,b.json\n  - c.jpg\nthreads: 3\n",
      "m.yaml", values));
  EXPECT_THAT(values.items("liked"), testing::ElementsAre("2", "4"));
  EXPECT_THAT(values.items("samples"), testing::ElementsAre("a,b.json", "c.jpg"));
  EXPECT_EQ(values.integer_or_word("threads"), 3);
  EXPECT_TRUE(apply_model_yaml(model_options(), "", "m.yaml", values));
}

TEST(ModelYaml, RefusesWhatIsNoModelsSetting) {
  for (const auto& [yaml, words] : std::vector<BadYaml>{
           {"\nrow: 1\n", "m.yaml:2: unknown key 'row'; did you mean 'rows'?"},
           {"rows: 1\nrows: 1\n", "m.yaml:2: 'rows' is given twice"},
           {"http_port: 1\n", "m.yaml:1: unknown key 'http_port'"},
           {"path: a\n", "m.yaml:1: unknown key 'path'"},
           {"- rows\n", "m.yaml:1: a model's settings are a map"},
           {"rows: 65\n", "m.yaml:1: rows: '65' is not a number from 0 to 64"},
           {"rows: [\n", "this is not YAML that can be read"},
       }) {
    Values values = defaults();
    const auto read = apply_model_yaml(model_options(), yaml, "m.yaml", values);
    ASSERT_FALSE(read) << yaml;
    EXPECT_THAT(read.error().message, HasSubstr(words));
  }
}

TEST(Reference, HasBothTablesAndBothSchemas) {
  const std::string page = reference_markdown(tables());
  EXPECT_THAT(page, HasSubstr("| `--threads` | `threads` | `BASCULE_THREADS` | 1 to 8, or auto | `auto` |"));
  EXPECT_THAT(page, HasSubstr("|  | `samples` |  | text; at most 4 |  | Files. |"));
  EXPECT_THAT(page, HasSubstr("| `--config` |  |  | text |"));
  const std::string own = model_json_schema(tables());
  EXPECT_THAT(own, HasSubstr(R"("threads": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 8}, )"
                             R"({"enum": ["auto"]}], "description": "Threads."})"));
  EXPECT_THAT(own, HasSubstr(R"("samples": {"type": "array", "items": {"type": "string"}, "maxItems": 4)"));
  EXPECT_THAT(own, testing::Not(HasSubstr("http_port")));
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
           .model_options = model_options(),
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

TEST(CommandLine, TakesModelSettingsButThoseOfOneModel) {
  const auto parsed =
      parse(std::array{"bascule", "serve", "a.onnx", "--liked", "2, 4", "--threads=auto", "--quiet=false"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_THAT(parsed->values.items("liked"), testing::ElementsAre("2", "4"));
  EXPECT_EQ(parsed->values.source("liked").place, "--liked");
  EXPECT_FALSE(parsed->values.flag("quiet"));
  EXPECT_TRUE(parsed->values.has("quiet"));
  EXPECT_FALSE(parse(std::array{"bascule", "serve", "a.onnx", "--samples", "x"}));
  EXPECT_FALSE(parse(std::array{"bascule", "serve", "a.onnx", "--liked", "2,,4"}));
}

TEST(CommandLine, AListMayBeSaidFlagByFlag) {
  const auto parsed =
      parse(std::array{"bascule", "serve", "--liked", "2", "a.onnx", "--liked", "4,8", "b.onnx"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_THAT(parsed->values.items("liked"), testing::ElementsAre("2", "4", "8"));
  EXPECT_THAT(parsed->positionals, testing::ElementsAre("a.onnx", "b.onnx"));
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

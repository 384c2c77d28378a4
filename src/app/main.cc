#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "app/commands.h"
#include "config/command_line.h"

namespace {

// `bascule app run FILE …` is `bascule serve --config FILE …`: applications run beside models, in one server.
std::vector<char*> words_of(int argc, char** argv) {
  static std::string serve = "serve";
  static std::string config = "--config";
  std::vector<char*> words(argv, argv + argc);
  if (words.size() < 4 || std::string_view(words[1]) != "app" || std::string_view(words[2]) != "run") {
    return words;
  }
  words[1] = serve.data();
  words[2] = config.data();
  return words;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace bascule;
  std::vector<char*> words = words_of(argc, argv);
  const auto description = fmt::format(
      "Bascule {} serves trained models: a model file in, predictions with names out.", app::kVersion);
  auto parsed = config::parse_command_line(argc, words.data(), std::string(app::kVersion), description,
                                           app::commands());
  if (!parsed) return app::fail(parsed.error(), app::kUsage);
  if (!parsed->print_and_exit.empty()) {
    fmt::print("{}", parsed->print_and_exit);
    return app::kOk;
  }
  if (parsed->command == "serve") return app::serve(*std::move(parsed));
  if (parsed->command == "predict") return app::predict(*std::move(parsed));
  if (parsed->command == "batch") return app::batch(*std::move(parsed));
  if (parsed->command == "eval") return app::eval(*std::move(parsed));
  if (parsed->command == "tune") return app::tune(*std::move(parsed));
  if (parsed->command == "inspect") return app::inspect(*std::move(parsed));
  if (parsed->command == "import") return app::import_model(*std::move(parsed));
  if (parsed->command == "key") return app::key(*std::move(parsed));
  if (parsed->command == "app") return app::app(*std::move(parsed));
  return app::print_config(*std::move(parsed));
}

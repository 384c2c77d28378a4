#include "config/command_line.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/text.h"

namespace bascule::config {
namespace {

std::string help_text(const Option& option) {
  std::string out = option.text;
  if (option.type == Type::kChoice) out += fmt::format(" One of {}.", fmt::join(option.choices, ", "));
  if (option.type == Type::kInteger || option.type == Type::kNumber) {
    out += fmt::format(" {}.", values_text(option));
  }
  if (!option.fallback.empty()) out += fmt::format(" Default: {}.", option.fallback);
  return out;
}

// The raw words of one subcommand, as the library fills them in.
struct Bound {
  const Command* command = nullptr;
  CLI::App* app = nullptr;
  std::map<std::string, std::string> texts;
  std::map<std::string, std::vector<std::string>> lists;
  std::map<std::string, bool> flags;
  std::vector<std::string> positionals;
};

std::string type_name(const Option& option) {
  if (option.type == Type::kChoice) return "CHOICE";
  if (option.type == Type::kText) return "TEXT";
  return option.max_items > 0 ? "N,N" : "N";
}

void add(const Option& option, const std::string& group, Bound& bound) {
  if (option.type == Type::kFlag) {
    bound.app->add_flag(flag_name(option), bound.flags[option.name], help_text(option))->group(group);
  } else if (option.max_items > 0) {
    // A list has commas, or its flag is said again.
    bound.app->add_option(flag_name(option), bound.lists[option.name], help_text(option))
        ->expected(1)
        ->allow_extra_args(false)  // the next word is none of it
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name(type_name(option))
        ->group(group);
  } else {
    bound.app->add_option(flag_name(option), bound.texts[option.name], help_text(option))
        ->type_name(type_name(option))
        ->group(group);
  }
}

// Both tables, in order.
std::vector<Option> all_options(const Command& command) {
  std::vector<Option> out = command.options;
  std::ranges::copy_if(command.model_options, std::back_inserter(out),
                       [](const Option& option) { return !option.one_model_only; });
  return out;
}

void bind(CLI::App& root, const Command& command, Bound& bound) {
  CLI::App* app = root.add_subcommand(command.name, command.text);
  bound.command = &command;
  bound.app = app;
  app->footer(command.examples);
  if (!command.positional.empty()) {
    auto* positional = app->add_option(command.positional, bound.positionals, command.positional_text);
    positional->type_name("");
    if (command.positional_needed) positional->required();
  }
  for (const Option& option : command.options) add(option, "Options", bound);
  for (const Option& option : command.model_options) {
    if (!option.one_model_only) add(option, "For every model", bound);
  }
}

Result<void> collect(const Bound& bound, Values& values) {
  for (const Option& option : all_options(*bound.command)) {
    const std::string flag = flag_name(option);
    if (bound.app->count(flag) == 0) continue;
    const std::string value = option.max_items > 0
                                  ? fmt::format("{}", fmt::join(bound.lists.at(option.name), ","))
                              : option.type != Type::kFlag  ? bound.texts.at(option.name)
                              : bound.flags.at(option.name) ? "true"
                                                            : "false";
    BASCULE_TRY(values.set(option, value, {.origin = Origin::kFlag, .place = flag}));
  }
  return {};
}

// "--htp-port" -> the nearest flag of the subcommand that was named.
std::string hint_for(const std::string& message, const std::vector<Bound>& bounds, int argc,
                     const char* const* argv) {
  std::string command;
  std::vector<std::string> commands;
  for (const Bound& bound : bounds) commands.push_back(bound.command->name);
  if (argc > 1 && std::ranges::find(commands, argv[1]) == commands.end()) {
    const auto near = text::nearest(argv[1], commands);
    return fmt::format("There is no command '{}'{} Known are {}. See: bascule --help",
                       text::shortened(argv[1]), near ? fmt::format("; did you mean '{}'?", *near) : ".",
                       fmt::join(commands, ", "));
  }
  for (const Bound& bound : bounds) {
    if (argc > 1 && bound.command->name == argv[1]) {
      command = " " + bound.command->name;
      std::vector<std::string> known;
      for (const Option& option : all_options(*bound.command)) known.push_back(flag_name(option));
      for (int i = 2; i < argc; ++i) {
        const std::string_view word =
            std::string_view(argv[i]).substr(0, std::string_view(argv[i]).find('='));
        if (!word.starts_with("--") || std::ranges::find(known, word) != known.end()) continue;
        if (const auto near = text::nearest(word, known)) {
          return fmt::format("Unknown option {}; did you mean {}? See: bascule{} --help",
                             text::shortened(word), *near, command);
        }
      }
    }
  }
  return fmt::format("{}. See: bascule{} --help",
                     message.ends_with('.') ? message.substr(0, message.size() - 1) : message, command);
}

}  // namespace

Result<Parsed> parse_command_line(int argc, const char* const* argv, const std::string& version,
                                  const std::string& description, std::span<const Command> commands) {
  CLI::App root{description, "bascule"};
  root.set_version_flag("--version", version);
  root.require_subcommand(1);
  root.get_formatter()->column_width(28);
  std::vector<Bound> bounds(commands.size());
  for (std::size_t i = 0; i < commands.size(); ++i) bind(root, commands[i], bounds[i]);
  try {
    root.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    for (const Bound& bound : bounds) {
      if (bound.app->parsed()) return Parsed{.print_and_exit = bound.app->help("bascule") + "\n"};
    }
    return Parsed{.print_and_exit = root.help()};
  } catch (const CLI::CallForVersion&) {
    return Parsed{.print_and_exit = version + "\n"};
  } catch (const CLI::ParseError& error) {
    return invalid_argument(hint_for(error.what(), bounds, argc, argv));
  }
  for (Bound& bound : bounds) {
    if (!bound.app->parsed()) continue;
    Parsed parsed{.command = bound.command->name, .positionals = std::move(bound.positionals)};
    BASCULE_TRY(collect(bound, parsed.values));
    return parsed;
  }
  return invalid_argument("No command was given. See: bascule --help");
}

}  // namespace bascule::config

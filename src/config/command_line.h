#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/option.h"

namespace bascule::config {

// One subcommand: what it is called, what it takes, and what --help teaches.
// Thread-safety: immutable.
struct Command {
  std::string name;        // "serve"
  std::string text;        // one sentence
  std::string positional;  // "PATH"; empty: takes none
  std::string positional_text;
  bool positional_needed = true;
  std::vector<Option> options;
  std::vector<Option> model_options;  // under a heading of their own: for every model
  std::string examples;               // printed at the end of --help
};

// What the user asked for.
struct Parsed {
  std::string command;
  std::vector<std::string> positionals;
  Values values;               // flags only; defaults, file and environment come after, weaker ones never win
  std::string print_and_exit;  // --help or --version: print this and leave with 0
};

// Reads argv. Errors: kInvalidArgument, a sentence that ends with the command whose --help helps.
Result<Parsed> parse_command_line(int argc, const char* const* argv, const std::string& version,
                                  const std::string& description, std::span<const Command> commands);

}  // namespace bascule::config

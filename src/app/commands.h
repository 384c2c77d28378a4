#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/command_line.h"
#include "config/option.h"

namespace bascule::app {

inline constexpr std::string_view kVersion = BASCULE_VERSION;

// Exit codes that scripts can use.
inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;  // something that was asked for did not work
inline constexpr int kUsage = 2;   // the command line or the configuration is wrong

inline constexpr int kStopped = 3;  // a signal ended it before it was done; the same command goes on

// Every subcommand with its options.
[[nodiscard]] const std::vector<config::Command>& commands();
[[nodiscard]] const config::Command& command(std::string_view name);

// Puts file, environment and defaults behind the flags, and configures the log. Gives the file's models.
Result<std::vector<config::ModelEntry>> complete_values(const config::Command& command,
                                                        config::Values& values);

// Prints "bascule: MESSAGE" to standard error and gives `exit_code`.
int fail(const Error& error, int exit_code);

int serve(config::Parsed parsed);
int predict(config::Parsed parsed);
int batch(config::Parsed parsed);
int eval(config::Parsed parsed);
int tune(config::Parsed parsed);
int inspect(config::Parsed parsed);
int key(config::Parsed parsed);
int import_model(config::Parsed parsed);
int app(config::Parsed parsed);
int print_config(config::Parsed parsed);

}  // namespace bascule::app

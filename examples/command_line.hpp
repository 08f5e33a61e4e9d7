#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <arpa/inet.h>
#include <poll.h>
#include <spdlog/logger.h>
#include <unistd.h>

#ifndef TROUPE_VERSION
#define TROUPE_VERSION "of unknown version"
#endif

namespace command_line {

/// The exit status after arguments that make no sense, as of any program; what went wrong later is
/// EXIT_FAILURE.
constexpr int wrong_usage = 2;

/// Reads the arguments, `--help` and `--version` among them. Returns the exit status if the program has
/// nothing more to do.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", app.get_name() + " " TROUPE_VERSION, "prints it, and ends");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? EXIT_SUCCESS : wrong_usage;
  }
  return {};
}

/// Adds `--log-level` to the options.
inline void add_log_level(CLI::App& app, std::string& level) {
  app
    .add_option("--log-level", level,
                "trace, debug, info, warning, error, critical or off (" + level + ")")
    ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "critical", "off"}));
}

inline void set_level(spdlog::logger& logger, const std::string& level) {
  logger.set_level(spdlog::level::from_str(level));
}

/// Accepts an IP address; a name would have to be looked up, and may have several.
inline const CLI::Validator local_address{
  [](const std::string& text) -> std::string {
    unsigned char address[sizeof(in6_addr)];
    const auto number = text.substr(0, text.find('%')); // behind it an IPv6 address has its scope
    return ::inet_pton(AF_INET, text.c_str(), address) == 1
               || ::inet_pton(AF_INET6, number.c_str(), address) == 1
             ? ""
             : "give an address in numbers, such as 127.0.0.1 or ::1; names are not looked up";
  },
  ""};

/// Prints a line on standard output; not while whoever reads that has stopped reading, for what
/// strangers make a program say must not hold it up. At most some 4,000 bytes.
inline void say(const std::string& line) {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  if (::poll(&out, 1, 0) != 1)
    return;
  std::puts(line.c_str());
  std::fflush(stdout);
}

} // namespace command_line

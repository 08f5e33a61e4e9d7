#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/irc/server.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"

/// Somebody with a client: reads all that comes.
class irc_user : public troupe::line_receiver {
public:
  using line_receiver::line_receiver;
  void line_received(std::string_view line) override { heard.emplace_back(line); }
  std::vector<std::string> heard;
};

/// A server in a network in memory, and its users.
struct irc_fixture {
  explicit irc_fixture(troupe::irc::server_options options = {.name = "irc.example",
                                                              .cloak_hosts = false,
                                                              .flood_control = false})
    : irc_fixture(std::make_shared<troupe::irc::server>(std::move(options))) {}
  explicit irc_fixture(std::shared_ptr<troupe::irc::server> of)
    : server(std::move(of)), port(net.listen(0, server->make_factory())) {}

  irc_user& connect() { return net.connect<irc_user>(port); }

  /// Sends lines, and lets everybody read.
  void say(irc_user& u, std::string_view lines) {
    net.enter(u, [&] { u.transport().write(std::string{lines} + "\r\n"); });
    net.flush();
  }

  irc_user& join(const std::string& nick, const std::string& first = "") {
    auto& u = connect();
    say(u, first + "NICK " + nick + "\r\nUSER " + nick + " 0 * :The " + nick);
    REQUIRE(has(u, " 001 " + nick + " "));
    u.heard.clear();
    return u;
  }

  /// Sends lines, and returns what came to this one alone.
  std::vector<std::string> ask(irc_user& u, std::string_view lines) {
    u.heard.clear();
    say(u, lines);
    return u.heard;
  }

  static bool has(const irc_user& u, std::string_view part) {
    return std::ranges::any_of(
      u.heard, [&](const auto& line) { return line.find(part) != std::string::npos; });
  }

  troupe::testing::memory_network net;
  const std::shared_ptr<troupe::irc::server> server;
  const std::uint16_t port;
};

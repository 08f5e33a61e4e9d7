#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/http/http_request.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "http_connection.hpp"

namespace troupe::testing {

/// A connection of a server in memory.
struct http_exchange : protocol_fixture<http_connection> {
  explicit http_exchange(http_handler handler, http_server_options options = {})
    : protocol_fixture(std::make_shared<const troupe::detail::http_service>(
      troupe::detail::http_service{std::move(handler), with_clock(std::move(options))})) {}

  static http_server_options with_clock(http_server_options options) {
    if (!options.wall_clock)
      options.wall_clock = [] {
        return std::time_t{784111777};
      };
    return options;
  }

  [[nodiscard]] const std::string& sent() const { return transport.value(); }

  /// Returns what was sent since the last call.
  std::string take() {
    auto text = transport.value();
    transport.clear();
    return text;
  }

  /// Returns the statuses of the responses.
  [[nodiscard]] std::vector<int> statuses() const {
    std::vector<int> found;
    const auto& text = sent();
    for (std::size_t at = 0; (at = text.find("HTTP/1.1 ", at)) != std::string::npos; ++at)
      if (const auto digit = text[at + 9];
          digit >= '1' && digit <= '9') // else it is a text about versions
        found.push_back(std::stoi(text.substr(at + 9, 3)));
    return found;
  }

  [[nodiscard]] bool closing() const {
    return transport.disconnecting() || transport.write_closed();
  }
};

/// The handler that the tables are about: "/" takes any body, other paths are not found.
inline http_handler table_handler() {
  http_router site;
  site.get("/", [](http_request) { return http_response{200, "Hello, world!"}; });
  site.post("/", [](http_request r) -> http_reply {
    return r.read_all().add_callback([](std::string body) {
      return http_response{200, std::to_string(body.size()) + " bytes\n"};
    });
  });
  return site.handler();
}

} // namespace troupe::testing

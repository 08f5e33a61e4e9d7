#pragma once

#include <cstdint>
#include <string>

#include <troupe/net/protocol.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"

namespace troupe::testing {

/// Sends everything back.
class echo : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { transport().write(data); }
};

inline void expect_echo(client& c, const std::string& text = "hi") {
  c.send(text);
  CHECK(c.receive(text.size()) == text);
}

inline void expect_echo(std::uint16_t port) {
  client c{port};
  expect_echo(c);
}

} // namespace troupe::testing

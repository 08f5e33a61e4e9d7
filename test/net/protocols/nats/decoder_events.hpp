#pragma once

#include <string>
#include <vector>

#include <troupe/nats/nats_decoder.hpp>

namespace troupe::testing {

/// Writes down what a decoder tells.
struct decoder_events final : nats_sink {
  void info_received(std::string_view json) override { add("INFO", json); }
  void message_received(std::uint64_t sid, const nats_message_view& m) override {
    add("MSG " + std::to_string(sid) + ' ' + std::string{m.subject} + '|' + std::string{m.reply}
          + '|' + std::string{m.header_block},
        m.payload);
  }
  void ping_received() override { add("PING", {}); }
  void pong_received() override { add("PONG", {}); }
  void ok_received() override { add("OK", {}); }
  void error_received(std::string_view text) override { add("ERR", text); }

  void add(std::string what, std::string_view text) {
    all.push_back(std::move(what) + '|' + std::string{text});
  }

  std::vector<std::string> all;
};

} // namespace troupe::testing

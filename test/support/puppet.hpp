#pragma once

#include <stdexcept>
#include <string>

#include <troupe/net/protocol.hpp>
#include <troupe/net/tls_info.hpp>

#include "support/running.hpp"

namespace troupe::testing {

/// Does what its input says, and tells what happens to it.
class puppet : public protocol {
public:
  puppet(caf::actor_config& cfg, events* log) : protocol(cfg), log_(log) {}

  void connection_made() override { log_->add("made"); }

  void data_received(bytes_view data) override {
    const auto text = std::string{as_text(data)};
    if (text == "lose") {
      transport().write("bye");
      transport().lose_connection();
      transport().write("too late");
      log_->add("refused " + std::to_string(transport().refused_writes()));
    } else if (text == "abort") {
      transport().write("never sent");
      transport().abort_connection();
    } else if (text == "throw") {
      throw std::runtime_error("in data_received");
    } else if (text == "quit") {
      transport().write("so long");
      quit();
    } else if (text == "big") {
      transport().write(std::string(20u << 20, 'x'));
      transport().lose_connection();
    } else if (text == "pieces") {
      transport().write_sequence({"one ", "two ", "three"});
      transport().write(shared_bytes{std::string(100'000, 's')});
      transport().write(std::string(20'000, 'm'));
      transport().write("end");
      transport().lose_connection();
    } else if (text == "about") {
      const auto* const tls = transport().tls();
      const auto peer = tls->peer_certificate();
      transport().write(std::string{tls->version_name()} + ' ' + std::string{tls->alpn()} + ' '
                        + std::string{tls->server_name()} + ' ' + (tls->resumed() ? "again" : "new")
                        + ' ' + (peer ? peer->subject + ' ' + peer->names.front() : "nobody")
                        + "\r\n");
    } else {
      transport().write(data);
    }
  }

  void connection_lost(const failure& why) override { log_->add("lost: " + why.message()); }

  [[nodiscard]] events& log() const noexcept { return *log_; }

private:
  events* log_;
};

} // namespace troupe::testing

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include <troupe/net/client_factory.hpp>
#include <troupe/net/listen_tcp.hpp>

#include "support/echo.hpp"
#include "support/running.hpp"

namespace troupe::testing {

/// Says something, and tells what comes back and how it ends.
class caller : public protocol {
public:
  caller(caf::actor_config& cfg, events& told, std::string text)
    : protocol(cfg), told_(told), text_(std::move(text)) {}
  void connection_made() override {
    told_.add("made");
    transport().write(text_);
  }
  void data_received(bytes_view data) override {
    got_ += as_text(data);
    if (got_.size() == text_.size()) {
      told_.add(got_);
      transport().lose_connection();
    }
  }
  void connection_lost(const failure& why) override { told_.add("lost: " + why.message()); }

private:
  events& told_;
  std::string text_;
  std::string got_;
};

/// Tells what a client factory is told; what else it does is up to the test.
class client_reporter : public client_factory {
public:
  using action = std::function<void(connector&)>;
  struct actions {
    action on_started = {};
    action on_failed = {};
    action on_lost = {};
    bool builds = true;
  };

  client_reporter(caf::actor_config& cfg, events& told, actions what)
    : client_factory(cfg), told_(told), actions_(std::move(what)) {}

  void start_factory() override { told_.add("start"); }
  void stop_factory() override { told_.add("stop"); }
  protocol_ptr build_protocol(const net_address&) override {
    if (!actions_.builds)
      return nullptr;
    return make_protocol<caller>(std::ref(told_), "hello");
  }
  void started_connecting(connector& c) override {
    told_.add("connecting to " + c.get_destination().to_string());
    if (c.get_state() != connector::state::connecting) // Catch2's checks are for one thread
      told_.add("not connecting");
    if (actions_.on_started)
      actions_.on_started(c);
  }
  void client_connection_failed(connector& c, const failure& why) override {
    told_.add("failed: " + why.message());
    if (c.get_state() != connector::state::disconnected)
      told_.add("not disconnected");
    last = why;
    if (actions_.on_failed)
      actions_.on_failed(c);
  }
  void client_connection_lost(connector& c, const failure& why) override {
    told_.add("gone: " + why.message());
    if (actions_.on_lost)
      actions_.on_lost(c);
  }

  static inline failure last;

private:
  events& told_;
  actions actions_;
};

inline client_factory_ref reports(events& told, client_reporter::actions what = {}) {
  return client_factory::of<client_reporter>(std::ref(told), std::move(what));
}

/// A port at which nobody listens.
inline std::uint16_t closed_port() {
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  auto port = listen_tcp(rt, 0, factory::for_protocol<echo>());
  const auto number = port.get_host().port();
  port.stop_listening();
  return number;
}

} // namespace troupe::testing

#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/nats/nats_connection.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/memory_network.hpp>

namespace troupe::testing {

class scripted_server;

/// What the servers of a test say by themselves, and what they heard.
struct server_script {
  std::string info = R"({"server_id":"S","version":"2.9.10","headers":true,"max_payload":1024})";
  bool greets = true;
  bool answers_pings = true;
  std::vector<std::string> heard; // lines, payloads among them
  std::vector<scripted_server*> peers;
  std::size_t connections = 0;

  [[nodiscard]] std::size_t count(std::string_view line) const {
    return static_cast<std::size_t>(std::count(heard.begin(), heard.end(), line));
  }
};

/// A server that says what the test tells it to.
class scripted_server final : public protocol {
public:
  scripted_server(caf::actor_config& cfg, server_script* script) : protocol(cfg), script_(script) {}

  void connection_made() override {
    ++script_->connections;
    script_->peers.push_back(this);
    if (script_->greets)
      say("INFO " + script_->info);
  }
  void data_received(bytes_view data) override {
    text_ += as_text(data);
    for (std::size_t end = 0; (end = text_.find("\r\n")) != std::string::npos;) {
      auto line = text_.substr(0, end);
      text_.erase(0, end + 2);
      if (line == "PING" && script_->answers_pings)
        say("PONG");
      script_->heard.push_back(std::move(line));
    }
  }
  void connection_lost(const failure&) override { std::erase(script_->peers, this); }

  void say(std::string_view line) { transport().write(std::string{line} + "\r\n"); }

private:
  server_script* script_;
  std::string text_;
};

/// Connects in memory.
class memory_endpoint final : public client_endpoint {
public:
  memory_endpoint(memory_network& net, std::uint16_t port) : net_(net), port_(port) {}
  deferred<connected_protocol> connect(const factory_ref& f) override {
    auto& loop = net_.rt.scheduler().loop(0);
    f.start(net_.rt.system(), loop);
    protocol_ptr built;
    f.get()->enter([&] { built = f.get()->build({}, loop); });
    net_.connect_protocol(port_, *built);
    return succeed(connected_protocol{caf::strong_actor_ptr{built->ctrl()}});
  }

private:
  memory_network& net_;
  std::uint16_t port_;
};

/// A connection and its servers, in memory: port 4222, and those that a test adds.
struct scripted {
  explicit scripted(nats_options o = {}) {
    o.reach = [this](const nats_url& url) {
      return std::make_shared<memory_endpoint>(net, url.port);
    };
    o.reconnect.jitter = [] {
      return duration::zero();
    };
    o.randomize = false;
    o.on_event = [this](const nats_event& e) {
      events.push_back(std::string{name(e.what)} + (e.text.empty() ? "" : ' ' + e.text));
      latest = e.why;
      if (on_event)
        on_event(e);
    };
    listen(4222);
    nats = std::make_unique<nats_connection>(net.rt, std::move(o));
  }
  ~scripted() {
    net.rt.in_turn([this] { nats.reset(); });
    net.flush();
  }

  void listen(std::uint16_t port) {
    net.listen(port, factory::for_protocol<scripted_server>(&script));
  }
  void start() {
    in_turn([this] { (void)nats->start_service(); });
  }
  // Runs `fn` on the loop, and then moves what was sent.
  template <class F>
  void in_turn(F fn) {
    net.rt.in_turn(fn);
    net.flush();
  }
  void say(std::string_view line) {
    REQUIRE(script.peers.size() == 1);
    auto& peer = *script.peers.back();
    net.enter(peer, [&] { peer.say(line); });
    net.flush();
  }
  void hang_up() {
    auto& peer = *script.peers.back();
    net.enter(peer, [&] { peer.transport().lose_connection(); });
    net.flush();
  }
  std::size_t heard(std::string_view line) const { return script.count(line); }

  // The subject in which the answer to the latest request is wanted.
  std::string reply_subject() const {
    for (auto i = script.heard.rbegin(); i != script.heard.rend(); ++i)
      if (const auto at = i->find("_INBOX."); i->starts_with("PUB") && at != std::string::npos)
        return i->substr(at, i->rfind(' ') - at);
    return {};
  }
  // The number of the subscription to answers.
  std::string inbox_sid() const {
    for (const auto& line : script.heard)
      if (line.starts_with("SUB _INBOX."))
        return line.substr(line.rfind(' ') + 1);
    return {};
  }
  void answer(const std::string& payload) {
    say("MSG " + reply_subject() + ' ' + inbox_sid() + ' ' + std::to_string(payload.size()) + "\r\n"
        + payload);
  }

  server_script script;
  memory_network net;
  std::vector<std::string> events;
  failure latest;
  std::function<void(const nats_event&)> on_event;
  std::unique_ptr<nats_connection> nats;
};

} // namespace troupe::testing

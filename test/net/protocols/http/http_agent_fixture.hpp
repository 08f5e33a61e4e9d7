#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/http/http_agent.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/memory_network.hpp>

namespace troupe::testing {

/// A server that says what the test tells it to, and keeps what it heard.
class scripted_http final : public protocol {
public:
  struct log {
    std::vector<scripted_http*> peers; // that are connected, in the order in which they came
    std::size_t connections = 0;
    std::vector<std::string> answers; // to what comes first, next, and so on, on any connection
    std::string ended;                // why the last one ended
  };

  scripted_http(caf::actor_config& cfg, log* l) : protocol(cfg), log_(l) {}

  void connection_made() override {
    ++log_->connections;
    log_->peers.push_back(this);
  }
  void data_received(bytes_view data) override {
    heard += as_text(data);
    if (log_->answers.empty())
      return;
    const auto answer = log_->answers.front();
    log_->answers.erase(log_->answers.begin());
    say(answer);
  }
  void connection_lost(const failure& why) override {
    log_->ended = why.message();
    std::erase(log_->peers, this);
  }
  void say(std::string_view text) { transport().write(text); }

  std::string heard;

private:
  log* log_;
};

/// Connects in memory; a port at which nothing listens refuses.
class memory_endpoint final : public client_endpoint {
public:
  memory_endpoint(memory_network& net, std::uint16_t port) : net_(net), port_(port) {}
  deferred<connected_protocol> connect(const factory_ref& f) override {
    auto& loop = net_.rt.scheduler().loop(0);
    f.start(net_.rt.system(), loop);
    protocol_ptr built;
    f.get()->enter([&] { built = f.get()->build({}, loop); });
    try {
      net_.connect_protocol(port_, *built);
    } catch (...) {
      return fail<connected_protocol>(failure::current());
    }
    return succeed(connected_protocol{caf::strong_actor_ptr{built->ctrl()}});
  }

private:
  memory_network& net_;
  std::uint16_t port_;
};

/// An agent, and a scripted server at port 80 of whatever host; other ports are up to the test.
struct agent_fixture {
  /// What comes of a request; copies are the same one, as the request may end behind the test's body.
  class result {
  public:
    using value = outcome<http_client_response>;
    explicit operator bool() const { return value_->has_value(); }
    value& operator*() const { return **value_; }
    value* operator->() const { return &**value_; }
    void reset() const { value_->reset(); }
    void set(value v) const { value_->emplace(std::move(v)); }

  private:
    std::shared_ptr<std::optional<value>> value_ = std::make_shared<std::optional<value>>();
  };

  explicit agent_fixture(http_agent_options o = {}) {
    o.reach = [this](const http_url& url) {
      return std::make_shared<memory_endpoint>(net, url.port());
    };
    net.listen(80, factory::for_protocol<scripted_http>(&server));
    agent.emplace(net.rt, std::move(o));
  }
  ~agent_fixture() {
    net.rt.in_turn([this] { agent.reset(); });
    net.flush();
  }

  /// Begins a request, whose result will be in `into`.
  canceller begin(http_client_request r, const result& into) {
    return net.rt.in_turn([&] {
      auto d = agent->request(std::move(r));
      auto c = d.canceller();
      std::move(d).add_both(
        [into](outcome<http_client_response> got) { into.set(std::move(got)); });
      return c;
    });
  }
  canceller get(std::string_view url, const result& into) {
    auto c = begin(http_client_request{"GET", url}, into);
    net.flush();
    return c;
  }

  /// Says it on the latest connection, and lets it arrive.
  void say(std::string_view text) {
    auto& peer = *server.peers.back();
    net.enter(peer, [&] { peer.say(text); });
    net.flush();
  }
  [[nodiscard]] const std::string& heard() const { return server.peers.back()->heard; }
  void hang_up() {
    auto& peer = *server.peers.back();
    net.enter(peer, [&] { peer.transport().lose_connection(); });
    net.flush();
  }

  /// Reads all of the body, and returns it, or what went wrong in brackets.
  std::string body(http_client_response& r, std::size_t limit = 1'000'000) {
    std::optional<outcome<std::string>> got;
    net.rt.in_turn([&] {
      r.read_all(limit).add_both([&](outcome<std::string> text) { got.emplace(std::move(text)); });
    });
    net.flush();
    return !got ? "(nothing yet)" : *got ? **got : '[' + got->error().message() + ']';
  }

  scripted_http::log server;
  memory_network net;
  std::optional<http_agent> agent;
};

inline const std::string ok_response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A body in these pieces; at one that says "fail" its reading fails.
class pieces final : public http_body_source {
public:
  explicit pieces(std::vector<std::string> all) : all_(std::move(all)) {}
  deferred<std::string> read() override {
    if (at_ == all_.size())
      return succeed(std::string{});
    if (all_[at_] == "fail")
      return fail<std::string>({errc::exception, "the disk is gone"});
    return succeed(std::string{all_[at_++]});
  }

private:
  std::vector<std::string> all_;
  std::size_t at_ = 0;
};

} // namespace troupe::testing

// What the log says of outgoing connections.

#include <algorithm>
#include <future>

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <troupe/net/client_service.hpp>
#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/reconnecting_client_factory.hpp>
#include <troupe/net/tcp_endpoint.hpp>

#include "support/caller.hpp"
#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/echo.hpp"
#include "support/running.hpp"
#include "support/text.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Tells each line of a log.
class telling_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
  explicit telling_sink(std::shared_ptr<events> told) : told_(std::move(told)) {}

private:
  void sink_it_(const spdlog::details::log_msg& m) override {
    const auto name = spdlog::level::to_string_view(m.level);
    told_->add(std::string(name.data(), name.size()) + ' '
               + std::string(m.payload.data(), m.payload.size()));
  }
  void flush_() override {}

  const std::shared_ptr<events> told_;
};

/// A runtime whose log is events: "warning client of x ...".
struct logging {
  explicit logging(spdlog::level::level_enum level = spdlog::level::info) : rt(options(level)) {}
  ~logging() { stop(); }

  void start() {
    thread_ = std::thread([this] { rt.run(); });
  }
  void stop() {
    if (!thread_.joinable())
      return;
    rt.reactor().call_from_thread([this] { rt.stop(); });
    thread_.join();
  }
  std::size_t find(const std::string& part) {
    const auto all = lines->all();
    return static_cast<std::size_t>(
      std::ranges::count_if(all, [&](const auto& line) { return contains(line, part); }));
  }
  bool wait_for(const std::string& part) {
    for (std::size_t seen = 0;;) {
      for (const auto all = lines->all(); seen < all.size(); ++seen)
        if (contains(all[seen], part))
          return true;
      if (!lines->wait(seen + 1))
        return false;
    }
  }

  std::shared_ptr<events> lines = std::make_shared<events>();
  runtime rt;

private:
  runtime_options options(spdlog::level::level_enum level) const {
    runtime_options o{.loops = 2, .install_signal_handlers = false};
    o.logger = std::make_shared<spdlog::logger>("test", std::make_shared<telling_sink>(lines));
    o.logger->set_level(level);
    return o;
  }

  std::thread thread_;
};

} // namespace

TEST_CASE("a connection that could not be made is one warning with the reason", "[client][log]") {
  logging r;
  const auto at = "127.0.0.1:" + std::to_string(closed_port());
  connect_tcp(r.rt, "127.0.0.1", static_cast<std::uint16_t>(std::stoi(at.substr(10))),
              client_factory::for_protocol<echo>());
  r.start();
  REQUIRE(r.wait_for("warning client of "));
  r.stop();
  CHECK(r.find(" could not connect to " + at + " (the connection was refused)") == 1);
  CHECK(r.find("starting client") == 0); // that says nothing
}

TEST_CASE("a client whose factory does not start is told why", "[client][log]") {
  struct broken : client_factory {
    using client_factory::client_factory;
    void start_factory() override { throw std::runtime_error("no database"); }
    protocol_ptr build_protocol(const net_address&) override { return nullptr; }
  };
  logging r;
  SECTION("by the log") {
    connect_tcp(r.rt, "127.0.0.1", 1, client_factory::of<broken>());
    r.start();
    CHECK(r.wait_for("could not connect to 127.0.0.1:1 (no database)"));
  }
  SECTION("by the deferred of an endpoint") {
    events told;
    tcp_client_endpoint to{r.rt, "127.0.0.1", 1};
    to.connect(client_factory::of<broken>())
      .add_callback([&](const connected_protocol&) { told.add("connected"); })
      .add_errback([&](const failure& why) { told.add(why.message()); });
    r.start();
    REQUIRE(told.wait(1));
    CHECK(told.all().front() == "no database");
    r.stop();
  }
}

TEST_CASE("whoever connects again says why, and counts what repeats", "[client][log]") {
  logging r;
  const auto nobody = closed_port();
  const auto at = "127.0.0.1:" + std::to_string(nobody);
  SECTION("a reconnecting factory") {
    connect_tcp(r.rt, "127.0.0.1", nobody,
                reconnecting_client_factory::for_protocol<echo>(
                  {.initial = 1ms, .max = 1ms, .max_retries = 9}));
    r.start();
    REQUIRE(r.wait_for("gives up after 9 retries"));
    r.stop();
    CHECK(r.find("warning client of ") == 4); // the first, second, fourth and eighth
    CHECK(r.find(at + " (the connection was refused); again in 0.0 s") == 1);
    CHECK(r.find(at + " (the connection was refused), 8 times by now; again in") == 1);
  }
  SECTION("a client service") {
    std::optional<client_service> service;
    service.emplace(r.rt, std::make_shared<tcp_client_endpoint>(r.rt, "127.0.0.1", nobody),
                    factory::for_protocol<echo>(), client_service_options{.retry = [](std::size_t) {
                      return 1ms;
                    }});
    (void)service->start_service();
    r.start();
    REQUIRE(r.wait_for("4 times by now"));
    CHECK(r.find(at + ": the connection was refused; again in 0.0 s") == 1);
    std::promise<void> stopped;
    r.rt.reactor().call_from_thread([&] {
      service.reset();
      stopped.set_value();
    });
    stopped.get_future().wait();
  }
}

TEST_CASE("at debug level each connection tells its peer, its bytes and its end", "[client][log]") {
  logging r{spdlog::level::debug};
  events told;
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  connect_tcp(r.rt, "127.0.0.1", port,
              client_factory::for_protocol<caller>(std::ref(told), std::string(1000, 'x')));
  r.start();
  REQUIRE(told.wait(3));
  const auto at = "127.0.0.1:" + std::to_string(port);
  CHECK(r.wait_for("caller] connected with " + at));
  CHECK(
    r.wait_for("caller] connection with " + at
               + " ended, 1000 bytes received, 1000 written: the connection was closed cleanly"));
  CHECK(r.wait_for("echo] connection with "));
}

// The page over a socket: who may see it, and what comes of looking.

#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/topics.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/observer_page/observer_page.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"

using namespace troupe;
using nlohmann::json;

namespace {

const std::string token(16, 't');

/// A connection of a browser, as far as this needs one.
class browser {
public:
  browser(std::uint16_t port, const std::string& request) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    const timeval limit{30, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const auto text = "GET " + request + " HTTP/1.1\r\nHost: a\r\n\r\n";
    REQUIRE(::send(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }
  browser(const browser&) = delete;
  ~browser() { ::close(fd_); }

  /// Reads until `what` is there, and returns all that is behind what was read before.
  std::string until(const std::string& what) {
    std::size_t end = 0;
    while ((end = text_.find(what)) == std::string::npos) {
      char some[65536];
      const auto n = ::recv(fd_, some, sizeof some, 0);
      INFO(text_);
      REQUIRE(n > 0);
      text_.append(some, static_cast<std::size_t>(n));
    }
    auto found = text_.substr(0, end + what.size());
    text_.erase(0, end + what.size());
    return found;
  }

  std::string head() { return until("\r\n\r\n"); }

  json sample() {
    until("data: ");
    auto text = until("\n");
    return json::parse(text);
  }

private:
  const int fd_;
  std::string text_;
};

struct crashes : pinned_actor {
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](int) {
      throw std::runtime_error("as the test wants it");
    }};
  }
};

std::string events(const std::string& more, const std::string& with = token) {
  return "/events?token=" + with + more;
}

} // namespace

TEST_CASE("observer page: the page is for all, what it shows for who has the token") {
  testing::running r{2};
  const auto port =
    listen_tcp(r.rt, 0, observer_page(observer{r.rt}, {.token = token, .most_viewers = 2}))
      .get_host()
      .port();
  r.start();
  auto page = browser{port, "/"}.head();
  CHECK(page.starts_with("HTTP/1.1 200"));
  CHECK(page.find("Content-Security-Policy: default-src 'none'") != std::string::npos);
  browser module{port, "/observer.js"};
  CHECK(module.head().find("text/javascript") != std::string::npos);
  module.until("choose(\"loops\");");
  for (const auto& wrong :
       {std::string{"/events"}, events("", "x"), events("", token + "t"), events("", "")})
    CHECK(browser{port, wrong}.head().starts_with("HTTP/1.1 403"));
  {
    browser one{port, events("")}, two{port, events("")};
    CHECK(one.head().starts_with("HTTP/1.1 200"));
    CHECK(two.head().starts_with("HTTP/1.1 200"));
    one.sample();
    two.sample();
    CHECK(browser{port, events("")}.head().starts_with("HTTP/1.1 503"));
  }
  // Those who have gone leave their places.
  while (!browser{port, events("")}.head().starts_with("HTTP/1.1 200")) {
  }
}

TEST_CASE("observer page: samples follow each other, with the table that was asked for") {
  testing::running r{2};
  const topics rooms{r.rt};
  const auto lobby = rooms.get("<lobby>");
  const observer seen{r.rt};
  seen.add_topics("rooms", rooms);
  observer_page_options options;
  options.token = token;
  options.interval = std::chrono::milliseconds(1);
  const auto port = listen_tcp(r.rt, 0, observer_page(seen, options)).get_host().port();
  r.start();
  browser b{port, events("&show=connections&by=peer&down=no")};
  b.head();
  auto before = b.sample();
  for (int i = 0; i < 5; ++i) {
    const auto s = b.sample();
    CHECK(s["at"] > before["at"]);
    CHECK(s["loops"].size() == 2);
    CHECK(s["memory"] > 1024 * 1024);
    CHECK(s["shows"] == "connections");
    REQUIRE(s["table"]["rows"].size() == 1); // the connection of this page
    CHECK(s["table"]["by"] == "peer");
    CHECK(s["table"]["down"] == false);
    before = s;
  }
  browser topics_page{port, events("&show=topics")};
  topics_page.head();
  const auto t = topics_page.sample()["table"];
  CHECK(t["rows"] == json::parse(R"([[0, "rooms", "<lobby>"]])"));
  browser actors{port, events("&show=actors&by=mailbox")};
  actors.head();
  const auto a = actors.sample();
  CHECK(a["kinds"]["rows"].size() > 1);
  CHECK(a["table"]["all"] > 3);
}

TEST_CASE("observer page: a child that crashed is told with its restarts") {
  testing::running r{1};
  const auto root = r.rt.spawn_on<supervisor>(
    0, supervisor_options{.name = "a \"root\"", .intensity = 100},
    std::vector<child_spec>{{.id = "fragile", .start = start_actor<crashes>()}});
  observer_page_options options;
  options.token = token;
  options.interval = std::chrono::milliseconds(1);
  const auto port = listen_tcp(r.rt, 0, observer_page(observer{r.rt}, options)).get_host().port();
  r.start();
  browser b{port, events("&show=supervisors")};
  b.head();
  const auto child_of = [&b] {
    for (;;)
      if (const auto s = b.sample(); !s["trees"].empty() && !s["trees"][0]["children"].empty())
        return s["trees"][0]["children"][0];
  };
  auto child = child_of();
  while (child["actor"] == 0)
    child = child_of();
  CHECK(child["name"] == "fragile");
  CHECK(child["restarts"] == 0);
  for (int crash = 1; crash <= 3; ++crash) {
    const auto before = child["actor"];
    r.rt.reactor().call_from_thread([&r, id = before.get<caf::actor_id>()] {
      auto& loop = r.rt.scheduler().loop(0);
      loop.each_pinned([&](pinned_actor& one) {
        if (one.id() == id)
          caf::anon_send(caf::actor_cast<caf::actor>(&one), 1);
      });
    });
    while (child["actor"] == before || child["actor"] == 0)
      child = child_of();
    CHECK(child["restarts"] == crash);
  }
}

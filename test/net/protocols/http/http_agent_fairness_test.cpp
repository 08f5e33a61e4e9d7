// A body that unpacks to much more than came, and what a turn does of it.

#include <optional>
#include <string>

#include <troupe/http/http_agent.hpp>

#include "gzip.hpp"
#include "support/catch.hpp"
#include "support/turned_by_hand.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// Connects to nothing: what comes is delivered by hand.
class endpoint_by_hand final : public client_endpoint {
public:
  endpoint_by_hand(turned_by_hand& by, std::optional<connection_by_hand>& made)
    : by_(by), made_(made) {}
  deferred<connected_protocol> connect(const factory_ref& f) override {
    made_.emplace(by_, f);
    return succeed(connected_protocol{caf::strong_actor_ptr{made_->built->ctrl()}});
  }

private:
  turned_by_hand& by_;
  std::optional<connection_by_hand>& made_;
};

struct asked {
  asked() {
    by.in_turn([&] {
      http_agent_options o;
      o.reach = [this](const http_url&) {
        return std::make_shared<endpoint_by_hand>(by, connection);
      };
      agent.emplace(by.rt, std::move(o));
      agent->get("http://a/").add_both([this](outcome<http_client_response> got) {
        response.emplace(std::move(got));
      });
    });
    by.turn_until([&] { return connection.has_value(); });
    REQUIRE(connection);
  }
  ~asked() {
    by.in_turn([&] {
      response.reset();
      agent.reset();
    });
    connection.reset();
  }
  void read_all() {
    by.in_turn([&] {
      (*response)->read_all(10'000'000).add_both([this](outcome<std::string> all) {
        body.emplace(std::move(all));
      });
    });
  }
  bool paused() const { return connection->transport.producer_state() == producer_state::paused; }

  turned_by_hand by;
  std::optional<connection_by_hand> connection;
  std::optional<http_agent> agent;
  std::optional<outcome<http_client_response>> response;
  std::optional<outcome<std::string>> body;
};

// A hundred times as long as it is once packed.
std::string long_text() {
  std::string made;
  for (int i = 0; i < 5000; ++i)
    (made += std::string(1000, 'x')) += std::to_string(i * 7919);
  return made;
}

std::string packed_answer() {
  const auto packed = gzip(long_text());
  return "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
         + std::to_string(packed.size()) + "\r\n\r\n" + packed;
}

} // namespace

TEST_CASE("a body that unpacks to much takes many turns, and is whole") {
  asked t;
  const auto answer = packed_answer();
  const auto half = answer.size() / 2;
  t.connection->deliver(answer.substr(0, half));
  t.by.turn_until([&] { return t.response.has_value(); });
  REQUIRE(*t.response);
  t.read_all();
  CHECK(t.paused());
  t.connection->deliver(answer.substr(half)); // was on its way
  CHECK(t.paused());
  const auto turns = t.by.turn_until([&] { return t.body.has_value(); });
  CHECK(turns > 50);
  REQUIRE(*t.body);
  CHECK((**t.body == long_text()));
  CHECK_FALSE(t.paused());
  CHECK(t.agent->idle_connections() == 1);
}

TEST_CASE("a connection that is lost while a body is unpacked fails the body") {
  asked t;
  const auto answer = packed_answer();
  t.connection->deliver(answer.substr(0, answer.size() - 100));
  t.by.turn_until([&] { return t.response.has_value(); });
  REQUIRE(*t.response);
  t.read_all();
  t.connection->lose(errc::connection_lost);
  t.by.turn_until([&] { return t.body.has_value(); });
  REQUIRE(t.body);
  CHECK_FALSE(*t.body);
}

TEST_CASE("a response that is dropped while its body is unpacked ends the connection") {
  asked t;
  t.connection->deliver(packed_answer());
  t.by.turn_until([&] { return t.response.has_value(); });
  t.by.in_turn([&] { t.response.reset(); });
  for (int i = 0; i < 100; ++i)
    t.by.turn();
  CHECK(t.connection->transport.aborting());
}

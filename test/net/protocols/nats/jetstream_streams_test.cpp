// Streams are made where they are surely not there: servers that have just elected a leader do not know yet what there is.

#include <troupe/nats/jetstream.hpp>

#include <string>
#include <vector>

#include <troupe/nats/nats_errc.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

#include "scripted_server.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

const std::string none =
  R"({"error":{"code":404,"err_code":10059,"description":"stream not found"}})";

std::string stream(const std::string& subject, const std::string& cluster = {}) {
  return R"({"config":{"name":"S","subjects":[")" + subject
         + R"("],"storage":"file","num_replicas":1,"duplicate_window":120000000000},"state":{},)"
         + cluster + R"("created":"2026-01-01T00:00:00Z"})";
}

std::string led_by(const std::string& server) {
  return R"("cluster":{"name":"C","leader":")" + server + R"("},)";
}

struct making : scripted {
  explicit making(const std::string& info = R"("jetstream":true,"cluster":"C",)",
                  jetstream_options o = {})
    : scripted{{.ping_interval = duration::max()}}, js(*nats, std::move(o)) {
    script.info = "{" + info + R"("server_id":"S","headers":true,"max_payload":1024})";
    start();
  }
  auto create(duration doubt = 2s) {
    auto d =
      net.rt.in_turn([&] { return js.create_stream({.name = "S", .subjects = {"s.>"}}, doubt); });
    net.flush();
    return d;
  }
  void pass(duration span) {
    net.advance(span);
    net.flush();
  }
  std::size_t asked(const std::string& call) const { // for the stream
    return static_cast<std::size_t>(std::ranges::count_if(script.heard, [&](const auto& line) {
      return line.starts_with("PUB $JS.")
             && line.find(".STREAM." + call + ".S ") != std::string::npos;
    }));
  }

  jetstream js;
};

} // namespace

TEST_CASE("a stream that is said not to be there right after an election is not made once more") {
  making t;
  auto d = t.create();
  t.answer(none);
  t.pass(2s - 1ns);
  CHECK(t.asked("INFO") == 1);
  t.pass(1ns);
  REQUIRE(t.asked("INFO") == 2);
  t.answer(stream("s.>", led_by("S1")));
  CHECK(success_result_of(std::move(d)).leader == "S1");
  CHECK(t.asked("CREATE") == 0);
}

TEST_CASE("a stream of a cluster is made when it has been said for some time not to be there") {
  making t;
  auto d = t.create();
  t.answer(none);
  t.pass(2s);
  REQUIRE(t.asked("INFO") == 2);
  t.answer(none);
  t.pass(1s); // by chance less than that more
  if (t.asked("INFO") == 3)
    t.answer(none);
  REQUIRE(t.asked("CREATE") == 1);
  t.answer(stream("s.>", led_by("S1")));
  CHECK(success_result_of(std::move(d)).cluster == "C");
}

TEST_CASE("whoever is in doubt for longer looks all the time") {
  making t;
  auto d = t.create(30s);
  for (std::size_t i = 1; i <= 15; ++i) {
    CHECK(t.asked("INFO") == i);
    t.answer(none);
    t.pass(2s);
  }
  CHECK(t.asked("CREATE") == 0);
  t.answer(stream("s.>", led_by("S1")));
  CHECK(success_result_of(std::move(d)).leader == "S1");
}

TEST_CASE("one server is believed at once") {
  making t{R"("jetstream":true,)"};
  auto d = t.create();
  t.answer(none);
  REQUIRE(t.asked("CREATE") == 1);
  t.answer(stream("s.>"));
  CHECK(success_result_of(std::move(d)).created == "2026-01-01T00:00:00Z");
}

TEST_CASE("a server behind which others answer is not believed at once") {
  const auto by_domain = GENERATE(true, false);
  making t{by_domain ? R"("jetstream":true,)" : "",
           {.prefix = by_domain ? "$JS.hub.API" : "$JS.API"}};
  auto d = t.create();
  t.answer(none);
  CHECK(t.asked("CREATE") == 0);
  t.pass(2s);
  REQUIRE(t.asked("INFO") == 2);
  t.answer(stream("s.>", led_by("S1")));
  CHECK(success_result_of(std::move(d)).leader == "S1");
}

TEST_CASE("a stream that nobody leads when it has been made is not there yet") {
  making t{R"("jetstream":true,)"};
  auto d = t.create();
  t.answer(none);
  t.answer(stream("s.>", led_by("")));
  CHECK(failure_result_of(std::move(d)).check(nats_errc::jetstream_unavailable));
}

TEST_CASE("a stream that is there is not made, nor another in its place") {
  making t;
  auto same = t.create();
  t.answer(stream("s.>", led_by("S1")));
  CHECK(success_result_of(std::move(same)).config.name == "S");
  auto other = t.create();
  t.answer(stream("else", led_by("S1")));
  CHECK(failure_result_of(std::move(other)).check(nats_errc::stream_exists));
  CHECK(t.asked("CREATE") == 0);
}

TEST_CASE(
  "what is said of a stream that nobody leads, or that is just being made, is not believed") {
  making t;
  auto led = t.create();
  t.answer(stream("s.>", led_by("")));
  const auto why = failure_result_of(std::move(led));
  CHECK(why.check(nats_errc::jetstream_unavailable));
  CHECK(why.message().find("nobody leads the stream S") != std::string::npos);
  auto made = t.create();
  t.answer(R"({"config":{"name":"S"},"created":"0001-01-01T00:00:00Z"})");
  CHECK(failure_result_of(std::move(made)).check(nats_errc::jetstream_unavailable));
}

TEST_CASE("nothing is made when the connection has ended meanwhile") {
  making t;
  auto d = t.create();
  t.answer(none);
  SECTION("it is stopped") {
    t.in_turn([&] { (void)t.nats->stop_service(); });
  }
  SECTION("it is gone") {
    t.in_turn([&] { t.nats.reset(); });
  }
  t.pass(2s);
  CHECK(failure_result_of(std::move(d)).check(errc::cancelled));
  CHECK(t.asked("INFO") == 1);
}

TEST_CASE("whoever does not want the stream any more has none made") {
  making t;
  auto d = t.create();
  t.answer(none);
  t.net.rt.in_turn([&] { d.cancel(); });
  t.pass(2s);
  CHECK(failure_result_of(std::move(d)).check(errc::cancelled));
  CHECK(t.asked("INFO") == 1);
}

// Several servers with copies of the stream, of which one leads it: what is done while none does, and when one does.

#include <troupe/jetstream_history/jetstream_history.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "fake_jetstream.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;
using fixture = fake_jetstream_fixture;

namespace {

jetstream_history_options with_copies() {
  jetstream_history_options o;
  o.replicas = 3;
  return o;
}

constexpr auto nothing_but_pings = [](std::string_view) {
  return false;
};
constexpr auto everything = [](std::string_view) {
  return true;
};

} // namespace

TEST_CASE("a stream that is there needs nobody who could make it", "[history]") {
  fixture f{with_copies()};
  f.stream.answers = [](std::string_view subject) {
    return subject.find("CREATE") == std::string_view::npos;
  };
  f.net.rt.in_turn([&] { f.stream.hang_up(); });
  f.net.flush();
  CHECK_FALSE(f.topics->ready());
  f.net.advance(1s);
  CHECK(f.topics->ready());
}

TEST_CASE("what was kept while nobody led the stream is heard once somebody does", "[history]") {
  fixture f{with_copies()};
  REQUIRE(f.resume("t", {}).complete);
  f.net.rt.in_turn([&] { f.stream.keep("t", "1"); });
  f.net.flush();
  f.net.rt.in_turn([&] { f.stream.keep_quietly("t", "2"); });
  f.net.flush();
  REQUIRE(f.heard == strings{"1"});
  f.net.rt.in_turn([&] { f.stream.tell_of_leader(); });
  f.net.flush();
  CHECK(f.heard == strings{"1", "2"});
}

TEST_CASE("a question that nobody answered keeps nobody waiting once there is a leader",
          "[history]") {
  fixture f{with_copies()};
  f.stream.answers = nothing_but_pings;
  f.net.rt.in_turn([&] { f.stream.tell_of_leader(); }); // and is lost again
  f.net.flush();
  f.net.advance(2s - 1ns);
  CHECK(f.topics->ready());
  f.net.advance(1ns);
  CHECK_FALSE(f.topics->ready());
  const auto said = f.errors.flush();
  REQUIRE(said.size() == 1);
  CHECK(said[0].text.find("nobody leads the stream rooms") != std::string::npos);
  f.net.advance(600ms); // it is asked again, in vain
  f.stream.answers = everything;
  CHECK_FALSE(f.topics->ready());
  f.net.rt.in_turn([&] { f.stream.tell_of_leader(); });
  f.net.flush();
  CHECK(f.topics->ready());
}

TEST_CASE("servers that have just elected a leader lose nothing that is kept", "[history]") {
  fixture f{with_copies()};
  f.stream.cluster = R"("cluster":{"name":"C","leader":"S1"},)";
  int made = 0;
  f.stream.before = [&](std::string_view subject) {
    made += subject == "$JS.API.STREAM.CREATE.rooms" ? 1 : 0;
  };
  f.stream.known = false; // says the new leader of all streams, until it has read what there is
  f.net.rt.in_turn([&] { f.stream.hang_up(); });
  f.net.flush();
  f.net.advance(1s);
  CHECK_FALSE(f.topics->ready());
  f.stream.known = true;
  f.net.advance(2s);
  f.net.flush();
  CHECK(f.topics->ready());
  CHECK(made == 0);
  f.errors.flush();
}

TEST_CASE("a stream that is known is made anew when it has not been there for half a minute",
          "[history]") {
  fixture f{with_copies()};
  f.stream.cluster = R"("cluster":{"name":"C","leader":"S1"},)";
  int made = 0;
  f.stream.before = [&](std::string_view subject) {
    made += subject == "$JS.API.STREAM.CREATE.rooms" ? 1 : 0;
  };
  f.stream.known = false;
  f.net.rt.in_turn([&] { f.stream.hang_up(); });
  f.net.flush();
  const auto pass = [&](int seconds) {
    for (; seconds > 0; --seconds) {
      f.net.advance(1s);
      f.net.flush();
    }
  };
  pass(29);
  CHECK(made == 0);
  CHECK_FALSE(f.topics->ready());
  pass(4);
  CHECK(made == 1);
  CHECK(f.topics->ready());
  f.errors.flush();
}

TEST_CASE("another time of creation is believed when it is said twice", "[history]") {
  fixture f;
  f.net.rt.in_turn([&] { f.stream.keep("t", "1"); });
  const auto first = f.resume("t", {}).at;
  f.stream.created = "2026-01-01T00:00:00.5Z";
  int asked = 0;
  f.stream.after = [&](std::string_view subject) {
    asked += subject == "$JS.API.STREAM.INFO.rooms" ? 1 : 0;
  };
  const auto until_asked = [&](int times) {
    for (int i = 0; i < 100 && asked < times; ++i) {
      f.net.advance(10ms);
      f.net.flush();
    }
  };
  f.net.rt.in_turn([&] { f.stream.hang_up(); });
  f.net.flush();
  until_asked(1);
  CHECK_FALSE(f.topics->ready());
  SECTION("and not when it was the time of a server's copy") {
    f.stream.created = "2026-01-01T00:00:00Z";
    until_asked(2);
    CHECK(f.resume("t", first).complete);
  }
  SECTION("and then all that was there is gone") {
    until_asked(2);
    CHECK_FALSE(f.resume("t", first).complete);
  }
  CHECK(f.topics->ready());
  f.errors.flush();
}

TEST_CASE("what is said of the stream while nobody leads it is not believed", "[history]") {
  fixture f{with_copies()};
  f.stream.cluster = R"("cluster":{"name":"C","leader":"S1"},)";
  f.net.rt.in_turn([&] { f.stream.keep("t", "1"); });
  const auto first = f.resume("t", {}).at;
  f.stream.cluster = R"("cluster":{"name":"C"},)";
  f.stream.created = "2026-01-01T00:00:00.5Z"; // when this server got its copy
  f.net.rt.in_turn([&] { f.stream.tell_of_leader(); });
  f.net.flush();
  CHECK_FALSE(f.topics->ready());
  f.stream.cluster = R"("cluster":{"name":"C","leader":"S2"},)";
  f.stream.created = "2026-01-01T00:00:00Z";
  f.net.advance(500ms);
  f.net.flush();
  CHECK(f.topics->ready());
  const auto again = f.resume("t", first);
  CHECK(again.complete);
  CHECK(again.at == first);
  CHECK(f.errors.flush().size() == 1);
}

TEST_CASE("whoever tells of leaders all the time has the stream looked for twice a second at most",
          "[history]") {
  fixture f{with_copies()};
  int asked = 0;
  f.stream.before = [&](std::string_view subject) {
    asked += subject == "$JS.API.STREAM.INFO.rooms" ? 1 : 0;
  };
  for (int i = 0; i < 100; ++i) {
    f.net.rt.in_turn([&] { f.stream.tell_of_leader(); });
    f.net.flush();
    f.net.advance(50ms);
  }
  CHECK(asked >= 5);
  CHECK(asked <= 10);
  CHECK(f.topics->ready());
  f.net.advance(2s);
  f.net.flush();
  asked = 0;
  f.net.advance(1min);
  CHECK(asked == 0);
}

TEST_CASE("a server of the stream that falls silent is left within a second and a half",
          "[history]") {
  fixture f{{}, {}, true};
  REQUIRE(f.topics->ready());
  f.stream.answers_pings = false;
  for (int i = 0; i < 3; ++i)
    f.net.advance(500ms);
  f.net.rt.settle();
  CHECK_FALSE(f.topics->ready());
}

TEST_CASE("a server that is lost each time it is asked for the stream is asked ever less often",
          "[history]") {
  fixture f{with_copies()};
  std::size_t asked = 0;
  f.stream.before = [&](std::string_view subject) {
    asked += subject == "$JS.API.STREAM.INFO.rooms" ? 1 : 0;
  };
  f.stream.answers = nothing_but_pings;
  const auto lasts = [&](int seconds) {
    const auto before = asked;
    for (int i = 0; i < 10 * seconds; ++i) {
      const auto known = asked;
      f.net.advance(100ms);
      f.net.flush();
      if (asked != known)
        f.net.rt.in_turn([&] { f.stream.hang_up(); });
    }
    return asked - before;
  };
  f.net.rt.in_turn([&] { f.stream.hang_up(); });
  CHECK(lasts(60) < 9);
  f.errors.flush();
  f.stream.answers = everything;
  f.stream.before = [](std::string_view) {
  };
  for (int i = 0; i < 35; ++i)
    f.net.advance(1s);
  f.net.flush();
  CHECK(f.topics->ready());
}

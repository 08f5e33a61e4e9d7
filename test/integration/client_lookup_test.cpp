// Names of hosts that clients connect to.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <thread>

#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/host_name.hpp>
#include <troupe/net/resolver.hpp>
#include <troupe/testing/memory_resolver.hpp>

#include "support/caller.hpp"
#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/echo.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"
#include "support/text.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// A thread that looks a name up may outlive its runtime, with a descriptor open. Made before the runtime, this waits for it at
/// its end: other tests count descriptors.
class no_lookup_left {
public:
  ~no_lookup_left() {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (threads() > before_ && std::chrono::steady_clock::now() < limit)
      std::this_thread::yield();
    CHECK(threads() <= before_);
  }

private:
  static std::ptrdiff_t threads() {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/task"}, {});
  }
  const std::ptrdiff_t before_ = threads();
};

} // namespace

TEST_CASE("a name is looked up, and its addresses are tried until one answers", "[client][E07]") {
  events told;
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  const auto names = std::make_shared<memory_resolver>();
  names->add("somewhere", {"127.0.0.2", "::1", "127.0.0.1"}); // the first two refuse
  connect_tcp(r.rt, "somewhere", port, reports(told), {.names = names});
  r.start();
  REQUIRE(told.wait(7));
  CHECK(told.all()[1] == "connecting to somewhere:" + std::to_string(port));
  CHECK(told.count("made") == 1);
}

TEST_CASE("a host none of whose addresses answers fails with what each said", "[client][E07]") {
  events told;
  running r{1};
  const auto port = closed_port();
  const auto names = std::make_shared<memory_resolver>();
  names->add("dead", {"127.0.0.2", "127.0.0.3"});
  connect_tcp(r.rt, "dead", port, reports(told), {.names = names});
  r.start();
  REQUIRE(told.wait(4));
  CHECK(client_reporter::last.check(errc::connection_refused));
  const auto text = told.all()[2];
  CHECK(contains(text, "dead:" + std::to_string(port)));
  CHECK(contains(text, "127.0.0.2:"));
  CHECK(contains(text, "127.0.0.3:"));
}

TEST_CASE("hosts that are unknown, and names that are none, are told by name", "[client][T09]") {
  running r{1};
  r.start();
  const auto names = std::make_shared<memory_resolver>();
  const std::vector<std::string> hosts{"nowhere.example", "", std::string("a\0b", 3)};
  for (const auto& host : hosts) {
    events told;
    r.rt.reactor().call_from_thread(
      [&] { connect_tcp(r.rt, host, 1, reports(told), {.names = names}); });
    REQUIRE(told.wait(4));
    CHECK(client_reporter::last.check(errc::unknown_host));
    CHECK(contains(told.all()[2], host));
  }
}

TEST_CASE("a name that is not ASCII is looked up as DNS has it, and told as it was given",
          "[client]") {
  const no_lookup_left waits;
  if (!ascii_host_name("\u00fc"))
    return; // a build without libidn2
  running r{1};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  const auto names = std::make_shared<memory_resolver>();
  names->add("xn--bcher-kva.example", {"127.0.0.1"});
  r.start();
  const auto dial = [&](const std::string& host, events& told) {
    r.rt.reactor().call_from_thread(
      [&, host] { connect_tcp(r.rt, host, port, reports(told), {.names = names}); });
  };
  {
    events told;
    dial("B\u00fccher.example", told);
    REQUIRE(told.wait(7));
    CHECK(told.all()[1] == "connecting to B\u00fccher.example:" + std::to_string(port));
    CHECK(told.count("made") == 1);
  }
  for (const std::string host : {"a\u2100.example", "\xff.example"}) {
    events told;
    dial(host, told);
    REQUIRE(told.wait(4));
    CHECK(client_reporter::last.check(errc::unknown_host));
    CHECK(contains(told.all()[2], "cannot be the name of a host"));
  }
  // The system's own looks them up so, too.
  const auto why = on_loop(r, [&] {
    return system_resolver::of(r.rt)
      ->resolve("\xff.example", 1)
      .add_callbacks([](const std::vector<net_address>&) { return std::string{}; },
                     [](const failure& f) { return f.message(); });
  });
  CHECK(contains(why, "cannot be the name of a host"));
}

TEST_CASE("the system's resolver knows localhost, and does its work in threads of its own",
          "[client][F-R11]") {
  const no_lookup_left waits;
  events told;
  running r{1};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  connect_tcp(r.rt, "localhost", port, reports(told));
  r.start();
  REQUIRE(told.wait(7));
  CHECK(told.count("made") == 1);
  CHECK(r.rt.reactor().get_thread_pool().workers() == 0);
}

TEST_CASE("a lookup that nobody waits for any more harms nothing", "[client][F-R11]") {
  const no_lookup_left waits;
  events told;
  running r{1};
  r.rt.reactor().call_when_running([&] {
    const auto names = system_resolver::of(r.rt);
    for (int i = 0; i < 20; ++i) {
      auto d = names->resolve("localhost", 1);
      d.add_errback([&](const failure& f) -> outcome<std::vector<net_address>> {
        told.add(f.check(errc::cancelled) ? "cancelled" : f.message());
        return std::vector<net_address>{};
      });
      d.cancel();
    }
    told.add("workers " + std::to_string(names->workers()));
  });
  r.start();
  REQUIRE(told.wait(21));
  CHECK(told.count("cancelled") == 20);
  const auto all = told.all();
  const auto workers = std::find_if(
    all.begin(), all.end(), [](const std::string& line) { return line.starts_with("workers "); });
  REQUIRE(workers != all.end());
  CHECK(std::stoul(workers->substr(8)) <= system_resolver::max_threads);
} // and the end does not wait for the threads

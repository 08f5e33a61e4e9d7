// Multicast: joining and leaving groups, and how far what is sent to them goes. The loopback
// interface carries groups too; what it cannot show needs another one, and is skipped without.

#include <ifaddrs.h>
#include <net/if.h>

#include <troupe/net/listen_multicast.hpp>

#include "support/catch.hpp"
#include "support/datagrams.hpp"
#include "support/udp_peer.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using strings = std::vector<std::string>;

const std::string lo = "127.0.0.1";
const std::string group = "225.0.0.250";

/// Writes down whether `d` succeeded, or else why not.
void tell(events& log, chained<void> d) {
  std::move(d).add_callbacks([&log] { log.add("ok"); },
                             [&log](const failure& f) { log.add(f.message()); });
}

/// Returns the error of `d`, which has fired.
errc result_of(chained<void> d) {
  errc got = errc::none;
  std::move(d).add_errback([&got](const failure& f) {
    for (const auto e : {errc::multicast_failed, errc::invalid_address, errc::not_listening})
      if (f.check(e))
        got = e;
  });
  return got;
}

/// Returns the name of an interface that is up and made for multicast; empty if there is none.
std::string multicast_interface(int family) {
  ifaddrs* all = nullptr;
  ::getifaddrs(&all);
  std::string name;
  for (const auto* i = all; i != nullptr; i = i->ifa_next) {
    constexpr unsigned wanted = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
    if (i->ifa_addr != nullptr && i->ifa_addr->sa_family == family
        && (i->ifa_flags & (wanted | IFF_LOOPBACK)) == wanted)
      name = i->ifa_name;
  }
  ::freeifaddrs(all);
  return name;
}

} // namespace

TEST_CASE("U13: the hops, the loopback mode and the outgoing interface can be set", "[U13]") {
  const bool v6 = GENERATE(false, true);
  events log;
  running server{1};
  const auto port = listen_multicast(server.rt, 0, told(log), {.interface = v6 ? "::" : "0.0.0.0"});
  server.start();
  REQUIRE(log.wait(1));
  on_loop(server, [&] {
    auto& m = protocol_of(port).multicast();
    CHECK(m.get_ttl() == 1);
    CHECK_FALSE(m.set_ttl(2));
    CHECK(m.get_ttl() == 2);
    CHECK(m.set_ttl(256) == errc::invalid_argument);
    CHECK(m.set_ttl(-1) == errc::invalid_argument);
    CHECK_FALSE(m.set_ttl(255));
    CHECK(m.get_ttl() == 255);
    CHECK_FALSE(m.set_ttl(0));
    CHECK(m.get_ttl() == 0);

    CHECK(m.get_loopback_mode());
    CHECK_FALSE(m.set_loopback_mode(false));
    CHECK_FALSE(m.get_loopback_mode());
    CHECK_FALSE(m.set_loopback_mode(true));
    CHECK(m.get_loopback_mode());

    CHECK(m.get_outgoing_interface() == (v6 ? "::" : "0.0.0.0"));
    const std::string own = v6 ? "::1" : lo;
    CHECK(result_of(m.set_outgoing_interface(own)) == errc::none);
    CHECK(m.get_outgoing_interface() == own);
    CHECK(result_of(m.set_outgoing_interface("lo")) == errc::none);
    CHECK(m.get_outgoing_interface() == "lo");
    CHECK(result_of(m.set_outgoing_interface("nowhere")) == errc::multicast_failed);
    CHECK(result_of(m.set_outgoing_interface(v6 ? "2001:db8::1" : "203.0.113.1"))
          == errc::multicast_failed);
    CHECK(m.get_outgoing_interface() == "lo");
    CHECK(result_of(m.set_outgoing_interface("")) == errc::none);
    CHECK(m.get_outgoing_interface() == (v6 ? "::" : "0.0.0.0"));
  });
}

TEST_CASE("U13: what is sent to a group arrives where it was joined, and only there", "[U13]") {
  events joined, other;
  running server{1};
  const auto in =
    listen_multicast(server.rt, 0,
                     told(joined, {.start =
                                     [&](auto& self) {
                                       tell(joined, self.multicast().join_group(group, lo));
                                     }}),
                     {.listen_multiple = true});
  const auto number = in.get_host().port();
  const auto out = listen_multicast(server.rt, number, told(other), {.listen_multiple = true});
  server.start();
  REQUIRE(joined.wait(2));
  REQUIRE(other.wait(1));
  on_loop(server, [&] {
    auto& p = protocol_of(out);
    CHECK(result_of(p.multicast().set_outgoing_interface(lo)) == errc::none);
    for (int i = 0; i < 3; ++i) // leave as one message, which the system cuts apart
      CHECK_FALSE(p.transport().write("hello", net_address::ip(group, number)));
  });
  REQUIRE(joined.wait(5));
  CHECK(joined.all() == strings{"start", "ok", "got hello", "got hello", "got hello"});
  on_loop(server, [&] {
    CHECK(result_of(protocol_of(in).multicast().leave_group(group, lo)) == errc::none);
    CHECK_FALSE(protocol_of(out).transport().write("left", net_address::ip(group, number)));
  });
  on_loop(server, [&] {
    CHECK(result_of(protocol_of(in).multicast().join_group(group, "lo")) == errc::none);
    CHECK_FALSE(protocol_of(out).transport().write("back", net_address::ip(group, number)));
  });
  REQUIRE(joined.wait(6));
  CHECK(joined.all().back() == "got back");
  CHECK(other.all() == strings{"start"});
}

TEST_CASE("U13: without the loopback mode, this machine does not hear itself", "[U13]") {
  const auto interface = multicast_interface(AF_INET);
  if (interface.empty()) {
    WARN("skipped: there is no interface for multicast");
    return;
  }
  events log;
  running server{1};
  const auto port = listen_multicast(server.rt, 0, told(log));
  server.start();
  REQUIRE(log.wait(1));
  const auto to = net_address::ip(group, port.get_host().port());
  on_loop(server, [&] {
    auto& m = protocol_of(port).multicast();
    CHECK(result_of(m.join_group(group, interface)) == errc::none);
    CHECK(result_of(m.set_outgoing_interface(interface)) == errc::none);
    CHECK_FALSE(m.set_ttl(0)); // stays on this machine
    CHECK_FALSE(protocol_of(port).transport().write("one", to));
  });
  REQUIRE(log.wait(2));
  on_loop(server, [&] {
    CHECK_FALSE(protocol_of(port).multicast().set_loopback_mode(false));
    CHECK_FALSE(protocol_of(port).transport().write("unheard", to));
  });
  on_loop(server, [&] {
    CHECK_FALSE(protocol_of(port).multicast().set_loopback_mode(true));
    CHECK_FALSE(protocol_of(port).transport().write("two", to));
  });
  REQUIRE(log.wait(3));
  CHECK(log.all() == strings{"start", "got one", "got two"});
}

TEST_CASE("U14: joining what is no group fails, and so does leaving what was not joined", "[U14]") {
  const bool v6 = GENERATE(false, true);
  events log;
  running server{1};
  auto port = listen_multicast(server.rt, 0, told(log), {.interface = v6 ? "::" : "0.0.0.0"});
  server.start();
  REQUIRE(log.wait(1));
  const std::string good = v6 ? "ff02::250" : group;
  on_loop(server, [&] {
    auto& m = protocol_of(port).multicast();
    CHECK(result_of(m.join_group(v6 ? "::1" : lo, "lo")) == errc::multicast_failed);
    CHECK(result_of(m.leave_group(good, "lo")) == errc::multicast_failed);
    CHECK(result_of(m.join_group(good, "nowhere")) == errc::multicast_failed);
    CHECK(result_of(m.join_group("all of them")) == errc::invalid_address);
    CHECK(result_of(m.join_group("")) == errc::invalid_address);
    CHECK(result_of(m.join_group(v6 ? group : "ff02::250", "lo")) == errc::invalid_address);
    CHECK(result_of(m.join_group(good, "lo")) == errc::none);
    CHECK(result_of(m.join_group(good, "lo")) == errc::multicast_failed);
    CHECK(result_of(m.leave_group(good, "lo")) == errc::none);
    CHECK(result_of(m.leave_group(good, "lo")) == errc::multicast_failed);
    tell(log, m.join_group("127.0.0.1", "lo"));
  });
  if (!v6)
    CHECK(log.all().back().find("join 127.0.0.1 through lo: ") != std::string::npos);
  on_loop(server, [&] { port.stop_listening(); });
  REQUIRE(log.wait(3));
  on_loop(server, [&] {
    auto& m = protocol_of(port).multicast();
    CHECK(result_of(m.join_group(good, "lo")) == errc::not_listening);
    CHECK(m.set_ttl(2) == errc::not_listening);
  });
}

TEST_CASE("U14: two ports join and leave the same group", "[U14]") {
  events log;
  running server{1};
  const auto a = listen_multicast(server.rt, 0, told(log), {.listen_multiple = true});
  const auto b =
    listen_multicast(server.rt, a.get_host().port(), told(log), {.listen_multiple = true});
  server.start();
  REQUIRE(log.wait(2));
  on_loop(server, [&] {
    for (int i = 0; i < 2; ++i) {
      for (const auto& port : {a, b})
        CHECK(result_of(protocol_of(port).multicast().join_group(group, lo)) == errc::none);
      for (const auto& port : {a, b})
        CHECK(result_of(protocol_of(port).multicast().leave_group(group, lo)) == errc::none);
    }
  });
}

TEST_CASE("U15: two ports with one number both get what is sent to the group", "[U15]") {
  const auto before = open_descriptors();
  {
    events first, second;
    running server{2};
    const auto join = [](events& log) {
      return datagram_script{.start = [&log](auto& self) {
        tell(log, self.multicast().join_group(group, lo));
      }};
    };
    const auto a =
      listen_multicast(server.rt, 0, told(first, join(first)), {.listen_multiple = true});
    const auto number = a.get_host().port();
    CHECK_THROWS_AS(listen_multicast(server.rt, number, told(second)), cannot_listen_error);
    const auto b = listen_multicast(server.rt, number, told(second, join(second)),
                                    {.listen_multiple = true, .loop = 1});
    server.start();
    REQUIRE(first.wait(2));
    REQUIRE(second.wait(2));
    udp_peer peer; // bound to 127.0.0.1, it sends through the loopback interface
    peer.send(number, "hello world", group);
    REQUIRE(first.wait(3));
    REQUIRE(second.wait(3));
    CHECK(first.all() == strings{"start", "ok", "got hello world"});
    CHECK(second.all() == first.all());
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("groups of IPv6 are joined and left like those of IPv4", "[U13]") {
  const auto interface = multicast_interface(AF_INET6);
  if (interface.empty()) {
    WARN("skipped: there is no interface for multicast");
    return;
  }
  events log;
  running server{1};
  const auto port = listen_multicast(server.rt, 0, told(log), {.interface = "::"});
  server.start();
  REQUIRE(log.wait(1));
  const auto to = net_address::ip("ff02::250", port.get_host().port());
  on_loop(server, [&] {
    auto& m = protocol_of(port).multicast();
    CHECK(result_of(m.join_group("ff02::250", interface)) == errc::none);
    CHECK(result_of(m.set_outgoing_interface(interface)) == errc::none);
    CHECK_FALSE(m.set_ttl(0));
    CHECK_FALSE(protocol_of(port).transport().write("hello", to));
  });
  REQUIRE(log.wait(2));
  CHECK(log.all() == strings{"start", "got hello"});
}

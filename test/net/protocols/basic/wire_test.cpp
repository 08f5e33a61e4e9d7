#include <troupe/basic/wire.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <troupe/basic/wire_udp.hpp>
#include <troupe/testing/accumulating_protocol.hpp>
#include <troupe/testing/datagram_fixture.hpp>
#include <troupe/testing/memory_network.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::string_literals;

namespace {

constexpr wire::wall_time epoch{};

template <class Service>
class at_epoch : public Service {
public:
  using Service::Service;
  wire::wall_time get_time() override { return epoch; }
};

template <class P>
std::string said_by() {
  protocol_fixture<P> t;
  CHECK(t.transport.disconnecting());
  return t.transport.value();
}

class long_quote : public wire::qotd {
public:
  using qotd::qotd;
  std::string get_quote() override { return std::string(1000, 'q'); }
};

class listing : public wire::who {
public:
  using who::who;
  std::vector<std::string> get_users() override { return {"alice", "b\r\nob\x1b[2J", ""}; }
};

const net_address stranger{net_address::kind::ipv4, "192.0.2.7", 40'000};

} // namespace

TEST_CASE("the text of a time is in UTC, and its bytes count from 1900") {
  CHECK(wire::daytime_text(epoch) == "Thu Jan  1 00:00:00 1970");
  CHECK(wire::daytime_text(epoch + std::chrono::seconds(1'234'567'890))
        == "Fri Feb 13 23:31:30 2009");
  CHECK(wire::time_bytes(epoch) == "\x83\xaa\x7e\x80");
  CHECK(wire::time_bytes(epoch + std::chrono::seconds(2'085'978'496)) == "\0\0\0\0"s);
}

TEST_CASE("services that say one thing say it, and close") {
  CHECK(said_by<at_epoch<wire::daytime>>() == "Thu Jan  1 00:00:00 1970\r\n");
  CHECK(said_by<at_epoch<wire::time>>() == "\x83\xaa\x7e\x80");
  CHECK(said_by<wire::qotd>() == "An apple a day keeps the doctor away.\r\n");
  CHECK(said_by<long_quote>() == std::string(510, 'q') + "\r\n");
  CHECK(said_by<wire::who>() == "root\r\n");
  CHECK(said_by<listing>() == "alice\r\nbob[2J\r\n\r\n");
}

TEST_CASE("echo writes back what comes, as fast as the peer takes it") {
  memory_network net;
  const auto port = net.listen(0, factory::for_protocol<wire::echo>());
  auto& c = net.connect<half_closing_protocol>(port);
  net.enter(c, [&] {
    c.transport().pause_producing();
    c.transport().write(std::string(1'000'000, 'x'));
  });
  net.flush();
  CHECK(c.transport().unsent() > 600'000);
  net.enter(c, [&] {
    c.transport().resume_producing();
    c.transport().lose_write_connection();
  });
  net.flush();
  CHECK(c.data.size() == 1'000'000); // also what it got just before the end of its input
  CHECK(c.read_closed == 1);
  CHECK(c.closed == 1);
}

TEST_CASE("discard takes everything, and says nothing") {
  protocol_fixture<wire::discard> t;
  t.deliver(std::string(100'000, 'x'));
  CHECK(t.transport.value().empty());
  CHECK_FALSE(t.transport.disconnecting());
}

TEST_CASE("chargen writes rotating lines of 72 characters, one portion for each that is taken") {
  const auto& lines = wire::chargen_lines();
  CHECK(lines.size() == 95 * 74);
  CHECK(lines.starts_with(
    " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n!\"#"));
  CHECK(lines.substr(94 * 74, 3) == "~ !");
  protocol_fixture<wire::chargen> t;
  t.deliver("ignored");
  REQUIRE(t.transport.registered_producer() != nullptr);
  CHECK_FALSE(t.transport.streaming());
  t.enter([&] { t.transport.registered_producer()->resume_producing(); });
  CHECK(t.transport.value() == lines);
}

TEST_CASE("over UDP each datagram is answered with one") {
  datagram_fixture<wire::udp_echo> echo;
  echo.deliver("hello", stranger);
  echo.deliver("", stranger);
  REQUIRE(echo.transport.written().size() == 2);
  CHECK(echo.transport.written()[0].data == "hello");
  CHECK(echo.transport.written()[0].to == stranger);
  CHECK(echo.transport.written()[1].data.empty());

  datagram_fixture<wire::udp_discard> discard;
  discard.deliver("hello", stranger);
  CHECK(discard.transport.written().empty());

  datagram_fixture<wire::udp_chargen> chargen{1u};
  for (int i = 0; i < 2000; ++i)
    chargen.deliver("", stranger);
  std::size_t shortest = 1000, longest = 0;
  for (const auto& d : chargen.transport.written()) {
    shortest = std::min(shortest, d.data.size());
    longest = std::max(longest, d.data.size());
  }
  CHECK(shortest < 10);
  CHECK(longest > 500);
  CHECK(longest <= 512);

  datagram_fixture<at_epoch<wire::udp_daytime>> daytime;
  daytime.deliver("", stranger);
  CHECK(daytime.transport.written().at(0).data == "Thu Jan  1 00:00:00 1970\r\n");
  datagram_fixture<at_epoch<wire::udp_time>> time;
  time.deliver("", stranger);
  CHECK(time.transport.written().at(0).data == "\x83\xaa\x7e\x80");
  datagram_fixture<wire::udp_qotd> qotd;
  qotd.deliver("", stranger);
  CHECK(qotd.transport.written().at(0).data == "An apple a day keeps the doctor away.\r\n");
  datagram_fixture<wire::udp_who> who;
  who.deliver("", stranger);
  CHECK(who.transport.written().at(0).data == "root\r\n");
}

TEST_CASE("over UDP nothing is answered that comes from such a service, or from a port like this") {
  datagram_fixture<wire::udp_echo> echo;
  const auto own = echo.transport.get_host().port();
  for (const std::uint16_t port : {std::uint16_t{7}, std::uint16_t{11}, std::uint16_t{13},
                                   std::uint16_t{17}, std::uint16_t{19}, std::uint16_t{37}, own})
    echo.deliver("x", {net_address::kind::ipv4, "192.0.2.7", port});
  CHECK(echo.transport.written().empty());
  for (const std::uint16_t port : {8, 20, 53, 1024})
    echo.deliver("x", {net_address::kind::ipv4, "192.0.2.7", port});
  CHECK(echo.transport.written().size() == 4);
}

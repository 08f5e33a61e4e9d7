// The commands of a manhole, and what a console does with them, without a network.

#include <algorithm>
#include <string>
#include <string_view>

#include <troupe/manhole/manhole.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

class collecting : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { got += as_text(data); }
  std::string got;
};

class served : public protocol {
public:
  using protocol::protocol;
};

// A person at a manhole of a process in memory.
struct at_manhole {
  testing::memory_network net;
  collecting* peer = nullptr;

  explicit at_manhole(manhole_options options = {}) {
    const auto port = net.listen(0, manhole_factory(net.rt, std::move(options)));
    peer = &net.connect<collecting>(port);
    net.flush();
  }
  std::string take() { return std::exchange(peer->got, {}); }
  std::string ask(const std::string& line) {
    take();
    net.enter(*peer, [&] { peer->transport().write(line + "\n"); });
    net.flush();
    net.rt.settle(32); // loops are asked, some commands ask several times
    net.flush();
    return take();
  }
};

bool has(const std::string& text, std::string_view part) {
  CAPTURE(text, std::string{part});
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("manhole: it says what it is, and what there is") {
  at_manhole m;
  CHECK(m.take().starts_with("troupe, process "));
  const auto help = m.ask("help");
  for (const auto* name : {"loops", "actors", "connections", "topics", "tree", "timers",
                           "inspect ID", "close ID", "quit"})
    CHECK(has(help, name));
  CHECK(m.ask("help loops").starts_with("  loops: "));
  CHECK(m.ask("help nothing") == "There is no such command.\r\n");
  CHECK(m.ask("").empty());
}

TEST_CASE("manhole: what is not known is answered with what looks like it") {
  at_manhole m;
  CHECK(m.ask("conections") == "There is no command conections; did you mean connections?\r\n");
  CHECK(has(m.ask("loop"), "did you mean loops"));
  CHECK(m.ask("xyzzyx") == "There is no command xyzzyx; help lists them.\r\n");
  CHECK(m.ask("\x1b[2Jevil").find('\x1b') == std::string::npos);
}

TEST_CASE("manhole: loops, actors, connections, factories and timers are there") {
  at_manhole m;
  CHECK(has(m.ask("loops"), "longest turn"));
  CHECK(has(m.ask("actors manhole"), "connection"));
  const auto connections = m.ask("connections");
  CHECK(has(connections, "manhole"));
  CHECK(has(connections, "127.0.0.1:"));
  CHECK(m.ask("connections no-such-thing") == "none\r\n");
  CHECK(has(m.ask("factories"), "manhole"));
  m.net.rt.reactor().call_later(90s, [] {});
  CHECK(has(m.ask("timers"), "90.000"));
  CHECK(has(m.ask("metrics troupe_loop_turns"), "troupe_loop_turns_total{loop=\"0\"}"));
  CHECK(has(m.ask("threads"), "calls wait"));
}

TEST_CASE("manhole: the tree has supervisors below supervisors") {
  at_manhole m;
  CHECK(m.ask("tree") == "none\r\n");
  m.net.rt.in_turn([&] {
    m.net.rt.spawn_on<supervisor>(0, supervisor_options{.name = "top"},
                                  std::vector<child_spec>{supervisor::as_child(
                                    {.name = "rooms", .strategy = restart_strategy::one_for_all},
                                    {{.id = "lobby", .start = [](supervisor& s) {
                                        return s.spawn([] {
                                          return caf::behavior{[](int) {
                                          }};
                                        });
                                      }}})});
  });
  m.net.flush();
  const auto tree = m.ask("tree");
  CHECK(has(tree, "top  running"));
  CHECK(has(tree, "\r\n  rooms  running"));
  CHECK(has(tree, "supervisor, one_for_all\r\n    lobby  running"));
}

TEST_CASE("manhole: what is only for looking changes nothing") {
  at_manhole m;
  for (const auto* line : {"close 1", "abort 1", "limit 1 1", "stop"})
    CHECK(m.ask(line) == "This manhole is only for looking.\r\n");
  CHECK(has(m.ask("log debug"), "only for looking"));
  CHECK(has(m.ask("log"), "the log begins at "));
  CHECK_FALSE(m.net.rt.stop_requested());
}

TEST_CASE("manhole: one that may change things closes, limits, and sets the log") {
  at_manhole m{{.allow_changes = true}};
  const auto port = m.net.listen(0, factory::for_protocol<served>());
  auto& one = m.net.connect<collecting>(port);
  auto& other = m.net.connect<collecting>(port);
  const auto all = m.ask("connections served");
  CHECK(std::count(all.begin(), all.end(), '\n') == 3);
  const auto first = all.substr(all.find("\r\n") + 2);
  const auto id = first.substr(0, first.find(' '));
  CHECK(has(m.ask("inspect " + id), "served\r\n  peer"));
  CHECK(has(m.ask("close " + id), "told to close"));
  m.net.flush();
  CHECK(one.connected() != other.connected());
  CHECK(m.peer->connected());
  CHECK(m.ask("close 999999") == "there is no open connection 999999\r\n");
  CHECK(m.ask("close x") == "ID is a number, not \"x\"\r\n");
  CHECK(m.ask("close") == "which ID?\r\n");
  const auto factories = m.ask("factories");
  const auto row = factories.find("served");
  REQUIRE(row != std::string::npos);
  const auto line = factories.rfind('\n', row) + 1;
  const auto factory_id = factories.substr(line, factories.find(' ', line) - line);
  CHECK(has(m.ask("limit " + factory_id + " 7"), "at most 7"));
  CHECK(has(m.ask("inspect " + factory_id), "at most 7"));
  CHECK(has(m.ask("log warning"), "warning now"));
  CHECK(has(m.ask("log loud"), "levels are"));
  CHECK(m.ask("inspect 999999") == "no actor on a loop has the id 999999\r\n");
  m.ask("stop");
  CHECK(m.net.rt.stop_requested());
}

TEST_CASE("manhole: commands of the program's own, with results now, later, and never") {
  manhole_options options;
  promise<std::string> later, failing, lost;
  options.commands.add("greet", "greet NAME", [](const manhole_call& c) {
    return "hello, " + c.argument(0, "NAME") + "\n" + std::string{c.who.empty() ? "?" : "!"};
  });
  options.commands.add("later", "later", [&](const manhole_call&) { return later.get_deferred(); });
  options.commands.add("fails", "fails",
                       [&](const manhole_call&) { return failing.get_deferred(); });
  options.commands.add("throws", "throws", [](const manhole_call&) -> std::string {
    throw std::runtime_error("broken");
  });
  options.commands.add("nothing", "nothing", [](const manhole_call&) {});
  CHECK_THROWS_AS(options.commands.add("later", "", [](const manhole_call&) {}),
                  std::invalid_argument);
  CHECK_THROWS_AS(options.commands.add("a b", "", [](const manhole_call&) {}),
                  std::invalid_argument);
  at_manhole m{options};
  CHECK(m.ask("greet ann") == "hello, ann\r\n!\r\n");
  CHECK(m.ask("greet") == "which NAME?\r\n");
  CHECK(m.ask("throws") == "broken\r\n");
  CHECK(m.ask("nothing").empty());
  // The next command waits for a while, and then goes on.
  CHECK(m.ask("later\ngreet bob").empty());
  m.net.advance(1099ms);
  CHECK(m.take().empty());
  m.net.advance(1ms);
  CHECK(m.take() == "<Deferred #5>\r\nhello, bob\r\n!\r\n");
  CHECK(m.ask("fails").empty());
  m.net.rt.in_turn([&] { failing.errback(errc::timed_out); });
  m.net.flush();
  CHECK(has(m.take(), "\r\n"));
  m.net.rt.in_turn([&] { later.callback("done"); });
  m.net.flush();
  CHECK(m.take() == "Deferred #5 called back: done\r\n");
}

TEST_CASE("manhole: results that come after the end are dropped") {
  manhole_options options;
  promise<std::string> later;
  options.commands.add("later", "later", [&](const manhole_call&) { return later.get_deferred(); });
  at_manhole m{options};
  m.ask("later");
  m.net.enter(*m.peer, [&] { m.peer->transport().abort_connection(); });
  m.net.flush();
  m.net.rt.in_turn([&] { later.callback("done"); });
  m.net.flush();
  CHECK(m.take().empty());
}

TEST_CASE(
  "manhole: an answer that is too long is cut, and who does not read holds the next one up") {
  manhole_options options{.longest_answer = 300'000};
  options.commands.add("long", "long",
                       [](const manhole_call&) { return std::string(400'000, 'x'); });
  at_manhole m{options};
  const auto got = m.ask("long");
  CHECK(has(got, "100000 bytes more were left out."));
  CHECK(got.size() < 300'100);
}

TEST_CASE("manhole: a terminal has a prompt, history and completion") {
  at_manhole m;
  const auto send = [&](const std::string& bytes) {
    m.net.enter(*m.peer, [&] { m.peer->transport().write(bytes); });
    m.net.flush();
    return m.take();
  };
  send(std::string{"\xff\xfb\x1f\xff\xfa\x1f\0\x50\0\x18\xff\xf0\xff\xfb\x18", 15});
  send(std::string{"\xff\xfa\x18\0xterm\xff\xf0", 11});
  send(std::string{"\xff\xfa\x18\0xterm\xff\xf0", 11});
  CHECK(has(send("\xff\xfd\x03\xff\xfd\x01"), "only for looking"));
  CHECK(has(send("lo"), ">>> lo"));
  CHECK(has(send("o\t"), ">>> loops "));
  CHECK(has(send("\r"), "longest turn"));
  CHECK(has(send("\x1b[A"), ">>> loops"));
  CHECK(has(send("\x03"), "KeyboardInterrupt"));
  send("\x04");
  CHECK_FALSE(m.peer->connected());
}

// Runs Troupe and its peers in turn, and prints what they cost. See README.md.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "irc_load.hpp"
#include "load.hpp"
#include "protocol_load.hpp"
#include "rows.hpp"
#include "server.hpp"
#include "udp_load.hpp"

namespace {

using bench::bound;
using bench::row;
using bench::server;
using bench::settings;

const std::string programs = TROUPE_BENCH_PROGRAMS "/";
const std::string examples = TROUPE_BENCH_EXAMPLES "/";
const std::string sources = TROUPE_BENCH_SOURCE "/";

constexpr std::size_t idle_connections = 10'000;

bench::echo_load sized(const settings& s, bench::echo_load load) {
  if (s.smoke) {
    load.warm_up = std::chrono::milliseconds(20);
    load.time = std::chrono::milliseconds(100);
    load.connections = std::min<std::size_t>(load.connections, 50);
  }
  return load;
}

auto echo(std::vector<std::string> command, bench::echo_load load) {
  return [=](const settings& s) {
    server under_test{command};
    return bench::run_echo(under_test, sized(s, load)).cpu_us;
  };
}

auto udp_echo(std::vector<std::string> command) {
  return [=](const settings& s) {
    bench::udp_load load;
    if (s.smoke) {
      load.warm_up = std::chrono::milliseconds(20);
      load.time = std::chrono::milliseconds(100);
    }
    server under_test{command};
    return bench::run_udp_echo(under_test, load).cpu_us;
  };
}

auto chat(std::vector<std::string> command, bench::chat_load load) {
  return [=](const settings& s) {
    auto l = load;
    if (s.smoke) {
      l.warm_up = std::chrono::milliseconds(20);
      l.time = std::chrono::milliseconds(100);
      l.users = std::min<std::size_t>(l.users, 20);
    }
    server under_test{command};
    return bench::run_chat(under_test, l).cpu_us;
  };
}

auto irc(std::vector<std::string> command, bench::irc_load load) {
  return [=](const settings& s) {
    auto l = load;
    if (s.smoke) {
      l.talk.warm_up = std::chrono::milliseconds(20);
      l.talk.time = std::chrono::milliseconds(100);
      l.talk.users = std::min<std::size_t>(l.talk.users, 20);
    }
    server under_test{command};
    return bench::run_irc(under_test, l).cpu_us;
  };
}

auto idle_irc(std::vector<std::string> command) {
  return [=](const settings& s) {
    server under_test{command};
    return bench::run_idle_irc(under_test, s.smoke ? 200 : idle_connections);
  };
}

auto idle(std::vector<std::string> command, bool is_chat, bool switches) {
  return [=](const settings& s) {
    server under_test{command};
    const auto got = bench::run_idle(under_test, s.smoke ? 500 : idle_connections, is_chat,
                                     std::chrono::seconds(!switches ? 0
                                                          : s.smoke ? 1
                                                                    : 10));
    return switches ? static_cast<double>(got.switches) : got.bytes;
  };
}

auto idle_tls(std::vector<std::string> command) {
  return [=](const settings& s) {
    server under_test{command};
    return bench::run_idle(under_test, s.smoke ? 100 : 2000, false, std::chrono::seconds(0), true)
      .bytes;
  };
}

/// The server under test passes connections on to an echo beside the load; `port` of it is its last word.
auto forwarding(std::vector<std::string> command, std::vector<std::string> echo_command) {
  return [=](const settings& s, auto measure) {
    const server target{echo_command, 1};
    auto words = command;
    words.push_back(std::to_string(target.port()));
    const server under_test{words};
    return measure(s, under_test, target);
  };
}

auto forward_echo(std::vector<std::string> command, std::vector<std::string> target,
                  bench::echo_load load) {
  return [=, through = forwarding(std::move(command), std::move(target))](const settings& all) {
    return through(all, [&](const settings& s, const server& under_test, const server&) {
      return bench::run_echo(under_test, sized(s, load)).cpu_us;
    });
  };
}

auto forward_idle(std::vector<std::string> command, std::vector<std::string> target) {
  return [through = forwarding(std::move(command), std::move(target))](const settings& all) {
    return through(all, [](const settings& s, const server& under_test, const server&) {
      return bench::run_idle(under_test, s.smoke ? 100 : 5000, false, std::chrono::seconds(0))
        .bytes;
    });
  };
}

/// Connections for each second of the server's CPU.
auto connects(std::vector<std::string> command, std::vector<std::string> target, bool socks) {
  return [=, through = forwarding(std::move(command), std::move(target))](const settings& all) {
    return through(all, [=](const settings& s, const server& under_test, const server& echo) {
      bench::connect_load load;
      load.socks_to = socks ? echo.port() : std::uint16_t{0};
      if (s.smoke) {
        load.warm_up = std::chrono::milliseconds(20);
        load.time = std::chrono::milliseconds(100);
      }
      return 1e3 / bench::run_connects(under_test, load).cpu_us;
    });
  };
}

/// Runs a program that prints numbers, and takes the one at `index`. Rows that take different
/// numbers of the same program share its run.
///
/// \param count  how much it does in a smoke run, as its last argument
auto printed(std::vector<std::string> command, std::string count, std::size_t index, double scale,
             int core = 0) {
  return [=](const settings& s) {
    static std::map<std::pair<std::vector<std::string>, int>, std::vector<double>> runs;
    auto& numbers = runs[{command, s.repetition}];
    if (numbers.empty()) {
      auto words = command;
      if (s.smoke)
        words.push_back(count);
      std::istringstream in{bench::run(words, core)};
      for (double value; in >> value;)
        numbers.push_back(value);
    }
    return numbers.at(index) * scale;
  };
}

std::vector<row> table() {
  using words = std::vector<std::string>;
  const auto program = [](const std::string& name) {
    return words{programs + name};
  };
  const auto example = [](const std::string& name) {
    return words{examples + name, "--port", "0", "--interface", "127.0.0.1", "--loops", "1"};
  };
  const auto twisted = [](const std::string& name) {
    return words{"/usr/bin/python3", sources + "peers/" + name};
  };
  const auto actors = [](const std::string& side, const std::string& what, std::size_t index,
                         double scale, int core = 0) {
    return printed({programs + side, what}, "20000", index, scale, core);
  };
  const auto timers = [](const std::string& side, std::size_t index) {
    return printed({programs + side}, "50000", index, 1);
  };

  const auto deferreds = [](const std::string& side, const std::string& what, std::size_t index) {
    return printed({programs + side, what}, "1000", index, 1);
  };
  const auto threads = [](const std::string& side, const std::string& what, std::size_t index,
                          double scale) {
    return printed({programs + side, what}, "1000", index, scale, -1);
  };
  const auto per = [](auto rate_of) { // the time for one operation
    return [rate_of](const settings& s) {
      return 1 / rate_of(s);
    };
  };

  const bench::echo_load one{};
  const bench::echo_load sixteen{.in_flight = 16};
  const bench::echo_load thousand{.connections = 1000};
  const bench::echo_load bulk{.connections = 4, .bytes = 65536};
  const bench::echo_load tls_one{.tls = true};
  const bench::echo_load tls_sixteen{.in_flight = 16, .tls = true};
  const bench::echo_load tls_bulk{.connections = 4, .bytes = 65536, .tls = true};
  const bench::echo_load burst{.bytes = 6400, .operation = 64};
  const auto ours = program("bench_echo");
  auto behind_policies = ours;
  behind_policies.emplace_back("policies");
  const auto asio = program("peers/asio_echo");
  const auto caf = program("peers/caf_echo");
  const auto over_unix = [](words command) {
    command.emplace_back("unix");
    return command;
  };
  const bench::echo_load netstrings{.frame = bench::framing::netstring};
  const bench::echo_load int32s{.frame = bench::framing::int32};
  const bench::echo_load many_netstrings{
    .bytes = 6400, .operation = 64, .frame = bench::framing::netstring};
  const bench::echo_load many_int32s{
    .bytes = 6400, .operation = 64, .frame = bench::framing::int32};
  const auto protocols = [&](const std::string& what) {
    auto command = program("bench_protocols");
    command.push_back(what);
    return command;
  };
  const auto asio_forward = program("peers/asio_forward");
  const auto our_irc = program("bench_irc");
  const auto irc_peer = [&](const std::string& name) {
    return words{"/usr/bin/python3", sources + "peers/irc_server.py", name};
  };
  const bench::chat_load crowd{.users = 1000, .lines = 1};
  const bench::chat_load crowd_bursts{.users = 1000, .lines = 5};
  const std::string us = "us CPU";
  const std::string rate = "M/CPU s"; // not of the clock: others may use the core too
  using enum bound;
  return {
    {"echo", "echo 64 B, 50 connections", us, "Asio", echo(ours, one), echo(asio, one), at_most,
     1.05},
    {"echo-caf", "echo 64 B, 50 connections", us, "caf::io", echo(ours, one), echo(caf, one),
     at_most, 0.70},
    {"echo-twisted",
     "echo 64 B, 50 connections",
     us,
     "Twisted",
     echo(ours, one),
     echo(twisted("twisted_echo.py"), one),
     at_most,
     {}},
    {"echo-16", "echo 64 B, 50 connections, 16 in flight", us, "Asio", echo(ours, sixteen),
     echo(asio, sixteen), at_most, 1.05},
    {"echo-1000", "echo 64 B, 1000 connections", us, "Asio", echo(ours, thousand),
     echo(asio, thousand), at_most, 1.05},
    {"echo-1000-caf", "echo 64 B, 1000 connections", us, "caf::io", echo(ours, thousand),
     echo(caf, thousand), at_most, 0.60},
    {"bulk", "echo 64 KiB, 4 connections", us, "Asio", echo(ours, bulk), echo(asio, bulk), at_most,
     1.05},
    {"unix-echo", "UNIX echo 64 B, 50 connections", us, "Asio", echo(over_unix(ours), one),
     echo(over_unix(asio), one), at_most, 1.05},
    {"echo-policies", "echo 64 B, 50 connections, four policies", us, "the same without",
     echo(behind_policies, one), echo(ours, one), at_most, 1.15},
    {"tls-echo", "TLS echo 64 B, 50 connections", us, "Asio + OpenSSL",
     echo(program("bench_tls_echo"), tls_one), echo(program("peer_asio_tls_echo"), tls_one),
     at_most, 1.1},
    {"tls-echo-16", "TLS echo 64 B, 50 connections, 16 in flight", us, "Asio + OpenSSL",
     echo(program("bench_tls_echo"), tls_sixteen), echo(program("peer_asio_tls_echo"), tls_sixteen),
     at_most, 1.1},
    {"tls-bulk", "TLS echo 64 KiB, 4 connections", us, "Asio + OpenSSL",
     echo(program("bench_tls_echo"), tls_bulk), echo(program("peer_asio_tls_echo"), tls_bulk),
     at_most, 1.1},
    {"memory-tls",
     "idle TLS connection, echo, 2000",
     "bytes",
     "Asio + OpenSSL",
     idle_tls(program("bench_tls_echo")),
     idle_tls({programs + "peer_asio_tls_echo", "release"}),
     at_most,
     {}},
    {"udp", "UDP echo 64 B, 16 sockets, 8 in flight", us, "Asio",
     udp_echo(program("bench_udp_echo")), udp_echo(program("peer_asio_udp_echo")), at_most, 0.77},
    {"clients", "10,000 connections, opened and closed", rate, "Asio",
     printed({programs + "bench_clients", "crowd"}, "200", 1, 1e-6),
     printed({programs + "peer_asio_clients", "crowd"}, "200", 1, 1e-6), at_least, 0.9},
    {"lines", "lines of 64 B, bursts of 100, 50 connections", us, "Asio, unparsed",
     echo(program("bench_line_echo"), burst), echo(asio, burst), at_most, 1.5},
    {"chat", "chat, 100 users, 10 senders, bursts of 20", us, "Twisted",
     chat(example("chat_server"), {}), chat(twisted("twisted_chat.py"), {}), at_most, 0.5},
    {"chat-asio", "chat, 100 users, 10 senders, bursts of 20", us, "Asio",
     chat(example("chat_server"), {}), chat(program("peers/asio_chat"), {}), at_most, 0.75},
    {"publish", "publish to 1000 actors on one loop", rate, "CAF, 1000 sends",
     actors("bench_topics", "publish", 1, 1e-6), actors("peer_caf_actors", "publish", 1, 1e-6),
     at_least, 5},
    {"memory-topics",
     "1,000,000 subscriptions to 100,000 topics",
     "bytes each",
     "",
     actors("bench_topics", "subscriptions", 1, 1),
     {},
     at_most,
     112},
    {"memory-echo",
     "idle connection, echo, 10,000",
     "bytes",
     "",
     idle(example("echo_server"), false, false),
     {},
     at_most,
     2048},
    {"memory-chat",
     "idle connection, chat, 10,000",
     "bytes",
     "",
     idle(example("chat_server"), true, false),
     {},
     at_most,
     2048},
    {"ping-pong", "ping-pong, one loop", rate, "CAF", actors("bench_actors", "ping-pong", 1, 1e-6),
     actors("peer_caf_actors", "ping-pong", 1, 1e-6), at_least, 1.7},
    {"ping-pong-real", "the same, ten handlers and two texts", rate, "plain",
     actors("bench_actors", "real", 1, 1e-6), actors("bench_actors", "ping-pong", 1, 1e-6),
     at_least, 0.67},
    {"pinned",
     "ping-pong, pinned to two loops",
     "M/s",
     "",
     actors("bench_actors", "pinned", 0, 1e-6, -1),
     {},
     at_least,
     1.0},
    {"spawn", "spawn + end of an actor", rate, "CAF", actors("bench_actors", "spawn", 1, 1e-6),
     actors("peer_caf_actors", "spawn", 1, 1e-6), at_least, 3.0},
    {"request", "request().then(), 30 s time-out, 500,000", rate, "CAF",
     actors("bench_actors", "request", 1, 1e-6), actors("peer_caf_actors", "request", 1, 1e-6),
     at_least, 2.0},
    {"request-held", "held after these requests", "KiB", "CAF",
     actors("bench_actors", "request", 2, 1.0 / 1024),
     actors("peer_caf_actors", "request", 2, 1.0 / 1024), at_most, 0.1},
    {"ask", "ask, 30 s time-out, 500,000", rate, "CAF", actors("bench_actors", "ask", 1, 1e-6),
     actors("peer_caf_actors", "request", 1, 1e-6), at_least, 1.5},
    {"ask-held",
     "held after 100,000 asks in flight",
     "bytes",
     "",
     actors("bench_actors", "ask-flight", 0, 1),
     {},
     at_most,
     16384},
    {"ask-timers",
     "timers after these asks",
     "timers",
     "",
     actors("bench_actors", "ask-flight", 1, 1),
     {},
     at_most,
     0},
    {"chain", "ten callbacks of 3 pointers, each", "ns CPU", "functions",
     deferreds("bench_deferreds", "chain", 0), deferreds("peer_functions", "chain", 0), at_most,
     1.0},
    {"chain-small", "ten callbacks of 1 pointer, each", "ns CPU", "functions",
     deferreds("bench_deferreds", "chain-small", 0), deferreds("peer_functions", "chain-small", 0),
     at_most, 1.0},
    {"chain-memory",
     "ten callbacks of 3 pointers",
     "allocs",
     "functions",
     deferreds("bench_deferreds", "chain", 1),
     {},
     at_most,
     1},
    {"await",
     "co_await of a ready deferred, made for it",
     "ns CPU",
     "",
     deferreds("bench_deferreds", "await", 0),
     {},
     at_most,
     25},
    {"await-memory",
     "co_await of a pending one, beyond the frame",
     "allocs",
     "",
     deferreds("bench_deferreds", "await", 1),
     {},
     at_most,
     1},
    {"looping-call",
     "drift after 1,000,000 calls",
     "ns",
     "",
     deferreds("bench_deferreds", "looping", 0),
     {},
     at_most,
     0},
    {"from-thread",
     "call_from_thread, one thread",
     "M/s",
     "",
     threads("bench_threads", "call-from-thread", 0, 1e-6),
     {},
     at_least,
     5},
    {"to-thread", "defer_to_thread and back", "us", "Asio",
     per(threads("bench_threads", "defer-to-thread", 0, 1e-6)),
     per(threads("peer_asio_threads", "defer-to-thread", 0, 1e-6)), at_most, 1.2},
    {"timer-cancel", "timer, schedule + cancel, 1,000,000", "ns CPU", "Asio",
     timers("bench_timers", 0), timers("peer_asio_timers", 0), at_most, 0.2},
    {"timer-fire", "timer, schedule + fire, 1,000,000", "ns CPU", "Asio", timers("bench_timers", 1),
     timers("peer_asio_timers", 1), at_most, 0.25},
    {"timer-bytes", "timer, pending", "bytes", "", timers("bench_timers", 2), {}, at_most, 80},
    {"idle",
     "idle server, 10,000 connections, 10 s",
     "switches",
     "",
     idle(example("echo_server"), false, true),
     {},
     at_most,
     0},
    {"idle-chat",
     "idle chat server, 10,000 connections, 10 s",
     "switches",
     "",
     idle(example("chat_server"), true, true),
     {},
     at_most,
     0},
    {"forward", "port forward, 64 KiB there and back, 4 connections", us, "Asio",
     forward_echo(protocols("forward"), asio, bulk), forward_echo(asio_forward, asio, bulk),
     at_most, 1.05},
    {"memory-forward",
     "idle forwarded connection, both sides, 5000",
     "bytes",
     "",
     forward_idle(protocols("forward"), asio),
     {},
     at_most,
     4608},
    {"netstring", "netstrings of 60 B, 50 connections", us, "unparsed",
     echo(protocols("netstring"), netstrings), echo(ours, netstrings), at_most, 1.3},
    {"int32", "int32 strings of 60 B, 50 connections", us, "unparsed",
     echo(protocols("int32"), int32s), echo(ours, int32s), at_most, 1.3},
    {"netstrings",
     "netstrings of 60 B, bursts of 100",
     us,
     "unparsed",
     echo(protocols("netstring"), many_netstrings),
     echo(ours, many_netstrings),
     at_most,
     {}},
    {"int32s",
     "int32 strings of 60 B, bursts of 100",
     us,
     "unparsed",
     echo(protocols("int32"), many_int32s),
     echo(ours, many_int32s),
     at_most,
     {}},
    {"socks", "SOCKS 5, connections passed on", "k/CPU s", "port forward",
     connects(protocols("socks"), asio, true), connects(protocols("forward"), asio, false),
     at_least, 0.8},
    {"irc", "IRC, 1000 users, 10 senders", us, "line chat", irc(our_irc, {crowd}),
     chat(example("chat_server"), crowd), at_most, 1.4},
    {"irc-bursts", "IRC, 1000 users, 10 senders, bursts of 5", us, "line chat",
     irc(our_irc, {crowd_bursts}), chat(example("chat_server"), crowd_bursts), at_most, 1.4},
    {"irc-ngircd", "IRC, 1000 users, 10 senders", us, "ngircd", irc(our_irc, {crowd}),
     irc(irc_peer("ngircd"), {crowd}), at_most, 0.5},
    {"irc-ngircd-bursts", "IRC, 1000 users, 10 senders, bursts of 5", us, "ngircd",
     irc(our_irc, {crowd_bursts}), irc(irc_peer("ngircd"), {crowd_bursts}), at_most, 0.5},
    {"irc-inspircd", "IRC, 1000 users, 10 senders", us, "inspircd", irc(our_irc, {crowd}),
     irc(irc_peer("inspircd"), {crowd}), at_most, 0.5},
    {"irc-inspircd-bursts", "IRC, 1000 users, 10 senders, bursts of 5", us, "inspircd",
     irc(our_irc, {crowd_bursts}), irc(irc_peer("inspircd"), {crowd_bursts}), at_most, 0.5},
    {"irc-time",
     "IRC, 1000 users, 10 senders, with server-time",
     us,
     "without",
     irc(our_irc, {crowd, "server-time"}),
     irc(our_irc, {crowd}),
     at_most,
     {}},
    {"memory-irc", "idle user of IRC, 10,000", "bytes", "", idle_irc(our_irc), {}, at_most, 3072},
  };
}

} // namespace

int main(int argc, char** argv) {
  settings s;
  std::string csv;
  std::vector<std::string> only;
  bool list = false;
  bool verbose = false;
  const auto rows = table();
  std::vector<std::string> names;
  for (const auto& r : rows)
    names.push_back(r.name);
  CLI::App app{"Runs Troupe and its peers in turn, and prints what they cost."};
  app.add_option("--repeat", s.repeat, "how often each figure is taken; the median counts (5)")
    ->check(CLI::Range(1, 100));
  app.add_flag("--smoke", s.smoke, "small and once: shows that everything runs and verifies");
  app.add_option("--csv", csv, "write the table to this file too");
  app.add_option("--only", only, "rows to run, by name")->check(CLI::IsMember(names));
  app.add_flag("--list", list, "print the names of the rows");
  app.add_flag("--verbose", verbose, "show what the servers log");
  CLI11_PARSE(app, argc, argv);
  if (list) {
    for (const auto& r : rows)
      std::printf("%-14s %s%s%s\n", r.name.c_str(), r.what.c_str(), r.peer.empty() ? "" : " / ",
                  r.peer.c_str());
    return 0;
  }
  if (s.smoke)
    s.repeat = 1;
  if (verbose)
    bench::show_errors();
  if (const auto limit = bench::raise_descriptor_limit(); !s.smoke && limit < idle_connections + 64)
    std::fprintf(stderr, "only %zu descriptors: the rows of idle connections will fail\n", limit);
  if (!s.smoke)
    bench::take_turn();
  bench::pin_to(1); // the servers have core 0
  std::ofstream out;
  if (!csv.empty()) {
    out.open(csv);
    if (!out) {
      std::fprintf(stderr, "cannot write %s\n", csv.c_str());
      return 2;
    }
    out << "name,what,unit,peer,theirs,ours,ratio,least,most,target,met\n";
  }
  std::printf("%-46s %-9s %-14s %10s %10s %7s %19s    %7s\n", "what", "unit", "peer", "theirs",
              "ours", "ratio", "spread", "target");
  int failed = 0;
  for (const auto& r : rows) {
    if (!only.empty() && std::find(only.begin(), only.end(), r.name) == only.end())
      continue;
    try {
      const auto o = measure(r, s);
      print(r, o);
      if (out)
        write_csv(out, r, o);
    } catch (const std::exception& e) {
      ++failed;
      std::printf("%-46s FAILED: %s\n", r.what.c_str(), e.what());
      std::fflush(stdout);
    }
  }
  return failed == 0 ? 0 : 1;
}

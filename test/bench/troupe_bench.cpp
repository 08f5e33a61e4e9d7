// Runs Troupe and its peers in turn, and prints what they cost. See README.md.

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "load.hpp"
#include "server.hpp"

namespace {

using bench::server;

const std::string programs = TROUPE_BENCH_PROGRAMS "/";
const std::string examples = TROUPE_BENCH_EXAMPLES "/";
const std::string sources = TROUPE_BENCH_SOURCE "/";

struct settings {
  int repeat = 5;
  bool smoke = false;
};

/// One line of the table: a figure of ours, and of a peer in the same run.
struct row {
  std::string name;
  std::string what;
  std::string unit;
  std::string peer;                        // empty: ours stands alone
  std::function<double(const settings&)> ours;
  std::function<double(const settings&)> theirs;
  double target; // of ours / theirs, or of ours alone
  bool at_least; // the target is a lower bound
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

bench::echo_load sized(const settings& s, bench::echo_load load) {
  if (s.smoke) {
    load.warm_up = std::chrono::milliseconds(20);
    load.time = std::chrono::milliseconds(100);
    load.connections = std::min<std::size_t>(load.connections, 50);
  }
  return load;
}

auto echo(std::string program, bench::echo_load load) {
  return [=](const settings& s) {
    server under_test{{programs + program}};
    return bench::run_echo(under_test, sized(s, load)).cpu_us;
  };
}

auto chat(std::vector<std::string> command, bench::chat_load load) {
  return [=](const settings& s) {
    auto l = load;
    if (s.smoke) {
      l.warm_up = std::chrono::milliseconds(20);
      l.time = std::chrono::milliseconds(100);
      l.users = 20;
    }
    server under_test{command};
    return bench::run_chat(under_test, l).cpu_us;
  };
}

auto idle(std::vector<std::string> command, bool is_chat, bool switches) {
  return [=](const settings& s) {
    server under_test{command};
    const auto got = bench::run_idle(under_test, s.smoke ? 200 : 10'000, is_chat,
                                     std::chrono::seconds(!switches ? 0 : s.smoke ? 1 : 10));
    return switches ? static_cast<double>(got.switches) : got.bytes;
  };
}

/// Runs a program that prints numbers, and takes the one at `index`.
auto printed(std::string program, std::string argument, std::size_t index, double scale,
             int core = 0) {
  return [=](const settings&) {
    std::vector<std::string> command{programs + program};
    if (!argument.empty())
      command.push_back(argument);
    std::istringstream in{bench::run(command, core)};
    double value = 0;
    for (std::size_t i = 0; i <= index; ++i)
      in >> value;
    return value * scale;
  };
}

std::vector<row> table() {
  const bench::echo_load one{};
  const bench::echo_load sixteen{.in_flight = 16};
  const bench::echo_load thousand{.connections = 1000};
  const bench::echo_load bulk{.connections = 4, .bytes = 65536};
  const bench::echo_load burst{.bytes = 6400, .operation = 64};
  const std::vector<std::string> local{"--port", "0", "--interface", "127.0.0.1", "--loops", "1"};
  const auto example = [&](const std::string& name) {
    std::vector<std::string> command{examples + name};
    command.insert(command.end(), local.begin(), local.end());
    return command;
  };
  const auto chat_server = example("chat_server");
  const auto echo_server = example("echo_server");
  const std::vector<std::string> twisted{"/usr/bin/python3", sources + "twisted_chat.py"};
  const std::string us = "us CPU";
  return {
    {"echo", "echo 64 B, 50 connections", us, "asio", echo("bench_echo", one),
     echo("peer_asio_echo", one), 1.05, false},
    {"echo-caf", "echo 64 B, 50 connections", us, "caf::io", echo("bench_echo", one),
     echo("peer_caf_echo", one), 0.70, false},
    {"echo-16", "echo 64 B, 50 connections, 16 in flight", us, "asio", echo("bench_echo", sixteen),
     echo("peer_asio_echo", sixteen), 1.05, false},
    {"echo-1000", "echo 64 B, 1000 connections", us, "asio", echo("bench_echo", thousand),
     echo("peer_asio_echo", thousand), 1.05, false},
    {"echo-1000-caf", "echo 64 B, 1000 connections", us, "caf::io", echo("bench_echo", thousand),
     echo("peer_caf_echo", thousand), 0.60, false},
    {"bulk", "echo 64 KiB, 4 connections", us, "asio", echo("bench_echo", bulk),
     echo("peer_asio_echo", bulk), 1.05, false},
    {"lines", "lines of 64 B in bursts of 100, 50 connections", us, "asio, unparsed",
     echo("bench_line_echo", burst), echo("peer_asio_echo", burst), 1.5, false},
    {"chat", "chat, 100 users, 10 senders, bursts of 20", us, "Twisted", chat(chat_server, {}),
     chat(twisted, {}), 0.5, false},
    {"memory-echo", "idle connection, echo, 10,000", "bytes", "", idle(echo_server, false, false),
     {}, 2048, false},
    {"memory-chat", "idle connection, chat, 10,000", "bytes", "", idle(chat_server, true, false),
     {}, 2048, false},
    {"ping-pong", "ping-pong, one loop", "M/s", "CAF", printed("bench_actors", "ping-pong", 0, 1e-6),
     printed("peer_caf_actors", "ping-pong", 0, 1e-6), 1.7, true},
    {"pinned", "ping-pong, pinned to two loops", "M/s", "",
     printed("bench_actors", "pinned", 0, 1e-6, -1), {}, 1.0, true},
    {"spawn", "spawn + end of an actor", "M/s", "CAF", printed("bench_actors", "spawn", 0, 1e-6),
     printed("peer_caf_actors", "spawn", 0, 1e-6), 3.0, true},
    {"request", "request().then(), 30 s time-out, 500,000", "M/s", "CAF",
     printed("bench_actors", "request", 0, 1e-6), printed("peer_caf_actors", "request", 0, 1e-6),
     2.0, true},
    {"request-held", "held after these requests", "KiB", "CAF",
     printed("bench_actors", "request", 1, 1.0 / 1024),
     printed("peer_caf_actors", "request", 1, 1.0 / 1024), 0.1, false},
    {"timer-cancel", "timer, schedule + cancel, 1,000,000", "ns CPU", "asio",
     printed("bench_timers", "", 0, 1), printed("peer_asio_timers", "", 0, 1), 0.33, false},
    {"timer-fire", "timer, schedule + fire, 1,000,000", "ns CPU", "asio",
     printed("bench_timers", "", 1, 1), printed("peer_asio_timers", "", 1, 1), 0.33, false},
    {"timer-bytes", "timer, pending", "bytes", "", printed("bench_timers", "", 2, 1), {}, 100,
     false},
    {"idle", "context switches of an idle server in 10 s, 10,000 connections", "switches", "",
     idle(echo_server, false, true), {}, 0, false},
  };
}

} // namespace

int main(int argc, char** argv) {
  settings s;
  std::string csv;
  std::vector<std::string> only;
  CLI::App app{"Runs Troupe and its peers in turn, and prints what they cost."};
  app.add_option("--repeat", s.repeat, "how often each figure is taken (the median counts)")
    ->check(CLI::Range(1, 100));
  app.add_flag("--smoke", s.smoke, "small and once: shows that everything runs and verifies");
  app.add_option("--csv", csv, "write the table to this file too");
  app.add_option("--only", only, "rows to run, by name");
  CLI11_PARSE(app, argc, argv);
  if (s.smoke)
    s.repeat = 1;
  bench::pin_to(1); // the servers have core 0
  std::ofstream out;
  if (!csv.empty()) {
    out.open(csv);
    out << "name,what,unit,peer,theirs,ours,ratio,least,most,target,met\n";
  }
  std::printf("%-62s %-9s %-14s %10s %10s %7s %15s %8s\n", "what", "unit", "peer", "theirs", "ours",
              "ratio", "spread", "target");
  for (const auto& r : table()) {
    if (!only.empty() && std::find(only.begin(), only.end(), r.name) == only.end())
      continue;
    std::vector<double> ours, theirs, ratios;
    for (int i = 0; i < s.repeat; ++i) {
      ours.push_back(r.ours(s));
      theirs.push_back(r.theirs ? r.theirs(s) : 1);
      ratios.push_back(ours.back() / theirs.back());
    }
    const auto ratio = median(ours) / median(theirs);
    const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
    const bool met = r.at_least ? ratio >= r.target : ratio <= r.target;
    std::printf("%-62s %-9s %-14s ", r.what.c_str(), r.unit.c_str(), r.peer.c_str());
    if (r.theirs)
      std::printf("%10.3f %10.3f %7.2f", median(theirs), median(ours), ratio);
    else
      std::printf("%10s %10.3f %7s", "", median(ours), "");
    std::printf(" %6.2f ..%6.2f %s %5.2f %s\n", *least, *most, r.at_least ? ">=" : "<=", r.target,
                met ? "" : "MISSED");
    std::fflush(stdout);
    if (out)
      out << r.name << ",\"" << r.what << "\"," << r.unit << ",\"" << r.peer << "\","
          << (r.theirs ? median(theirs) : 0) << ',' << median(ours) << ',' << ratio << ',' << *least
          << ',' << *most << ',' << r.target << ',' << met << '\n';
  }
}

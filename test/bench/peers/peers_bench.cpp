// Runs Troupe's chat and echo server and those of its peers in turn under one load, which verifies
// every line and byte, and writes what they cost. See README.md.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "contestants.hpp"
#include "load.hpp"
#include "report.hpp"
#include "server.hpp"

namespace {

using bench::contestant;
using std::chrono::milliseconds;

struct scenario {
  std::string key;
  std::string title;
  std::function<double(const bench::server&, bool smoke)> measure;
  std::map<std::string, double> targets; // by runtime: Troupe / it is to be at most that
  std::vector<contestant> field;
};

auto chat(std::size_t users, std::size_t senders, std::size_t lines) {
  return [=](const bench::server& s, bool smoke) {
    bench::chat_load load{.users = users, .senders = senders, .lines = lines};
    if (smoke) {
      load.users = std::min<std::size_t>(users, 20);
      load.warm_up = milliseconds(20);
      load.time = milliseconds(50);
    }
    return bench::run_chat(s, load).cpu_us;
  };
}

auto echo(std::size_t connections, std::size_t bytes, std::size_t in_flight) {
  return [=](const bench::server& s, bool smoke) {
    bench::echo_load load{.connections = connections, .bytes = bytes, .in_flight = in_flight};
    if (smoke) {
      load.connections = std::min<std::size_t>(connections, 20);
      load.warm_up = milliseconds(20);
      load.time = milliseconds(50);
    }
    return bench::run_echo(s, load).cpu_us;
  };
}

std::vector<scenario> scenarios() {
  const auto field = bench::the_field();
  return {
    {"chat-2", "chat, 2 users, single lines", chat(2, 1, 1), {{"Asio", 1.05}}, field},
    {"chat-100",
     "chat, 100 users, 10 senders, single lines",
     chat(100, 10, 1),
     {{"Asio", 0.65}, {"Twisted", 0.60}},
     field},
    {"chat-100-bursts",
     "chat, 100 users, 10 senders, bursts of 20",
     chat(100, 10, 20),
     {{"Asio", 0.75}, {"Twisted", 0.10}, {"Go", 0.25}, {"caf::io", 0.12}, {"Erlang", 0.05}},
     field},
    {"chat-1000-bursts",
     "chat, 1000 users, 10 senders, bursts of 5",
     chat(1000, 10, 5),
     {{"Asio", 0.65}, {"Twisted", 0.25}, {"Go", 0.40}, {"caf::io", 0.25}, {"Erlang", 0.06}},
     field},
    {"chat-loops",
     "chat over 2 loops, 100 users, 10 senders, bursts of 20",
     chat(100, 10, 20),
     {{"Troupe, 1 loop", 1.25}},
     bench::two_loops()},
    {"echo", "echo 64 B, 50 connections", echo(50, 64, 1), {{"Asio", 1.05}}, field},
    {"echo-16",
     "echo 64 B, 50 connections, 16 in flight",
     echo(50, 64, 16),
     {{"Asio", 1.05}},
     field},
    {"echo-1000", "echo 64 B, 1000 connections", echo(1000, 64, 1), {{"Asio", 1.05}}, field},
    {"echo-64k", "echo 64 KiB, 4 connections", echo(4, 65536, 1), {{"Asio", 1.05}}, field},
  };
}

/// Measures all of a scenario in turn, who goes first changing from repetition to repetition.
bench::scenario_results measure(const scenario& s, int repeat, bool smoke, int& failed) {
  bench::scenario_results all{s.key, s.title, {}};
  std::vector<contestant> field;
  const bool is_chat = s.key.starts_with("chat");
  for (const auto& c : s.field) {
    if ((is_chat ? c.chat : c.echo).empty())
      continue;
    bench::result r{c.name, {}, {}, {}};
    if (const auto missing = c.missing(); !missing.empty())
      r.failure = "not installed: " + missing;
    if (const auto found = s.targets.find(c.runtime); found != s.targets.end())
      r.target = found->second;
    field.push_back(c);
    all.results.push_back(std::move(r));
  }
  for (int repetition = 0; repetition < repeat; ++repetition)
    for (std::size_t k = 0; k < field.size(); ++k) {
      const auto i = (k + static_cast<std::size_t>(repetition)) % field.size();
      auto& r = all.results[i];
      if (!r.failure.empty())
        continue;
      try {
        bench::server under_test{is_chat ? field[i].chat : field[i].echo, field[i].core};
        r.runs.push_back(s.measure(under_test, smoke));
      } catch (const std::exception& e) {
        ++failed;
        r.runs.clear();
        r.failure = "FAILED: " + std::string{e.what()};
      }
    }
  return all;
}

/// Has the load meet a server that makes one mistake, for each kind of mistake.
///
/// \returns how many it did not notice
int check_load() {
  int missed = 0;
  for (const std::string fault :
       {"lost", "doubled", "damaged", "reordered", "sent to its sender", "none"}) {
    bench::server faulty{{"/usr/bin/python3", TROUPE_PEERS_SOURCE "/faulty_chat.py", fault}};
    std::string noticed = "nothing";
    try {
      bench::run_chat(faulty, {.users = 4,
                               .senders = 2,
                               .lines = 20,
                               .warm_up = milliseconds(20),
                               .time = milliseconds(50)});
    } catch (const std::exception& e) {
      noticed = e.what();
    }
    const bool right = (noticed == "nothing") == (fault == "none");
    missed += right ? 0 : 1;
    std::printf("fault: %-20s noticed: %s%s\n", fault.c_str(), noticed.c_str(),
                right ? "" : "  WRONG");
  }
  return missed;
}

} // namespace

int main(int argc, char** argv) {
  int repeat = 5;
  bool smoke = false;
  bool verbose = false;
  bool check = false;
  std::string out;
  std::vector<std::string> only;
  const auto all = scenarios();
  std::vector<std::string> keys;
  for (const auto& s : all)
    keys.push_back(s.key);
  CLI::App app{"Runs the chat and echo servers of Troupe and of its peers in turn under one load."};
  app.add_option("--repeat", repeat, "how often each figure is taken; the median counts (5)")
    ->check(CLI::Range(1, 100));
  app.add_flag("--smoke", smoke, "small and once: shows that all that are installed serve");
  app.add_option("--out", out, "folder for the table and the CSV files");
  app.add_option("--only", only, "scenarios to run")->check(CLI::IsMember(keys));
  app.add_flag("--check-load", check, "only show that the load notices a server's mistakes");
  app.add_flag("--verbose", verbose, "show what the servers log");
  CLI11_PARSE(app, argc, argv);
  if (smoke)
    repeat = 1;
  if (verbose)
    bench::show_errors();
  if (check)
    return check_load() == 0 ? 0 : 1;
  bench::raise_descriptor_limit();
  if (!smoke)
    bench::take_turn();
  bench::pin_to(1); // the servers have core 0
  int failed = 0;
  std::vector<bench::scenario_results> results;
  for (const auto& s : all) {
    if (!only.empty() && std::find(only.begin(), only.end(), s.key) == only.end())
      continue;
    results.push_back(measure(s, repeat, smoke, failed));
    bench::print(results.back());
  }
  if (!out.empty()) {
    try {
      std::filesystem::create_directories(out);
      bench::write(out, results, repeat, !smoke);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
      return 2;
    }
  }
  return failed == 0 ? 0 : 1;
}

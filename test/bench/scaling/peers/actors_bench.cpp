// Runs the actor benchmarks of Troupe and of its peers in turn, each run in a fresh process; checks
// each result, and writes what was measured. See README.md of the folder above.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "actors_report.hpp"
#include "server.hpp"

namespace {

using words = std::vector<std::string>;

const std::string programs = TROUPE_ACTORS_PROGRAMS "/";

/// What a run must print besides its times.
struct outcome {
  std::int64_t operations;
  std::int64_t result;
};

struct benchmark {
  std::string name;
  std::string operation;
  std::int64_t size; // usual; smoke runs take little_size
  std::int64_t little_size;
  outcome (*expected)(std::int64_t size);
  bool target; // ours is to be ahead of CAF
};

std::int64_t sum_to(std::int64_t n) {
  return n * (n + 1) / 2;
}

const std::vector<benchmark> benchmarks{
  {"ping-pong", "messages", 2'000'000, 1'000,
   [](auto n) {
     return outcome{n, n};
   },
   true},
  {"ring", "messages", 2'000'000, 1'042,
   [](auto n) {
     return outcome{n, n % 100};
   },
   true},
  {"fan-out", "deliveries", 2'000'000, 4'000,
   [](auto n) {
     return outcome{n, 1000 * sum_to(n / 1000) + n / 1000 * sum_to(999)};
   },
   true},
  {"spawn", "actors", 100'000, 1'000,
   [](auto n) {
     return outcome{n, sum_to(n)};
   },
   true},
  {"create", "actors", 100'000, 1'000,
   [](auto n) {
     return outcome{n, sum_to(n)};
   },
   false},
  {"throughput", "messages", 2'400'000, 1'200,
   [](auto n) {
     return outcome{n, 60 * sum_to(n / 60)};
   },
   false},
  {"counting", "messages", 2'000'000, 1'000,
   [](auto n) {
     return outcome{n, n};
   },
   false},
  {"fan-in", "messages", 2'000'000, 4'000,
   [](auto n) {
     return outcome{n, 1000 * sum_to(n / 1000)};
   },
   false},
  {"chameneos", "meetings", 400'000, 1'000,
   [](auto n) {
     return outcome{n, 2 * n};
   },
   false},
  {"big", "questions and answers", 500'000, 1'000,
   [](auto n) {
     return outcome{n, n};
   },
   false},
  {"skynet", "actors", 100'000, 1'000, // so many leaves, a power of ten
   [](auto n) {
     return outcome{n + (n - 1) / 9, sum_to(n - 1)};
   },
   false},
};

struct contestant {
  std::string name;
  words (*command)(const std::string& benchmark, const std::string& threads,
                   const std::string& size);
  words needed; // the files and the programs that it cannot run without
  bool target = false;
  words knows = {}; // the benchmarks that it has; none of them named: all
};

std::vector<contestant> the_field() {
  const words of_caf{"ping-pong", "ring", "fan-out", "spawn", "create", "throughput"};
  return {
    {"Troupe",
     [](auto& name, auto& threads, auto& size) {
       return words{programs + "troupe_once", name, threads, size};
     },
     {programs + "troupe_once"}},
    {"CAF",
     [](auto& name, auto& threads, auto& size) {
       return words{programs + "caf_actors", name, threads, size};
     },
     {programs + "caf_actors"},
     true,
     of_caf},
    {"CAF, bounded",
     [](auto& name, auto& threads, auto& size) {
       return words{programs + "caf_actors", name, threads, size, "50"};
     },
     {programs + "caf_actors"},
     true,
     of_caf},
    {"Go",
     [](auto& name, auto& threads, auto& size) {
       return words{"env", "GOMAXPROCS=" + threads, programs + "go_actors", name, size};
     },
     {programs + "go_actors"}},
    {"Erlang",
     [](auto& name, auto& threads, auto& size) {
       return words{"erl", "-noinput", "+P", "2000000",     "+S",    threads + ":" + threads,
                    "-pa", programs,   "-s", "peer_actors", "start", name,
                    size};
     },
     {"erl", programs + "peer_actors.beam"}},
  };
}

/// Runs a program and takes its operations for each second, and for each second of CPU time.
///
/// \throws std::runtime_error if what it printed is not what it must be
std::pair<double, double> measure(const words& command, int core, const outcome& expected) {
  std::istringstream in{bench::run(command, core)};
  outcome found{};
  double seconds = 0;
  double cpu_seconds = 0;
  std::string more;
  if (!(in >> found.operations >> seconds >> cpu_seconds >> found.result) || in >> more)
    throw std::runtime_error("did not print four numbers");
  if (found.operations != expected.operations)
    throw std::runtime_error("wrong number of operations: " + std::to_string(found.operations));
  if (found.result != expected.result)
    throw std::runtime_error("wrong result: " + std::to_string(found.result) + ", not "
                             + std::to_string(expected.result));
  if (!(seconds > 0 && cpu_seconds > 0))
    throw std::runtime_error("took no time");
  const auto operations = static_cast<double>(found.operations);
  return {operations / seconds, operations / cpu_seconds};
}

/// Measures all runtimes in turn, who goes first changing from repetition to repetition.
bench::actors_group measure(const benchmark& b, int threads, int repeat, bool smoke, int& failed) {
  auto field = the_field();
  std::erase_if(field, [&b](const contestant& c) {
    return !c.knows.empty() && std::find(c.knows.begin(), c.knows.end(), b.name) == c.knows.end();
  });
  const auto size = smoke ? b.little_size : b.size;
  bench::actors_group all{b.name, b.operation, threads, {}};
  for (const auto& c : field) {
    bench::actors_result r{c.name, {}, {}, b.target && c.target, {}};
    for (const auto& what : c.needed)
      if (!bench::installed(what))
        r.failure = "not installed: " + std::filesystem::path{what}.filename().string();
    all.results.push_back(std::move(r));
  }
  for (int repetition = 0; repetition < repeat; ++repetition)
    for (std::size_t k = 0; k < field.size(); ++k) {
      const auto i = (k + static_cast<std::size_t>(repetition)) % field.size();
      auto& r = all.results[i];
      if (!r.failure.empty())
        continue;
      try {
        const auto command =
          field[i].command(b.name, std::to_string(threads), std::to_string(size));
        const auto [by_clock, by_cpu] = measure(command, threads == 1 ? 0 : -1, b.expected(size));
        r.by_clock.push_back(by_clock);
        r.by_cpu.push_back(by_cpu);
      } catch (const std::exception& e) {
        ++failed;
        r.by_clock.clear();
        r.by_cpu.clear();
        r.failure = "FAILED: " + std::string{e.what()};
      }
    }
  return all;
}

/// Has the check meet programs that print what they must not.
///
/// \returns how many it did not notice
int check() {
  const struct {
    const char* fault;
    const char* printed;
  } programs_at_fault[] = {
    {"wrong result", "1000 0.5 0.5 999"}, {"too few operations", "999 0.5 0.5 1000"},
    {"no result", "1000 0.5 0.5"},        {"more than one result", "1000 0.5 0.5 1000 1000"},
    {"no CPU time", "1000 0.5 0 1000"},   {"none", "1000 0.5 0.5 1000"},
  };
  int missed = 0;
  for (const auto& [fault, printed] : programs_at_fault) {
    std::string noticed = "nothing";
    try {
      measure({"echo", printed}, -1, {1000, 1000});
    } catch (const std::exception& e) {
      noticed = e.what();
    }
    const bool right = (noticed == "nothing") == (std::string{fault} == "none");
    missed += right ? 0 : 1;
    std::printf("fault: %-20s noticed: %s%s\n", fault, noticed.c_str(), right ? "" : "  WRONG");
  }
  return missed;
}

} // namespace

int main(int argc, char** argv) {
  int repeat = 5;
  bool smoke = false;
  bool verbose = false;
  bool only_check = false;
  std::string out;
  words only;
  std::vector<int> threads{1, 2};
  words names;
  for (const auto& b : benchmarks)
    names.push_back(b.name);
  CLI::App app{"Runs the actor benchmarks of Troupe and of its peers in turn."};
  app.add_option("--repeat", repeat, "how often each figure is taken; the median counts (5)")
    ->check(CLI::Range(1, 100));
  app.add_option("--threads", threads, "numbers of threads, as 1,2")
    ->delimiter(',')
    ->check(CLI::Range(1, 1024));
  app.add_flag("--smoke", smoke, "small and once: shows that all that are installed run");
  app.add_option("--out", out, "folder for the table and the CSV files");
  app.add_option("--only", only, "benchmarks to run")->check(CLI::IsMember(names));
  app.add_flag("--check", only_check, "only show that wrong results are noticed");
  app.add_flag("--verbose", verbose, "show what the programs print on standard error");
  CLI11_PARSE(app, argc, argv);
  if (verbose)
    bench::show_errors();
  if (only_check)
    return check() == 0 ? 0 : 1;
  if (smoke)
    repeat = 1;
  else
    bench::take_turn();
  int failed = 0;
  std::vector<bench::actors_group> results;
  for (const auto& b : benchmarks) {
    if (!only.empty() && std::find(only.begin(), only.end(), b.name) == only.end())
      continue;
    for (const auto n : threads) {
      results.push_back(measure(b, n, repeat, smoke, failed));
      bench::print(results.back());
    }
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

// Actor benchmarks over 1 .. N loops: rate, speed-up and efficiency. See README.md.

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>

#include "benchmarks.hpp"
#include "measure.hpp"
#include "report.hpp"

namespace {

using scaling::benchmark;

struct settings {
  std::vector<std::string> only;
  std::vector<std::size_t> loops;
  double size = 1;
  int repeat = 5;
  int limit_s = 120;
  std::string directory;
  bool smoke = false;
};

/// Runs a benchmark on every number of loops, in turn, so that a busy spell hits all of them.
bool run(const benchmark& what, const settings& s, std::vector<scaling::row>& rows) {
  const auto scaled = static_cast<std::int64_t>(static_cast<double>(what.size) * s.size);
  const auto size = s.smoke ? what.little_size : std::max(what.little_size, scaled);
  std::map<std::size_t, std::vector<double>> rates, per_cpu;
  for (int i = 0; i < s.repeat; ++i)
    for (const auto loops : s.loops) {
      const auto found = scaling::measure(what, loops, size, s.limit_s);
      if (!found)
        return false;
      rates[loops].push_back(static_cast<double>(found->operations) / found->seconds);
      per_cpu[loops].push_back(static_cast<double>(found->operations) / found->cpu_seconds);
    }
  double first = 0;
  for (auto& [loops, found] : rates) {
    std::sort(found.begin(), found.end());
    std::sort(per_cpu[loops].begin(), per_cpu[loops].end());
    const auto middle = scaling::median(found);
    if (first == 0)
      first = middle;
    const auto times = static_cast<double>(loops) / static_cast<double>(rates.begin()->first);
    rows.push_back({what.name, what.operation, loops, found, per_cpu[loops], middle / first,
                    middle / first / times});
  }
  return true;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Actor benchmarks over several numbers of loops"};
  settings s;
  bool list = false;
  for (std::size_t n = 1; n <= std::max(1u, std::thread::hardware_concurrency()); n *= 2)
    s.loops.push_back(n);
  std::vector<std::string> names;
  for (const auto& b : scaling::benchmarks)
    names.emplace_back(b.name);
  app.add_option("--only", s.only, "Benchmarks to run; all if none is named")
    ->check(CLI::IsMember(names));
  app.add_option("--loops", s.loops, "Numbers of loops, as 1,2,4; the least is the base")
    ->delimiter(',')
    ->check(CLI::Range(1, 1024));
  app.add_option("--size", s.size, "Times the usual size")->check(CLI::Range(0.001, 100.0));
  app.add_option("--repeat", s.repeat, "Runs of each")->check(CLI::Range(1, 1000));
  app.add_option("--limit", s.limit_s, "Seconds after which a run failed")
    ->check(CLI::Range(1, 3600));
  app.add_option("--output", s.directory, "Directory for scaling.csv and scaling.svg");
  app.add_flag("--smoke", s.smoke, "Tiny sizes, one run: does everything run and verify?");
  app.add_flag("--list", list, "Print the names of the benchmarks");
  CLI11_PARSE(app, argc, argv);
  if (list) {
    for (const auto& name : names)
      std::puts(name.c_str());
    return 0;
  }
  if (s.smoke)
    s.repeat = 1;

  std::vector<scaling::row> rows;
  bool right = true;
  for (const auto& b : scaling::benchmarks)
    if (s.only.empty() || std::find(s.only.begin(), s.only.end(), b.name) != s.only.end())
      right = run(b, s, rows) && right;
  scaling::print_table(rows);
  if (!s.directory.empty() && !rows.empty() && !scaling::write_files(rows, s.directory)) {
    std::fprintf(stderr, "cannot write to %s\n", s.directory.c_str());
    right = false;
  }
  return right ? 0 : 1;
}

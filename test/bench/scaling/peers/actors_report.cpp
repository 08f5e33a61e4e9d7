#include "actors_report.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "figures.hpp"

namespace bench {

namespace {

std::string text(const char* format, const spread& s, double unit = 1) {
  char buffer[96];
  std::snprintf(buffer, sizeof buffer, format, s.median / unit, s.least / unit, s.most / unit);
  return buffer;
}

// Ours / theirs, each from the same repetition.
spread ratio(const std::vector<double>& ours, const std::vector<double>& theirs) {
  std::vector<double> all;
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i)
    all.push_back(ours[i] / theirs[i]);
  return spread{all};
}

std::string ahead(double by_clock, double by_cpu) {
  if (by_clock > 1 && by_cpu > 1)
    return "met";
  if (by_clock > 1)
    return "missed by CPU time";
  return by_cpu > 1 ? "missed by the clock" : "missed";
}

void write_table(std::ostream& out, const std::vector<actors_group>& all, bool judge) {
  out << "| benchmark | threads | runtime | M/s (spread) | M/CPU s (spread) | Troupe / it, M/s | "
         "Troupe / it, M/CPU s | ahead |\n| --- | ---: | --- | --- | --- | --- | --- | --- |\n";
  for (const auto& g : all) {
    const auto& ours = g.results.front();
    for (const auto& r : g.results) {
      out << "| " << g.benchmark << " | " << g.threads << " | " << r.runtime << " | ";
      if (r.by_clock.empty()) {
        out << r.failure << " | | | | |\n";
        continue;
      }
      out << text("%.2f (%.2f - %.2f)", spread{r.by_clock}, 1e6) << " | "
          << text("%.2f (%.2f - %.2f)", spread{r.by_cpu}, 1e6) << " | ";
      if (&r == &ours || ours.by_clock.empty()) {
        out << "| | |\n";
        continue;
      }
      const auto clock = ratio(ours.by_clock, r.by_clock);
      const auto cpu = ratio(ours.by_cpu, r.by_cpu);
      out << text("%.2f (%.2f - %.2f)", clock) << " | " << text("%.2f (%.2f - %.2f)", cpu) << " | "
          << (judge && r.target ? ahead(clock.median, cpu.median) : "") << " |\n";
    }
  }
}

std::ofstream open(const std::filesystem::path& file) {
  std::ofstream out{file};
  if (!out)
    throw std::runtime_error("cannot write " + file.string());
  return out;
}

} // namespace

void print(const actors_group& g) {
  std::printf("%s, %d thread%s; millions of %s\n", g.benchmark.c_str(), g.threads,
              g.threads == 1 ? "" : "s", g.operation.c_str());
  const auto& ours = g.results.front();
  for (const auto& r : g.results) {
    if (r.by_clock.empty()) {
      std::printf("  %-18s %s\n", r.runtime.c_str(), r.failure.c_str());
      continue;
    }
    std::printf("  %-18s %s /s  %s /CPU s", r.runtime.c_str(),
                text("%6.2f %6.2f ..%6.2f", spread{r.by_clock}, 1e6).c_str(),
                text("%6.2f %6.2f ..%6.2f", spread{r.by_cpu}, 1e6).c_str());
    if (&r != &ours && !ours.by_clock.empty())
      std::printf("  ours / theirs %s, %s",
                  text("%.2f (%.2f .. %.2f)", ratio(ours.by_clock, r.by_clock)).c_str(),
                  text("%.2f (%.2f .. %.2f)", ratio(ours.by_cpu, r.by_cpu)).c_str());
    std::printf("\n");
  }
  std::fflush(stdout);
}

void write(const std::filesystem::path& folder, const std::vector<actors_group>& all, int repeat,
           bool judge) {
  auto csv = open(folder / "actors.csv");
  auto runs = open(folder / "actors-runs.csv");
  csv << "benchmark,threads,runtime,per_second,least,most,per_cpu_second,cpu_least,cpu_most,"
         "ratio,ratio_least,ratio_most,cpu_ratio,cpu_ratio_least,cpu_ratio_most,target\n";
  runs << "benchmark,threads,runtime,repetition,per_second,per_cpu_second\n";
  const auto put = [&csv](const spread& s) {
    csv << ',' << s.median << ',' << s.least << ',' << s.most;
  };
  for (const auto& g : all) {
    const auto& ours = g.results.front();
    for (const auto& r : g.results) {
      if (r.by_clock.empty())
        continue;
      const auto name = g.benchmark + ',' + std::to_string(g.threads) + ",\"" + r.runtime + '"';
      csv << name;
      put(spread{r.by_clock});
      put(spread{r.by_cpu});
      if (ours.by_clock.empty()) {
        csv << ",,,,,,";
      } else {
        put(ratio(ours.by_clock, r.by_clock));
        put(ratio(ours.by_cpu, r.by_cpu));
      }
      csv << (r.target ? ",>1\n" : ",\n");
      for (std::size_t i = 0; i < r.by_clock.size(); ++i)
        runs << name << ',' << i << ',' << r.by_clock[i] << ',' << r.by_cpu[i] << '\n';
    }
  }
  auto md = open(folder / "actors.md");
  md << circumstances(repeat);
  write_table(md, all, judge);
  if (!csv.flush() || !runs.flush() || !md.flush())
    throw std::runtime_error("cannot write into " + folder.string());
}

} // namespace bench

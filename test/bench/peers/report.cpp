#include "report.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace bench {

namespace {

template <class... Ts>
std::string text(const char* format, Ts... values) {
  char buffer[128];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

std::string figure(double us) {
  return text(us < 1 ? "%.3f" : us < 100 ? "%.2f" : "%.0f", us);
}

std::ofstream open(const std::filesystem::path& file) {
  std::ofstream out{file};
  if (!out)
    throw std::runtime_error("cannot write " + file.string());
  return out;
}

void write_matrix(std::ostream& out, const std::vector<scenario_results>& all) {
  for (const auto* kind : {"chat", "echo"}) {
    std::vector<const scenario_results*> columns;
    std::vector<std::string> names;
    for (const auto& s : all)
      if (s.key.starts_with(kind) && s.key != "chat-loops") {
        columns.push_back(&s);
        for (const auto& r : s.results)
          if (std::find(names.begin(), names.end(), r.name) == names.end())
            names.push_back(r.name);
      }
    if (columns.empty())
      continue;
    out << "| server CPU us |";
    for (const auto* column : columns)
      out << ' ' << column->title << " |";
    out << "\n| --- |";
    for (std::size_t i = 0; i < columns.size(); ++i)
      out << " --- |";
    out << '\n';
    for (const auto& name : names) {
      out << "| " << name << " |";
      for (const auto* column : columns) {
        const auto found = std::find_if(column->results.begin(), column->results.end(),
                                        [&](const auto& r) { return r.name == name; });
        const bool measured = found != column->results.end() && !found->runs.empty();
        out << ' ' << (measured ? figure(spread{found->runs}.median) : "-") << " |";
      }
      out << '\n';
    }
    out << '\n';
  }
}

void write_ratios(std::ostream& out, const std::vector<scenario_results>& all, bool judge) {
  out << "| scenario | peer | its us (spread) | Troupe / peer (spread) | target | |\n"
         "| --- | --- | --- | --- | --- | --- |\n";
  for (const auto& s : all) {
    const auto& ours = s.results.front();
    for (const auto& r : s.results) {
      if (&r == &ours)
        continue;
      out << "| " << s.title << " | " << r.name << " | ";
      if (r.runs.empty() || ours.runs.empty()) {
        out << (r.failure.empty() ? ours.failure : r.failure) << " | | | |\n";
        continue;
      }
      const spread theirs{r.runs};
      const spread ratio{ratios(ours, r)};
      out << figure(theirs.median) << " (" << figure(theirs.least) << " - " << figure(theirs.most)
          << ") | " << text("%.2f (%.2f - %.2f)", ratio.median, ratio.least, ratio.most) << " | ";
      if (r.target)
        out << text("%.2f", *r.target) << " | "
            << (!judge                      ? ""
                : ratio.median <= *r.target ? "met"
                                            : "missed");
      else
        out << " | ";
      out << " |\n";
    }
  }
}

} // namespace

std::vector<double> ratios(const result& ours, const result& theirs) {
  std::vector<double> all;
  for (std::size_t i = 0; i < std::min(ours.runs.size(), theirs.runs.size()); ++i)
    all.push_back(ours.runs[i] / theirs.runs[i]);
  return all;
}

void print(const scenario_results& s) {
  std::printf("%s\n", s.title.c_str());
  for (const auto& r : s.results) {
    if (r.runs.empty()) {
      std::printf("  %-20s %s\n", r.name.c_str(), r.failure.c_str());
      continue;
    }
    const spread us{r.runs};
    std::printf("  %-20s %9s us  %9s ..%9s", r.name.c_str(), figure(us.median).c_str(),
                figure(us.least).c_str(), figure(us.most).c_str());
    if (&r != &s.results.front() && !s.results.front().runs.empty()) {
      const spread ratio{ratios(s.results.front(), r)};
      std::printf("   ours / theirs %5.2f  %5.2f ..%5.2f", ratio.median, ratio.least, ratio.most);
      if (r.target)
        std::printf("  <= %.2f", *r.target);
    }
    std::printf("\n");
  }
  std::fflush(stdout);
}

void write(const std::filesystem::path& folder, const std::vector<scenario_results>& all,
           int repeat, bool judge) {
  auto csv = open(folder / "peers.csv");
  auto runs = open(folder / "peers-runs.csv");
  csv << "scenario,server,median_us,least_us,most_us,ratio,ratio_least,ratio_most,target\n";
  runs << "scenario,server,repetition,us\n";
  for (const auto& s : all)
    for (const auto& r : s.results) {
      if (r.runs.empty())
        continue;
      const spread us{r.runs};
      const spread ratio{ratios(s.results.front(), r)};
      csv << s.key << ",\"" << r.name << "\"," << us.median << ',' << us.least << ',' << us.most
          << ',' << ratio.median << ',' << ratio.least << ',' << ratio.most << ',';
      if (r.target)
        csv << *r.target;
      csv << '\n';
      for (std::size_t i = 0; i < r.runs.size(); ++i)
        runs << s.key << ",\"" << r.name << "\"," << i << ',' << r.runs[i] << '\n';
    }
  auto md = open(folder / "peers.md");
  md << circumstances(repeat);
  write_matrix(md, all);
  write_ratios(md, all, judge);
  if (!csv.flush() || !runs.flush() || !md.flush())
    throw std::runtime_error("cannot write into " + folder.string());
}

} // namespace bench

#include "report.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace scaling {
namespace {

/// Writes the commands for gnuplot with the figures in them.
bool write_plot(const std::vector<row>& rows, const std::filesystem::path& script,
                const std::filesystem::path& svg) {
  std::ofstream out{script};
  out << "set terminal svg size 900,600 background '#ffffff'\nset output '" << svg.string()
      << "'\nset title 'Speed-up over loops'\nset xlabel 'loops'\nset ylabel 'speed-up'\n"
         "set key outside right\nset grid\nset xtics 1\nset yrange [0:*]\n"
         "set style data linespoints\n";
  std::string plot;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i == 0 || rows[i].name != rows[i - 1].name) {
      out << (i == 0 ? "" : "EOD\n") << "$d" << i << " << EOD\n";
      plot += (plot.empty() ? "plot $d" : ", $d") + std::to_string(i) + " using 1:2 title '"
              + rows[i].name + "'";
    }
    out << rows[i].loops << ' ' << rows[i].speed_up << '\n';
  }
  out << "EOD\n" << plot << '\n';
  return static_cast<bool>(out.flush());
}

} // namespace

double median(const std::vector<double>& sorted) {
  const auto half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

void print_table(const std::vector<row>& rows) {
  std::puts(
    "| benchmark | loops | M/s | least - greatest | M/CPU s | speed-up | efficiency | operation "
    "|\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |");
  for (const auto& r : rows)
    std::printf("| %s | %zu | %.3f | %.3f - %.3f | %.3f | %.2f | %.2f | %s |\n", r.name.c_str(),
                r.loops, median(r.rates) / 1e6, r.rates.front() / 1e6, r.rates.back() / 1e6,
                median(r.per_cpu) / 1e6, r.speed_up, r.efficiency, r.operation.c_str());
}

bool write_files(const std::vector<row>& rows, const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  std::ofstream csv{directory / "scaling.csv"};
  csv
    << "benchmark,operation,loops,runs,median,least,greatest,per_cpu_second,speed_up,efficiency\n";
  for (const auto& r : rows)
    csv << r.name << ',' << r.operation << ',' << r.loops << ',' << r.rates.size() << ','
        << median(r.rates) << ',' << r.rates.front() << ',' << r.rates.back() << ','
        << median(r.per_cpu) << ',' << r.speed_up << ',' << r.efficiency << '\n';
  if (!csv.flush())
    return false;
  const auto script = directory / "scaling.gnuplot";
  if (!write_plot(rows, script, directory / "scaling.svg"))
    return false;
  if (std::system("command -v gnuplot > /dev/null") != 0) {
    std::fputs("no plot: gnuplot is missing (Debian: gnuplot-nox)\n", stderr);
    return true;
  }
  return std::system(("gnuplot '" + script.string() + "'").c_str()) == 0;
}

} // namespace scaling

#include "figures.hpp"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <thread>

namespace bench {

namespace {

std::string processor() {
  std::ifstream in{"/proc/cpuinfo"};
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name"))
      return line.substr(line.find(':') + 2);
  return "unknown processor";
}

std::string today() {
  const auto now = std::time(nullptr);
  char buffer[16];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%d", std::gmtime(&now));
  return buffer;
}

} // namespace

spread::spread(std::vector<double> figures) {
  if (figures.empty())
    return;
  std::sort(figures.begin(), figures.end());
  const auto middle = figures.size() / 2;
  median = figures.size() % 2 != 0 ? figures[middle] : (figures[middle - 1] + figures[middle]) / 2;
  least = figures.front();
  most = figures.back();
}

std::string circumstances(int repeat) {
  return today() + ", " + processor() + ", " + std::to_string(std::thread::hardware_concurrency())
         + " cores; medians of " + std::to_string(repeat) + " run" + (repeat == 1 ? "" : "s")
         + ", each in a fresh process.\n\n";
}

} // namespace bench

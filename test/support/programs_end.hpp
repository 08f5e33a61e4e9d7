#pragma once

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <sys/types.h>

namespace troupe::testing {

/// Waits until a program has written a line into `path`, and returns it.
inline std::string line_of(const std::string& path) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < end) {
    std::ifstream in{path};
    if (std::string line; std::getline(in, line) && !in.eof())
      return line;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return {};
}

inline pid_t pid_of(const std::string& path) {
  return static_cast<pid_t>(std::stol(line_of(path)));
}

/// Waits until there is no process of that number, but perhaps a zombie that its parent leaves.
inline bool gone(pid_t pid) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < end) {
    if (::kill(pid, 0) != 0)
      return true;
    std::ifstream in{"/proc/" + std::to_string(pid) + "/stat"};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    const auto state = text.rfind(") ");
    if (state == std::string::npos || text[state + 2] == 'Z')
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

} // namespace troupe::testing

#pragma once

#include <filesystem>
#include <string>

#include <stdlib.h>

namespace troupe::testing {

/// A directory of the test's own, short enough for the paths of UNIX sockets.
struct directory {
  directory() {
    char name[] = "/tmp/troupe-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~directory() { std::filesystem::remove_all(path); }
  directory(const directory&) = delete;
  directory& operator=(const directory&) = delete;
  std::string operator/(const std::string& name) const { return path + '/' + name; }
  std::string path;
};

} // namespace troupe::testing

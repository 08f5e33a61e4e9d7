#pragma once

#include <string>
#include <vector>

namespace bench {

/// A pair of servers written for one runtime, in one way.
struct contestant {
  std::string name;
  std::string runtime; // several contestants may be of one; a target is for each of them
  std::vector<std::string> chat;
  std::vector<std::string> echo;   // empty: that of another contestant of its runtime serves
  std::vector<std::string> needed; // the files and the programs it cannot run without
  int core = 0;                    // that the server is tied to; -1 for any

  /// Returns what is missing, empty if it can run.
  [[nodiscard]] std::string missing() const;
};

/// Returns all contestants of the field, Troupe first.
std::vector<contestant> the_field();

/// Returns Troupe on one loop and on two, free to use all cores.
std::vector<contestant> two_loops();

} // namespace bench

#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace troupe::irc {

/// Who somebody is, as WHOIS told it; what it did not tell is empty.
struct whois_answer {
  std::string nick;
  std::string user{};
  std::string host{};
  std::string realname{};
  std::string server{};
  std::string account{};
  std::string away{};                           ///< empty: here
  std::vector<std::string> channels{};          ///< with signs in front ("@#c")
  std::optional<std::chrono::seconds> silent{}; ///< for how long
  bool server_operator = false;
};

/// One line that WHO told.
struct who_answer {
  std::string channel; ///< "*": none
  std::string nick{};
  std::string user{};
  std::string host{};
  std::string server{};
  std::string flags{}; ///< "H" (here) or "G" (away), and "*", "@", "+"
  std::string realname{};
};

/// One channel that LIST told.
struct list_answer {
  std::string channel;
  std::size_t users = 0;
  std::string topic{};
};

} // namespace troupe::irc

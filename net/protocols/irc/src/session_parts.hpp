#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/irc/session.hpp>

namespace troupe::irc {

struct session::command {
  std::string_view name;
  handler run;
  std::size_t params; // at least
  bool before;        // registration, too
};

struct session::newcomer {
  std::string nick;
  std::string user;
  std::string realname;
  std::string password;
  std::string account;
  std::string sasl;      // what came of it
  std::string mechanism; // under way
  unsigned failures = 0;
  bool negotiating = false;
};

struct session::asked_history {
  std::string_view subcommand;
  std::string channel;                               // empty: it was of no channel
  std::string label;                                 // empty: none
  std::optional<history_targets_question> targets{}; // asked for, and no lines
};

/// Calls `fn(part)` with the parts between commas; empty ones are left out.
template <class F>
void each_of(std::string_view list, F&& fn) {
  while (!list.empty()) {
    const auto part = list.substr(0, list.find(','));
    list.remove_prefix(part.size() + (part.size() < list.size() ? 1 : 0));
    if (!part.empty())
      fn(part);
  }
}

} // namespace troupe::irc

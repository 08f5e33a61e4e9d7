#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <troupe/telnet/telnet_lines_factory.hpp>

// What people with a terminal see of the chat beside its lines: a prompt, a status line, and commands that
// Tab completes. Who has none sees nothing of it.

/// Shows who and where the user is. `name` is empty until there is one.
inline void show_in_terminal(troupe::telnet_lines_protocol* terminal, std::string_view name,
                             std::string_view room) {
  if (terminal == nullptr || !terminal->editing())
    return;
  if (name.empty()) {
    terminal->set_prompt("> ");
    terminal->set_status("Choose a name, and press Enter.", "/help");
    return;
  }
  terminal->set_prompt("<" + std::string{name} + "> ");
  terminal->set_status(std::string{name} + " in " + std::string{room}, "/help  /quit");
}

/// Returns which commands the word in front of the cursor begins, if it is the first of its line.
inline troupe::completions complete_command(std::string_view line, std::size_t cursor) {
  static constexpr std::array<std::string_view, 10> commands{
    "/help", "/history", "/join", "/leave",    "/msg",
    "/nick", "/notices", "/quit", "/terminal", "/who"};
  const auto word = line.substr(0, cursor);
  troupe::completions found;
  if (!word.starts_with('/') || word.find(' ') != std::string_view::npos)
    return found;
  for (const auto c : commands)
    if (c.starts_with(word))
      found.candidates.emplace_back(c);
  return found;
}

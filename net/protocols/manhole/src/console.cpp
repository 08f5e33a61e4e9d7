#include "console.hpp"

#include <algorithm>
#include <utility>

#include <spdlog/logger.h>
#include <unistd.h>

#include <troupe/net/printable.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/telnet/telnet_lines_factory.hpp>

namespace troupe::detail {

namespace {

constexpr std::size_t page = 64 * 1024;
constexpr std::size_t most_open = 16; // calls in the background

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  while (!line.empty()) {
    const auto begin = std::min(line.find_first_not_of(" \t"), line.size());
    line.remove_prefix(begin);
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    if (end > 0)
      words.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

// Lines of text end with CR LF here, whatever a command made them end with.
std::string as_lines(std::string_view text) {
  std::string all;
  for (const char c : text) {
    if (c == '\n')
      all += '\r';
    if (c != '\r')
      all += c;
  }
  if (!all.empty() && !all.ends_with('\n'))
    all += "\r\n";
  return all;
}

} // namespace

console::console(caf::actor_config& cfg, std::shared_ptr<const manhole> of)
  : text_line_receiver(cfg), of_(std::move(of)) {
  set_max_length(4096);
}

void console::connection_made() {
  auto& log = loop().scheduler().logger();
  const auto peer = transport().get_peer_credentials();
  who_ = peer ? "uid " + std::to_string(peer->uid) + ", pid " + std::to_string(peer->pid)
              : printable(transport().get_peer().to_string());
  if (peer && !of_->options.any_user && peer->uid != ::geteuid() && peer->uid != 0) {
    log.warn("[manhole] {} is not let in", who_);
    send_line("This manhole is for the user of the process.");
    return transport().lose_connection();
  }
  log.info("[manhole] {} has come", who_);
  transport().set_output_limits({.high = 2 * page, .low = page, .hard = 8 * 1024 * 1024});
  transport().register_producer(*this, true);
  send_line(of_->options.name + ", process " + std::to_string(::getpid())
            + (of_->options.allow_changes ? "" : ", only for looking") + ". help lists commands.");
}

void console::connection_lost(const failure& why) {
  loop().scheduler().logger().info("[manhole] {} has left: {}", who_, why.message());
}

void console::line_too_long() {
  send_line("The line is too long.");
}

// -- commands -----------------------------------------------------------------------------------------

void console::line_received(std::string_view line) {
  auto words = words_of(printable(line));
  if (words.empty())
    return;
  const auto name = words.front();
  words.erase(words.begin());
  loop().scheduler().logger().info("[manhole] {}: {}", who_, printable(line.substr(0, 200)));
  if (name == "help")
    return help(words);
  if (name == "quit" || name == "exit")
    return close();
  if (const auto* const found = of_->options.commands.find(name))
    return run(*found, std::move(words));
  std::string text = "There is no command " + name.substr(0, 40);
  const auto near = of_->options.commands.nearest(name);
  for (std::size_t i = 0; i < near.size(); ++i)
    text += (i == 0 ? "; did you mean " : i + 1 < near.size() ? ", " : " or ") + near[i];
  answer(text + (near.empty() ? "; help lists them.\n" : "?\n"));
}

void console::help(const std::vector<std::string>& about) {
  std::string text;
  for (const auto& [name, command] : of_->options.commands.all())
    if (about.empty() || about.front() == name) {
      text += "  " + command.help;
      if (command.changes && !of_->options.allow_changes)
        text += " (not here: this manhole is only for looking)";
      text += '\n';
    }
  if (about.empty())
    text += "  help [COMMAND]: this\n  quit: leaves\n";
  answer(text.empty() ? "There is no such command.\n" : text);
}

void console::run(const manhole_commands::command& c, std::vector<std::string> arguments) {
  if (c.changes && !of_->options.allow_changes)
    return answer("This manhole is only for looking.\n");
  if (open_ >= most_open)
    return answer("Too many calls wait for their results.\n");
  const auto number = ++calls_;
  ++open_;
  waits_for_ = number;
  auto result = maybe_deferred(
    c.run, manhole_call{of_->seen, who_, of_->options.allow_changes, std::move(arguments)});
  std::move(result).add_both(
    [this, number, alive = caf::strong_actor_ptr{ctrl()}](outcome<std::string> got) {
      if (!loop().is_here()) // a command of the program's own, whose result comes elsewhere
        return run_as(alive, [this, number, got = std::move(got)]() mutable {
          finished(number, std::move(got));
        });
      if (connected()) // else nobody is interested any more
        enter([&] { finished(number, std::move(got)); });
    });
  if (waits_for_ != number)
    return; // it has its result
  pause_lines();
  patience_ = call_later(of_->options.patience, [this, number] {
    waits_for_ = 0;
    answer("<Deferred #" + std::to_string(number) + ">\n");
  });
}

void console::finished(std::size_t number, outcome<std::string> result) {
  --open_;
  const bool at_once = waits_for_ == number;
  if (at_once) {
    waits_for_ = 0;
    if (patience_.active())
      patience_.cancel();
  }
  if (at_once)
    return answer(result ? *std::move(result) : printable(result.error().message()) + '\n');
  const auto which = "Deferred #" + std::to_string(number);
  answer(result ? which + " called back: " + *std::move(result)
                : which + " failed: " + printable(result.error().message()) + '\n');
}

// -- what is said --------------------------------------------------------------------------------------

void console::answer(std::string text) {
  const auto longest = of_->options.longest_answer;
  if (text.size() > longest) {
    const auto left_out = text.size() - longest;
    text.resize(longest);
    text += "\n" + std::to_string(left_out) + " bytes more were left out.\n";
  }
  answer_ += as_lines(text);
  write_more();
}

// Writes the answer page by page, as the peer takes it; the next command waits for its end.
void console::write_more() {
  while (!held_ && written_ < answer_.size() && connected() && !transport().disconnecting()) {
    const auto piece = std::string_view{answer_}.substr(written_, page);
    written_ += piece.size();
    transport().write(piece);
  }
  if (written_ < answer_.size()) {
    if (!paused())
      pause_lines();
    return;
  }
  answer_ = {};
  written_ = 0;
  go_on();
}

void console::resume_producing() {
  held_ = false;
  if (!answer_.empty())
    write_more();
}

void console::go_on() {
  if (waits_for_ != 0 || !connected())
    return;
  if (paused())
    resume_lines();
  if (input_over_ && open_ == 0 && waits_for_ == 0 && answer_.empty() && !paused())
    close();
}

// -- ends ---------------------------------------------------------------------------------------------

void console::read_connection_lost() {
  input_over_ = true;
  data_received(as_bytes("\n")); // the last line may lack its end
  go_on();
}

void console::close() {
  if (!connected())
    return;
  transport().unregister_producer(); // the connection would wait for more output
  transport().lose_connection();
}

void console::stop_requested() {
  if (connected())
    transport().unregister_producer();
  text_line_receiver::stop_requested();
}

// -- people ---------------------------------------------------------------------------------------------

void console::terminal_changed(telnet_lines_protocol& t) {
  if (t.editing())
    t.set_status(of_->options.name + ", process " + std::to_string(::getpid()),
                 of_->options.allow_changes ? "help  quit" : "only for looking  help  quit");
}

completions console::complete(std::string_view line, std::size_t cursor) {
  const auto typed = line.substr(0, cursor);
  const auto begin = typed.starts_with("help ") ? std::size_t{5} : std::size_t{0};
  const auto word = typed.substr(begin);
  completions found{begin, {}};
  if (word.find(' ') != std::string_view::npos)
    return found;
  for (const auto& [name, command] : of_->options.commands.all())
    if (name.starts_with(word))
      found.candidates.push_back(name);
  if (begin == 0)
    for (const std::string_view own : {"help", "quit"})
      if (own.starts_with(word))
        found.candidates.emplace_back(own);
  return found;
}

void console::interrupted(telnet_lines_protocol&) {
  send_line("KeyboardInterrupt");
}

void console::input_ended(telnet_lines_protocol&) {
  close();
}

} // namespace troupe::detail

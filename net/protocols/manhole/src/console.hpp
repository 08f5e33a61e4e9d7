#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/manhole/manhole.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/telnet/terminal_user.hpp>

namespace troupe::detail {

/// What all consoles of a manhole share. Thread: any; it does not change.
struct manhole {
  manhole_options options;
  observer seen;
};

/// One person, or program, at a manhole: a command a line, one after the other, and what they answer.
class console final : public text_line_receiver,
                      public terminal_user,
                      public half_closeable,
                      private producer {
public:
  console(caf::actor_config& cfg, std::shared_ptr<const manhole> of);

  void connection_made() override;
  void line_received(std::string_view line) override;
  void line_too_long() override;
  void connection_lost(const failure& why) override;

  void read_connection_lost() override;
  void write_connection_lost() override {}

  void terminal_changed(telnet_lines_protocol& t) override;
  completions complete(std::string_view line, std::size_t cursor) override;
  void interrupted(telnet_lines_protocol& t) override;
  void input_ended(telnet_lines_protocol& t) override;

  std::string log_prefix() const override { return "manhole"; }

protected:
  void stop_requested() override;

private:
  void run(const manhole_commands::command& c, std::vector<std::string> arguments);
  void finished(std::size_t number, outcome<std::string> result);
  void help(const std::vector<std::string>& about);
  void answer(std::string text);
  void write_more();
  void go_on();
  void close();

  void pause_producing() override { held_ = true; }
  void resume_producing() override;
  void stop_producing() override {}

  const std::shared_ptr<const manhole> of_;
  std::string who_;
  std::string answer_;        // that is being written
  std::size_t written_ = 0;   // of it
  std::size_t calls_ = 0;     // so far
  std::size_t waits_for_ = 0; // the call whose result is to be shown before the next; 0 is none
  std::size_t open_ = 0;      // calls without a result
  delayed_call patience_;
  bool held_ = false;       // the peer does not read
  bool input_over_ = false; // the peer will send no more
};

} // namespace troupe::detail

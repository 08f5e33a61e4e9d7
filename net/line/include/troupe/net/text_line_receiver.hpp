#pragma once

#include <troupe/net/line_receiver.hpp>

namespace troupe {

/// Receives lines as people and their programs send them: LF ends a line, and CR LF does, whatever
/// the system at the other end; a line that is too long is passed over, and costs no connection.
///
/// What is in a line is not looked at. `printable` makes it fit to be shown to others, and a
/// `telnet_lines_factory` (troupe::telnet) keeps the commands of a telnet client out of it.
///
/// ```cpp
/// class shout : public troupe::text_line_receiver {
/// public:
///   using text_line_receiver::text_line_receiver;
///   void line_received(std::string_view line) override { send_line(std::string{line} + "!"); }
///   void line_too_long() override { send_line("Line too long."); }
/// };
/// ```
///
/// Thread: its loop's.
class text_line_receiver : public line_receiver {
public:
  explicit text_line_receiver(caf::actor_config& cfg) : line_receiver(cfg) {
    set_delimiter(any_line_end);
  }

  /// A line is longer than `max_length`. It is passed over, up to its end, which may be still to come;
  /// called once for each such line, at its place among the lines. Does nothing unless overridden.
  virtual void line_too_long() {}

  /// Passes over the line, and calls `line_too_long`.
  void line_length_exceeded(bytes_view data) override {
    skip_line(data);
    line_too_long();
  }
};

} // namespace troupe

#pragma once

#include <cstddef>
#include <string_view>

#include <troupe/telnet/line_editor.hpp>

namespace troupe {

class telnet_lines_protocol;

/// Implemented by a protocol that wants to know more of its user's terminal than the lines: a
/// `telnet_lines_factory` finds it at the protocol that it wraps.
///
/// Thread: its protocol's.
class terminal_user {
public:
  virtual ~terminal_user() = default;

  /// The terminal is here, has another size, or is gone (`t.editing()` tells): the place to set a prompt
  /// and a status.
  virtual void terminal_changed(telnet_lines_protocol&) {}

  /// Returns what the word in front of the cursor may mean. Nothing, unless overridden.
  ///
  /// \param line    what is typed
  /// \param cursor  where the cursor is in it, in bytes
  [[nodiscard]] virtual completions complete(std::string_view /*line*/, std::size_t /*cursor*/) {
    return {};
  }

  /// Ctrl-C was pressed; what was typed is gone. Does nothing unless overridden. A telnet client without
  /// a terminal of its own that is taken over may send it, too.
  virtual void interrupted(telnet_lines_protocol&) {}

  /// Ctrl-D was pressed at an empty line. Closes the connection unless overridden.
  virtual void input_ended(telnet_lines_protocol& t);
};

} // namespace troupe

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/net/wrapping_factory.hpp>
#include <troupe/telnet/line_editor.hpp>
#include <troupe/telnet/parser.hpp>
#include <troupe/telnet/subnegotiation.hpp>
#include <troupe/telnet/terminal_user.hpp>

namespace troupe {

/// When the terminal of a telnet client is asked for, so that lines are edited here.
enum class telnet_editing : std::uint8_t {
  never,      ///< each option is refused: a client goes on as it begins, sending whole lines
  if_offered, ///< once a client offers to tell its window's size or its terminal's name, or if asked
  at_once,    ///< at the start: for a port that only telnet clients connect to
};

/// How people reach a protocol of lines.
struct telnet_lines_options {
  telnet_editing editing = telnet_editing::if_offered;

  line_editor_options lines{.longest_line = 4096, .history = 200};

  /// What stands in front of the line that is typed, until the protocol says otherwise.
  std::string prompt = "> ";

  /// Whether there is a status line, where the terminal is known and large enough.
  bool status_line = true;
};

/// Stands between telnet clients and a protocol of lines: takes telnet's commands out of what they send and
/// answers them, and edits lines where there is a terminal.
///
/// Until a client has offered or agreed to something, it is a peer that may know no telnet: what the
/// protocol writes is passed on as it is, and what a client asks for is answered so that it goes on
/// sending whole lines:
///
/// | from the peer | to the protocol | to the peer |
/// | --- | --- | --- |
/// | DO an option, TIMING-MARK too | nothing | WONT |
/// | WILL an option | nothing | DONT |
/// | WONT, DONT | nothing | nothing: so it is already |
/// | subnegotiation | nothing; but it ends after `longest_subnegotiation` bytes | nothing |
/// | AYT ("are you there") | nothing | `[Yes]` and CR LF, once for each read |
/// | any other command: BRK, IP, EC, NOP ... | nothing | nothing |
/// | IAC IAC | one byte, 255 | nothing |
/// | CR NUL, telnet's other way to end a line | CR LF | nothing |
///
/// With `telnet_editing::if_offered`, WILL NAWS and WILL TTYPE begin the negotiation instead, and so does
/// `ask_for_terminal`. First NAWS, TTYPE and CHARSET are asked for, and NEW-ENVIRON is not; then, if the
/// terminal has a name, is no MUD client (which edits by itself: "MTTS", TINTIN++), and obeys escape
/// sequences (not DUMB, NETWORK, UNKNOWN), ECHO and SGA are offered. If both are taken, keys come as they
/// are pressed, `line_editor` makes lines of them, and what the protocol writes appears above the line that
/// is typed (`edit_screen`). The protocol sees whole lines with CR LF, as before, and need not know.
///
/// In what is edited, 255 is doubled in output, and text that does not end with LF is a prompt.
///
/// Thread: its protocol's.
/// Source: RFC 854, 855, 857, 858, 860, 1073, 1091, 1143, 2066
class telnet_lines_protocol final : public protocol_wrapper {
public:
  /// What a subnegotiation may have while nothing is agreed on; then no client has a reason to send one,
  /// and a stray byte must not silence a peer for good. Afterwards 4,096, of which no more is kept.
  static constexpr std::uint32_t longest_subnegotiation = 1024;

  explicit telnet_lines_protocol(std::shared_ptr<const telnet_lines_options> options);
  ~telnet_lines_protocol() override;

  /// Returns the one around `p`, or null. `p` is connected, or about to be.
  [[nodiscard]] static telnet_lines_protocol* of(const protocol& p) noexcept;

  /// Asks the client for its terminal, unless that was done: a client that knows no telnet sees six strange
  /// bytes, so do it if its user wants it.
  void ask_for_terminal();

  /// Tells whether lines are edited here.
  [[nodiscard]] bool editing() const noexcept;

  /// Tells whether the peer has shown that it speaks telnet.
  [[nodiscard]] bool speaks_telnet() const noexcept { return session_ != nullptr; }

  /// Returns the size of the window, zeros where it is not known; and the name of the terminal in upper
  /// case, empty where it is not known.
  [[nodiscard]] window_size size() const noexcept;
  [[nodiscard]] const std::string& terminal() const noexcept;

  /// These change what is seen while lines are edited. They are for `terminal_user::terminal_changed`, and
  /// later; before a client has shown that it speaks telnet they do nothing.
  void set_prompt(std::string_view prompt);
  void set_status(std::string_view left, std::string_view right = {});

  /// Shows nothing of what is typed, for a password, or shows it again. A client whose lines are not edited
  /// here is asked not to show it, if it speaks telnet.
  void set_hidden(bool on);

  // -- for the connection -------------------------------------------------------------------------

  void connection_made() override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure& reason) override;
  using protocol_wrapper::write;
  void write(bytes_view data) override;
  void write(const shared_bytes& data) override;
  using protocol_wrapper::write_sequence;
  void write_sequence(std::span<const bytes_view> pieces) override;
  void lose_connection() override;
  void protocol_ended() override;

private:
  friend class telnet_lines_factory;
  class refusing;
  class session;

  session& with_session();
  void deliver(std::string_view text) { protocol_wrapper::data_received(as_bytes(text)); }
  void send(std::string_view bytes) { inner().write(as_bytes(bytes)); }
  void finish_screen();

  const std::shared_ptr<const telnet_lines_options> options_;
  telnet_parser parser_; // until there is a session
  std::unique_ptr<session> session_;
};

/// Lets people reach the protocols of another factory, which are those of lines, with a telnet client, with
/// `nc`, or with programs.
///
/// ```cpp
/// auto f = troupe::factory::for_protocol<chat>(room);
/// f = troupe::factory::of<troupe::telnet_lines_factory>(f);
/// ```
///
/// Thread: that of its port's loop.
class telnet_lines_factory : public wrapping_factory {
public:
  telnet_lines_factory(caf::actor_config& cfg, factory_ref inner,
                       telnet_lines_options options = {});

  std::unique_ptr<protocol_wrapper> make_wrapper() override;

private:
  const std::shared_ptr<const telnet_lines_options> options_;
};

} // namespace troupe

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/runtime/bytes.hpp>
#include <troupe/telnet/codes.hpp>

namespace troupe {

/// Takes what a `telnet_parser` finds, in the order in which it came.
class telnet_events {
public:
  virtual ~telnet_events() = default;

  /// Text between the commands, at least one byte, in any pieces; good for this call only.
  virtual void text(std::string_view data) = 0;

  /// A command that stands alone: none of IAC, SB, SE and the verbs of negotiation.
  virtual void command(telnet_command) {}

  /// One of WILL, WONT, DO and DONT, and its option.
  virtual void negotiation(telnet_command verb, telnet_option option) = 0;

  /// A subnegotiation, without what marks it; `data` is good for this call only.
  virtual void subnegotiation(telnet_option, std::string_view) {}

  /// A subnegotiation came that is longer than allowed, or whose end is missing. It was dropped.
  virtual void bad_subnegotiation(telnet_option) {}
};

/// What becomes of the ends of lines in the text.
enum class telnet_line_ends : std::uint8_t {
  /// CR LF is one LF, and CR NUL one CR; any other CR stays. Source: RFC 854
  nvt,
  /// CR LF stays, and CR NUL becomes CR LF: for a protocol of lines. What has neither command nor NUL
  /// is passed on as it is.
  lines,
  /// Nothing is changed. Source: RFC 856
  binary,
};

/// Separates telnet's commands from the text around them.
///
/// Bytes in, events out; the events do not depend on how the input is cut, but for where a run of text
/// is. It keeps at most one subnegotiation, and no memory between them. An unexpected byte is never
/// an error: what follows IAC and is no command is dropped, and IAC within a subnegotiation followed
/// by anything but IAC and SE ends that as bad, and is the command that it looks like (RFC 855).
///
/// Events may change the line ends, which counts from the next byte, and `stop` the parser; they must
/// not destroy it, nor feed it.
///
/// Thread: one at a time. Source: RFC 854, 855; twisted.conch.telnet.Telnet.dataReceived
class telnet_parser {
public:
  /// \param longest   how many bytes a subnegotiation may have; of a longer one nothing is delivered
  /// \param patience  after how many bytes a subnegotiation without an end is taken for over, so that
  ///                  a stray byte silences nobody for good; no less than `longest`
  explicit telnet_parser(telnet_line_ends ends = telnet_line_ends::nvt,
                         std::uint32_t longest = 4096, std::uint32_t patience = 65536) noexcept
    : longest_(longest), patience_(patience), ends_(ends) {}

  /// Takes the next bytes, and tells `to` what they mean.
  void feed(bytes_view data, telnet_events& to);

  void set_line_ends(telnet_line_ends ends) noexcept {
    ends_ = ends;
    after_cr_ = false;
  }

  /// Drops the rest of what is fed, and all that comes later.
  void stop() noexcept { state_ = state::stopped; }

private:
  enum class state : std::uint8_t {
    text,
    command,
    verb,
    sb,
    sb_iac,
    sb_text,
    sb_text_iac,
    stopped
  };

  std::size_t take_text(std::string_view in, telnet_events& to);
  void take_command(char c, telnet_events& to);
  void take_subnegotiation(char c, telnet_events& to);
  void keep(char c);
  void end_subnegotiation(bool well, telnet_events& to);

  std::unique_ptr<std::string> kept_; // of a subnegotiation
  std::uint32_t size_ = 0;            // of it, with what was not kept
  std::uint32_t longest_;
  std::uint32_t patience_;
  state state_ = state::text;
  telnet_line_ends ends_;
  char verb_ = 0;         // or the option of a subnegotiation
  bool after_cr_ = false; // the last byte of text was CR, where lines are wanted
  bool held_cr_ = false;  // a CR came, and what follows it says what it is
};

} // namespace troupe

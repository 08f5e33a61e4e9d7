#pragma once

#include <cstdint>
#include <string>

#include <troupe/runtime/bytes.hpp>

namespace troupe {

/// Takes telnet's commands out of what a peer sends, and says what to answer: for a protocol of lines
/// that people may reach with a telnet client.
///
/// Such a client sends commands when certain keys are pressed (Ctrl-C, and `Ü` in some), asks for
/// options, and may show nothing more until it is answered. Each option is refused, which leaves a
/// client as it begins: it sends whole lines, and shows what it is sent. A peer that sends no 255
/// sees nothing of this.
///
/// | from the peer | to the protocol | to the peer |
/// | --- | --- | --- |
/// | DO an option, TIMING-MARK too | nothing | WONT |
/// | WILL an option | nothing | DONT |
/// | WONT, DONT | nothing | nothing: so it is already |
/// | subnegotiation | nothing; but it ends after `longest_subnegotiation` bytes | nothing |
/// | AYT ("are you there") | nothing | `[Yes]` and CR LF, once for each call |
/// | any other command: BRK, IP, EC, NOP ... | nothing | nothing |
/// | IAC IAC | one byte, 255 | nothing |
/// | CR NUL, telnet's other way to end a line | CR LF | nothing |
///
/// What does not fit is passed on as it is. What is sent to the peer needs no filter as long as no 255
/// is in it, and UTF-8 has none.
///
/// ```cpp
/// void data_received(troupe::bytes_view data) override {
///   std::string copy, answer;
///   data = telnet_.filter(data, copy, answer);
///   transport().write(answer);
///   line_receiver::data_received(data);
/// }
/// ```
///
/// `telnet_filtering_factory` does the same around any protocol.
///
/// Thread: one at a time. Source: RFC 854, 855, 860, 1143
class telnet_filter {
public:
  /// What a subnegotiation may have; as no option is ever agreed to, no client has a reason to send
  /// one, and a stray byte must not silence a peer for good.
  static constexpr std::uint16_t longest_subnegotiation = 1024;

  /// Returns the text in `data`, which goes on where the last call ended, in whatever pieces it comes.
  ///
  /// \param copy    where the text is put if something had to be taken out; else `data` is returned
  ///                as it is, and nothing is copied
  /// \param answer  what to send to the peer is appended here: three bytes for each option that it asks for,
  ///                and at most 7 for all else
  /// \returns what is good for as long as `data` and `copy`; it may be empty
  [[nodiscard]] bytes_view filter(bytes_view data, std::string& copy, std::string& answer);

private:
  enum class state : std::uint8_t { text, command, option, subnegotiation, subnegotiation_command };

  void take(char c, std::string& text, std::string& answer, bool& asked);
  void take_command(char c, std::string& text, bool& asked);

  std::uint16_t skipped_ = 0; // of a subnegotiation
  state state_ = state::text;
  char verb_ = 0;         // DO, DONT, WILL or WONT, whose option comes next
  bool after_cr_ = false; // the last byte of text was CR
};

} // namespace troupe

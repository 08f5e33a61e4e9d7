#pragma once

#include <cstdint>

namespace troupe {

/// What may follow IAC, and IAC itself. Source: RFC 854, 885, 1184
enum class telnet_command : std::uint8_t {
  end_of_file = 236,
  suspend = 237,
  abort = 238,
  end_of_record = 239,
  se = 240, ///< ends a subnegotiation
  nop = 241,
  data_mark = 242,
  brk = 243,
  interrupt_process = 244,
  abort_output = 245,
  are_you_there = 246,
  erase_character = 247,
  erase_line = 248,
  go_ahead = 249,
  sb = 250, ///< begins a subnegotiation
  will = 251,
  wont = 252,
  do_ = 253,
  dont = 254,
  iac = 255,
};

/// The options that Troupe has a name for; any other number is one, too.
enum class telnet_option : std::uint8_t {
  binary = 0,            ///< RFC 856
  echo = 1,              ///< RFC 857
  suppress_go_ahead = 3, ///< RFC 858
  status = 5,            ///< RFC 859
  timing_mark = 6,       ///< RFC 860
  terminal_type = 24,    ///< RFC 1091
  end_of_record = 25,    ///< RFC 885
  window_size = 31,      ///< NAWS, RFC 1073
  terminal_speed = 32,   ///< RFC 1079
  flow_control = 33,     ///< RFC 1372
  linemode = 34,         ///< RFC 1184
  new_environ = 39,      ///< RFC 1572
  charset = 42,          ///< RFC 2066
};

/// Returns the byte of a command or an option.
[[nodiscard]] constexpr char telnet_byte(telnet_command c) noexcept {
  return static_cast<char>(c);
}
[[nodiscard]] constexpr char telnet_byte(telnet_option o) noexcept {
  return static_cast<char>(o);
}

} // namespace troupe

#include <troupe/telnet/text.hpp>

namespace troupe {

namespace {

constexpr char iac_byte = telnet_byte(telnet_command::iac);

} // namespace

void append_telnet_text(std::string& to, std::string_view text, bool& after_cr, bool last) {
  for (const char c : text) {
    if (after_cr) {
      after_cr = false;
      to += '\r';
      if (c == '\n' || c == '\0') {
        to += c;
        continue;
      }
      to += '\0';
    }
    switch (c) {
    case '\n':
      to += "\r\n";
      break;
    case '\r':
      after_cr = true;
      break;
    case iac_byte:
      to += iac_byte;
      [[fallthrough]];
    default:
      to += c;
    }
  }
  if (last && after_cr) {
    after_cr = false;
    to.append("\r\0", 2);
  }
}

void append_telnet_escaped(std::string& to, std::string_view data) {
  for (std::size_t at; (at = data.find(iac_byte)) != std::string_view::npos;) {
    to.append(data.substr(0, at + 1)) += iac_byte;
    data.remove_prefix(at + 1);
  }
  to += data;
}

void append_telnet_command(std::string& to, telnet_command c) {
  to += iac_byte;
  to += telnet_byte(c);
}

void append_telnet_negotiation(std::string& to, telnet_command verb, telnet_option option) {
  append_telnet_command(to, verb);
  to += telnet_byte(option);
}

void append_telnet_subnegotiation(std::string& to, telnet_option option, std::string_view data) {
  append_telnet_command(to, telnet_command::sb);
  const char o = telnet_byte(option);
  append_telnet_escaped(to, {&o, 1});
  append_telnet_escaped(to, data);
  append_telnet_command(to, telnet_command::se);
}

} // namespace troupe

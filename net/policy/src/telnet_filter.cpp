#include <troupe/net/telnet_filter.hpp>

#include <string_view>

namespace troupe {

namespace {

constexpr char se = '\xf0', ayt = '\xf6', sb = '\xfa', will = '\xfb', wont = '\xfc', do_ = '\xfd',
               dont = '\xfe', iac = '\xff';

} // namespace

bytes_view telnet_filter::filter(bytes_view data, std::string& copy, std::string& answer) {
  const auto in = as_text(data);
  if (in.empty())
    return data;
  if (state_ == state::text && in.find(iac) == std::string_view::npos
      && in.find('\0') == std::string_view::npos) { // nearly always
    after_cr_ = in.back() == '\r';
    return data;
  }
  copy.clear();
  bool asked = false;
  for (const char c : in)
    take(c, copy, answer, asked);
  if (asked)
    answer += "[Yes]\r\n";
  return as_bytes(copy);
}

void telnet_filter::take(char c, std::string& text, std::string& answer, bool& asked) {
  switch (state_) {
  case state::text:
    if (c == iac) {
      state_ = state::command;
      return;
    }
    text += c == '\0' && after_cr_ ? '\n' : c;
    after_cr_ = c == '\r';
    return;
  case state::command:
    return take_command(c, text, asked);
  case state::option:
    state_ = state::text;
    if (verb_ == do_)
      answer.append({iac, wont, c});
    else if (verb_ == will)
      answer.append({iac, dont, c});
    return;
  case state::subnegotiation:
    if (c == iac)
      state_ = state::subnegotiation_command;
    else if (++skipped_ >= longest_subnegotiation)
      state_ = state::text;
    return;
  case state::subnegotiation_command:
    if (c == iac) { // a byte of it
      state_ = ++skipped_ >= longest_subnegotiation ? state::text : state::subnegotiation;
    } else if (c == se) {
      state_ = state::text;
    } else { // its end is missing: what is meant is the command
      take_command(c, text, asked);
    }
    return;
  }
}

void telnet_filter::take_command(char c, std::string& text, bool& asked) {
  state_ = state::text;
  switch (c) {
  case iac:
    text += iac;
    after_cr_ = false;
    break;
  case do_:
  case dont:
  case will:
  case wont:
    verb_ = c;
    state_ = state::option;
    break;
  case sb:
    skipped_ = 0;
    state_ = state::subnegotiation;
    break;
  case ayt:
    asked = true;
    break;
  default: // Ctrl-C at the other end is no reason to leave
    break;
  }
}

} // namespace troupe

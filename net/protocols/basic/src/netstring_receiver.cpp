#include <troupe/basic/netstring_receiver.hpp>

#include <array>
#include <charconv>
#include <cstring>
#include <string>

namespace troupe {

void netstring_receiver::netstring_refused(netstring_error what) {
  if (what == netstring_error::too_long)
    lose_connection(failure{errc::message_too_long,
                            "a netstring of more than " + std::to_string(max_length()) + " bytes"});
  else
    lose_connection(failure{errc::malformed_input, std::string{to_string(what)}});
}

void netstring_receiver::send_string(std::string_view string) {
  check_sent(string.size());
  std::array<char, 512> whole; // a copy into this costs less than more pieces of output
  auto* end = std::to_chars(whole.data(), whole.data() + 24, string.size()).ptr;
  *end++ = ':';
  const std::string_view head{whole.data(), static_cast<std::size_t>(end - whole.data())};
  if (head.size() + string.size() + 1 > whole.size())
    return transport().write_sequence({head, string, ","});
  if (!string.empty())
    std::memcpy(end, string.data(), string.size());
  end += string.size();
  *end++ = ',';
  transport().write(std::string_view{whole.data(), static_cast<std::size_t>(end - whole.data())});
}

string_receiver::found netstring_receiver::find_string(std::string_view& in,
                                                       std::string_view& string) {
  switch (parser_.next(in, string)) {
  case netstring_parser::status::string:
    return found::string;
  case netstring_parser::status::failed:
    return found::failure;
  case netstring_parser::status::more:
    break;
  }
  return found::nothing;
}

void netstring_receiver::refuse_input() {
  netstring_refused(parser_.error());
}

} // namespace troupe

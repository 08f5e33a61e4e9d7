#include <troupe/basic/int_n_receiver.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace troupe {

std::size_t int_n_receiver::max_sent() const noexcept {
  const auto said = (std::uint64_t{1} << 8 * prefix_) - 1;
  return static_cast<std::size_t>(std::min<std::uint64_t>(string_receiver::max_sent(), said));
}

void int_n_receiver::length_limit_exceeded(std::uint64_t length) {
  lose_connection(failure{errc::message_too_long, "a string of " + std::to_string(length)
                                                    + " bytes; the maximum is "
                                                    + std::to_string(max_length())});
}

void int_n_receiver::send_string(std::string_view string) {
  check_sent(string.size());
  std::array<char, 512> whole; // a copy into this costs less than a second piece of output
  for (std::size_t i = 0; i < prefix_; ++i)
    whole[i] = static_cast<char>(string.size() >> 8 * (prefix_ - 1 - i));
  const std::string_view prefix{whole.data(), prefix_};
  if (prefix.size() + string.size() > whole.size())
    return transport().write_sequence({prefix, string});
  if (!string.empty())
    std::memcpy(whole.data() + prefix_, string.data(), string.size());
  transport().write(std::string_view{whole.data(), prefix_ + string.size()});
}

string_receiver::found int_n_receiver::find_string(std::string_view& in, std::string_view& string) {
  switch (parser_.next(in, string)) {
  case int_n_parser::status::string:
    return found::string;
  case int_n_parser::status::too_long:
    return found::failure;
  case int_n_parser::status::more:
    break;
  }
  return found::nothing;
}

void int_n_receiver::refuse_input() {
  length_limit_exceeded(parser_.length());
}

} // namespace troupe

#include <troupe/basic/wire_udp.hpp>

#include <algorithm>
#include <array>

#include "wire_text.hpp"

namespace troupe::wire {

bool udp_service::may_answer(std::uint16_t from, std::uint16_t own) noexcept {
  static constexpr std::array<std::uint16_t, 6> services{7, 11, 13, 17, 19, 37};
  return from != own && std::find(services.begin(), services.end(), from) == services.end();
}

void udp_service::datagram_received(bytes_view data, const net_address& from) {
  if (may_answer(from.port(), transport().get_host().port()))
    transport().write(answer(data), from);
}

std::string udp_chargen::answer(bytes_view) {
  const auto& lines = chargen_lines();
  return lines.substr(draw_() % (lines.size() - 512), draw_() % 513);
}

std::string udp_qotd::answer(bytes_view) {
  return quote_line(get_quote());
}

std::string udp_qotd::get_quote() {
  return std::string{usual_quote};
}

std::string udp_who::answer(bytes_view) {
  return user_lines(get_users());
}

std::vector<std::string> udp_who::get_users() {
  return {"root"};
}

std::string udp_daytime::answer(bytes_view) {
  return daytime_text(get_time()) + "\r\n";
}

std::string udp_time::answer(bytes_view) {
  return time_bytes(get_time());
}

} // namespace troupe::wire

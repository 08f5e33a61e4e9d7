#include <troupe/basic/wire.hpp>

#include <array>
#include <cstdio>
#include <ctime>
#include <string_view>

#include "wire_text.hpp"

namespace troupe::wire {

namespace {

constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::uint32_t seconds_1900_to_1970 = 2'208'988'800U;

void say(transport& t, std::string_view text) {
  t.write(text);
  t.lose_connection();
}

} // namespace

std::string daytime_text(wall_time t) {
  const auto seconds = std::chrono::system_clock::to_time_t(t);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> text;
  const int size = std::snprintf(text.data(), text.size(), "%s %s %2d %02d:%02d:%02d %d",
                                 days[static_cast<std::size_t>(utc.tm_wday)],
                                 months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_mday,
                                 utc.tm_hour, utc.tm_min, utc.tm_sec, utc.tm_year + 1900);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string time_bytes(wall_time t) {
  const auto seconds =
    static_cast<std::uint32_t>(std::chrono::system_clock::to_time_t(t)) + seconds_1900_to_1970;
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(seconds >> shift);
  return bytes;
}

const std::string& chargen_lines() {
  static const std::string lines = [] {
    constexpr int first = ' ', count = 95, width = 72;
    std::string all;
    for (int line = 0; line < count; ++line) {
      for (int i = 0; i < width; ++i)
        all += static_cast<char>(first + (line + i) % count);
      all += "\r\n";
    }
    return all;
  }();
  return lines;
}

std::string quote_line(std::string quote) {
  constexpr std::size_t most = 512; // RFC 865, with the end of the line
  if (quote.size() > most - 2)
    quote.resize(most - 2);
  return quote += "\r\n";
}

std::string user_lines(const std::vector<std::string>& users) {
  std::string lines;
  for (const auto& user : users) {
    for (const char c : user)
      if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)
        lines += c;
    lines += "\r\n";
  }
  return lines;
}

void echo::connection_made() {
  // Paused while its own output waits: who sends and does not read is not read from either.
  transport().register_producer(transport(), true);
}

void echo::stop_requested() {
  if (connected())
    transport().unregister_producer(); // the connection would wait for more output
  protocol::stop_requested();
}

void chargen::connection_made() {
  transport().register_producer(*this, false);
}

void chargen::resume_producing() {
  static const shared_bytes lines{chargen_lines()};
  transport().write(lines);
}

void chargen::stop_requested() {
  if (connected())
    transport().unregister_producer();
  protocol::stop_requested();
}

void qotd::connection_made() {
  say(transport(), quote_line(get_quote()));
}

std::string qotd::get_quote() {
  return std::string{usual_quote};
}

void who::connection_made() {
  say(transport(), user_lines(get_users()));
}

std::vector<std::string> who::get_users() {
  return {"root"};
}

void daytime::connection_made() {
  say(transport(), daytime_text(get_time()) + "\r\n");
}

void time::connection_made() {
  say(transport(), time_bytes(get_time()));
}

} // namespace troupe::wire

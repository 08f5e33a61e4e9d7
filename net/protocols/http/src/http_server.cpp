#include <troupe/http/http_server.hpp>

#include <array>
#include <cstdio>

#include "http_connection.hpp"

namespace troupe {

namespace {

void append_escaped(std::string& line, std::string_view text) {
  static constexpr char hex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      line += c;
    } else {
      line += "\\x";
      line += hex[byte >> 4];
      line += hex[byte & 15];
    }
  }
}

} // namespace

std::string combined_log_line(const http_access& access) {
  static constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm t{};
  ::gmtime_r(&access.at, &t);
  std::array<char, 64> date;
  std::snprintf(date.data(), date.size(), "%02d/%s/%04d:%02d:%02d:%02d +0000", t.tm_mday,
                months[static_cast<std::size_t>(t.tm_mon)], t.tm_year + 1900, t.tm_hour, t.tm_min,
                t.tm_sec);
  std::string line;
  append_escaped(line, access.peer.empty() ? std::string_view{"-"} : access.peer);
  ((line += " - - [") += date.data()) += "] \"";
  if (access.head != nullptr) {
    append_escaped(line, access.head->method());
    line += ' ';
    append_escaped(line, access.head->target());
    line += access.head->major_version() == 2   ? " HTTP/2.0"
            : access.head->minor_version() == 1 ? " HTTP/1.1"
                                                : " HTTP/1.0";
  } else {
    line += '-';
  }
  (line += "\" ") += std::to_string(access.status);
  (line += ' ') += access.body_bytes == 0 ? "-" : std::to_string(access.body_bytes);
  for (const std::string_view name : {"Referer", "User-Agent"}) {
    line += " \"";
    const auto value =
      access.head != nullptr ? access.head->field(name) : std::optional<std::string_view>{};
    append_escaped(line, value.value_or("-"));
    line += '"';
  }
  return line;
}

factory_ref http_server(http_handler handler, http_server_options options) {
  return detail::http_server_of(std::make_shared<const detail::http_service>(
    detail::http_service{std::move(handler), std::move(options)}));
}

factory_ref detail::http_server_of(std::shared_ptr<const http_service> service) {
  return factory::for_protocol<http_connection>(std::move(service));
}

} // namespace troupe

#include <algorithm>

#include <troupe/basic/socks_message.hpp>

#include "socks_address.hpp"

namespace troupe {

// Takes bytes until the message has `size` of them.
bool socks_server_parser::fill(std::string_view& in, std::size_t size) {
  const auto taken = std::min(in.size(), size - std::min(size, message_.size()));
  message_ += in.substr(0, taken);
  in.remove_prefix(taken);
  return message_.size() >= size;
}

// Takes bytes up to a NUL, which is taken too and is no part of the message.
socks_server_parser::text socks_server_parser::fill_text(std::string_view& in) {
  while (!in.empty()) {
    const char c = in.front();
    in.remove_prefix(1);
    if (c == '\0')
      return text::whole;
    if (message_.size() == max_text)
      return text::too_long;
    message_ += c;
  }
  return text::unfinished;
}

socks_server_parser::status socks_server_parser::fail(socks_reply r) {
  error_ = r;
  part_ = part::over;
  return status::failed;
}

socks_server_parser::status socks_server_parser::finish() {
  part_ = part::over;
  message_.clear();
  return status::request;
}

void socks_server_parser::choose(socks_method m) noexcept {
  part_ = m == socks_method::none       ? part::request
          : m == socks_method::password ? part::login
                                        : part::over;
  error_ = socks_reply::not_allowed;
}

socks_server_parser::status socks_server_parser::next(std::string_view& in) {
  for (;;) {
    switch (part_) {
    case part::version:
      if (!fill(in, 1))
        return status::more;
      if (message_[0] != 4 && message_[0] != 5)
        return fail(socks_reply::granted);
      version_ = request_.version = static_cast<std::uint8_t>(message_[0]);
      part_ = version_ == 4 ? part::head4 : part::methods;
      break;
    case part::head4:
    case part::user4:
    case part::host4:
      return read_head4(in);
    case part::methods:
      if (!fill(in, 2) || !fill(in, 2u + static_cast<unsigned char>(message_[1])))
        return status::more;
      text_ = message_.substr(2);
      message_.clear();
      part_ = part::choice;
      return status::methods;
    case part::choice:
      return status::more;
    case part::login:
      return read_login(in);
    case part::request:
      return read_request(in);
    case part::over:
      return status::failed;
    }
  }
}

// 04, command, port, address, user, NUL; and in 4a, where the address is 0.0.0.x: host, NUL.
socks_server_parser::status socks_server_parser::read_head4(std::string_view& in) {
  if (part_ == part::head4) {
    if (!fill(in, 8))
      return status::more;
    if (message_[1] != 1 && message_[1] != 2)
      return fail(socks_reply::command_not_supported);
    request_.command = static_cast<socks_command>(message_[1]);
    const auto address = std::string_view{message_}.substr(4);
    const auto port = detail::socks_port_of(std::string_view{message_}.substr(2));
    const bool named = address.substr(0, 3) == std::string_view{"\0\0\0", 3} && address[3] != '\0';
    request_.target = named ? net_address{net_address::kind::host_name, {}, port}
                            : detail::socks_address_of(address, port);
    message_.clear();
    part_ = part::user4;
  }
  if (part_ == part::user4) {
    if (const auto got = fill_text(in); got != text::whole)
      return got == text::unfinished ? status::more : fail(socks_reply::general_failure);
    request_.user = std::exchange(message_, {});
    if (request_.target.type() != net_address::kind::host_name)
      return finish();
    part_ = part::host4;
  }
  if (const auto got = fill_text(in); got != text::whole)
    return got == text::unfinished ? status::more : fail(socks_reply::general_failure);
  if (!detail::is_host_name(message_))
    return fail(socks_reply::general_failure);
  request_.target = detail::socks_host(message_, request_.target.port());
  return finish();
}

// 01, size and user, size and password: RFC 1929.
socks_server_parser::status socks_server_parser::read_login(std::string_view& in) {
  if (!fill(in, 2))
    return status::more;
  if (message_[0] != 1)
    return fail(socks_reply::general_failure);
  const std::size_t user = static_cast<unsigned char>(message_[1]);
  if (!fill(in, 3 + user))
    return status::more;
  const std::size_t password = static_cast<unsigned char>(message_[2 + user]);
  if (!fill(in, 3 + user + password))
    return status::more;
  request_.user = message_.substr(2, user);
  text_ = message_.substr(3 + user);
  message_.clear();
  part_ = part::request;
  return status::credentials;
}

// 05, command, reserved, type of address, address, port.
socks_server_parser::status socks_server_parser::read_request(std::string_view& in) {
  if (!fill(in, 4))
    return status::more;
  if (message_[0] != 5)
    return fail(socks_reply::general_failure);
  const char type = message_[3];
  std::size_t begin = 4;
  std::size_t size = 0;
  if (type == detail::type_name) {
    if (!fill(in, 5))
      return status::more;
    begin = 5;
    size = static_cast<unsigned char>(message_[4]);
    if (size == 0)
      return fail(socks_reply::general_failure);
  } else if (type == detail::type_ipv4 || type == detail::type_ipv6) {
    size = type == detail::type_ipv4 ? 4 : 16;
  } else {
    return fail(socks_reply::address_not_supported);
  }
  if (!fill(in, begin + size + 2))
    return status::more;
  const auto address = std::string_view{message_}.substr(begin, size);
  const auto port = detail::socks_port_of(std::string_view{message_}.substr(begin + size));
  if (message_[1] < 1 || message_[1] > 3)
    return fail(socks_reply::command_not_supported);
  request_.command = static_cast<socks_command>(message_[1]);
  if (type == detail::type_name && !detail::is_host_name(address))
    return fail(socks_reply::general_failure);
  request_.target = type == detail::type_name ? detail::socks_host(address, port)
                                              : detail::socks_address_of(address, port);
  return finish();
}

} // namespace troupe

#include <algorithm>
#include <utility>

#include <troupe/basic/socks_message.hpp>

#include "socks_address.hpp"

namespace troupe {

namespace {

constexpr std::size_t max_text = socks_server_parser::max_text;

std::string sized(std::string_view text) {
  return static_cast<char>(text.size()) + std::string{text};
}

} // namespace

socks_client_parser::socks_client_parser(socks_client_options options, net_address target)
  : options_(std::move(options)), target_(std::move(target)),
    part_(options_.version == 4 ? part::reply4 : part::method) {}

std::string_view socks_client_parser::problem(const socks_client_options& o,
                                              const net_address& target) {
  if (o.version != 4 && o.version != 5)
    return "there is no such version of SOCKS";
  if (target.port() == 0)
    return "the target has no port";
  if (target.type() == net_address::kind::host_name) {
    if (target.host().size() > max_text)
      return "the name of the host has more than 255 bytes";
    if (!detail::is_host_name(target.host()))
      return "the name of the host has characters that no name has";
    if (o.version == 4 && !o.remote_names)
      return "the name of the host has not been looked up";
  } else if (detail::socks_bytes_of(target).size() != 4
             && (o.version == 4 || detail::socks_bytes_of(target).empty())) {
    return o.version == 4 ? "version 4 has no addresses but those of IPv4" : "this is no address";
  }
  if (o.user.size() > max_text || o.password.size() > max_text)
    return "the user or the password has more than 255 bytes";
  if (o.version == 4 && o.user.find('\0') != std::string::npos)
    return "the user has a NUL";
  if (o.version == 5 && !o.user.empty() && o.password.empty())
    return "a user of version 5 has a password";
  return {};
}

std::string socks_client_parser::begin() {
  if (options_.version == 5)
    return options_.user.empty() ? std::string{5, 1, 0} : std::string{5, 2, 0, 2};
  std::string message{4, 1};
  message += detail::socks_port(target_.port());
  const bool named = target_.type() == net_address::kind::host_name;
  message += named ? std::string{0, 0, 0, 1} : detail::socks_bytes_of(target_);
  message += options_.user + '\0';
  if (named)
    message += target_.host() + '\0';
  return message;
}

bool socks_client_parser::fill(std::string_view& in, std::size_t size) {
  const auto taken = std::min(in.size(), size - std::min(size, message_.size()));
  message_ += in.substr(0, taken);
  in.remove_prefix(taken);
  return message_.size() >= size;
}

socks_client_parser::status socks_client_parser::end(status s) noexcept {
  part_ = part::over;
  result_ = s;
  return s;
}

std::string socks_client_parser::request5() const {
  std::string message{5, 1, 0};
  if (target_.type() == net_address::kind::host_name) {
    message += detail::type_name;
    message += sized(target_.host());
  } else {
    const auto address = detail::socks_bytes_of(target_);
    message += address.size() == 4 ? detail::type_ipv4 : detail::type_ipv6;
    message += address;
  }
  return message + detail::socks_port(target_.port());
}

socks_client_parser::status socks_client_parser::next(std::string_view& in) {
  switch (part_) {
  case part::reply4: // 00, code, and six bytes that mean nothing
    if (!fill(in, 8))
      return status::more;
    number_ = static_cast<std::uint8_t>(message_[1]);
    if (message_[0] != 0 || number_ < 90 || number_ > 93)
      return end(status::malformed);
    if (number_ == 90)
      return end(status::granted);
    reply_ = socks_reply::general_failure;
    return end(status::refused);
  case part::method:
    if (!fill(in, 2))
      return status::more;
    if (message_[0] != 5)
      return end(status::malformed);
    if (message_[1] == 0) {
      to_send_ = request5();
      part_ = part::reply5;
    } else if (message_[1] == 2 && !options_.user.empty()) {
      to_send_ = '\1' + sized(options_.user) + sized(options_.password);
      part_ = part::login;
    } else {
      return end(static_cast<unsigned char>(message_[1]) == 0xff ? status::no_method
                                                                 : status::malformed);
    }
    message_.clear();
    return status::send;
  case part::login:
    if (!fill(in, 2))
      return status::more;
    if (message_[1] != 0)
      return end(status::login_failed);
    message_.clear();
    to_send_ = request5();
    part_ = part::reply5;
    return status::send;
  case part::reply5:
    return read_reply5(in);
  case part::over:
    break;
  }
  return result_;
}

// 05, reply, reserved, type of address, address, port.
socks_client_parser::status socks_client_parser::read_reply5(std::string_view& in) {
  if (!fill(in, 4))
    return status::more;
  if (message_[0] != 5)
    return end(status::malformed);
  number_ = static_cast<std::uint8_t>(message_[1]);
  if (number_ != 0) { // some servers close behind this
    reply_ = number_ <= 8 ? static_cast<socks_reply>(number_) : socks_reply::general_failure;
    return end(status::refused);
  }
  std::size_t size = 0;
  switch (message_[3]) {
  case detail::type_ipv4:
    size = 4;
    break;
  case detail::type_ipv6:
    size = 16;
    break;
  case detail::type_name:
    if (!fill(in, 5))
      return status::more;
    size = 1u + static_cast<unsigned char>(message_[4]);
    break;
  default:
    return end(status::malformed);
  }
  return fill(in, 4 + size + 2) ? end(status::granted) : status::more;
}

} // namespace troupe

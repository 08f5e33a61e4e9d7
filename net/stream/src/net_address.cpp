#include <troupe/net/net_address.hpp>

#include <ostream>

namespace troupe {

net_address net_address::ip(std::string host, std::uint16_t port) {
  const auto k = host.find(':') == std::string::npos ? kind::ipv4 : kind::ipv6;
  return {k, std::move(host), port};
}

std::string net_address::to_string() const {
  switch (kind_) {
  case kind::ipv4:
  case kind::host_name:
    return host_ + ':' + std::to_string(port_);
  case kind::ipv6:
    return '[' + host_ + "]:" + std::to_string(port_);
  case kind::unix_socket:
  case kind::none:
    return host_;
  }
  return {};
}

std::ostream& operator<<(std::ostream& out, const net_address& a) {
  return out << a.to_string();
}

} // namespace troupe

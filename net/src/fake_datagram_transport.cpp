#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include <netinet/in.h>

#include <troupe/testing/fake_datagram_transport.hpp>

#include "socket_address.hpp"

namespace troupe::testing {

namespace {

constexpr std::size_t longest = 65507;

// Reads an address of IPv4; nothing if it is none.
bool is_address(const net_address& a) {
  const auto parsed = detail::parse_ip(a.host(), a.port());
  return parsed && parsed->ss_family == AF_INET && a.port() != 0;
}

bool is_group(const std::string& host) {
  return host.find(':') == std::string::npos && detail::parse_ip(host, 0)
         && std::atoi(host.c_str()) / 16 == 14; // 224.0.0.0/4
}

} // namespace

void fake_datagram_transport::open(datagram_protocol& p) noexcept {
  protocol_ = &p;
  open_ = true;
  stopping_ = false;
  peer_ = {};
  groups_.clear();
}

std::error_code fake_datagram_transport::refuse(std::error_code why) noexcept {
  ++counters_.refused;
  return why;
}

std::error_code fake_datagram_transport::take(bytes_view data, const net_address& to) {
  if (data.size() > longest)
    return refuse(errc::message_too_long);
  if (failing_)
    return refuse(failing_);
  written_.push_back({std::string(as_text(data)), to});
  ++counters_.sent;
  return {};
}

std::error_code fake_datagram_transport::write(bytes_view data, const net_address& to) {
  if (!listening())
    return refuse(errc::not_listening);
  if (to.host() == "<broadcast>" || to.host() == "255.255.255.255") {
    if (!broadcast_)
      return refuse(std::make_error_code(std::errc::permission_denied));
  } else if (!is_address(to)) {
    return refuse(errc::invalid_address);
  }
  if (peer_ != net_address{} && to != peer_)
    throw std::logic_error("write: the port is connected to another address");
  return take(data, to);
}

std::error_code fake_datagram_transport::write(bytes_view data) {
  if (!listening())
    return refuse(errc::not_listening);
  if (peer_ == net_address{})
    throw std::logic_error("write: the port is not connected, and there is no address");
  return take(data, peer_);
}

std::error_code fake_datagram_transport::connect(const net_address& peer) {
  if (!listening())
    return errc::not_listening;
  if (peer_ != net_address{})
    throw std::logic_error("connect: the port is connected already");
  if (!is_address(peer))
    return errc::invalid_address;
  peer_ = peer;
  return {};
}

std::error_code fake_datagram_transport::set_broadcast_allowed(bool allowed) {
  if (!open_)
    return errc::not_listening;
  broadcast_ = allowed;
  return {};
}

chained<void> fake_datagram_transport::stop_listening() {
  if (!open_)
    return chained<void>(succeed());
  stopping_ = true;
  return protocol_ != nullptr ? protocol_->when_stopped() : chained<void>(succeed());
}

// -- groups -------------------------------------------------------------------------------------

chained<void> fake_datagram_transport::join_group(const std::string& group,
                                                  const std::string& interface) {
  if (!open_)
    return chained<void>(fail(errc::not_listening));
  const membership wanted{group, interface};
  if (!is_group(group) || std::find(groups_.begin(), groups_.end(), wanted) != groups_.end())
    return chained<void>(fail(failure{errc::multicast_failed, "join " + group}));
  groups_.push_back(wanted);
  return chained<void>(succeed());
}

chained<void> fake_datagram_transport::leave_group(const std::string& group,
                                                   const std::string& interface) {
  if (!open_)
    return chained<void>(fail(errc::not_listening));
  if (std::erase(groups_, membership{group, interface}) == 0)
    return chained<void>(fail(failure{errc::multicast_failed, "leave " + group}));
  return chained<void>(succeed());
}

std::error_code fake_datagram_transport::set_ttl(int hops) {
  if (hops < 0 || hops > 255)
    return errc::invalid_argument;
  ttl_ = hops;
  return {};
}

std::error_code fake_datagram_transport::set_loopback_mode(bool on) {
  loopback_ = on;
  return {};
}

chained<void> fake_datagram_transport::set_outgoing_interface(const std::string& interface) {
  outgoing_ = interface.empty() ? "0.0.0.0" : interface;
  return chained<void>(succeed());
}

} // namespace troupe::testing

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include <netinet/in.h>

#include <troupe/testing/fake_datagram_transport.hpp>

#include "native_address.hpp"

namespace troupe::testing {

namespace {

constexpr std::size_t longest_of_udp = 65507;
constexpr std::size_t longest_of_unix = 212'960; // Linux's default

// Reads an address of IPv4; nothing if it is none.
bool is_address(const net_address& a) {
  const auto parsed = troupe::detail::parse_ip(a.host(), a.port());
  return parsed && parsed->ss_family == AF_INET && a.port() != 0;
}

bool is_group(const std::string& host) {
  return host.find(':') == std::string::npos && troupe::detail::parse_ip(host, 0)
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

// Returns why it cannot be sent there.
std::error_code fake_datagram_transport::wrong(const net_address& to) const {
  if (is_unix())
    return to.type() == net_address::kind::unix_socket
               && troupe::detail::native_address::of_path(to.host())
             ? std::error_code{}
             : errc::invalid_address;
  if (to.host() == "<broadcast>" || to.host() == "255.255.255.255")
    return broadcast_ ? std::error_code{} : std::make_error_code(std::errc::permission_denied);
  return is_address(to) ? std::error_code{} : errc::invalid_address;
}

std::error_code fake_datagram_transport::take(bytes_view data, const net_address& to) {
  if (data.size() > (is_unix() ? longest_of_unix : longest_of_udp))
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
  if (const auto why = wrong(to))
    return refuse(why);
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
  if (const auto why = wrong(peer))
    return why;
  peer_ = peer;
  return {};
}

std::error_code fake_datagram_transport::set_broadcast_allowed(bool allowed) {
  if (!open_)
    return errc::not_listening;
  if (is_unix())
    return errc::not_supported;
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

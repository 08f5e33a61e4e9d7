#include "udp_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>
#include <optional>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <troupe/net/listen_multicast.hpp>
#include <troupe/net/listen_udp.hpp>
#include <troupe/runtime/errc.hpp>

#include "datagram_binding.hpp"

namespace troupe {

namespace detail {

namespace {

std::error_code last_error() {
  return {errno, std::system_category()};
}

void set_flag(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

// Returns the number of the interface that has this name or address; 0 for an empty one; nothing if
// there is none.
std::optional<unsigned> interface_index(const std::string& interface) {
  if (interface.empty())
    return 0;
  if (const auto index = ::if_nametoindex(interface.c_str()); index != 0)
    return index;
  const auto wanted = parse_ip(interface, 0);
  ifaddrs* all = nullptr;
  if (!wanted || ::getifaddrs(&all) != 0)
    return std::nullopt;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned{all, &::freeifaddrs};
  const auto host = [](const sockaddr* a) {
    sockaddr_storage copy{};
    std::memcpy(&copy, a, a->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    return socket_address{copy}.to_address().host();
  };
  const auto name = socket_address{*wanted}.to_address().host();
  for (const auto* i = all; i != nullptr; i = i->ifa_next)
    if (i->ifa_addr != nullptr && i->ifa_addr->sa_family == wanted->ss_family
        && host(i->ifa_addr) == name)
      return ::if_nametoindex(i->ifa_name);
  return std::nullopt;
}

failure multicast_failure(const char* what, const std::string& group, const std::string& interface,
                          const std::string& why) {
  return {errc::multicast_failed, std::string(what) + ' ' + group
                                    + (interface.empty() ? "" : " through " + interface) + ": "
                                    + why};
}

} // namespace

listening_socket open_udp_socket(std::uint16_t port, const udp_options& options) {
  const auto refuse = [&](std::error_code reason) {
    throw cannot_listen_error({net_address::kind::host_name, options.interface, port}, reason);
  };
  const auto at = parse_ip(options.interface, port);
  if (!at)
    refuse(errc::invalid_address);
  unique_fd fd{::socket(at->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd)
    refuse(last_error());
  if (options.listen_multiple) {
    set_flag(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    set_flag(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  }
  if (options.multicast) { // what others on this machine have joined is not for us
    if (at->ss_family == AF_INET6)
      set_flag(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
    else
      set_flag(fd.get(), IPPROTO_IP, IP_MULTICAST_ALL, 0);
  }
  if (options.receive_buffer != 0)
    set_flag(fd.get(), SOL_SOCKET, SO_RCVBUF,
             static_cast<int>(
               std::min<std::size_t>(options.receive_buffer, std::numeric_limits<int>::max() / 2)));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*at), length_of(*at)) != 0)
    refuse(last_error());
  const auto host = native_address::local(fd.get()).to_address();
  return {std::move(fd), host};
}

udp_socket::udp_socket(event_loop& loop, listening_socket socket, const udp_options& options)
  : datagram_socket(
    loop, std::move(socket),
    {.max_packet_size = options.max_packet_size, .max_unsent = options.max_unsent, .runs = true}),
    multicast_(options.multicast), outgoing_(family() == AF_INET6 ? "::" : "0.0.0.0") {}

std::error_code udp_socket::resolve(const net_address& a, native_address& to) const {
  const bool everybody = a.host() == "<broadcast>" || a.host() == "255.255.255.255";
  const auto parsed = parse_ip(everybody ? "255.255.255.255" : a.host(), a.port());
  if (!parsed || parsed->ss_family != family() || a.port() == 0)
    return errc::invalid_address;
  if (everybody && !get_broadcast_allowed())
    return std::make_error_code(std::errc::permission_denied);
  to.length = length_of(*parsed);
  std::memcpy(&to.storage, &*parsed, to.length);
  return {};
}

std::size_t udp_socket::longest() const noexcept {
  constexpr std::size_t most = 65535, udp_header = 8, ipv4_header = 20;
  return most - udp_header - (family() == AF_INET ? ipv4_header : 0);
}

std::size_t udp_socket::segment(std::span<std::byte> control, std::size_t size) const noexcept {
  const auto value = static_cast<std::uint16_t>(size);
  msghdr holder{};
  holder.msg_control = control.data();
  holder.msg_controllen = CMSG_SPACE(sizeof value);
  auto* const header = CMSG_FIRSTHDR(&holder);
  header->cmsg_level = IPPROTO_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
  return holder.msg_controllen;
}

std::error_code udp_socket::set_broadcast_allowed(bool allowed) {
  if (!is_open())
    return errc::not_listening;
  const int value = allowed ? 1 : 0;
  return ::setsockopt(fd(), SOL_SOCKET, SO_BROADCAST, &value, sizeof value) == 0 ? std::error_code{}
                                                                                 : last_error();
}

bool udp_socket::get_broadcast_allowed() const {
  int value = 0;
  socklen_t length = sizeof value;
  return is_open() && ::getsockopt(fd(), SOL_SOCKET, SO_BROADCAST, &value, &length) == 0
         && value != 0;
}

// -- groups -------------------------------------------------------------------------------------

chained<void> udp_socket::join_group(const std::string& group, const std::string& interface) {
  return change_group(true, group, interface);
}

chained<void> udp_socket::leave_group(const std::string& group, const std::string& interface) {
  return change_group(false, group, interface);
}

chained<void> udp_socket::change_group(bool join, const std::string& group,
                                       const std::string& interface) {
  const auto failed = [](failure why) {
    return chained<void>(fail(std::move(why)));
  };
  const char* const what = join ? "join" : "leave";
  if (!is_open())
    return failed(errc::not_listening);
  const auto at = parse_ip(group, 0);
  if (!at || at->ss_family != family())
    return failed({errc::invalid_address, group});
  auto index = interface_index(interface);
  if (!index)
    return failed(multicast_failure(what, group, interface, "there is no such interface"));
  int result = 0;
  if (family() == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &*at, sizeof in);
    const ipv6_mreq request{.ipv6mr_multiaddr = in.sin6_addr,
                            .ipv6mr_interface = *index != 0 ? *index : in.sin6_scope_id};
    result = ::setsockopt(fd(), IPPROTO_IPV6, join ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP,
                          &request, sizeof request);
  } else {
    sockaddr_in in;
    std::memcpy(&in, &*at, sizeof in);
    const ip_mreqn request{
      .imr_multiaddr = in.sin_addr, .imr_address = {}, .imr_ifindex = static_cast<int>(*index)};
    result = ::setsockopt(fd(), IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &request,
                          sizeof request);
  }
  if (result != 0)
    return failed(multicast_failure(what, group, interface, last_error().message()));
  return chained<void>(succeed());
}

std::error_code udp_socket::set(int v4_option, int v6_option, int value) {
  if (!is_open())
    return errc::not_listening;
  const bool v6 = family() == AF_INET6;
  return ::setsockopt(fd(), v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? v6_option : v4_option, &value,
                      sizeof value)
             == 0
           ? std::error_code{}
           : last_error();
}

int udp_socket::get(int v4_option, int v6_option) const {
  const bool v6 = family() == AF_INET6;
  int value = 0;
  socklen_t length = sizeof value;
  if (is_open())
    ::getsockopt(fd(), v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? v6_option : v4_option, &value, &length);
  return value;
}

std::error_code udp_socket::set_ttl(int hops) {
  if (hops < 0 || hops > 255)
    return errc::invalid_argument;
  return set(IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, hops);
}

int udp_socket::get_ttl() const {
  return get(IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS);
}

std::error_code udp_socket::set_loopback_mode(bool on) {
  return set(IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, on ? 1 : 0);
}

bool udp_socket::get_loopback_mode() const {
  return get(IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP) != 0;
}

chained<void> udp_socket::set_outgoing_interface(const std::string& interface) {
  const auto failed = [&](const std::string& why) {
    return chained<void>(
      fail(failure{errc::multicast_failed, "send through " + interface + ": " + why}));
  };
  if (!is_open())
    return chained<void>(fail(errc::not_listening));
  const bool unset = interface == "0.0.0.0" || interface == "::";
  const auto index = interface_index(unset ? "" : interface);
  if (!index)
    return failed("there is no such interface");
  std::error_code wrong;
  if (family() == AF_INET6) {
    wrong = set(0, IPV6_MULTICAST_IF, static_cast<int>(*index));
  } else {
    // With an address of its own, that is also the sender's.
    ip_mreqn request{
      .imr_multiaddr = {}, .imr_address = {}, .imr_ifindex = static_cast<int>(*index)};
    ::inet_pton(AF_INET, interface.c_str(), &request.imr_address);
    if (::setsockopt(fd(), IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) != 0)
      wrong = last_error();
  }
  if (wrong)
    return failed(wrong.message());
  outgoing_ = !interface.empty() ? interface : family() == AF_INET6 ? "::" : "0.0.0.0";
  return chained<void>(succeed());
}

namespace {

datagram_port listen(runtime& rt, std::size_t loop, std::uint16_t port,
                     const datagram_protocol_ref& protocol, const udp_options& options) {
  if (options.max_packet_size == 0 || options.max_packet_size > 65535)
    throw std::invalid_argument("max_packet_size must be between 1 and 65535");
  return datagram_place::listen(
    rt, loop, protocol,
    [port, options](const net_address* had) {
      return open_udp_socket(had != nullptr ? had->port() : port, options);
    },
    [options](event_loop& on, listening_socket socket) -> std::shared_ptr<datagram_socket> {
      return std::make_shared<udp_socket>(on, std::move(socket), options);
    });
}

} // namespace

} // namespace detail

datagram_port listen_udp(runtime& rt, std::uint16_t port, const datagram_protocol_ref& protocol,
                         const datagram_options& options) {
  return detail::listen(rt, options.loop, port, protocol,
                        {.interface = options.interface,
                         .max_packet_size = options.max_packet_size,
                         .max_unsent = options.max_unsent,
                         .receive_buffer = options.receive_buffer,
                         .listen_multiple = options.listen_multiple,
                         .multicast = false});
}

datagram_port listen_multicast(runtime& rt, std::uint16_t port,
                               const datagram_protocol_ref& protocol,
                               const multicast_options& options) {
  return detail::listen(rt, options.loop, port, protocol,
                        {.interface = options.interface,
                         .max_packet_size = options.max_packet_size,
                         .max_unsent = options.max_unsent,
                         .receive_buffer = options.receive_buffer,
                         .listen_multiple = options.listen_multiple,
                         .multicast = true});
}

} // namespace troupe

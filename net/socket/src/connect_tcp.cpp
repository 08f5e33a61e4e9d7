#include <troupe/net/connect_tcp.hpp>

#include <algorithm>
#include <cstring>

#include <netinet/in.h>

#include <troupe/net/host_name.hpp>
#include <troupe/net/resolver.hpp>

#include "connecting.hpp"
#include "socket_address.hpp"

namespace troupe {

namespace {

// The families in turn, beginning with that of the first; otherwise as they were.
// Source: RFC 8305, section 4
std::vector<sockaddr_storage> interleaved(const std::vector<net_address>& found) {
  std::vector<sockaddr_storage> families[2];
  for (const auto& a : found)
    if (const auto parsed = detail::parse_ip(a.host(), a.port()))
      families[a.type() != found.front().type()].push_back(*parsed);
  std::vector<sockaddr_storage> result;
  for (std::size_t i = 0; i < std::max(families[0].size(), families[1].size()); ++i)
    for (const auto& family : families)
      if (i < family.size())
        result.push_back(family[i]);
  return result;
}

} // namespace

detail::destination detail::tcp_destination(runtime& rt, const std::string& host,
                                            std::uint16_t port, const connect_options& options) {
  if (const auto literal = detail::parse_ip(host, port)) {
    // What is kept for as long as the connection has no more room than it needs.
    static_assert(sizeof(sockaddr_in6) >= sizeof(sockaddr_in));
    sockaddr_in6 kept;
    std::memcpy(&kept, &*literal, sizeof kept);
    return {detail::socket_address{*literal}.to_address(), [kept](event_loop&) {
              sockaddr_storage to{};
              std::memcpy(&to, &kept, sizeof kept);
              return succeed(std::vector{to});
            }};
  }
  const net_address name{net_address::kind::host_name, host, port};
  if (host.empty() || host.find('\0') != std::string::npos)
    return {name, [name](event_loop&) {
              return fail<std::vector<sockaddr_storage>>(
                failure{errc::unknown_host, "not the name of a host: \"" + name.host() + '"'});
            }};
  return {name, [&rt, names = options.names, name](event_loop& loop) {
            const auto asked = names ? names : system_resolver::of(rt, loop);
            const auto ascii = ascii_host_name(name.host());
            if (!ascii)
              return fail<std::vector<sockaddr_storage>>(
                failure{errc::unknown_host, ascii.error().message()});
            return deferred<std::vector<sockaddr_storage>>(
              asked->resolve(*ascii, name.port())
                .add_callback([name](const std::vector<net_address>& found)
                                -> outcome<std::vector<sockaddr_storage>> {
                  auto all = interleaved(found);
                  if (all.empty())
                    return failure{errc::unknown_host, name.host() + ": it has no address"};
                  return all;
                }));
          }};
}

connector connect_tcp(runtime& rt, const std::string& host, std::uint16_t port,
                      const client_factory_ref& f, const connect_options& options) {
  return detail::start_connecting(
    rt, detail::tcp_destination(rt, host, port, options), f, options,
    std::make_shared<const detail::tcp_kind>(options.no_delay, options.keep_alive, options.output));
}

} // namespace troupe

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <troupe/runtime/time.hpp>

namespace troupe {

/// What becomes of a connection from somewhere else than the named proxies.
enum class unnamed_peers : std::uint8_t {
  refused, ///< it is closed
  direct,  ///< it is taken as it is: what it sends is the protocol's from the first byte on
};

/// From whom a port expects the PROXY protocol: haproxy, nginx (`stream`) and load balancers say in
/// front of each connection whose it is.
///
/// Every connection from a named proxy must begin with a header, of version 1 or 2; nothing is guessed
/// from what comes. It is read before the factory is asked, so `factory::build_protocol`, limits by
/// peer, `transport::get_peer` and logs have the client's address, and `get_host` the one that it
/// connected to; TLS comes behind it. A connection that the proxy makes for itself (LOCAL), or of whose
/// client it knows nothing (UNKNOWN), has the ends that it has. One without a good header is closed, and
/// counts as refused; that is logged as a warning, and when it comes again and again now and then
/// (`repeats`).
///
/// ```cpp
/// troupe::listen_tcp(rt, 8123, f,
///                    {.interface = "0.0.0.0", .proxy_protocol = {.proxies = {"10.0.0.0/8"}}});
/// ```
///
/// Name proxies only, and no network with a client in it: whoever is named can be anybody.
///
/// Source: "The PROXY protocol, versions 1 & 2" of HAProxy; twisted.protocols.haproxy, which takes the
/// header from anybody
struct proxy_protocol_options {
  /// The proxies: addresses, and networks such as `"10.0.0.0/8"`; `"unix"` for those that come to a UNIX
  /// socket. None: there is no header, as is usual.
  std::vector<std::string> proxies{};

  /// What becomes of others.
  unnamed_peers others = unnamed_peers::refused;

  /// How long the header may take, from when the connection is accepted.
  duration timeout = std::chrono::seconds(5);

  /// How many bytes a header of version 2 may have, 16 to 65551. A line of version 1 has 107 at most.
  std::size_t max_length = 4096;

  /// How many connections of a port may be waited with for their headers; more wait to be accepted.
  std::size_t max_waiting = 1024;
};

} // namespace troupe

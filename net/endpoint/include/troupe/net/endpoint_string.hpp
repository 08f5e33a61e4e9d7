#pragma once

#include <memory>
#include <string_view>

#include <troupe/net/endpoint.hpp>
#include <troupe/net/endpoint_description.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Returns the server endpoint that `description` is about.
///
/// | description | arguments, in the order in which they may come without a keyword |
/// | --- | --- |
/// | `tcp:8123:interface=0.0.0.0` | port, interface (`127.0.0.1`), backlog (4096) |
/// | `tcp6:8123` | the same; interface (`::1`) |
/// | `ssl:443:key.pem:chain.pem` | port, privateKey, certKey (the same file), interface, backlog |
/// | `unix:/run/chat:mode=660` | address, mode (666, octal), backlog (4096), lockfile (1) |
/// | `stdio:` | none: standard input and output are the one connection (`stdio_endpoint`) |
/// | `systemd:domain=INET:index=0` | domain (INET, INET6, UNIX), and index or name: a socket that systemd has opened for this process, counted from 0, or under its FileDescriptorName |
/// | `fd:3` | fileno: a descriptor that listens (`adopt_stream_port`) |
///
/// `tls` is another name of `ssl`. The files are read here; the certificates that lead to the
/// authority come behind the server's own in `certKey`, and not from an `extraCertChain`.
///
/// All but `stdio` take `proxies=` and `others=` too: who the proxies are that say whose
/// their connections are, and what becomes of others (`proxy_protocol_options`):
/// `tcp:8123:proxies=10.0.0.0/8,unix:others=direct`. With `haproxy:` in front, as Twisted has it, `proxies`
/// must be there.
///
/// In an address of IPv6, each `:` is written `\:`; see `quote_string_argument`.
///
/// ```cpp
/// troupe::server_from_string(rt, "tcp:8123")
///   ->listen(troupe::factory::for_protocol<echo>())
///   .add_errback([](const troupe::failure& why) {
///     std::puts(why.message().c_str());
///     return troupe::listening_port{};
///   });
/// ```
///
/// \throws endpoint_syntax_error if the kind is unknown (small letters only), an argument is missing,
///         is there twice, is unknown, or is not of its kind
/// \throws tls_setup_error if a file cannot be used
/// Source: serverFromString, where the interface is that of all by default
[[nodiscard]] std::unique_ptr<server_endpoint> server_from_string(runtime& rt,
                                                                  std::string_view description);

/// Returns the client endpoint that `description` is about.
///
/// | description | arguments, in the order in which they may come without a keyword |
/// | --- | --- |
/// | `tcp:chat.example:8123:timeout=7` | host, port, timeout (30 seconds), bindAddress |
/// | `tcp6:\:\:1:8123` | the same; an address in numbers must be one of IPv6 |
/// | `ssl:chat.example:6697` | host, port, timeout, bindAddress, privateKey, certKey (the same file), caCertsFile (what the system trusts), hostname (the host) |
/// | `unix:/run/chat` | path, timeout (30), lockfile or checkPID (0) |
///
/// `tls` is another name of `ssl`; both verify whom they reach.
///
/// With `host=` or `path=`, what comes without a keyword begins behind it.
///
/// \throws endpoint_syntax_error as `server_from_string` does; small and capital letters of the kind
///         are the same here
/// \throws tls_setup_error if a file cannot be used
/// Source: clientFromString
[[nodiscard]] std::unique_ptr<client_endpoint> client_from_string(runtime& rt,
                                                                  std::string_view description);

} // namespace troupe

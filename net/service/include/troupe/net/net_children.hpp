#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <troupe/actors/child_spec.hpp>
#include <troupe/net/client_factory.hpp>
#include <troupe/net/connect_unix.hpp>
#include <troupe/net/connector.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/net/listen_unix.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/net/tls_context.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Returns a spec of a factory as a supervisor's child, on its supervisor's loop. A factory that was
/// started on another loop is refused with `errc::invalid_argument`.
///
/// A factory that crashed is made anew, with the arguments of the first. Connections that are open
/// stay, and count against the limit of the new one; ports accept nothing until it is there, so what
/// comes meanwhile waits in the system's queue. `start_factory` runs again; messages that were sent to
/// the old actor are lost, so whoever sends some looks for `factory_ref::actor()` each time.
///
/// Told to end, it closes its connections, once what was written is sent, and ends after the last one;
/// at the end of its shutdown time it is killed, and what is still open goes on without it.
///
/// Source: ranch_conns_sup
[[nodiscard]] child_spec factory_child(std::string id, factory_ref f,
                                       restart_type restart = restart_type::permanent);

/// Returns a spec of a TCP port as a supervisor's child: see `listen_tcp`. It fails to start if the
/// address cannot be had.
///
/// Port and factory run on their supervisor's loop. So `listen_options::loop` is 0, which says nothing
/// here, or the number of that loop; anything else is refused with `errc::invalid_argument`. A supervisor
/// on another loop is the child of one on loop 0 by a start function of its own:
///
/// ```cpp
/// troupe::child_spec{
///   .id = "loop 1",
///   .start = [&rt, children](troupe::supervisor&) {
///     return rt.spawn_on<troupe::supervisor>(1, troupe::supervisor_options{}, children);
///   },
///   .type = troupe::child_type::supervisor}
/// ```
///
/// If its acceptor crashes, the socket stays open for the next one: established connections are not
/// touched, and those that wait in the system's queue are accepted later. A port that is terminated
/// closes its socket, also while it waits for its restart, and so does one whose supervisor ends;
/// restarted, it listens at the same address, also where 0 was asked for. Put
/// after its factory, it stops before that does.
///
/// ```cpp
/// troupe::root_supervisor(rt)->start_child(troupe::supervisor::as_child(
///   {.name = "chat"},
///   {troupe::factory_child("connections", chats), troupe::port_child("port", 8123, chats)}));
/// ```
///
/// \param listening  called for each start, on the supervisor's loop, with the port that listens
/// Source: ranch_listener_sup, ranch_acceptor
[[nodiscard]] child_spec port_child(std::string id, std::uint16_t port, factory_ref f,
                                    const listen_options& options = {},
                                    std::function<void(const listening_port&)> listening = {},
                                    restart_type restart = restart_type::permanent);

/// A port of datagrams has no function here: `listen_udp` shows how it is started by a supervisor.

/// As `port_child`, of a UNIX socket: see `listen_unix`. Its file and its lock stay while an acceptor
/// that crashed is replaced, so nobody finds the path empty or taken meanwhile; they go when the port
/// is terminated.
[[nodiscard]] child_spec unix_port_child(std::string id, const std::string& path, factory_ref f,
                                         const unix_listen_options& options = {},
                                         std::function<void(const listening_port&)> listening = {},
                                         restart_type restart = restart_type::permanent);

/// As `port_child`, for connections that speak TLS from the start: see `listen_ssl`.
[[nodiscard]] child_spec ssl_port_child(std::string id, std::uint16_t port, factory_ref f,
                                        const tls_server_context& tls,
                                        const listen_options& options = {},
                                        std::function<void(const listening_port&)> listening = {},
                                        restart_type restart = restart_type::permanent);

/// Returns a spec of a TCP client's connection as a supervisor's child: see `connect_tcp`. Connection,
/// connector and factory are on its supervisor's loop; with `connect_options::loop` = `any_loop` the
/// connection is on the loops in turn. The number of another loop is refused with
/// `errc::invalid_argument`.
///
/// The child has started when the connection is made, and ends with it: normally after
/// `errc::connection_done`, and with any other reason as after a crash. So a permanent one is
/// connected again whenever it ends, a transient one only if it was not closed in the regular way. An
/// attempt that comes to nothing is a start that failed, with what `client_connection_failed` is told
/// too; how long to wait between attempts, and when to give up, is the supervisor's `backoff` and
/// `intensity`. Mind that supervisors do not start at all if one of their first children does not:
/// where a peer may be away at the beginning, add the child with `start_child`, and try again.
///
/// Told to end, it closes the connection once what was written is sent, and ends with it; at the end
/// of its shutdown time it is killed, and the connection aborted. A factory that crashed is made anew
/// for the next connection; the one that is open stays.
///
/// ```cpp
/// troupe::root_supervisor(rt)->start_child(troupe::supervisor::as_child(
///   {.name = "upstream", .intensity = 100, .period = 1min, .backoff = {.initial = 1s}},
///   {troupe::connector_child(rt, "link", "localhost", 8123,
///                            troupe::client_factory::for_protocol<relay>())}));
/// ```
///
/// \param f  must leave it to the supervisor to connect again: a `reconnecting_client_factory` is
///           refused with `errc::invalid_argument`, and `connector::connect` throws std::logic_error.
///           It may have a `factory_child` of its own, and need not.
/// \param connected  called for each connection that was made, on the supervisor's loop
/// \throws std::logic_error if a time among the options is negative
/// Source: a gen_server of OTP that connects in its `init` and stops when its socket closes
[[nodiscard]] child_spec connector_child(runtime& rt, std::string id, const std::string& host,
                                         std::uint16_t port, client_factory_ref f,
                                         const connect_options& options = {},
                                         std::function<void(const connector&)> connected = {},
                                         restart_type restart = restart_type::permanent);

/// As `connector_child`, to a UNIX socket: see `connect_unix`.
[[nodiscard]] child_spec unix_connector_child(runtime& rt, std::string id, const std::string& path,
                                              client_factory_ref f,
                                              const unix_connect_options& options = {},
                                              std::function<void(const connector&)> connected = {},
                                              restart_type restart = restart_type::permanent);

/// As `connector_child`, over TLS: see `connect_ssl`.
[[nodiscard]] child_spec ssl_connector_child(runtime& rt, std::string id, const std::string& host,
                                             std::uint16_t port, client_factory_ref f,
                                             const tls_client_context& tls,
                                             const connect_options& options = {},
                                             std::function<void(const connector&)> connected = {},
                                             restart_type restart = restart_type::permanent);

} // namespace troupe

#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <troupe/actors/child_spec.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/net/listening_port.hpp>

namespace troupe {

/// Returns a spec of a factory as a supervisor's child. Its supervisor must be on loop 0.
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

/// Returns a spec of a TCP port as a supervisor's child: see `listen_tcp`. Its supervisor must be on
/// loop 0. It fails to start if the address cannot be had.
///
/// If its acceptor crashes, the socket stays open for the next one: established connections are not
/// touched, and those that wait in the system's queue are accepted later. A port that is terminated
/// closes its socket; restarted, it listens at the same address, also where 0 was asked for. Put
/// after its factory, it stops before that does.
///
/// ```cpp
/// troupe::root_supervisor(rt)->start_child(troupe::supervisor::as_child(
///   {.name = "chat"},
///   {troupe::factory_child("connections", chats), troupe::port_child("port", 8123, chats)}));
/// ```
///
/// \param listening  called for each start, on loop 0, with the port that listens
/// Source: ranch_listener_sup, ranch_acceptor
[[nodiscard]] child_spec port_child(std::string id, std::uint16_t port, factory_ref f,
                                    const listen_options& options = {},
                                    std::function<void(const listening_port&)> listening = {},
                                    restart_type restart = restart_type::permanent);

} // namespace troupe

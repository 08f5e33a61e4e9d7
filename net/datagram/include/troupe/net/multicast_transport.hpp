#pragma once

#include <string>
#include <system_error>

#include <troupe/runtime/deferred.hpp>

namespace troupe {

/// What a port of `listen_multicast` can do beyond `datagram_transport`: groups, and how far what is
/// sent to one travels. It does so for IPv4 and IPv6 alike.
///
/// An `interface` is named by its address in numbers (`"192.168.1.1"`), by its name (`"eth0"`), or
/// empty, which lets the system choose.
///
/// Setters return an empty code, `errc::invalid_argument`, `errc::not_listening`, or what the system
/// says.
///
/// Thread: that of the protocol's loop. Lifetime: as that of the `datagram_transport`.
/// Source: twisted.internet.interfaces.IMulticastTransport
class multicast_transport {
public:
  virtual ~multicast_transport() = default;

  /// Receives what is sent to `group`, through `interface`. A group that was joined can be joined
  /// through another interface too.
  ///
  /// \returns a deferred that has fired already; it may be dropped, and a failure is then logged
  /// Fails with: errc::multicast_failed if this is not a group's address, or the interface does not
  /// exist, or the group is joined; errc::invalid_address if it is not an address of the port's
  /// family; errc::not_listening.
  virtual chained<void> join_group(const std::string& group, const std::string& interface = {}) = 0;

  /// Ends what `join_group` with the same arguments began. The end of the port does so too.
  ///
  /// Fails with: errc::multicast_failed if it was not joined; else as `join_group`.
  virtual chained<void> leave_group(const std::string& group,
                                    const std::string& interface = {}) = 0;

  /// How many networks further what is sent to a group may go, 0 to 255. At first 1: the local
  /// network only.
  virtual std::error_code set_ttl(int hops) = 0;
  [[nodiscard]] virtual int get_ttl() const = 0;

  /// Whether what is sent to a group is received on this machine too. It is at first. (What is
  /// sent through the loopback interface always is.)
  virtual std::error_code set_loopback_mode(bool on) = 0;
  [[nodiscard]] virtual bool get_loopback_mode() const = 0;

  /// Through which interface what is sent to a group leaves.
  ///
  /// \returns a deferred that has fired already
  /// Fails with: errc::multicast_failed if there is no such interface; errc::not_listening.
  virtual chained<void> set_outgoing_interface(const std::string& interface) = 0;

  /// Returns what was set last; at first `"0.0.0.0"` (IPv6: `"::"`), which leaves it to the system.
  [[nodiscard]] virtual std::string get_outgoing_interface() const = 0;
};

} // namespace troupe

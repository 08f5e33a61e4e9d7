#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/delayed_call.hpp>

#include "datagram_socket.hpp"

namespace troupe::detail {

/// A port of UNIX datagrams.
///
/// What differs from UDP: a peer that does not read makes the system refuse, and nothing tells when
/// it reads again, unless the port is connected to it. So what is for such a peer is kept here, out
/// of the way of the others, and tried again, ever less often.
class unix_datagram_socket final : public datagram_socket {
public:
  /// \param destination  to which the socket is connected; empty if it is not
  unix_datagram_socket(event_loop& loop, listening_socket socket, const limits& l,
                       const std::string& destination);
  ~unix_datagram_socket() override;

  std::error_code set_broadcast_allowed(bool) override;
  [[nodiscard]] bool get_broadcast_allowed() const override { return false; }

private:
  // What waits for a peer that does not read.
  struct crowd {
    std::deque<std::vector<std::byte>> waiting;
    std::size_t held; // by them, as `max_unsent` counts it
    duration pause;   // between this attempt and the next
    time_point due;   // the next
  };

  std::error_code resolve(const net_address& a, native_address& to) const override;
  [[nodiscard]] std::size_t longest() const noexcept override { return longest_; }
  verdict judge(int error, const datagram& d) noexcept override;
  bool keep_behind(const datagram& d, std::error_code* refused) override;
  void closing() noexcept override;

  void keep(crowd& c, bytes_view data);
  void try_due(time_point now) noexcept;
  bool try_peer(const std::string& to, crowd& c) noexcept;
  void wait_for(time_point due);

  std::size_t longest_;
  std::map<std::string, crowd> crowds_; // by the address as the system takes it
  delayed_call retry_;                  // of the one that is due first
};

} // namespace troupe::detail

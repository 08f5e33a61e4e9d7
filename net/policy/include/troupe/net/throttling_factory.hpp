#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <troupe/net/wrapping_factory.hpp>

namespace troupe {

/// How much the connections of a `throttling_factory` may do, all together.
struct throttle_limits {
  /// Connections that are open at once; what is more is closed.
  std::size_t max_connections = SIZE_MAX;

  /// Bytes a second; 0 is no limit.
  std::size_t read = 0;
  std::size_t write = 0;
};

namespace detail {
class throttle_account;
}

/// One of the connections of a `throttling_factory`.
///
/// Source: twisted.protocols.policies.ThrottlingProtocol
class throttling_protocol : public protocol_wrapper {
public:
  explicit throttling_protocol(std::shared_ptr<detail::throttle_account> account);

  void connection_made() override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure& reason) override;
  void reading_held(bool held) override;
  using protocol_wrapper::write;
  void write(bytes_view data) override;
  void write(const shared_bytes& data) override;
  using protocol_wrapper::write_sequence;
  void write_sequence(std::span<const bytes_view> pieces) override;
  void register_producer(producer& p, bool streaming) override;
  void unregister_producer() override;
  void pause_producing() override;
  void resume_producing() override;

private:
  friend class detail::throttle_account;

  /// Stands between the transport and the protocol's producer, and pauses it for its own reason too.
  class valve final : public producer {
  public:
    explicit valve(const bool& throttled) : throttled_(throttled) {}
    void resume_producing() override;
    void pause_producing() override;
    void stop_producing() override;
    void update();

    producer* from = nullptr;
    bool streaming = false;
    bool wanted = false; // the transport wants output
  private:
    const bool& throttled_;
  };

  void wrote(std::size_t bytes);
  void update();
  void update_reads();
  void update_writes();

  const std::shared_ptr<detail::throttle_account> account_;
  bool paused_ = false;       // by the protocol
  bool held_outside_ = false; // by another policy
  bool reads_throttled_ = false;
  bool writes_throttled_ = false;
  valve valve_{writes_throttled_};
};

/// Holds the connections of another factory to so many bytes a second, all together, and lets each
/// peer pay for itself.
///
/// Each second it shares out what may be read among the peers that have read: who took little gets
/// it, and what is left is for the others in equal parts. A peer that took more than its part is not
/// read from until its parts have paid for that; all others go on. So with 10 bytes a second, 35 that
/// come at once from the only peer are read, and then nothing of it until 3.5 seconds; and another
/// peer that then says hello is heard at once. A peer that takes a whole second's worth waits for
/// the next look, so beyond that passes what was read in one piece, and no more. Peers are told
/// apart by their host, as `limit_connections_by_peer_factory` does, and to connect anew pays
/// nothing; all that come over UNIX sockets are one.
///
/// Likewise for writing, which it slows down where there is a producer to pause; what is written
/// without one passes, is paid for, and is limited by `output_limits` only.
///
/// While it holds reading, the end of a connection is noticed when it resumes, and a time-out does
/// not take the peer for silent (`timeout_factory`).
///
/// Source: twisted.protocols.policies.ThrottlingFactory, in which all pay for one
class throttling_factory : public wrapping_factory {
public:
  throttling_factory(caf::actor_config& cfg, factory_ref inner, const throttle_limits& limits);
  ~throttling_factory() override;

  bool admits(const net_address& peer) override;
  std::unique_ptr<protocol_wrapper> make_wrapper() override;
  protocol_ptr build_protocol(const net_address& peer) override;

private:
  using accounts = std::map<std::string, std::shared_ptr<detail::throttle_account>>;
  struct direction;

  void begin(direction& d);
  void look(direction& d);
  void share_out(direction& d);
  void release_due(direction& d);
  void tell(const std::vector<std::shared_ptr<detail::throttle_account>>& changed);
  void forget_settled();

  const throttle_limits limits_;
  std::string host_; // of the peer for which a protocol is being built
  accounts accounts_;
  std::unique_ptr<direction> read_;
  std::unique_ptr<direction> write_;
};

} // namespace troupe

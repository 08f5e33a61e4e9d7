#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

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

/// What the loops tell the factory, and the factory the loops.
struct throttle_lane {
  std::atomic<std::uint64_t> bytes{0}; // since the last look
  std::atomic<bool> throttled{false};
};
struct throttle_meter {
  throttle_lane read;
  throttle_lane write;
};

} // namespace detail

/// One of the connections of a `throttling_factory`.
///
/// Source: twisted.protocols.policies.ThrottlingProtocol
class throttling_protocol : public protocol_wrapper {
public:
  explicit throttling_protocol(std::shared_ptr<detail::throttle_meter> meter);

  void connection_made() override { update(); }
  void data_received(bytes_view data) override;
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
  friend class throttling_factory;

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

  void update();

  const std::shared_ptr<detail::throttle_meter> meter_;
  bool paused_ = false; // by the protocol
  bool reads_throttled_ = false;
  bool writes_throttled_ = false;
  valve valve_{writes_throttled_};
};

/// Holds the connections of another factory to so many bytes a second, all together.
///
/// Each second it looks at how many bytes were read; if they were more than may be, reading stops on
/// all connections until the mean is what it may be. So with 10 bytes a second, 35 that come at once
/// are read, and then nothing for 2.5 seconds after that look. Likewise for writing, which it slows
/// down where there is a producer to pause; what is written without one passes, and is limited by
/// `output_limits` only.
///
/// While it holds reading, the end of a connection is noticed when it resumes.
///
/// Source: twisted.protocols.policies.ThrottlingFactory
class throttling_factory : public wrapping_factory {
public:
  throttling_factory(caf::actor_config& cfg, factory_ref inner, const throttle_limits& limits);

  bool admits(const net_address& peer) override;
  std::unique_ptr<protocol_wrapper> make_wrapper() override;

private:
  struct direction {
    detail::throttle_lane& lane;
    const std::size_t limit;
    delayed_call look{};
    delayed_call release{};
  };

  void begin(direction& d);
  void look(direction& d);
  void set_throttled(direction& d, bool on);

  const std::size_t max_connections_;
  const std::shared_ptr<detail::throttle_meter> meter_;
  direction read_;
  direction write_;
};

} // namespace troupe

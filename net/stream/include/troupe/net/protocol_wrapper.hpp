#pragma once

#include <memory>
#include <optional>
#include <string>

#include <caf/actor_control_block.hpp>

#include <troupe/net/protocol.hpp>
#include <troupe/net/transport.hpp>

namespace troupe {

/// Stands between a transport and a protocol, which takes it for its transport: the base of
/// policies that any protocol can be given (`wrapping_factory`).
///
/// What the protocol does to its transport passes through the functions that are inherited from
/// `transport`, and what comes in through `data_received`. Each passes on what it is given unless
/// overridden; an override passes on what it wants by calling this class's. A wrapper is no actor:
/// it lives inside its protocol, and what it throws ends the connection, as with the protocol.
///
/// Several may stand in a row. The one that was added first is next to the protocol.
///
/// ```
///   protocol  <->  wrapper  <->  wrapper  <->  transport
///             nearest       outermost
/// ```
///
/// ```cpp
/// class shouting : public troupe::protocol_wrapper {
/// public:
///   void write(troupe::bytes_view data) override {
///     std::string loud{troupe::as_text(data)};
///     std::ranges::transform(loud, loud.begin(), [](unsigned char c) { return std::toupper(c); });
///     protocol_wrapper::write(troupe::as_bytes(loud));
///   }
/// };
/// ```
///
/// Order: at the start and at the end the outermost comes first, and the protocol last.
/// Thread: its protocol's. Lifetime: that of its protocol.
/// Source: twisted.protocols.policies.ProtocolWrapper
class protocol_wrapper : public transport {
public:
  protocol_wrapper() = default;
  ~protocol_wrapper() override;
  protocol_wrapper(const protocol_wrapper&) = delete;
  protocol_wrapper& operator=(const protocol_wrapper&) = delete;

  // -- what to override, beside the functions of `transport` -------------------------------------

  /// The connection is open; the protocol has not heard of it yet.
  virtual void connection_made() {}

  /// Some bytes came. Passes them on unless overridden.
  virtual void data_received(bytes_view data);

  /// The connection has ended; the protocol hears of it next. Called once if `connection_made` was.
  virtual void connection_lost(const failure& reason);

  /// A wrapper between this one and the transport has begun, or ceased, to hold back what the peer
  /// sends: meanwhile its silence tells nothing. Passes it on toward the protocol unless overridden.
  virtual void reading_held(bool held);

  /// The protocol has ended, with or without ever having had a connection. Called exactly once; behind
  /// `protocol::hand_over` it is the protocol to which the connection was given.
  virtual void ended() {}

  /// Tells whether it can go on around another protocol (`protocol::hand_over`): nothing of it refers to the one
  /// that it stands around, no delayed call, handle or pointer, and a second `connection_made`, for the other one,
  /// does no harm. So it is with a plain wrapper; false for others unless overridden, and then the protocol keeps its
  /// connection.
  [[nodiscard]] virtual bool may_move() const noexcept;

  /// Returns the name under which what it wraps logs: `"echo (timeout_protocol)"`.
  [[nodiscard]] virtual std::string log_prefix() const;

  // -- what it has -------------------------------------------------------------------------------

  /// Returns the protocol around which this stands.
  ///
  /// \throws std::logic_error in the constructor, where it is not known
  [[nodiscard]] protocol& wrapped_protocol() const {
    if (protocol_ == nullptr) [[unlikely]]
      refuse("wrapped_protocol(): the wrapper has not been put around a protocol yet");
    return *protocol_;
  }

  /// Returns the transport, or the next wrapper, that this one writes to. From `connection_made` to
  /// the end of the wrapper.
  ///
  /// \throws std::logic_error before
  [[nodiscard]] transport& inner() const {
    if (inner_ == nullptr) [[unlikely]]
      refuse("inner(): the wrapper has no connection yet: there is one from connection_made on");
    return *inner_;
  }

  /// Returns the next wrapper on the way to the transport, or null.
  [[nodiscard]] protocol_wrapper* next() const noexcept { return next_.get(); }

  /// Returns the last wrapper on the way to the transport: perhaps this one.
  [[nodiscard]] protocol_wrapper* outermost() noexcept;

  // -- transport: all passed on ------------------------------------------------------------------

  using transport::write;
  void write(bytes_view data) override { inner_->write(data); }
  void write(const shared_bytes& data) override { inner_->write(data); }
  using transport::write_sequence;
  void write_sequence(std::span<const bytes_view> pieces) override {
    inner_->write_sequence(pieces);
  }
  std::error_code send_file_descriptor(file_descriptor fd) override {
    return inner_->send_file_descriptor(std::move(fd));
  }
  void lose_connection() override { inner_->lose_connection(); }
  void abort_connection() override { inner_->abort_connection(); }
  void lose_write_connection() override { inner_->lose_write_connection(); }
  void register_producer(producer& p, bool streaming) override {
    inner_->register_producer(p, streaming);
  }
  void unregister_producer() override { inner_->unregister_producer(); }
  void pause_producing() override { inner_->pause_producing(); }
  void resume_producing() override { inner_->resume_producing(); }
  void hold_input(bool stopped) override { inner_->hold_input(stopped); }
  void set_output_limits(const output_limits& limits) override {
    inner_->set_output_limits(limits);
  }
  [[nodiscard]] std::size_t unsent() const noexcept override { return inner_->unsent(); }
  [[nodiscard]] std::uint64_t refused_writes() const noexcept override {
    return inner_->refused_writes();
  }
  [[nodiscard]] std::uint64_t bytes_received() const noexcept override {
    return inner_->bytes_received();
  }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept override {
    return inner_->bytes_written();
  }
  void protocol_ended() override { inner_->protocol_ended(); }
  [[nodiscard]] bool serve(protocol& next) override { return may_move() && inner_->serve(next); }
  [[nodiscard]] net_address get_peer() const override { return inner_->get_peer(); }
  [[nodiscard]] net_address get_host() const override { return inner_->get_host(); }
  [[nodiscard]] std::optional<peer_credentials> get_peer_credentials() const override {
    return inner_->get_peer_credentials();
  }
  [[nodiscard]] bool connected() const noexcept override { return inner_->connected(); }
  [[nodiscard]] bool disconnecting() const noexcept override { return inner_->disconnecting(); }
  [[nodiscard]] transport& underlying() noexcept override { return inner_->underlying(); }
  [[nodiscard]] const tls_info* tls() const noexcept override { return inner_->tls(); }
  void set_tcp_no_delay(bool on) override { inner_->set_tcp_no_delay(on); }
  [[nodiscard]] bool get_tcp_no_delay() const override { return inner_->get_tcp_no_delay(); }
  void set_tcp_keep_alive(bool on) override { inner_->set_tcp_keep_alive(on); }
  [[nodiscard]] bool get_tcp_keep_alive() const override { return inner_->get_tcp_keep_alive(); }

protected:
  /// Closes the connection as `lose_connection` does; `connection_lost` gets `reason`, unless it
  /// has one already.
  void lose_connection(const failure& reason) { protocol_->lose_connection(reason); }

private:
  friend class factory;
  friend class protocol;

  [[noreturn]] static void refuse(const char* why);
  void attach(transport& t); // this one and all behind it

  protocol* protocol_ = nullptr;
  transport* inner_ = nullptr;
  std::unique_ptr<protocol_wrapper> next_;      // towards the transport
  protocol_wrapper* toward_protocol_ = nullptr; // towards the protocol
  caf::strong_actor_ptr factory_;               // that made it, and counts its end
};

} // namespace troupe

#pragma once

#include <memory>
#include <string>

#include <caf/actor.hpp>

#include <troupe/net/transport.hpp>
#include <troupe/net/transport_actor.hpp>
#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe {

class factory;
class protocol_wrapper;

/// What one connection speaks: an actor that is pinned to its connection's loop.
///
/// Override what the connection should do; as an actor it may also receive messages
/// (`make_behavior`), send, request, monitor and link. All of it happens one after the other in
/// the loop's thread, so a protocol needs no lock.
///
/// States: unconnected -> (`make_connection`) connected -> (`connection_lost`) ended. The end of
/// the connection ends the actor, and the end of the actor, by `quit`, by an exit message or by an
/// exception in any callback, closes the connection with that reason; what was written is sent as
/// far as the network takes it at once. An exception is logged with its owner and harms nothing
/// else.
///
/// ```cpp
/// class echo : public troupe::protocol {
/// public:
///   using protocol::protocol;
///   void data_received(troupe::bytes_view data) override { transport().write(data); }
/// };
/// ```
///
/// Inside a protocol the words `transport` and `factory` are its member functions; the types are
/// written `troupe::transport` and `troupe::factory` there: `void send_to(troupe::transport& t);`.
///
/// Thread: its loop's. Source: twisted.internet.protocol.Protocol
class protocol : public transport_actor {
public:
  using super = transport_actor;

  explicit protocol(caf::actor_config& cfg);
  ~protocol() override;

  // -- what to override -------------------------------------------------------------------------

  /// Gets the transport, and calls `connection_made`. Called once, by whoever made the connection.
  virtual void make_connection(troupe::transport& t);

  /// The connection is open: the place for a greeting.
  virtual void connection_made() {}

  /// Some bytes came, in any portions: at least one and at most 65,536. They are good for this call
  /// only.
  virtual void data_received(bytes_view data);

  /// The connection is closed. Called exactly once if `connection_made` was called (or began, and
  /// threw), whatever closed it; the actor ends with it, so calls and requests made here have no
  /// effect, but messages may be sent.
  ///
  /// `reason` is `errc::connection_done` after a clean end by either side,
  /// `errc::connection_lost` (with the system's reason) if the network or the peer broke it,
  /// `errc::connection_aborted` after `abort_connection`, `errc::runtime_stopped` if the runtime
  /// ended it, the exception that left a callback, or the reason with which the actor quit.
  virtual void connection_lost(const failure& reason);

  // -- what it has ------------------------------------------------------------------------------

  /// Returns the connection. From `connection_made` to `connection_lost`, both included.
  ///
  /// \throws std::logic_error before, as in the constructor, and after
  [[nodiscard]] troupe::transport& transport() const {
    if (!connected_) [[unlikely]]
      refuse_transport();
    return *transport_;
  }

  /// Tells whether there is a connection.
  [[nodiscard]] bool connected() const noexcept { return connected_; }

  /// Returns the factory that built this protocol, to send messages to; empty if none did.
  [[nodiscard]] caf::actor factory() const;

  // -- for transports ---------------------------------------------------------------------------

  /// Takes bytes that came: hands them to the wrappers, or, if there is none, to `data_received`.
  void receive(bytes_view data) {
    if (!wrapped_) [[likely]]
      return data_received(data);
    receive_wrapped(data);
  }

  /// Ends the connection, for the reason that the transport gives.
  void end_connection(const failure& reason);

  /// Returns the wrapper that this protocol takes for its transport, or null. Its `next()` is the
  /// one behind it. Good for as long as this protocol.
  [[nodiscard]] protocol_wrapper* wrapper() const noexcept;

  /// Puts `w` between the transport and the wrappers that there are. Before `make_connection`.
  void wrap(std::unique_ptr<protocol_wrapper> w);

  // -- CAF's side -------------------------------------------------------------------------------

  const char* name() const override;
  actor_description describe() const override;

  /// Returns the name under which it logs, and its peer: "chat 127.0.0.1:5123".
  [[nodiscard]] std::string log_name() const override;
  void on_exit() final;

protected:
  /// Closes the connection once everything written is sent, and gives `connection_lost` this
  /// reason instead of `errc::connection_done`.
  void lose_connection(const failure& reason);

  /// Gives the connection to `next`, which has never had one and is on the same loop: its `make_connection` is
  /// called, it takes the wrappers, and counts for the factories in the place of this actor, which ends without
  /// `connection_lost`. If `next` ends in there, the connection is closed.
  ///
  /// Before it the actor unregisters its producer, and resumes reading; bytes that it has and wants read are
  /// for it to hand over, behind this call.
  ///
  /// \returns false, and nothing has changed, if the transport, or one of the wrappers (`may_move`), cannot do so, or
  ///          `next` has ended
  [[nodiscard]] bool hand_over(protocol& next);

  /// The actor ends, and its connection may be open still: the place for last words.
  virtual void last_words() {}

  /// Stops reading. An override calls it.
  void hold_back(bool stopped) override;

  void stop_requested() override;
  void fail_with_current_exception() override;

private:
  friend class troupe::factory;
  friend class protocol_wrapper;

  [[noreturn]] void refuse_transport() const;
  void receive_wrapped(bytes_view data);
  [[nodiscard]] std::string log_owner() const;

  bool connected_ = false;
  bool wrapped_ = false;
  troupe::transport* transport_ = nullptr; // if wrapped, the nearest wrapper, which belongs to us
  caf::strong_actor_ptr factory_;
  failure reason_; // why the connection ends, once something has ended it
};

/// Implemented by a protocol that goes on when only one direction of its connection is closed.
///
/// Source: twisted.internet.interfaces.IHalfCloseableProtocol
class half_closeable {
public:
  virtual ~half_closeable() = default;

  /// The peer will send no more; writing still works.
  virtual void read_connection_lost() = 0;

  /// Our `lose_write_connection` is done; reading still works.
  virtual void write_connection_lost() = 0;
};

} // namespace troupe

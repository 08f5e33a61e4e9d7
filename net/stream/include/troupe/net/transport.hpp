#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include <sys/types.h>

#include <troupe/net/file_descriptor.hpp>
#include <troupe/net/net_address.hpp>
#include <troupe/runtime/bytes.hpp>

namespace troupe {

class protocol;
class tls_info;

/// Produces what a transport sends, at the pace at which the peer takes it.
///
/// Source: twisted.internet.interfaces.IPushProducer, IPullProducer
class producer {
public:
  virtual ~producer() = default;

  /// Asks for output. A push producer (`streaming`) goes on until paused; a pull producer writes
  /// once for each of these calls.
  virtual void resume_producing() = 0;

  /// Asks a push producer to hold its output back until `resume_producing`.
  virtual void pause_producing() {}

  /// Says that nobody wants its output any more; it will not be called again.
  virtual void stop_producing() = 0;
};

/// What a transport does with a write that finds `output_limits::hard` bytes unsent already.
enum class overflow_policy : std::uint8_t {
  close, ///< aborts the connection; its reason is `errc::output_limit_reached`
  drop,  ///< forgets that write, and counts it
};

/// How much a transport holds that its peer has not taken. All counts are bytes.
struct output_limits {
  /// A push producer is paused when more than this is unsent. Source: Twisted's bufferSize.
  std::size_t high = 65536;

  /// A paused producer is resumed when no more than this is unsent.
  std::size_t low = 0;

  /// A write that finds this much unsent is subject to `policy`; so at most this and one write are
  /// ever held. What waits for the end of the turn, if it is 16 KiB or more, is offered to the
  /// system before, so that a burst within one turn ends no connection whose peer reads. Large
  /// enough for a burst, small enough that a thousand peers that do not read are survived.
  std::size_t hard = 16 * 1024 * 1024;

  overflow_policy policy = overflow_policy::close;
};

/// Who is at the other end of a UNIX socket, as the system vouches for it: the process that connected,
/// or listened.
struct peer_credentials {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};

/// One end of a connection that carries bytes in order.
///
/// Output that is written during one turn of the loop leaves with one system call at its end. What
/// comes in is handed to the protocol's `data_received`.
///
/// Thread: that of the protocol's loop.
/// Lifetime: from `connection_made` until `connection_lost` has returned.
/// Source: twisted.internet.interfaces.ITransport, ITCPTransport, IConsumer, IPushProducer
class transport : public producer {
public:
  // -- output -----------------------------------------------------------------------------------

  /// Sends a copy of `data` after all that was written before. Never blocks.
  ///
  /// After `lose_connection`, `abort_connection`, `lose_write_connection` or the end of the
  /// connection nothing is sent; such writes are counted (`refused_writes`).
  virtual void write(bytes_view data) = 0;
  void write(std::string_view text) { write(as_bytes(text)); }

  /// Sends `data`, which stays shared: it is not copied unless it is small.
  virtual void write(const shared_bytes& data) = 0;

  /// Sends all of `pieces`, one after the other.
  virtual void write_sequence(std::span<const bytes_view> pieces);
  void write_sequence(std::initializer_list<std::string_view> pieces);

  /// Sends `fd` beside the bytes; the peer gets one of its own (`file_descriptor_receiver`).
  ///
  /// It travels with the next byte that is written, behind all that was written before, and waits
  /// for that byte: so write one. It is closed once it is sent, when the call is refused, and when
  /// the connection ends before. To keep yours, send a `file_descriptor::duplicate`.
  ///
  /// \returns an empty code, or why it is refused: `errc::not_supported` (only a UNIX socket without
  ///          TLS carries descriptors), `errc::not_connected` (the connection has ended, or is about
  ///          to), `errc::queue_overflow` (253 are waiting), `errc::invalid_argument` (there is none)
  /// Source: twisted.internet.interfaces.IUNIXTransport.sendFileDescriptor
  virtual std::error_code send_file_descriptor(file_descriptor fd);

  /// Closes the connection once everything written is sent. Reading stops at once: what the peer
  /// sends from now on is not delivered. If a producer is registered, the connection stays until
  /// that has unregistered itself, and takes its output until then.
  ///
  /// Nothing but the network limits how long that takes: a peer that does not read keeps the
  /// connection for as long as it likes, and two ends that both close with more unsent than the
  /// network holds wait for each other for ever. `timeout_factory`, `timeout_mixin` and the end of
  /// the runtime put an end to it; `abort_connection` does at once.
  ///
  /// Then `connection_lost` gets `errc::connection_done`.
  virtual void lose_connection() = 0;

  /// Closes the connection now, drops what is unsent, and lets the peer know (TCP: a reset).
  ///
  /// `connection_lost` gets `errc::connection_aborted`, but not inside this call.
  virtual void abort_connection() = 0;

  /// Tells the peer that no more will come, once everything written is sent; reading goes on.
  /// Without effect where the transport cannot do so.
  virtual void lose_write_connection() = 0;

  // -- flow control -----------------------------------------------------------------------------

  /// Lets `p` be asked for output. `p` must live until it is told to stop or unregistered.
  ///
  /// \param streaming  a push producer, which is paused at `output_limits::high`; otherwise a pull
  ///                   producer, which is asked once now and whenever all output is sent
  /// \throws std::logic_error if one is registered already
  /// On a connection that has ended, `p` is told to stop at once.
  virtual void register_producer(producer& p, bool streaming) = 0;
  virtual void unregister_producer() = 0;

  /// Stops reading until `resume_producing`: the peer is slowed down by the network's own means.
  /// While paused, an end of the connection is noticed only by a write.
  ///
  /// A transport is a producer itself: registered with another one, it reads as fast as that sends.
  void pause_producing() override = 0;
  void resume_producing() override = 0;

  /// Stops reading, or no longer, whatever `pause_producing` says: for a protocol that feeds an actor without
  /// room (`basic_actor::hold_back`). Without effect unless overridden.
  virtual void hold_input(bool /*stopped*/) {}

  /// As `lose_connection`, under the name that a producer has it by.
  void stop_producing() final { lose_connection(); }

  virtual void set_output_limits(const output_limits& limits) = 0;

  /// Returns how many bytes are written and not sent.
  [[nodiscard]] virtual std::size_t unsent() const noexcept = 0;

  /// Returns how many writes were refused: too late, or over the limit.
  [[nodiscard]] virtual std::uint64_t refused_writes() const noexcept = 0;

  /// Returns how many bytes the peer has sent, and how many were written for it and not refused; over
  /// TLS these are the plain ones. Where nobody counts, 0.
  [[nodiscard]] virtual std::uint64_t bytes_received() const noexcept { return 0; }
  [[nodiscard]] virtual std::uint64_t bytes_written() const noexcept { return 0; }

  // -- for protocols ----------------------------------------------------------------------------

  /// Closes the connection because its protocol has ended; called by the protocol, which calls its
  /// `connection_lost` itself. What is unsent is sent as far as the network takes it at once.
  virtual void protocol_ended() { abort_connection(); }

  /// Hands what comes, and the end, to `next` from now on, in the place of the protocol that it has, which has no
  /// producer registered; called by that (`protocol::hand_over`). Returns false, and nothing has changed, where
  /// that cannot be, as it is unless overridden.
  [[nodiscard]] virtual bool serve(protocol& /*next*/) { return false; }

  // -- about the connection ---------------------------------------------------------------------

  /// Returns the address of the other end, and of this one; both are good after the end too.
  [[nodiscard]] virtual net_address get_peer() const = 0;
  [[nodiscard]] virtual net_address get_host() const = 0;

  /// Returns who the peer is; nothing where the system does not know, as over a network.
  [[nodiscard]] virtual std::optional<peer_credentials> get_peer_credentials() const { return {}; }

  /// Tells whether the connection is open.
  [[nodiscard]] virtual bool connected() const noexcept = 0;

  /// Tells whether its end was asked for, and writes are refused for that reason.
  [[nodiscard]] virtual bool disconnecting() const noexcept = 0;

  /// Returns the transport itself where this one is a wrapper around it, or around another wrapper:
  /// the way to what only one kind of transport can do.
  [[nodiscard]] virtual transport& underlying() noexcept { return *this; }

  /// Returns what the TLS handshake has settled; null where there was none, or before its end.
  [[nodiscard]] virtual const tls_info* tls() const noexcept { return nullptr; }

  /// Sends small packets at once instead of collecting them (TCP_NODELAY). TCP only; elsewhere it
  /// reads false and setting it does nothing.
  virtual void set_tcp_no_delay(bool on);
  [[nodiscard]] virtual bool get_tcp_no_delay() const;

  /// Lets the system ask an idle peer now and then whether it is still there (SO_KEEPALIVE). TCP
  /// only, as above.
  virtual void set_tcp_keep_alive(bool on);
  [[nodiscard]] virtual bool get_tcp_keep_alive() const;
};

} // namespace troupe

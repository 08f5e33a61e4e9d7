#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <system_error>

#include <sys/uio.h>

#include <troupe/net/detail/output_queue.hpp>
#include <troupe/net/transport.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/unique_function.hpp>

namespace troupe {
class half_closeable;
class protocol;
class protocol_ptr;
} // namespace troupe

namespace troupe::detail {

class stream_layer;

/// What all transports do alike: collecting output, producers, limits, and the rules by which a
/// connection ends. A kind of connection derives from it and supplies the system calls.
///
/// States: open -> (ending, flushing first) -> closed. The object deletes itself when it is closed
/// and no operation of the system refers to it any more.
///
/// Thread: that of its loop.
class stream_transport : public transport, protected end_of_turn {
public:
  stream_transport(event_loop& loop, chunk_pool& pool, const output_limits& limits);

  /// Connects `p` to this transport and starts reading. Called once. If `p` has ended already, or
  /// ends meanwhile, the connection is closed.
  void open(protocol& p);

  /// Puts `layer` between the protocol's bytes and the system's, which begins with its handshake.
  ///
  /// \pre there is none
  void add_layer(std::unique_ptr<stream_layer> layer) noexcept;

  /// As `open`, with a layer, which connects its protocol once the handshake is done.
  void open_layer();

  /// Undoes the making of a transport that nobody knows yet.
  void discard() noexcept;

  /// Returns the layer, or null where the bytes go as they are.
  [[nodiscard]] stream_layer* layer() const noexcept { return layer_.get(); }

  using transport::write;
  void write(bytes_view data) final;
  void write(const shared_bytes& data) final;
  using transport::write_sequence;
  void write_sequence(std::span<const bytes_view> pieces) final; ///< all of it, or nothing
  void lose_connection() final;
  void abort_connection() final;
  void lose_write_connection() final;
  void register_producer(producer& p, bool streaming) final;
  void unregister_producer() final;
  void pause_producing() final;
  void resume_producing() final;
  void hold_input(bool stopped) final;
  void set_output_limits(const output_limits& limits) final { limits_ = packed_limits{limits}; }
  [[nodiscard]] std::size_t unsent() const noexcept final { return output_.size(); }
  [[nodiscard]] std::uint64_t refused_writes() const noexcept final { return refused_; }
  [[nodiscard]] std::uint64_t bytes_received() const noexcept final { return bytes_received_; }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept final { return bytes_written_; }
  [[nodiscard]] bool connected() const noexcept final { return open_; }
  [[nodiscard]] bool disconnecting() const noexcept final { return disconnecting_; }
  [[nodiscard]] const tls_info* tls() const noexcept final;
  void protocol_ended() final;
  [[nodiscard]] bool serve(protocol& next) final;

protected:
  ~stream_transport() override;

  // -- supplied by the kind of connection -------------------------------------------------------

  /// Sends the first bytes of `pieces` without blocking; returns how many, 0 if none can be taken
  /// now. An error is told through `ec`.
  virtual std::size_t send(std::span<const iovec> pieces, std::error_code& ec) noexcept = 0;

  /// Calls `writable()` once `send` can be tried again.
  virtual void wait_writable() = 0;

  /// Begins, or goes on, to call `received` and `read_ended`, unless it does so already.
  virtual void start_reading() = 0;

  /// Tells the peer that no more will come.
  virtual void shut_write() noexcept = 0;

  /// Closes; outstanding operations end soon, without effect. With `reset`, the peer is told that
  /// the connection was aborted, if that can be told.
  virtual void close(bool reset) noexcept = 0;

  /// Tells whether operations are outstanding that refer to this object.
  [[nodiscard]] virtual bool busy() const noexcept = 0;

  // -- called by the kind of connection ---------------------------------------------------------

  /// Hands bytes to the protocol. Afterwards the object may be closed: look at `wants_input()`.
  void received(bytes_view data);
  void read_ended();                         ///< the peer sends no more
  void broken(const std::error_code& error); ///< the connection failed
  void writable();
  void release(); ///< an operation has ended: deletes a closed object

  [[nodiscard]] bool wants_input() const noexcept {
    return open_
           && ((!paused_ && !held_ && !disconnecting_ && !read_shut_)
               || (handshaking_ && !aborting_));
  }
  [[nodiscard]] event_loop& loop() const noexcept { return loop_; }
  [[nodiscard]] bool handshaking() const noexcept { return handshaking_; }

  /// Returns the protocol: null before the connection is open, and after its end.
  [[nodiscard]] protocol* served() const noexcept { return protocol_; }

  /// Tells whether something that is written now is sent, as far as the limits let it.
  [[nodiscard]] bool accepts_output() const noexcept {
    return open_ && !aborting_ && !write_shut_ && (!disconnecting_ || producer_ != nullptr);
  }

private:
  friend class stream_layer;

  // output_limits in half the space: every idle connection has them. 4 GiB is beyond use.
  struct packed_limits {
    explicit packed_limits(const output_limits& from) noexcept
      : high(clamp(from.high)), low(clamp(from.low)), hard(clamp(from.hard)), policy(from.policy) {}
    static std::uint32_t clamp(std::size_t n) noexcept {
      return static_cast<std::uint32_t>(n < UINT32_MAX ? n : UINT32_MAX);
    }
    std::uint32_t high;
    std::uint32_t low;
    std::uint32_t hard;
    overflow_policy policy;
  };

  void turn_ended() noexcept final;
  void read_on();
  bool connect(protocol& p);
  void deliver(bytes_view data);
  bool takes_output();
  bool takes_output_still();
  void send_early();
  bool send_output(std::error_code& ec);
  [[nodiscard]] bool sends_at_once() const noexcept;
  void written();
  void mark_dirty();
  void flush();
  void drained();
  void end(const failure& reason, bool reset);
  void stop_producer();

  event_loop& loop_;
  protocol* protocol_ = nullptr; // alive as long as it is set: its loop keeps it
  half_closeable* half_closeable_ = nullptr;
  producer* producer_ = nullptr;
  std::unique_ptr<stream_layer> layer_;
  output_queue output_;
  packed_limits limits_;
  std::uint64_t bytes_received_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::uint32_t refused_ = 0;
  bool open_ : 1 = true;
  bool disconnecting_ : 1 = false;
  bool aborting_ : 1 = false;
  bool overflowed_ : 1 = false;
  bool paused_ : 1 = false;
  bool held_ : 1 = false; // its protocol feeds an actor without room
  bool read_shut_ : 1 = false;
  bool write_shut_ : 1 = false; // asked for
  bool write_shut_done_ : 1 = false;
  bool streaming_ : 1 = false; // the producer pushes
  bool producer_paused_ : 1 = false;
  bool dirty_ : 1 = false;   // will hear of the end of the turn
  bool blocked_ : 1 = false; // waits until the system takes more
  bool handshaking_ : 1 = false;
};

} // namespace troupe::detail

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include <troupe/net/datagram_protocol.hpp>
#include <troupe/runtime/detail/operation_room.hpp>
#include <troupe/runtime/event_loop.hpp>

#include "datagram_memory.hpp"
#include "listening_socket.hpp"
#include "native_address.hpp"

namespace troupe::detail {

/// What all ports of datagrams do alike: receiving in batches, collecting output and sending it in
/// batches, and how a port ends. A kind of port derives from it and supplies the addresses.
///
/// In a turn it receives once, hands over what came, and sends what was written; then it waits for
/// more, or goes on in the next turn if it stopped at its budget.
///
/// Thread: that of its loop. Lifetime: it keeps itself until it is closed and nothing refers to it.
class datagram_socket : public datagram_transport,
                        public std::enable_shared_from_this<datagram_socket>,
                        private end_of_turn {
public:
  struct limits {
    std::size_t max_packet_size;
    std::size_t max_unsent;
    bool runs; // whether the system takes runs of datagrams as one message: see `segment`
  };

  datagram_socket(event_loop& loop, listening_socket socket, const limits& l);
  ~datagram_socket() override;

  /// Connects `p` to this port, and begins to receive. Called once, within `p.enter`.
  void open(datagram_protocol& p);

  using datagram_transport::write;
  std::error_code write(bytes_view data, const net_address& to) final;
  std::error_code write(bytes_view data) final;
  std::error_code connect(const net_address& peer) final;
  chained<void> stop_listening() final;
  [[nodiscard]] net_address get_host() const final { return host_.to_address(); }
  [[nodiscard]] net_address get_peer() const final;
  [[nodiscard]] bool listening() const noexcept final { return takes_output(); }
  [[nodiscard]] std::size_t unsent() const noexcept final { return unsent_ + aside_.bytes; }
  [[nodiscard]] const datagram_counters& counters() const noexcept final { return counters_; }
  void protocol_ended() noexcept final;

protected:
  // -- supplied by the kind of port -------------------------------------------------------------

  /// Makes the native form of `a`. Returns why that cannot be sent to from this port.
  virtual std::error_code resolve(const net_address& a, native_address& to) const = 0;

  /// Returns what the protocol gets as `multicast()`; null if that does not exist here.
  virtual multicast_transport* groups() noexcept { return nullptr; }

  /// Tells the system in `control` that this message is many datagrams of `size` bytes each, and
  /// returns the length of that. Called only with `limits::runs`.
  virtual std::size_t segment(std::span<std::byte> control, std::size_t size) const noexcept;

  /// How long a datagram can be.
  [[nodiscard]] virtual std::size_t longest() const noexcept = 0;

  /// A datagram as it waits: where to, or nothing for the connected peer, and what.
  struct datagram {
    bytes_view to;
    bytes_view data;
  };

  /// What becomes of a datagram that the system has not taken.
  enum class verdict : std::uint8_t {
    wait,  ///< goes again, before all others, once the socket is writable
    again, ///< goes again at once, up to three times in all
    aside, ///< the kind of port keeps it, and counts it in `aside_`
    lost,
  };

  /// Decides about `d`, for which the system gave `error`.
  virtual verdict judge(int error, const datagram& d) noexcept;

  /// Keeps a datagram if it must not pass others that are kept; else returns false. Called only
  /// while there are such. With `refused`, one that would be too many is refused instead.
  virtual bool keep_behind(const datagram&, std::error_code*) { return false; }

  /// The socket is about to be closed: the last chance for what was kept aside.
  virtual void closing() noexcept {}

  /// Notes that the peer refused something that was sent; the protocol hears of it at the end of the
  /// turn.
  void note_refusal() noexcept;

  /// Connects the socket to `destination_`, again too. Returns 0 or `errno`.
  int connect_socket() noexcept;

  [[nodiscard]] bool is_connected() const noexcept { return peer_.length != 0; }
  [[nodiscard]] event_loop& loop() const noexcept { return loop_; }
  [[nodiscard]] std::size_t max_unsent() const noexcept { return limits_.max_unsent; }
  void count_sent(std::size_t bytes) noexcept;
  void count_lost(int error) noexcept;

  // What a datagram counts for besides its bytes: so that empty ones are bounded too.
  static constexpr std::size_t overhead = 64;

  struct {
    std::size_t count = 0;
    std::size_t bytes = 0;
  } aside_;
  native_address destination_; // to which it is connected, as that was asked for

  [[nodiscard]] int fd() const noexcept {
    return const_cast<datagram_socket*>(this)->socket_->native_handle();
  }
  [[nodiscard]] bool is_open() const noexcept { return protocol_ != nullptr; }
  [[nodiscard]] int family() const noexcept { return host_.family(); }

private:
  struct queued {
    std::size_t offset; // into bytes_: the address, and then the data
    std::uint32_t size;
    std::uint16_t name; // the length of the address; 0: the connected peer
    bool same;          // address as the one before
  };
  struct batch; // what one system call sends

  [[nodiscard]] bool takes_output() const noexcept { return is_open() && !closing_; }
  std::error_code refuse(std::error_code why) noexcept;
  std::error_code enqueue(bytes_view data, const native_address* to);
  [[nodiscard]] std::size_t held() const noexcept;
  [[nodiscard]] datagram at(const queued& q) const noexcept;
  void mark_dirty();
  void flush() noexcept;
  std::size_t run_from(std::size_t first) const noexcept;
  void drop_first(std::size_t count) noexcept;
  bool skip_failed(int error, std::size_t run) noexcept;
  void forget_sent();
  void wait_writable();

  void wait_readable();
  void receive();
  void deliver(int count);
  void receive_failed(int error);
  void pause_receiving(int error) noexcept;
  void rest();
  void turn_ended() noexcept override;
  void turn_flushed() noexcept override;
  void close() noexcept;

  event_loop& loop_;
  datagram_memory& memory_;
  std::optional<asio::posix::basic_stream_descriptor<asio::io_context::executor_type>> socket_;
  operation_room waiting_;                // for datagrams
  std::shared_ptr<void> belongings_;      // of the socket
  datagram_protocol* protocol_ = nullptr; // alive while it is set, that is, while this is open
  const limits limits_;
  native_address host_;
  native_address peer_; // as the system names it; empty unless connected
  datagram_counters counters_;

  std::vector<std::byte> bytes_;
  std::vector<queued> queue_;
  std::size_t first_ = 0;   // in queue_: what is before it is gone
  std::size_t unsent_ = 0;  // bytes of data in the queue
  unsigned failures_ = 0;   // of the first in the queue, in a row
  std::size_t singly_ = 0;  // so many are sent one by one, because a run of them was refused
  bool runs_;               // whether the system takes runs
  bool blocked_ = false;    // waits until the system takes more
  bool dirty_ = false;      // will hear of the end of the turn
  bool refused_ = false;    // the protocol has to be told
  bool closing_ = false;    // ends with this turn
  bool more_there_ = false; // the last batch was full
  bool short_ = false;      // of memory to receive, as was told
  std::shared_ptr<datagram_socket> self_;    // while it is open
  std::shared_ptr<datagram_socket> resting_; // receives again when the turn has been flushed
};

} // namespace troupe::detail

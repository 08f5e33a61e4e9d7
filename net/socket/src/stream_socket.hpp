#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <asio/basic_stream_socket.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>

#include <troupe/net/detail/stream_transport.hpp>

#include "connection_ends.hpp"
#include "loop_memory.hpp"
#include "unique_fd.hpp"

namespace troupe::detail {

/// A transport over a connected TCP or UNIX socket.
///
/// Reading: one `async_read_some` is outstanding, into a small buffer inside this object, so that
/// an idle connection is small. If it comes back full, the rest is read at once into the loop's
/// scratch memory, and while the connection stays that busy it reads into a pooled large buffer.
class stream_socket : public stream_transport {
public:
  stream_socket(event_loop& loop, unique_fd fd, const connection_ends& ends,
                const output_limits& limits);

  [[nodiscard]] net_address get_peer() const override { return peer_.to_address(); }
  [[nodiscard]] net_address get_host() const override { return host_.to_address(); }
  [[nodiscard]] std::optional<peer_credentials> get_peer_credentials() const override;
  void set_tcp_no_delay(bool on) override;
  [[nodiscard]] bool get_tcp_no_delay() const override;
  void set_tcp_keep_alive(bool on) override;
  [[nodiscard]] bool get_tcp_keep_alive() const override;

protected:
  ~stream_socket() override;
  std::size_t send(std::span<const iovec> pieces, std::error_code& ec) noexcept override;
  void wait_writable() override;
  void start_reading() override;
  void close(bool reset) noexcept override;
  [[nodiscard]] bool busy() const noexcept override { return reading_ || waiting_ || resting_; }

  /// Goes on reading behind the flush, unless nothing is wanted by then; keeps this object till then.
  void rest();
  [[nodiscard]] bool resting() const noexcept { return resting_; }

  [[nodiscard]] auto& socket() noexcept { return socket_; }
  [[nodiscard]] loop_memory& memory() noexcept { return memory_; }

private:
  static constexpr std::size_t small_bytes = 144;     // a line or two
  static constexpr std::size_t operation_bytes = 112; // of Asio's read operation; checked

  // Asio keeps the outstanding read in this object instead of in a block of its own.
  template <class T>
  struct read_allocator {
    using value_type = T;
    explicit read_allocator(stream_socket& s) noexcept : socket(&s) {}
    template <class U>
    read_allocator(const read_allocator<U>& other) noexcept : socket(other.socket) {}
    T* allocate(std::size_t n) {
      static_assert(sizeof(T) <= operation_bytes);
      return n * sizeof(T) <= operation_bytes ? reinterpret_cast<T*>(socket->operation_.data())
                                              : static_cast<T*>(::operator new(n * sizeof(T)));
    }
    void deallocate(T* p, std::size_t) noexcept {
      if (static_cast<void*>(p) != socket->operation_.data())
        ::operator delete(p);
    }
    friend bool operator==(const read_allocator& a, const read_allocator& b) noexcept {
      return a.socket == b.socket;
    }
    stream_socket* socket;
  };

  struct read_handler {
    using allocator_type = read_allocator<std::byte>;
    [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type{*socket}; }
    void operator()(const asio::error_code& ec, std::size_t count) { socket->on_read(ec, count); }
    stream_socket* socket;
  };

  void shut_write() noexcept final;
  void turn_flushed() noexcept final;
  void on_read(const asio::error_code& ec, std::size_t count);
  void deliver(std::size_t count);
  void drop_bulk() noexcept;
  bool peer_sends() noexcept;

  asio::basic_stream_socket<asio::generic::stream_protocol, asio::io_context::executor_type>
    socket_;
  loop_memory& memory_;
  std::byte* bulk_ = nullptr;
  socket_address peer_;
  socket_address host_;
  std::uint32_t held_ = 0;     // bytes that were read just when reading was paused
  bool reading_ : 1 = false;   // a read is outstanding
  bool waiting_ : 1 = false;   // a wait for writing is
  bool resting_ : 1 = false;   // reads again when the turn has been flushed
  bool ended_ : 1 = false;     // the peer sends no more
  bool over_unix_ : 1 = false; // the socket is a UNIX one, whatever a proxy has told of the ends
  bool told_ : 1 = false;      // a proxy has
  alignas(8) std::array<std::byte, operation_bytes> operation_;
  std::array<std::byte, small_bytes> small_;
};

} // namespace troupe::detail

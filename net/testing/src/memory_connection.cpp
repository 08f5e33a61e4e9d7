#include <troupe/testing/memory_connection.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include <troupe/net/detail/stream_transport.hpp>

#include "loop_memory.hpp"

namespace troupe::testing {

namespace {

// What is on its way in one direction.
struct direction {
  std::string bytes;
  bool ended = false; // nothing follows the bytes
  bool reset = false; // the sender will have no more to do with it
};

} // namespace

// Both ends refer to it, and it to both: the client's and the server's. They delete themselves.
struct memory_connection::wire {
  event_loop& loop;
  const memory_options options;
  std::array<end*, 2> ends{}; // null before it is opened, and when it is gone
  std::array<bool, 2> closed{};
  std::array<direction, 2> to{}; // each end
};

/// One end: a transport whose system calls are appends to, and takes from, a string.
class memory_connection::end final : public troupe::detail::stream_transport {
public:
  end(std::shared_ptr<wire> w, std::size_t side)
    : stream_transport(w->loop, asio::use_service<troupe::detail::loop_memory>(w->loop.io()).chunks,
                       w->options.output),
      wire_(std::move(w)), side_(side) {
    wire_->ends[side] = this;
  }

  [[nodiscard]] net_address get_peer() const override { return at(1 - side_); }
  [[nodiscard]] net_address get_host() const override { return at(side_); }

  bool pump();

private:
  ~end() override { wire_->ends[side_] = nullptr; }

  direction& in() noexcept { return wire_->to[side_]; }
  direction& out() noexcept { return wire_->to[1 - side_]; }
  [[nodiscard]] const net_address& at(std::size_t side) const noexcept {
    return side == 0 ? wire_->options.client : wire_->options.server;
  }
  [[nodiscard]] std::size_t room() noexcept {
    return wire_->options.buffer - std::min(wire_->options.buffer, out().bytes.size());
  }

  std::size_t send(std::span<const iovec> pieces, std::error_code& ec) noexcept override;
  void wait_writable() override { waiting_ = true; }
  void start_reading() override { reading_ = true; }
  void shut_write() noexcept override { out().ended = true; }
  void close(bool reset) noexcept override;
  [[nodiscard]] bool busy() const noexcept override { return pumping_; }

  const std::shared_ptr<wire> wire_;
  const std::size_t side_;
  bool reading_ = false; // reading was begun
  bool waiting_ = false; // for room
  bool pumping_ = false;
};

std::size_t memory_connection::end::send(std::span<const iovec> pieces,
                                         std::error_code& ec) noexcept {
  if (in().reset) {
    ec.assign(EPIPE, std::system_category());
    return 0;
  }
  const bool received = !wire_->closed[1 - side_];
  std::size_t sent = 0;
  for (const auto& piece : pieces) {
    const auto fits = received ? std::min(piece.iov_len, room()) : piece.iov_len;
    if (received)
      out().bytes.append(static_cast<const char*>(piece.iov_base), fits);
    sent += fits;
  }
  in().reset |= !received; // it went out, and a reset comes back
  return sent;
}

// Input that nobody has read becomes a reset, as it does with the system's sockets.
void memory_connection::end::close(bool reset) noexcept {
  wire_->closed[side_] = true;
  out().ended = true;
  out().reset |= reset || !in().bytes.empty();
  if (reset)
    out().bytes.clear();
  in().bytes.clear();
}

bool memory_connection::end::pump() {
  pumping_ = true;
  bool moved = false;
  if (waiting_ && (room() > 0 || in().reset || wire_->closed[1 - side_])) {
    waiting_ = false;
    moved = true;
    writable();
  }
  if (reading_ && wants_input()) {
    if (auto& bytes = in().bytes; !bytes.empty()) {
      moved = true;
      const auto size = std::min(bytes.size(), troupe::detail::loop_memory::read_bytes);
      const std::string now{bytes, 0, size};
      bytes.erase(0, size);
      received(as_bytes(now));
    } else if (in().reset) {
      moved = true;
      broken({ECONNRESET, std::system_category()});
    } else if (in().ended) {
      moved = true;
      read_ended();
    }
  }
  pumping_ = false;
  release();
  return moved;
}

memory_connection::memory_connection(event_loop& loop, const memory_options& options)
  : wire_(std::make_shared<wire>(wire{loop, options})) {}

memory_connection::~memory_connection() = default;
memory_connection::memory_connection(memory_connection&&) noexcept = default;
memory_connection& memory_connection::operator=(memory_connection&&) noexcept = default;

void memory_connection::open_client(protocol& p) {
  (new end(wire_, 0))->open(p);
}

void memory_connection::open_server(protocol& p) {
  (new end(wire_, 1))->open(p);
}

void memory_connection::close_server() {
  wire_->closed[1] = true;
  wire_->to[0].ended = true;
  wire_->to[0].reset = !wire_->to[1].bytes.empty();
}

bool memory_connection::pump() {
  bool moved = false;
  const auto wire = wire_; // if a protocol makes a connection, this one may lie elsewhere then
  for (std::size_t side = 0; side < 2; ++side)
    if (auto* const e = wire->ends[side])
      moved = e->pump() || moved;
  return moved;
}

transport* memory_connection::client() const noexcept {
  return wire_->ends[0];
}

transport* memory_connection::server() const noexcept {
  return wire_->ends[1];
}

} // namespace troupe::testing

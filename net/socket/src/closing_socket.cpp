#include "closing_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <caf/behavior.hpp>
#include <caf/exit_reason.hpp>
#include <caf/logger.hpp>
#include <sys/socket.h>

#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe::detail {

namespace {

constexpr std::size_t piece_bytes = 64 * 1024;
constexpr int pieces_per_turn = 16;

class closing_socket;

/// Those of one loop, the oldest first.
class closing_sockets final : public asio::execution_context::service {
public:
  using key_type = closing_sockets; // as Asio wants it
  static inline asio::execution_context::id id;
  explicit closing_sockets(asio::execution_context& context)
    : asio::execution_context::service(context) {}

  std::list<closing_socket*> all;

private:
  void shutdown() override {}
};

/// An actor, so that its loop ends it, and waits for it when the runtime stops.
class closing_socket final : public pinned_actor {
public:
  closing_socket(caf::actor_config& cfg, unique_fd fd)
    : pinned_actor(cfg), socket_(loop().io()),
      others_(asio::use_service<closing_sockets>(loop().io())) {
    socket_.assign(fd.get());
    static_cast<void>(fd.release());
  }

  caf::behavior make_behavior() override {
    place_ = others_.all.insert(others_.all.end(), this);
    listed_ = true;
    const auto part = closing_at_most / loop().scheduler().size();
    if (others_.all.size() > std::max(part, closing_at_least))
      others_.all.front()->end();
    ::shutdown(socket_.native_handle(), SHUT_WR);
    call_later(closing_time, [this] { quit(); });
    wait();
    return {[](caf::unit_t) {
    }};
  }

  const char* name() const override { return "closing socket"; }

  void on_exit() override {
    asio::error_code ignored;
    socket_.close(ignored);
    if (std::exchange(listed_, false))
      others_.all.erase(place_);
    pinned_actor::on_exit();
  }

protected:
  void stop_requested() override {} // its time is short as it is

private:
  void end() {
    enter([this] { quit(); });
  }

  void wait() {
    socket_.async_wait(asio::posix::descriptor_base::wait_read,
                       [this, self = caf::strong_actor_ptr{ctrl()}](const asio::error_code& ec) {
                         if (!ec)
                           enter([this] { discard(); });
                       });
  }

  void discard() {
    if (discard_input(socket_.native_handle(), count_) == discarded::all || count_ >= closing_bytes)
      return quit();
    wait();
  }

  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> socket_;
  closing_sockets& others_;
  std::list<closing_socket*>::iterator place_;
  bool listed_ = false;
  std::size_t count_ = 0; // bytes taken away
};

} // namespace

discarded discard_input(int fd, std::size_t& count) noexcept {
  std::array<std::byte, piece_bytes> piece; // where TCP puts nothing, thanks to MSG_TRUNC
  auto result = discarded::nothing;
  for (int i = 0; i < pieces_per_turn;) {
    const auto n = ::recv(fd, piece.data(), piece.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (n > 0) {
      result = discarded::some;
      count += static_cast<std::size_t>(n);
      ++i;
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return result;
    } else {
      return discarded::all;
    }
  }
  return result;
}

void close_while_peer_sends(event_loop& loop, unique_fd fd) noexcept {
  try {
    caf::actor_config cfg{&loop};
    const auto made =
      loop.system().spawn_impl<closing_socket, caf::hidden + caf::lazy_init>(cfg, std::move(fd));
    CAF_SET_LOGGER_SYS(nullptr); // left behind by CAF's spawn, it would slow every actor down
    static_cast<closing_socket*>(caf::actor_cast<caf::abstract_actor*>(made))->enter([] {});
  } catch (...) { // no memory, or no room to watch it: it is closed at once
  }
}

} // namespace troupe::detail

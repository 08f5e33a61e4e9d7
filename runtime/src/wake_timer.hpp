#pragma once

#include <cstdint>
#include <optional>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include <troupe/runtime/detail/operation_room.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe::detail {

/// Ends a loop's wait for I/O when its next delayed call is due.
///
/// One timerfd with one read that stays outstanding. Compared with Asio's `steady_timer` it costs
/// one system call when a wait gets a new end, and nothing per delayed call.
class wake_timer {
public:
  explicit wake_timer(asio::io_context& io);

  /// Makes the present wait, which begins at `now`, end at `due`. It keeps an older end that comes first, and so does a wait
  /// that needs none: such a wait ends early, once. So who makes a call and cancels it again and again, as for the
  /// limit of each connection, costs no system call each time. Returns false if the system cannot: then the loop must not wait.
  [[nodiscard]] bool arm(time_point due, time_point now) noexcept;

  /// Makes the wait of another thread end. For timers that are not used with `arm`. Thread: any.
  void end_wait_in(duration span) noexcept;

  /// Gives the timer up, before the loop's context ends. This object stays until after that: what was
  /// outstanding lies in it. Nothing else may be called then.
  void close() noexcept { descriptor_.reset(); }

private:
  void read();

  std::optional<asio::posix::basic_stream_descriptor<asio::io_context::executor_type>> descriptor_;
  operation_room reading_; // so that no shortage of memory ends the reading for good
  const int fd_;
  static constexpr time_point unset = time_point::min(); // before every wait
  time_point armed_ = unset;
  std::uint64_t expirations_ = 0;
};

} // namespace troupe::detail

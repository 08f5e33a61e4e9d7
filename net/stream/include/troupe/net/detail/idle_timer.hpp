#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <troupe/runtime/detail/patience.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe {
class transport;
}

namespace troupe::detail {

/// Notices that nothing has happened for some time. What `timeout_mixin` and `timeout_protocol`
/// share.
///
/// Something that happens only moves the time at which to look: a busy connection moves no timer. After
/// a pause of the loop, what waits in the sockets is handed out before anybody is called silent.
///
/// Thread: that of its owner.
class idle_timer {
public:
  std::optional<duration> set_timeout(std::optional<duration> after);
  void reset_timeout() noexcept;
  [[nodiscard]] std::optional<duration> timeout() const noexcept { return timeout_; }

protected:
  idle_timer() = default;
  ~idle_timer() = default;

  /// Returns the actor as which `timed_out` is called.
  [[nodiscard]] virtual pinned_actor& timed_actor() noexcept = 0;
  virtual void timed_out() = 0;

  /// Calls `lose()` the first time. Later, when as much time has passed again, aborts the connection
  /// if it is still there and the peer took nothing of what it was sent meanwhile: nobody else ends
  /// a connection whose peer does not read.
  template <class F>
  void close(transport& t, F lose) {
    if (!is_closing(t))
      lose();
    look_again(t);
  }

private:
  [[nodiscard]] static bool is_closing(const transport& t) noexcept;
  void look_again(transport& t);
  void arm(duration after);
  void look();

  std::optional<duration> timeout_;
  time_point due_{};
  delayed_call call_;
  patience patience_;
  std::size_t unsent_ = SIZE_MAX; // when it was looked at last, once the connection was closing
};

} // namespace troupe::detail

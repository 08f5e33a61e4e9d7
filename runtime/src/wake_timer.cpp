#include "wake_timer.hpp"

#include <cerrno>
#include <system_error>

#include <sys/timerfd.h>

#include <asio/buffer.hpp>

namespace troupe::detail {

namespace {

int open_timer() {
  const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0)
    throw std::system_error(errno, std::system_category(), "timerfd_create");
  return fd;
}

} // namespace

wake_timer::wake_timer(asio::io_context& io)
  : descriptor_(std::in_place, io.get_executor(), open_timer()), fd_(descriptor_->native_handle()) {
  read();
}

bool wake_timer::arm(time_point due, time_point now) noexcept {
  if (armed_ <= due && armed_ > now)
    return true;
  const auto since_epoch = due.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch);
  const itimerspec when{
    .it_interval = {},
    .it_value = {.tv_sec = seconds.count(), .tv_nsec = (since_epoch - seconds).count()}};
  const bool set = ::timerfd_settime(fd_, TFD_TIMER_ABSTIME, &when, nullptr) == 0;
  armed_ = set ? due : unset;
  return set;
}

void wake_timer::end_wait_in(duration span) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
  const itimerspec when{
    .it_interval = {},
    .it_value = {.tv_sec = seconds.count(), .tv_nsec = (span - seconds).count()}};
  ::timerfd_settime(fd_, 0, &when, nullptr);
}

void wake_timer::read() {
  descriptor_->async_read_some(asio::buffer(&expirations_, sizeof expirations_),
                               reading_.with([this](const asio::error_code& ec, std::size_t) {
                                 if (ec)
                                   return; // cancelled: the loop is going away
                                 armed_ = unset;
                                 read();
                               }));
}

} // namespace troupe::detail

#include "child_watch.hpp"

#include <cerrno>
#include <csignal>
#include <mutex>
#include <vector>

#include <sys/syscall.h>
#include <sys/wait.h>

namespace troupe::detail {

namespace {

std::mutex orphans_mutex;

std::vector<unique_fd>& orphans() {
  static std::vector<unique_fd> all;
  return all;
}

// Fetches the status of an exited child; false if it has not exited.
bool reap(int pidfd, process_status& status) {
  siginfo_t info{};
  int result;
  do
    result = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG);
  while (result != 0 && errno == EINTR);
  if (result != 0)
    return errno != EAGAIN; // other code of this program has waited for it
  if (info.si_pid == 0)
    return false;
  if (info.si_code == CLD_EXITED)
    status.exit_code = info.si_status;
  else
    status.signal = info.si_status;
  return true;
}

// Tells whether the child has exited, and leaves it to be waited for.
bool exited_by_now(int pidfd) {
  siginfo_t info{};
  return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | WNOWAIT) == 0
         && info.si_pid != 0;
}

} // namespace

child_watch::child_watch(event_loop& loop, unique_fd& pidfd, exited told, pid_t group)
  : pidfd_(loop.io()), told_(std::move(told)), group_(group) {
  pidfd_.assign(pidfd.get());
  static_cast<void>(pidfd.release());
}

child_watch::~child_watch() {
  if (!reaped_)
    leave(unique_fd{pidfd_.release()});
}

void child_watch::leave(unique_fd pidfd) {
  {
    const std::lock_guard hold{orphans_mutex};
    orphans().push_back(std::move(pidfd));
  }
  reap_orphans();
}

void child_watch::kill(unique_fd pidfd) {
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  leave(std::move(pidfd));
}

std::shared_ptr<child_watch> child_watch::start(event_loop& loop, unique_fd pidfd, exited told,
                                                pid_t group) {
  std::shared_ptr<child_watch> made;
  try {
    made = std::make_shared<child_watch>(loop, pidfd, std::move(told), group);
  } catch (...) { // the system has no room to watch one more descriptor
    kill(std::move(pidfd));
    throw;
  }
  made->wait();
  return made;
}

void child_watch::wait() {
  pidfd_.async_wait(asio::posix::descriptor_base::wait_read,
                    waiting_.with([self = shared_from_this()](const asio::error_code&) {
                      process_status status;
                      if (self->group_ != 0 && exited_by_now(self->pidfd_.native_handle()))
                        ::kill(-self->group_, SIGKILL); // what it has left behind
                      if (!reap(self->pidfd_.native_handle(), status))
                        return self->wait();
                      self->reaped_ = true;
                      asio::error_code ignored;
                      self->pidfd_.close(ignored);
                      if (auto told = std::exchange(self->told_, {}))
                        told(status);
                    }));
}

failure child_watch::signal(int number) {
  if (reaped_)
    return errc::process_exited_already;
  if (::syscall(SYS_pidfd_send_signal, pidfd_.native_handle(), number, nullptr, 0) == 0)
    return {};
  if (errno == ESRCH)
    return errc::process_exited_already;
  return failure{std::error_code(errno, std::system_category())};
}

failure child_watch::signal_group(int number) {
  if (group_ == 0)
    return {errc::not_supported, "the process has no group of its own"};
  if (reaped_)
    return errc::process_exited_already;
  if (::kill(-group_, number) == 0)
    return {};
  return failure{std::error_code(errno, std::system_category())};
}

void child_watch::reap_orphans() {
  const std::lock_guard hold{orphans_mutex};
  std::erase_if(orphans(), [](const unique_fd& fd) {
    process_status ignored;
    return reap(fd.get(), ignored);
  });
}

} // namespace troupe::detail

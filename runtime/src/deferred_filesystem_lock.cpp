#include <troupe/runtime/deferred_filesystem_lock.hpp>

#include <cerrno>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <troupe/runtime/detail/tracked_call.hpp>

namespace troupe {

/// What waits for the lock.
struct deferred_filesystem_lock::attempt {
  std::optional<promise<void>> waiting;
  detail::tracked_call next;
  time_point until;
};

/// Goes with the next try, and ends the attempt if its clock drops that.
struct deferred_filesystem_lock::end_of_clock {
  explicit end_of_clock(deferred_filesystem_lock* l) noexcept : lock(l) {}
  end_of_clock(end_of_clock&& other) noexcept : lock(std::exchange(other.lock, nullptr)) {}
  ~end_of_clock() {
    if (lock == nullptr)
      return;
    if (const auto ended = std::move(lock->attempt_))
      ended->waiting->abandon();
  }
  deferred_filesystem_lock* lock;
};

deferred_filesystem_lock::deferred_filesystem_lock(std::filesystem::path file, clock& clock)
  : file_(std::move(file)), clock_(clock) {}

deferred_filesystem_lock::~deferred_filesystem_lock() {
  if (const auto a = std::move(attempt_); a && a->waiting)
    a->waiting->errback(errc::cancelled);
  if (locked())
    unlock();
}

bool deferred_filesystem_lock::lock() {
  if (locked())
    return false;
  const int fd = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0)
    throw std::system_error(errno, std::system_category(),
                            "cannot open the lock " + file_.string());
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error == EWOULDBLOCK)
      return false;
    throw std::system_error(error, std::system_category(), "cannot lock " + file_.string());
  }
  struct stat status {};
  clean_ = ::fstat(fd, &status) != 0 || status.st_size == 0;
  const auto holder = std::to_string(::getpid()) + '\n';
  // For people only: that it could not be written changes nothing.
  [[maybe_unused]] const bool written =
    ::ftruncate(fd, 0) == 0
    && ::write(fd, holder.data(), holder.size()) == static_cast<ssize_t>(holder.size());
  fd_ = fd;
  return true;
}

void deferred_filesystem_lock::unlock() {
  if (!locked())
    throw std::logic_error("unlock() of a filesystem lock that is not held: " + file_.string());
  const int fd = std::exchange(fd_, -1);
  [[maybe_unused]] const int emptied = ::ftruncate(fd, 0);
  ::close(fd);
}

deferred<void> deferred_filesystem_lock::defer_until_locked(duration timeout) {
  if (attempt_)
    return fail(failure{errc::already_trying_to_lock, file_.string()});
  attempt_ = std::make_unique<attempt>();
  auto& a = *attempt_;
  a.waiting.emplace([this] {
    const auto ended = std::move(attempt_);
    ended->next.cancel();
    const auto p = std::move(ended->waiting); // dropped inside the canceller: cancelled
  });
  auto result = a.waiting->get_deferred();
  a.until = saturating_add(clock_.now(), timeout);
  try_again(a);
  return result;
}

void deferred_filesystem_lock::try_again(attempt& a) {
  if (!a.waiting->awaited()) {
    const auto ended = std::move(attempt_);
    return;
  }
  failure why;
  try {
    if (!lock()) {
      const auto now = clock_.now();
      if (now < a.until) {
        a.next.start(clock_, std::min(retry_every, a.until - now),
                     [this, &a, end = end_of_clock{this}]() mutable {
                       end.lock = nullptr;
                       try_again(a);
                     });
        return;
      }
      why = failure{errc::timed_out, "another one holds the lock " + file_.string()};
    }
  } catch (...) {
    why = failure::current();
  }
  const auto ended = std::move(attempt_);
  auto waiting = *std::move(ended->waiting);
  if (why)
    waiting.errback(std::move(why));
  else
    waiting.callback();
}

} // namespace troupe

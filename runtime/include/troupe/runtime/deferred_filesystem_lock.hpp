#pragma once

#include <filesystem>
#include <memory>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

/// A lock that processes share by the name of a file, waited for as a deferred.
///
/// The system frees it when its holder ends in any way, so there are no stale locks. The file stays;
/// while it is locked it holds the process id of the holder.
///
/// ```cpp
/// troupe::deferred_filesystem_lock lock{"/run/chat.lock", rt.reactor()};
/// lock.defer_until_locked(30s).add_callback([&] { start(); });
/// ```
///
/// Its destructor unlocks, and cancels an attempt that is under way.
///
/// Thread: that of the clock. Source: twisted.internet.defer.DeferredFilesystemLock,
/// twisted.python.lockfile.FilesystemLock; they use a symbolic link, which a crash leaves behind.
class deferred_filesystem_lock {
public:
  /// \param file   made if it is missing; its directory must be there
  /// \param clock  times the attempts; must outlive the lock
  deferred_filesystem_lock(std::filesystem::path file, clock& clock);
  ~deferred_filesystem_lock();
  deferred_filesystem_lock(const deferred_filesystem_lock&) = delete;
  deferred_filesystem_lock& operator=(const deferred_filesystem_lock&) = delete;

  /// Takes the lock if nobody has it, this object included. Returns whether it did.
  ///
  /// \throws std::system_error naming the file if the system refuses it for another reason
  bool lock();

  /// Gives the lock back. \throws std::logic_error if this object does not have it
  void unlock();

  [[nodiscard]] bool locked() const noexcept { return fd_ >= 0; }

  /// Tells, of the latest `lock` that succeeded, whether the holder before gave the lock back by
  /// itself; false if it died with it.
  [[nodiscard]] bool clean() const noexcept { return clean_; }

  /// Tries at once, and then every `retry_every`, until the lock is this object's.
  ///
  /// \param timeout  how long; `duration::max()` for ever
  /// Fails with: `errc::timed_out`; `errc::cancelled`; `errc::already_trying_to_lock` if an attempt
  /// is under way; the system's reason if the file cannot be locked at all. If the clock is an actor's,
  /// and that ends, so does the attempt, and what waits is destroyed; an attempt whose deferred nobody
  /// has any more takes no lock.
  [[nodiscard]] deferred<void> defer_until_locked(duration timeout = duration::max());

  /// The time from one attempt to the next. Source: Twisted's _interval
  static constexpr duration retry_every = std::chrono::seconds(1);

private:
  struct attempt;
  struct end_of_clock;
  void try_again(attempt& a);

  const std::filesystem::path file_;
  clock& clock_;
  std::unique_ptr<attempt> attempt_;
  int fd_ = -1;
  bool clean_ = true;
};

} // namespace troupe

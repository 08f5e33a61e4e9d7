#pragma once

#include <memory>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include <troupe/net/process_status.hpp>
#include <troupe/runtime/detail/operation_room.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/unique_function.hpp>

#include "unique_fd.hpp"

namespace troupe::detail {

using loop_descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

/// Waits for the exit of one child, through a descriptor that stands for it (pidfd): no signal
/// handler, and no other child is touched. It lives until the exit, whoever else refers to it.
///
/// Children that outlive the runtime are kept in a list of the process and are waited for whenever a
/// child is started or a runtime ends: nobody else may do it, and no zombie may stay for good.
///
/// Thread: that of its loop.
class child_watch : public std::enable_shared_from_this<child_watch> {
public:
  using exited = unique_function<void(const process_status&)>;

  /// Watches `pidfd`, and calls `told` once. If that cannot be done, the child is killed.
  ///
  /// \param group  the process group that the child leads, or 0: it is killed when the child has exited,
  ///               before the child is waited for. Until then the number cannot be another's
  /// \throws std::system_error if the system has no room to watch one more descriptor
  static std::shared_ptr<child_watch> start(event_loop& loop, unique_fd pidfd, exited told,
                                            pid_t group = 0);

  child_watch(event_loop& loop, unique_fd& pidfd, exited told, pid_t group);
  ~child_watch();

  /// Sends a signal; `errc::process_exited_already` if it has exited.
  failure signal(int number);

  /// Sends a signal to its group; also `errc::not_supported` if it has none.
  failure signal_group(int number);

  /// Nobody is to be told of the exit any more.
  void forget() { told_ = {}; }

  [[nodiscard]] bool has_exited() const noexcept { return reaped_; }

  /// Kills a child that nothing watches. Thread: any.
  static void kill(unique_fd pidfd);

  /// Waits for children that outlived their runtime and have exited by now. Thread: any.
  static void reap_orphans();

private:
  static void leave(unique_fd pidfd);
  void wait();

  loop_descriptor pidfd_;
  operation_room waiting_; // for the exit
  exited told_;
  const pid_t group_;
  bool reaped_ = false;
};

} // namespace troupe::detail

#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/unique_function.hpp>

namespace troupe {

class cooperator;

/// Reports `resume` without `pause`. Source: twisted.internet.task.NotPaused
struct not_paused_error : std::logic_error {
  using std::logic_error::logic_error;
};

/// Reports the use of a cooperative task that has ended.
/// Source: TaskFinished and its kin TaskDone, TaskFailed, TaskStopped
struct task_finished_error : std::logic_error {
  using std::logic_error::logic_error;
};
struct task_done_error : task_finished_error {
  using task_finished_error::task_finished_error;
};
struct task_failed_error : task_finished_error {
  using task_finished_error::task_finished_error;
};
struct task_stopped_error : task_finished_error {
  using task_finished_error::task_finished_error;
};

namespace detail {

class cooperator_impl;
class cooperative_task_impl;

/// One step of a task: whether there are more, and what to wait for before that is known.
struct cooperative_step {
  cooperative_step(bool has_more) : more(has_more) {}
  cooperative_step(deferred<bool> d) : wait(std::move(d)) {}
  bool more = false;
  std::optional<deferred<bool>> wait;
};

using cooperative_function = unique_function<cooperative_step(), 40>;

} // namespace detail

/// A long piece of work that a `cooperator` does step by step. A handle; copies are the same task.
///
/// Thread: that of the cooperator. Source: twisted.internet.task.CooperativeTask
class cooperative_task {
public:
  /// Returns a deferred of its own at every call, which fires when the task is done.
  ///
  /// Fails with: what a step threw, or its deferred failed with; errc::task_stopped;
  /// errc::scheduler_stopped.
  [[nodiscard]] deferred<void> when_done();

  /// Makes no more steps until as many calls of `resume`.
  ///
  /// \throws task_done_error, task_failed_error, task_stopped_error if it has ended that way
  void pause();

  /// Undoes one `pause`. \throws not_paused_error
  void resume();

  /// Ends the task; `when_done` fails with `errc::task_stopped`.
  ///
  /// \throws task_done_error, task_failed_error, task_stopped_error if it has ended that way
  void stop();

private:
  friend class cooperator;
  explicit cooperative_task(std::shared_ptr<detail::cooperative_task_impl> impl)
    : impl_(std::move(impl)) {}

  std::shared_ptr<detail::cooperative_task_impl> impl_;
};

/// How a cooperator divides the time between its tasks and everything else.
struct cooperator_options {
  /// How long it works before others get their turn.
  duration slice = std::chrono::milliseconds(10);
  /// How many steps it makes at most in one slice.
  std::size_t steps_per_slice = std::numeric_limits<std::size_t>::max();
  /// How long it waits between two slices.
  duration between = std::chrono::nanoseconds(10);
  /// Whether it works from the beginning, or after `start`.
  bool started = true;
};

/// Divides time between long pieces of work, and leaves some to everything else.
///
/// The tasks take turns, one step each, until the slice is over.
///
/// ```cpp
/// cooperator coop(clock);
/// coop.coiterate([rows = read(), i = 0u]() mutable {
///   digest(rows[i]);
///   return ++i < rows.size(); // whether there are more
/// });
/// ```
///
/// Its destructor stops it. Thread: that of the clock.
/// Source: twisted.internet.task.Cooperator
class cooperator {
public:
  /// \param clock  must outlive it
  explicit cooperator(clock& clock, cooperator_options options = {});
  cooperator(const cooperator&) = delete;
  cooperator& operator=(const cooperator&) = delete;
  ~cooperator();

  /// Adds a task. `step` returns whether there are more steps, or a `deferred<bool>` that tells;
  /// the task then pauses until that fires. An exception, or a failure, ends the task and no other.
  template <class F>
  requires std::convertible_to<std::invoke_result_t<F&>, detail::cooperative_step>
    cooperative_task cooperate(F step) {
    return add(
      [step = std::move(step)]() mutable { return detail::cooperative_step(std::invoke(step)); });
  }

  /// Adds a task, and returns a deferred that fires when it is done.
  template <class F>
  chained<void> coiterate(F step) {
    return chained<void>(cooperate(std::move(step)).when_done());
  }

  /// Begins, or goes on. \throws std::logic_error if it was stopped
  void start();

  /// Ends every task with `errc::scheduler_stopped`; tasks that are added later end so at once.
  void stop();

  [[nodiscard]] bool running() const noexcept;

private:
  cooperative_task add(detail::cooperative_function step);

  std::shared_ptr<detail::cooperator_impl> impl_;
};

} // namespace troupe

#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/time.hpp>

namespace spdlog {
class logger;
}

namespace troupe {

/// Threads for calls that block, so that loops need not.
///
/// It starts with no thread, adds one whenever there is work and none is idle, up to a maximum,
/// and keeps as many as its minimum says.
///
/// States: new -> (`start`) running -> (`stop`) stopped. Work that comes before `start` waits for
/// it; what comes after `stop` is dropped.
///
/// Thread: any. Order: work is begun in the order in which it came.
/// Source: twisted.python.threadpool.ThreadPool
class thread_pool {
public:
  /// \throws std::logic_error if `min` is greater than `max`, or `max` is zero
  explicit thread_pool(std::size_t min = 5, std::size_t max = 20, spdlog::logger* logger = nullptr);

  /// Finishes what is queued, and joins the threads.
  ~thread_pool();
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  /// Lets threads begin: the minimum, or more if more work waits.
  void start();

  /// Takes no more work, and runs `stopped` (if any) in the last thread to end, when all that was
  /// queued is done; or here, if there is no thread.
  void stop(task stopped = {});

  /// Waits until all threads have ended, after `stop`. Not from one of them.
  void join();

  /// Drops the calls that no thread has begun, here.
  void drop_queued();

  /// Runs `fn` in a thread of the pool. An exception that leaves it is logged.
  ///
  /// \throws std::system_error if no thread can be made, and there is none: `fn` is dropped then
  void call_in_thread(task fn);

  /// As above; then calls `on_result` with what came of it, in the same thread.
  template <class F, class G>
  void call_in_thread_with_callback(G on_result, F fn) {
    call_in_thread([on_result = std::move(on_result), fn = std::move(fn)]() mutable {
      using result = std::invoke_result_t<F&>;
      std::invoke(on_result, run<result>(fn));
    });
  }

  /// Changes the limits; idle threads above the maximum end.
  ///
  /// \throws std::logic_error as the constructor does
  void adjust_size(std::size_t min, std::size_t max);

  [[nodiscard]] std::size_t min() const;
  [[nodiscard]] std::size_t max() const;
  [[nodiscard]] std::size_t workers() const; ///< threads there are
  [[nodiscard]] std::size_t idle() const;    ///< threads that wait for work
  [[nodiscard]] std::size_t queued() const;  ///< calls that no thread has begun

  /// Runs `fn`, and returns its result or the exception that left it.
  template <class R, class F>
  static outcome<R> run(F& fn) {
    try {
      if constexpr (std::is_void_v<R>) {
        std::invoke(fn);
        return {};
      } else {
        return std::invoke(fn);
      }
    } catch (...) {
      return failure::current();
    }
  }

private:
  enum class state : std::uint8_t { fresh, running, stopped };

  using threads = std::list<std::thread>;

  bool grow();
  void grow_to(std::size_t count);
  void work(threads::iterator self);
  static void check(std::size_t min, std::size_t max);

  mutable std::mutex mutex_;
  std::condition_variable more_;
  std::deque<task> queue_;
  std::condition_variable none_left_; // of the threads
  threads threads_;
  threads ended_; // until the next one ends, which joins them
  std::size_t min_;
  std::size_t max_;
  std::size_t workers_ = 0;
  std::size_t idle_ = 0;
  state state_ = state::fresh;
  task stopped_;
  spdlog::logger* const logger_;
};

} // namespace troupe

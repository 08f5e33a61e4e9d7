#include <troupe/runtime/thread_pool.hpp>

#include <algorithm>
#include <stdexcept>

#include "log.hpp"
#include "log_sink.hpp"

namespace troupe {

void thread_pool::check(std::size_t min, std::size_t max) {
  if (min > max)
    throw std::logic_error("thread_pool: the minimum is greater than the maximum");
  if (max == 0)
    throw std::logic_error("thread_pool: the maximum is zero");
}

thread_pool::thread_pool(std::size_t min, std::size_t max, spdlog::logger* logger)
  : min_(min), max_(max), logger_(logger != nullptr ? logger : detail::usual_logger().get()) {
  check(min, max);
}

thread_pool::~thread_pool() {
  stop();
  join();
}

void thread_pool::start() {
  const std::lock_guard hold{mutex_};
  if (state_ != state::fresh)
    return;
  state_ = state::running;
  while (workers_ < std::min(std::max(min_, queue_.size()), max_))
    grow();
}

void thread_pool::stop(task stopped) {
  {
    const std::lock_guard hold{mutex_};
    if (state_ != state::stopped) {
      if (state_ == state::fresh)
        queue_.clear(); // nothing ever ran it, and nothing will
      state_ = state::stopped;
      more_.notify_all();
    }
    if (workers_ != 0) {
      stopped_ = std::move(stopped);
      return;
    }
  }
  if (stopped)
    stopped();
}

void thread_pool::join() {
  for (;;) {
    std::vector<std::thread> threads;
    {
      const std::lock_guard hold{mutex_};
      threads.swap(threads_);
    }
    if (threads.empty())
      return;
    for (auto& thread : threads)
      thread.join();
  }
}

void thread_pool::call_in_thread(task fn) {
  if (!fn)
    throw std::logic_error("call_in_thread: the function is empty");
  {
    const std::lock_guard hold{mutex_};
    if (state_ == state::stopped)
      return;
    queue_.push_back(std::move(fn));
    if (state_ != state::running)
      return;
    if (idle_ < queue_.size() && workers_ < max_)
      grow();
  }
  more_.notify_one(); // without the mutex, which the thread would only run into
}

void thread_pool::adjust_size(std::size_t min, std::size_t max) {
  check(min, max);
  const std::lock_guard hold{mutex_};
  min_ = min;
  max_ = max;
  if (state_ != state::running)
    return;
  while (workers_ < std::min(std::max(min_, queue_.size()), max_))
    grow();
  more_.notify_all(); // those that are too many see it
}

std::size_t thread_pool::min() const {
  const std::lock_guard hold{mutex_};
  return min_;
}

std::size_t thread_pool::max() const {
  const std::lock_guard hold{mutex_};
  return max_;
}

std::size_t thread_pool::workers() const {
  const std::lock_guard hold{mutex_};
  return workers_;
}

std::size_t thread_pool::idle() const {
  const std::lock_guard hold{mutex_};
  return idle_;
}

std::size_t thread_pool::queued() const {
  const std::lock_guard hold{mutex_};
  return queue_.size();
}

void thread_pool::grow() {
  threads_.emplace_back([this] { work(); });
  ++workers_;
}

void thread_pool::work() {
  std::unique_lock lock{mutex_};
  for (;;) {
    ++idle_;
    more_.wait(lock,
               [this] { return !queue_.empty() || state_ == state::stopped || workers_ > max_; });
    --idle_;
    if (workers_ > max_ || queue_.empty())
      break;
    auto fn = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    try {
      fn();
    } catch (...) {
      detail::log_uncaught(*logger_, "a function in a thread of the pool");
    }
    fn = nullptr; // what it holds must not be destroyed with the mutex held
    lock.lock();
  }
  if (--workers_ > 0 || state_ != state::stopped)
    return;
  auto stopped = std::move(stopped_);
  lock.unlock();
  if (stopped)
    stopped();
}

} // namespace troupe

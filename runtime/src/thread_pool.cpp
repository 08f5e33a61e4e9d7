#include <troupe/runtime/thread_pool.hpp>

#include <algorithm>
#include <stdexcept>
#include <system_error>

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
  grow_to(std::min(std::max(min_, queue_.size()), max_));
}

void thread_pool::stop(task stopped) {
  std::deque<task> dropped; // what it holds must not be destroyed with the mutex held
  {
    const std::lock_guard hold{mutex_};
    if (state_ != state::stopped) {
      if (workers_ == 0)
        dropped.swap(queue_); // nothing runs it: it was not started, or no thread could be made
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
  threads all;
  {
    std::unique_lock lock{mutex_};
    none_left_.wait(lock, [this] { return workers_ == 0; });
    all.swap(ended_);
  }
  for (auto& thread : all)
    thread.join();
}

void thread_pool::drop_queued() {
  std::deque<task> dropped;
  const std::lock_guard hold{mutex_};
  dropped.swap(queue_);
} // destroyed without the mutex, as it was declared first

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
    if (idle_ < queue_.size() && workers_ < max_ && !grow() && workers_ == 0) {
      fn = std::move(queue_.back());
      queue_.pop_back();
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                              "call_in_thread: no thread can be made");
    }
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
  grow_to(std::min(std::max(min_, queue_.size()), max_));
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

// Returns false if the system has no thread left.
bool thread_pool::grow() {
  const auto place = threads_.emplace(threads_.end());
  try {
    *place = std::thread([this, place] { work(place); });
  } catch (const std::system_error&) {
    threads_.erase(place);
    return false;
  }
  ++workers_;
  return true;
}

void thread_pool::grow_to(std::size_t count) {
  while (workers_ < count)
    if (!grow()) {
      logger_->error("the pool has {} threads in place of {}: the system makes no more", workers_,
                     count);
      return;
    }
}

void thread_pool::work(threads::iterator self) {
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
  task stopped;
  const bool last = --workers_ == 0;
  if (last && state_ == state::stopped)
    stopped = std::move(stopped_);
  // Who ends joins those that ended before, whose memory would stay else.
  threads before;
  before.swap(ended_);
  ended_.splice(ended_.end(), threads_, self);
  lock.unlock();
  for (auto& thread : before)
    thread.join();
  if (stopped)
    stopped();
  lock.lock();
  if (workers_ == 0)
    none_left_.notify_all();
}

} // namespace troupe

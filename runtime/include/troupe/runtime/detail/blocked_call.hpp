#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <troupe/runtime/errc.hpp>
#include <troupe/runtime/outcome.hpp>

namespace troupe::detail {

class blocked_calls;

/// A thread that waits for what loop 0 makes of a call.
class blocked_call {
public:
  blocked_call() = default;
  blocked_call(const blocked_call&) = delete;
  blocked_call& operator=(const blocked_call&) = delete;

  /// Ends the wait: there will be no answer. Thread: any.
  virtual void runtime_ended() = 0;

protected:
  ~blocked_call() = default;

private:
  friend class blocked_calls;
  blocked_call* next_ = nullptr;
  blocked_call* previous_ = nullptr;
};

/// All threads that wait for a reactor, so that its end is theirs. Thread: any.
class blocked_calls {
public:
  blocked_calls() = default;
  blocked_calls(const blocked_calls&) = delete;
  blocked_calls& operator=(const blocked_calls&) = delete;

  /// Ends every wait, and returns when those threads have left the list: they do nothing else first.
  ~blocked_calls() {
    end();
    while (any())
      std::this_thread::yield();
  }

  /// Returns false if none may wait any more.
  [[nodiscard]] bool add(blocked_call& call) {
    const std::lock_guard hold{mutex_};
    if (ended_)
      return false;
    call.next_ = first_;
    if (first_ != nullptr)
      first_->previous_ = &call;
    first_ = &call;
    return true;
  }

  void remove(blocked_call& call) {
    const std::lock_guard hold{mutex_};
    (call.previous_ != nullptr ? call.previous_->next_ : first_) = call.next_;
    if (call.next_ != nullptr)
      call.next_->previous_ = call.previous_;
  }

  /// Ends every wait, those of the future too.
  void end() {
    const std::lock_guard hold{mutex_};
    ended_ = true;
    for (auto* call = first_; call != nullptr; call = call->next_)
      call->runtime_ended();
  }

private:
  bool any() {
    const std::lock_guard hold{mutex_};
    return first_ != nullptr;
  }

  std::mutex mutex_;
  blocked_call* first_ = nullptr;
  bool ended_ = false;
};

/// What a thread waits for; the first answer counts.
template <class R>
class blocked_answer final : public blocked_call {
public:
  void give(outcome<R> got) {
    const std::lock_guard hold{mutex_};
    if (!got_) {
      got_.emplace(std::move(got));
      given_.notify_all();
    }
  }

  void runtime_ended() override { give(failure{errc::runtime_stopped}); }

  outcome<R> wait() {
    std::unique_lock lock{mutex_};
    given_.wait(lock, [this] { return got_.has_value(); });
    return std::move(*got_);
  }

private:
  std::mutex mutex_;
  std::condition_variable given_;
  std::optional<outcome<R>> got_;
};

} // namespace troupe::detail

#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <troupe/net/listen_tcp.hpp>

#ifdef __has_feature
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TROUPE_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TROUPE_SANITIZED
#endif

namespace troupe::testing {

/// How large a load is: `full` where nothing watches every access, a tenth under a sanitizer.
constexpr std::size_t load_size(std::size_t full) {
#ifdef TROUPE_SANITIZED
  return full / 10;
#else
  return full;
#endif
}

/// A runtime that runs in a thread of its own from `start()` until this object ends.
class running {
public:
  explicit running(std::size_t loops, duration grace = std::chrono::seconds(5),
                   std::function<void(caf::actor_system_config&)> configure = {})
    : rt{{.loops = loops,
          .grace = grace,
          .install_signal_handlers = false,
          .configure = std::move(configure)}} {}
  ~running() { stop(); }
  running(const running&) = delete;
  running& operator=(const running&) = delete;

  /// Returns when the loops belong to their threads.
  void start() {
    std::promise<void> begun;
    rt.reactor().call_from_thread([&] { begun.set_value(); });
    thread_ = std::thread([this] { rt.run(); });
    begun.get_future().wait();
  }

  /// Stops the runtime unless it was stopped, and waits for the end of `run()`.
  void stop() {
    if (!thread_.joinable())
      return;
    rt.reactor().call_from_thread([this] {
      try {
        rt.stop();
      } catch (const reactor_not_running&) { // somebody else did
      }
    });
    thread_.join();
  }

  /// Waits for the end of `run()`, which something else brings about.
  void join() { thread_.join(); }

  runtime rt;

private:
  std::thread thread_;
};

/// What happened, told by any thread and waited for by the test's.
class events {
public:
  void add(std::string event) {
    const std::lock_guard hold{mutex_};
    all_.push_back(std::move(event));
    changed_.notify_all();
  }

  /// Waits until `count` events have been told; false after half a minute without.
  bool wait(std::size_t count) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, [&] { return all_.size() >= count; });
  }

  /// Waits until `event` has been told `count` times; false after half a minute without.
  bool wait_for(const std::string& event, std::size_t count = 1) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, [&] {
      return static_cast<std::size_t>(std::count(all_.begin(), all_.end(), event)) >= count;
    });
  }

  std::vector<std::string> all() {
    const std::lock_guard hold{mutex_};
    return all_;
  }

  std::size_t count(const std::string& event) {
    const std::lock_guard hold{mutex_};
    return static_cast<std::size_t>(std::count(all_.begin(), all_.end(), event));
  }

private:
  static constexpr std::chrono::seconds patience{30};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
};

/// Returns how many descriptors this process has open. Under a sanitizer a pipe that programs would
/// inherit does not count: ours are none, and UBSan opens one for a moment, in any thread, to learn
/// whether an address can be read.
std::size_t open_descriptors();

/// Waits until this process has no more than so many descriptors open; false if it still has.
inline bool comes_down_to(std::size_t descriptors, duration patience = std::chrono::seconds(10)) {
  const auto limit = std::chrono::steady_clock::now() + patience;
  while (open_descriptors() > descriptors)
    if (std::chrono::steady_clock::now() > limit)
      return false;
    else
      std::this_thread::yield();
  return true;
}

} // namespace troupe::testing

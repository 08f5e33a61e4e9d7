#pragma once

#include <atomic>
#include <cstddef>

namespace troupe::detail {

/// Knows which thread a loop belongs to: the one that turns it, and while none does, the one that made
/// the runtime.
///
/// Thread: any, as far as it is about looking; `move` is for whoever turns the loop.
class home_thread {
public:
  /// \param loop     the loop's number, for the message
  /// \param checked  whether `expect` means it; a build without NDEBUG always does
  home_thread(std::size_t loop, bool checked) noexcept : loop_(loop), checked_(checked) {}

  /// Tells whether the calling thread is that of the loop.
  [[nodiscard]] bool here() const noexcept {
    return owner_.load(std::memory_order_relaxed) == &self_;
  }

  /// \throws std::logic_error if the calling thread is not that of the loop: "`function`: this is not
  ///         the thread of loop 0; `instead`"
  void expect(const char* function, const char* instead) const {
    if (!here()) [[unlikely]]
      refuse(function, instead);
  }

  /// Gives the loop to the calling thread, and returns whose it was.
  const void* move() noexcept { return owner_.exchange(&self_, std::memory_order_relaxed); }
  void give_back(const void* to) noexcept { owner_.store(to, std::memory_order_relaxed); }

private:
  void refuse(const char* function, const char* instead) const;

  static constinit thread_local char self_; // its address is the thread's name

  std::atomic<const void*> owner_{&self_};
  const std::size_t loop_;
  const bool checked_;
};

} // namespace troupe::detail

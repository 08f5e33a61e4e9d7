#pragma once

#include <functional>
#include <memory>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

namespace troupe::detail {

/// SIGINT and SIGTERM while a runtime runs: the first one is told to it, the second ends the process,
/// with 128 and its number as exit code.
///
/// It stands on Asio's signal handler, so a signal set of the user's gets them as well. But the
/// second one is seen in the handler itself, as the loop may not return.
///
/// Thread: the loop's; `told`: any.
class process_signals {
public:
  /// Calls `came(number)` on `io` for each. SIGINT is left alone if something else handles or ignores
  /// it. \throws std::system_error if they cannot be watched, for want of descriptors
  process_signals(asio::io_context& io, std::function<void(int)> came);

  /// Gives them back to those who had them before.
  ~process_signals();
  process_signals(const process_signals&) = delete;
  process_signals& operator=(const process_signals&) = delete;

  /// Says that whoever sent the first knows what is waited for.
  static void told() noexcept;

private:
  void wait();
  void take(int number);
  void give_back(int number) noexcept;

  const std::shared_ptr<int> alive_ = std::make_shared<int>(); // for a handler that comes later
  asio::signal_set set_;
  const std::function<void(int)> came_;
  bool has_interrupt_ = false;
  bool has_terminate_ = false;
};

/// Returns such as "SIGTERM".
const char* name_of_signal(int number) noexcept;

} // namespace troupe::detail

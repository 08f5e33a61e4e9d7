#include "process_signals.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <mutex>
#include <utility>

#include <unistd.h>

namespace troupe::detail {

namespace {

// What belongs to the process, not to one of its runtimes.
struct watched_signal {
  std::size_t users = 0;       // runtimes
  struct sigaction before {};  // Asio: what was done with it
  struct sigaction of_asio {}; // what our handler hands on to
};

std::mutex mutex; // of these two; the handler reads what does not change while it is in place
watched_signal interrupt, terminate;

std::atomic<std::int64_t> first_at{0}; // in ms; 0 is never
std::atomic<bool> is_told{false};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

watched_signal& of(int number) noexcept {
  return number == SIGINT ? interrupt : terminate;
}

std::int64_t milliseconds() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

void say(const char* text) noexcept {
  if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) // nobody is left to be told
    return;
}

// Whoever means both of them sends the second later than one who sends a signal twice, to a process
// and to its group; and a loop that has not taken the first after so long does not return.
constexpr std::int64_t same_signal_ms = 100;
constexpr std::int64_t loop_is_blocked_ms = 1000;

extern "C" void troupe_signal_came(int number) {
  const int error = errno;
  const auto now = milliseconds();
  std::int64_t first = 0;
  if (!first_at.compare_exchange_strong(first, now)
      && now - first >= (is_told.load() ? same_signal_ms : loop_is_blocked_ms)) {
    say("received ");
    say(name_of_signal(number));
    say(is_told.load() ? " again: the process ends at once\n"
                       : " again, but loop 0 does not return: the process ends at once\n");
    ::_exit(128 + number);
  }
  of(number).of_asio.sa_handler(number);
  errno = error;
}

} // namespace

const char* name_of_signal(int number) noexcept {
  return number == SIGINT ? "SIGINT" : "SIGTERM";
}

process_signals::process_signals(asio::io_context& io, std::function<void(int)> came)
  : set_(io), came_(std::move(came)) {
  const std::lock_guard hold{mutex};
  try {
    struct sigaction now {};
    if (interrupt.users > 0
        || (::sigaction(SIGINT, nullptr, &now) == 0 && now.sa_handler == SIG_DFL)) {
      take(SIGINT);
      has_interrupt_ = true;
    }
    take(SIGTERM);
    has_terminate_ = true;
    wait();
  } catch (...) {
    if (has_interrupt_)
      give_back(SIGINT);
    if (has_terminate_)
      give_back(SIGTERM);
    throw;
  }
}

process_signals::~process_signals() {
  const std::lock_guard hold{mutex};
  if (has_interrupt_)
    give_back(SIGINT);
  if (has_terminate_)
    give_back(SIGTERM);
  if (terminate.users == 0) {
    first_at.store(0);
    is_told.store(false);
  }
}

void process_signals::told() noexcept {
  is_told.store(true);
}

void process_signals::wait() {
  set_.async_wait([this, here = std::weak_ptr{alive_}](const asio::error_code& ec, int number) {
    if (ec || here.expired())
      return;
    wait();
    came_(number);
  });
}

void process_signals::take(int number) {
  auto& what = of(number);
  struct sigaction before {};
  ::sigaction(number, nullptr, &before);
  set_.add(number);
  if (what.users++ > 0)
    return;
  what.before = before;
  ::sigaction(number, nullptr, &what.of_asio);
  auto ours = what.of_asio;
  ours.sa_handler = &troupe_signal_came;
  ::sigaction(number, &ours, nullptr);
}

// Asio leaves the default behind, whoever had the signal before.
void process_signals::give_back(int number) noexcept {
  auto& what = of(number);
  asio::error_code ignored;
  if (--what.users > 0) {
    set_.remove(number, ignored);
    return;
  }
  struct sigaction now {};
  ::sigaction(number, nullptr, &now);
  const bool ours = now.sa_handler == &troupe_signal_came;
  const auto later = ours ? what.before : now; // somebody took it while the runtime ran
  if (ours)
    ::sigaction(number, &what.of_asio, nullptr);
  set_.remove(number, ignored);
  ::sigaction(number, nullptr, &now);
  if (now.sa_handler == SIG_DFL && later.sa_handler != SIG_DFL)
    ::sigaction(number, &later, nullptr);
}

} // namespace troupe::detail

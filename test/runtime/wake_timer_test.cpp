// When a loop's wait ends, and what setting that costs: the kernel is asked how its timer is set.

#include "wake_timer.hpp"

#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <sys/timerfd.h>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

std::set<int> timer_descriptors() {
  std::set<int> result;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    std::error_code gone; // that of the iteration itself
    if (std::filesystem::read_symlink(entry, gone) == "anon_inode:[timerfd]")
      result.insert(std::stoi(entry.path().filename()));
  }
  return result;
}

/// A wake timer, and how the kernel's is set.
class watched_timer {
public:
  watched_timer() {
    // Asio has a timer of its own, from the first descriptor on.
    const asio::posix::basic_stream_descriptor<asio::io_context::executor_type> first{io};
    const auto others = timer_descriptors();
    timer.emplace(io);
    for (const auto fd : timer_descriptors())
      if (!others.contains(fd))
        fd_ = fd;
  }
  ~watched_timer() {
    timer->close();
    io.poll(); // what was outstanding lies in the timer
  }
  watched_timer(const watched_timer&) = delete;
  watched_timer& operator=(const watched_timer&) = delete;

  /// Returns in how long it ends a wait; zero if it is not set, or has ended one.
  [[nodiscard]] duration left() const {
    itimerspec set{};
    REQUIRE(::timerfd_gettime(fd_, &set) == 0);
    return std::chrono::seconds(set.it_value.tv_sec)
           + std::chrono::nanoseconds(set.it_value.tv_nsec);
  }

  asio::io_context io;
  std::optional<troupe::detail::wake_timer> timer;

private:
  int fd_ = -1;
};

} // namespace

TEST_CASE("a wait that ends later keeps the earlier end that is set") {
  watched_timer w;
  CHECK(w.left() == 0s);
  const auto now = std::chrono::steady_clock::now();
  REQUIRE(w.timer->arm(now + 1h, now));
  CHECK(w.left() > 59min);
  CHECK(w.left() <= 1h);
  REQUIRE(w.timer->arm(now + 2h, now + 1min));
  CHECK(w.left() <= 1h);
  REQUIRE(w.timer->arm(now + 1h, now + 1min));
  CHECK(w.left() <= 1h);
  CHECK(w.left() > 59min);
}

TEST_CASE("a wait that ends earlier than what is set gets its own end") {
  watched_timer w;
  const auto now = std::chrono::steady_clock::now();
  REQUIRE(w.timer->arm(now + 2h, now));
  REQUIRE(w.timer->arm(now + 1h, now));
  CHECK(w.left() > 59min);
  CHECK(w.left() <= 1h);
}

TEST_CASE("an end that lies behind does not count for the next wait") {
  watched_timer w;
  const auto now = std::chrono::steady_clock::now();
  REQUIRE(w.timer->arm(now + 1h, now));
  REQUIRE(w.timer->arm(now + 2h, now + 1h)); // the wait begins when that was due
  CHECK(w.left() > 1h);
}

TEST_CASE("what has ended a wait does not count for the next one") {
  watched_timer w;
  const auto now = std::chrono::steady_clock::now();
  REQUIRE(w.timer->arm(now, now - 1h));
  CHECK(w.io.run_one() == 1);
  REQUIRE(w.timer->arm(now + 1h, now - 1h)); // as if the one before were still to come
  CHECK(w.left() > 59min);
}

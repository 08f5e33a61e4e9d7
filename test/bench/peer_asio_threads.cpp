// The peer of defer_to_thread, by hand: a thread that takes functions off a queue, and asio::post
// back. peer_asio_threads defer-to-thread [COUNT]
// Prints operations for each second, and for each second of CPU.

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include "process.hpp"

namespace {

class pool {
public:
  ~pool() {
    {
      const std::lock_guard hold{mutex_};
      stopped_ = true;
    }
    more_.notify_all();
    thread_.join();
  }
  void post(std::function<void()> fn) {
    {
      const std::lock_guard hold{mutex_};
      queue_.push_back(std::move(fn));
    }
    more_.notify_one();
  }

private:
  void work() {
    std::unique_lock lock{mutex_};
    for (;;) {
      more_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (queue_.empty())
        return;
      auto fn = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      fn();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::function<void()>> queue_;
  bool stopped_ = false;
  std::thread thread_{[this] {
    work();
  }};
};

class round_trips {
public:
  round_trips(asio::io_context& io, pool& p, int count) : io_(io), pool_(p), left_(count) {}
  void next() {
    pool_.post([this, n = left_] {
      const int result = n - 1;
      asio::post(io_, [this, result] {
        left_ = result;
        if (left_ == 0)
          return io_.stop();
        next();
      });
    });
  }

private:
  asio::io_context& io_;
  pool& pool_;
  int left_;
};

} // namespace

int main(int argc, char** argv) {
  const int count = bench::count_of(argc, argv, 100'000);
  asio::io_context io;
  // A port that waits for connections, as a server has: without any I/O to wait for, Asio sleeps on
  // a condition variable instead of epoll.
  asio::ip::tcp::acceptor port{io, {asio::ip::address_v4::loopback(), 0}};
  port.async_accept([](const asio::error_code&, const asio::ip::tcp::socket&) {});
  pool p;
  round_trips trips{io, p, count};
  const bench::stopwatch watch;
  trips.next();
  io.run();
  watch.print(count);
}

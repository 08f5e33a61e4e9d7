#pragma once

// What the loads are made of.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "load.hpp"
#include "server.hpp"

namespace bench {

using clock = std::chrono::steady_clock;

/// Every load gives up when the server is silent for that long.
inline constexpr int patience_ms = 20'000;

[[noreturn]] inline void fail(const std::string& what) {
  throw std::runtime_error("load: " + what);
}

inline SSL_CTX& tls_context() {
  static SSL_CTX* const context = [] {
    auto* const c = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                          | SSL_MODE_RELEASE_BUFFERS);
    return c;
  }();
  return *context;
}

/// One client connection.
class connection {
public:
  explicit connection(const server& s, bool tls = false)
    : fd_(::socket(s.name().empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in ip{};
    ip.sin_family = AF_INET;
    ip.sin_port = htons(s.port());
    ip.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    s.name().copy(local.sun_path + 1, sizeof local.sun_path - 1);
    const auto* const to = s.name().empty() ? reinterpret_cast<const sockaddr*>(&ip)
                                            : reinterpret_cast<const sockaddr*>(&local);
    const auto length =
      s.name().empty() ? sizeof ip : offsetof(sockaddr_un, sun_path) + 1 + s.name().size();
    if (fd_ < 0 || ::connect(fd_, to, static_cast<socklen_t>(length)) != 0)
      fail("cannot connect: " + std::string{std::strerror(errno)});
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const timeval patience{.tv_sec = patience_ms / 1000, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!tls)
      return;
    ssl_ = SSL_new(&tls_context());
    SSL_set_fd(ssl_, fd_);
    if (SSL_connect(ssl_) != 1)
      fail("the TLS handshake failed");
    ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  connection(connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), ssl_(std::exchange(other.ssl_, nullptr)) {}
  ~connection() {
    SSL_free(ssl_);
    if (fd_ >= 0)
      ::close(fd_);
  }

  [[nodiscard]] int fd() const noexcept { return fd_; }

  /// Sends what the socket takes of `size` bytes.
  std::size_t send_some(const char* data, std::size_t size) const {
    if (ssl_ != nullptr) {
      std::size_t sent = 0;
      if (const int r = SSL_write_ex(ssl_, data, size, &sent); r != 1)
        expect_to_wait(r);
      return sent;
    }
    const auto n = ::send(fd_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
      return static_cast<std::size_t>(n);
    if (errno != EAGAIN)
      fail("send: " + std::string{std::strerror(errno)});
    return 0;
  }

  /// Returns how many bytes came, 0 if none are there.
  std::size_t receive(char* into, std::size_t size) const {
    if (ssl_ != nullptr) {
      std::size_t got = 0;
      for (std::size_t n = 0; got < size; got += n)
        if (const int r = SSL_read_ex(ssl_, into + got, size - got, &n); r != 1) {
          expect_to_wait(r);
          break;
        }
      return got;
    }
    const auto n = ::recv(fd_, into, size, MSG_DONTWAIT);
    if (n > 0)
      return static_cast<std::size_t>(n);
    if (n == 0)
      fail("the server closed the connection");
    if (errno != EAGAIN)
      fail("recv: " + std::string{std::strerror(errno)});
    return 0;
  }

  /// Waits for one whole line.
  std::string line() const {
    std::string text;
    char c;
    while (!text.ends_with("\r\n")) {
      if (::recv(fd_, &c, 1, 0) != 1)
        fail("the server closed the connection, or is silent");
      text += c;
    }
    return text;
  }

  /// Says that no more will be sent, and requires that the server closes without a further byte.
  void finish() const {
    if (ssl_ != nullptr) {
      ::fcntl(fd_, F_SETFL, 0);
      SSL_shutdown(ssl_);
      char c;
      if (const int r = SSL_read(ssl_, &c, 1); SSL_get_error(ssl_, r) != SSL_ERROR_ZERO_RETURN)
        fail("no clean end, or more came than was due");
      return;
    }
    ::shutdown(fd_, SHUT_WR);
    char c;
    const auto n = ::recv(fd_, &c, 1, 0);
    if (n > 0)
      fail("more came than was due");
    if (n < 0)
      fail("no clean end: " + std::string{std::strerror(errno)});
  }

private:
  void expect_to_wait(int result) const {
    const int error = SSL_get_error(ssl_, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
      fail("the TLS connection broke");
  }

  int fd_;
  SSL* ssl_ = nullptr;
};

/// Lines of 64 bytes, or strings that take as much with their frames; what a connection sends is a walk through them from a place of its own.
class lines {
public:
  static constexpr std::size_t line_bytes = 64;
  static constexpr std::size_t count = 1021;

  explicit lines(framing how) {
    using namespace std::string_literals;
    const auto before = how == framing::netstring ? "60:"s
                        : how == framing::int32   ? "\0\0\0\x3c"s
                                                  : ""s;
    const auto after = how == framing::netstring ? ","s : how == framing::line ? "\r\n"s : ""s;
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < count; ++i) {
      text_ += before;
      for (std::size_t j = before.size() + after.size(); j < line_bytes; ++j) {
        state = state * 1664525 + 1013904223;
        text_ += static_cast<char>('a' + (state >> 24) % 26);
      }
      text_ += after;
    }
    text_ += text_; // so that a view never has to wrap around
  }

  /// Returns the bytes from `position` on of connection `c`; `size` is at most what is left.
  const char* at(std::size_t c, std::uint64_t position, std::size_t& size) const {
    constexpr auto period = count * line_bytes;
    const auto offset = (c * 977 * line_bytes + position) % period;
    size = std::min(size, text_.size() - offset);
    return text_.data() + offset;
  }

private:
  std::string text_;
};

class poller {
public:
  poller() : fd_(::epoll_create1(EPOLL_CLOEXEC)), events_(256) {}
  ~poller() { ::close(fd_); }
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;

  void add(int fd, std::size_t index) {
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.u64 = index;
    ::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &e);
  }
  void want_output(int fd, std::size_t index, bool on) {
    epoll_event e{};
    e.events = on ? EPOLLIN | EPOLLOUT : EPOLLIN;
    e.data.u64 = index;
    ::epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &e);
  }

  /// Calls `f(index)` for each connection that is ready.
  template <class F>
  void wait(F f) {
    const int n = ::epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), patience_ms);
    if (n <= 0)
      fail("the server is silent");
    for (int i = 0; i < n; ++i)
      f(events_[static_cast<std::size_t>(i)].data.u64);
  }

private:
  int fd_;
  std::vector<epoll_event> events_;
};

/// Measures the server between `begin` and `end`.
class meter {
public:
  explicit meter(const server& s) : server_(s) {}
  void begin(std::uint64_t done) {
    done_ = done;
    cpu_ = server_.cpu_ns();
    start_ = clock::now();
  }
  figures end(std::uint64_t done) const {
    const auto cpu = server_.cpu_ns() - cpu_;
    const std::chrono::duration<double> time = clock::now() - start_;
    const auto count = done - done_;
    return {.cpu_us = static_cast<double>(cpu) / 1000 / static_cast<double>(count),
            .per_second = static_cast<double>(count) / time.count(),
            .count = count};
  }

private:
  const server& server_;
  std::uint64_t done_ = 0;
  std::uint64_t cpu_ = 0;
  clock::time_point start_;
};

} // namespace bench

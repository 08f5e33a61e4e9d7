#include "load.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace bench {

namespace {

using clock = std::chrono::steady_clock;

// Every load gives up when the server is silent for that long.
constexpr int patience_ms = 20'000;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("load: " + what);
}

SSL_CTX& tls_context() {
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

/// Lines of 64 bytes; what a connection sends is a walk through them from a place of its own.
class lines {
public:
  static constexpr std::size_t line_bytes = 64;
  static constexpr std::size_t count = 1021;

  lines() {
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < line_bytes - 2; ++j) {
        state = state * 1664525 + 1013904223;
        text_ += static_cast<char>('a' + (state >> 24) % 26);
      }
      text_ += "\r\n";
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

} // namespace

figures run_echo(const server& s, const echo_load& load) {
  const lines text;
  struct state {
    connection c;
    std::uint64_t allowed; // how far it may send
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    bool blocked = false;
  };
  std::vector<state> all;
  poller p;
  const auto window = load.bytes * load.in_flight;
  for (std::size_t i = 0; i < load.connections; ++i) {
    all.push_back({connection{s, load.tls}, window});
    p.add(all.back().c.fd(), i);
  }
  const auto push = [&](std::size_t i) {
    auto& st = all[i];
    while (st.sent < st.allowed) {
      auto size = static_cast<std::size_t>(st.allowed - st.sent);
      const auto* data = text.at(i, st.sent, size);
      const auto n = st.c.send_some(data, size);
      st.sent += n;
      if (n < size) {
        if (!std::exchange(st.blocked, true))
          p.want_output(st.c.fd(), i, true);
        return;
      }
    }
    if (std::exchange(st.blocked, false))
      p.want_output(st.c.fd(), i, false);
  };
  std::uint64_t bytes_done = 0;
  bool last_window = false;
  std::vector<char> buffer(256 * 1024);
  const auto take = [&](std::size_t i) {
    auto& st = all[i];
    const auto n = st.c.receive(buffer.data(), buffer.size());
    for (std::size_t seen = 0; seen < n;) {
      auto size = n - seen;
      const auto* expected = text.at(i, st.received, size);
      if (std::memcmp(buffer.data() + seen, expected, size) != 0)
        fail("the echo differs from what was sent");
      seen += size;
      st.received += size;
    }
    bytes_done += n;
    if (st.received > st.sent)
      fail("more came back than was sent");
    // A burst is answered by a burst: a new window when the last one is back whole, or message by
    // message if several are in flight.
    const auto whole = st.received / load.bytes * load.bytes;
    if (!last_window)
      st.allowed = whole + window;
    push(i);
  };
  for (std::size_t i = 0; i < all.size(); ++i)
    push(i);
  const auto operation = load.operation != 0 ? load.operation : load.bytes;
  const auto until = [&](std::chrono::milliseconds time) {
    for (const auto end = clock::now() + time; clock::now() < end;)
      p.wait(take);
  };
  until(load.warm_up);
  meter m{s};
  m.begin(bytes_done / operation);
  until(load.time);
  const auto result = m.end(bytes_done / operation);
  last_window = true;
  while (std::any_of(all.begin(), all.end(), [](auto& st) { return st.received < st.allowed; }))
    p.wait(take);
  for (const auto& st : all)
    st.c.finish();
  return result;
}

figures run_chat(const server& s, const chat_load& load) {
  struct user {
    connection c;
    std::string input;
    std::vector<std::uint64_t> next; // from each sender, the number of the line that comes next
    std::uint64_t missing = 0;       // lines of this round
  };
  std::vector<user> users;
  poller p;
  for (std::size_t i = 0; i < load.users; ++i) {
    users.push_back({connection{s}, {}, std::vector<std::uint64_t>(load.senders)});
    auto& c = users.back().c;
    if (c.line() != "What's your name?\r\n")
      fail("wrong greeting");
    const auto name = "u" + std::to_string(i);
    c.send_some((name + "\r\n").c_str(), name.size() + 2);
    if (c.line() != "Welcome, " + name + "!\r\n")
      fail("not welcome");
    p.add(c.fd(), i);
  }
  const auto text_of = [](std::size_t sender, std::uint64_t number) {
    auto text = std::to_string(number) + " from " + std::to_string(sender) + ' ';
    text.resize(62, static_cast<char>('a' + number % 26));
    return text;
  };
  std::uint64_t delivered = 0;
  std::uint64_t missing = 0;
  std::vector<char> buffer(256 * 1024);
  const auto take = [&](std::size_t i) {
    auto& u = users[i];
    u.input.append(buffer.data(), u.c.receive(buffer.data(), buffer.size()));
    std::size_t start = 0;
    for (std::size_t end; (end = u.input.find("\r\n", start)) != std::string::npos;
         start = end + 2) {
      const auto line = std::string_view{u.input}.substr(start, end - start);
      if (!line.starts_with("<u"))
        fail("a line without a name");
      const auto sender = static_cast<std::size_t>(std::atoi(line.data() + 2));
      if (sender >= load.senders || sender == i)
        fail("a line from nobody");
      const auto expected = "<u" + std::to_string(sender) + "> " + text_of(sender, u.next[sender]);
      if (line != expected)
        fail("a line was lost, doubled, reordered or damaged");
      ++u.next[sender];
      if (u.missing == 0)
        fail("a line too many");
      --u.missing;
      --missing;
      ++delivered;
    }
    u.input.erase(0, start);
  };
  std::uint64_t number = 0;
  const auto round = [&] {
    for (std::size_t i = 0; i < users.size(); ++i) {
      users[i].missing = (load.senders - (i < load.senders ? 1 : 0)) * load.lines;
      missing += users[i].missing;
    }
    for (std::size_t sender = 0; sender < load.senders; ++sender) {
      std::string burst;
      for (std::size_t k = 0; k < load.lines; ++k)
        burst += text_of(sender, number + k) + "\r\n";
      if (users[sender].c.send_some(burst.data(), burst.size()) != burst.size())
        fail("a burst did not fit the socket");
    }
    number += load.lines;
    while (missing > 0)
      p.wait(take);
  };
  const auto until = [&](std::chrono::milliseconds time) {
    for (const auto end = clock::now() + time; clock::now() < end;)
      round();
  };
  until(load.warm_up);
  meter m{s};
  m.begin(delivered);
  until(load.time);
  const auto result = m.end(delivered);
  for (const auto& u : users) {
    if (!u.input.empty())
      fail("a line too many has begun");
    u.c.finish();
  }
  return result;
}

idle_figures run_idle(const server& s, std::size_t count, bool chat, std::chrono::seconds time,
                      bool tls) {
  const auto settle = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  };
  settle();
  const auto before = s.resident();
  std::vector<connection> all;
  all.reserve(count);
  char buffer[64] = {};
  for (std::size_t i = 0; i < count; ++i) {
    all.emplace_back(s, tls);
    if (tls) {
      all.back().send_some(buffer, sizeof buffer);
      for (std::size_t got = 0; got < sizeof buffer;) {
        pollfd p{.fd = all.back().fd(), .events = POLLIN, .revents = 0};
        if (::poll(&p, 1, patience_ms) <= 0)
          fail("no echo");
        got += all.back().receive(buffer, sizeof buffer - got);
      }
    } else if (chat) {
      all.back().line();
      const auto name = "user" + std::to_string(i) + "\r\n";
      all.back().send_some(name.data(), name.size());
      all.back().line();
    } else {
      all.back().send_some(buffer, sizeof buffer);
      if (::recv(all.back().fd(), buffer, sizeof buffer, MSG_WAITALL) != sizeof buffer)
        fail("no echo");
    }
  }
  settle();
  idle_figures result;
  result.bytes =
    (static_cast<double>(s.resident()) - static_cast<double>(before)) / static_cast<double>(count);
  const auto switches = s.context_switches();
  std::this_thread::sleep_for(time);
  result.switches = s.context_switches() - switches;
  return result;
}

} // namespace bench

#include "udp_load.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t datagram_bytes = 64;
constexpr std::size_t batch = 64;
constexpr int patience_ms = 5'000; // then a datagram was lost

using datagram = std::array<std::uint64_t, datagram_bytes / 8>;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("udp load: " + what);
}

/// One client socket; its datagrams count up.
class peer {
public:
  peer(std::uint16_t port, std::uint64_t index)
    : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), index_(index) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
      fail("cannot connect: " + std::string{std::strerror(errno)});
    const int size = datagram_bytes;
    if (::setsockopt(fd_, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) != 0)
      fail("no UDP_SEGMENT: " + std::string{std::strerror(errno)});
  }
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;
  ~peer() { ::close(fd_); }

  [[nodiscard]] int fd() const noexcept { return fd_; }
  [[nodiscard]] bool idle() const noexcept { return sent_ == received_; }

  /// Sends `count` datagrams with one call, which the system cuts apart: the load must not be what
  /// the server waits for.
  void send(std::size_t count) {
    std::array<datagram, batch> data;
    for (std::size_t i = 0; i < count; ++i)
      data[i] = expected(sent_ + i);
    if (::send(fd_, data.data(), count * datagram_bytes, 0)
        != static_cast<ssize_t>(count * datagram_bytes))
      fail("cannot send: " + std::string{std::strerror(errno)});
    sent_ += count;
  }

  /// Takes what has come, compares it, and returns how many datagrams it was.
  std::size_t receive() {
    std::array<std::array<std::uint64_t, datagram_bytes / 8 + 1>, batch> data;
    std::array<iovec, batch> pieces;
    std::array<mmsghdr, batch> headers{};
    for (std::size_t i = 0; i < batch; ++i) {
      pieces[i] = {data[i].data(), sizeof data[i]};
      headers[i].msg_hdr.msg_iov = &pieces[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    const auto count = ::recvmmsg(fd_, headers.data(), batch, MSG_DONTWAIT, nullptr);
    if (count < 0) {
      if (errno == EAGAIN)
        return 0;
      fail("cannot receive: " + std::string{std::strerror(errno)});
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const auto wanted = expected(received_++);
      if (headers[i].msg_len != datagram_bytes
          || std::memcmp(data[i].data(), wanted.data(), datagram_bytes) != 0)
        fail("a datagram was lost, doubled, reordered or damaged");
    }
    return static_cast<std::size_t>(count);
  }

private:
  [[nodiscard]] datagram expected(std::uint64_t position) const noexcept {
    datagram d;
    d.fill((index_ << 48 | position) * 0x9E3779B97F4A7C15u);
    d[0] = index_;
    d[1] = position;
    return d;
  }

  const int fd_;
  const std::uint64_t index_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

} // namespace

figures run_udp_echo(const server& s, const udp_load& load) {
  std::vector<std::unique_ptr<peer>> peers;
  std::vector<pollfd> watched;
  for (std::size_t i = 0; i < load.sockets; ++i) {
    peers.push_back(std::make_unique<peer>(s.port(), i));
    watched.push_back({.fd = peers.back()->fd(), .events = POLLIN, .revents = 0});
  }
  // Takes what has come; a socket that has all of its datagrams back sends as many while `going`. Returns how many datagrams it was.
  const auto turn = [&](bool going) {
    const auto ready = ::poll(watched.data(), watched.size(), patience_ms);
    if (ready <= 0)
      fail("the server is silent: a datagram was lost");
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < peers.size(); ++i) {
      if (watched[i].revents == 0)
        continue;
      const auto came = peers[i]->receive();
      if (going && peers[i]->idle())
        peers[i]->send(load.in_flight);
      count += came;
    }
    return count;
  };
  for (auto& p : peers)
    p->send(load.in_flight);
  const auto run_for = [&](std::chrono::milliseconds time) {
    std::uint64_t count = 0;
    for (const auto end = clock::now() + time; clock::now() < end;)
      count += turn(true);
    return count;
  };
  run_for(load.warm_up);
  const auto start = clock::now();
  const auto cpu = s.cpu_ns();
  figures f;
  f.count = run_for(load.time);
  const auto used = s.cpu_ns() - cpu;
  const std::chrono::duration<double> took = clock::now() - start;
  f.cpu_us = static_cast<double>(used) / 1e3 / static_cast<double>(f.count);
  f.per_second = static_cast<double>(f.count) / took.count();
  const auto all_idle = [&] {
    for (const auto& p : peers)
      if (!p->idle())
        return false;
    return true;
  };
  while (!all_idle())
    turn(false);
  return f;
}

} // namespace bench

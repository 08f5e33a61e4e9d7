#pragma once

#include <future>
#include <stdexcept>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <troupe/net/listen_ssl.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/listen_unix.hpp>

#include "support/client.hpp"
#include "support/running.hpp"
#include "support/subject.hpp"
#include "support/tls.hpp"

namespace troupe::testing {

/// A runtime in a thread: what the adaptors of the system's transports share.
struct in_a_thread {
  in_a_thread() : server(1) {}

  void run(const std::function<void()>& fn) {
    std::promise<void> ran;
    server.rt.reactor().call_from_thread([&] {
      fn();
      ran.set_value();
    });
    if (ran.get_future().wait_for(std::chrono::seconds(10)) != std::future_status::ready)
      std::terminate(); // `fn` is gone when this returns
  }
  bool wait(events& log, std::size_t count) { return log.wait(count); }

  running server;
};

/// A client that blocks.
struct over_sockets : in_a_thread {
  static constexpr bool hears_abort = true;
  static std::string after_reset() { return subject::lost(errc::connection_lost); }

  void send(std::string_view data) { peer->send(data); }
  std::string receive(std::size_t size) { return peer->receive(size); }
  std::string rest() { return peer->rest(); }
  [[nodiscard]] bool was_reset() const { return peer->was_reset(); }
  void shut_write() { peer->shut_write(); }
  void reset() { peer->reset(); }
  void close() { peer->close(); }

  std::optional<client> peer;
};

struct over_tcp : over_sockets {
  explicit over_tcp(const subjects& s) {
    const auto port = listen_tcp(server.rt, 0, s.made);
    server.start();
    peer.emplace(port.get_host().port());
  }
};

/// A UNIX socket knows no reset: to the other end, it is an ordinary one.
struct over_unix : over_sockets {
  static constexpr bool hears_abort = false;
  static std::string after_reset() { return subject::lost(errc::connection_done); }

  explicit over_unix(const subjects& s) {
    sockaddr_un to{.sun_family = AF_UNIX, .sun_path = {}};
    const auto path = "/tmp/troupe-suite-" + std::to_string(::getpid());
    path.copy(to.sun_path, sizeof to.sun_path - 1);
    listen_unix(server.rt, path, s.made);
    server.start();
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer.emplace(client{fd});
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error("over_unix: cannot connect");
  }
};

struct over_unix_with_descriptors : over_unix {
  using over_unix::over_unix;
  static constexpr bool takes_descriptors = true;
};

/// The peer speaks TLS by OpenSSL. What resets a connection is below TLS, and the same.
struct over_tls : over_sockets {
  explicit over_tls(const subjects& s) {
    static const authority ca;
    static const tls_identity identity = ca.issue();
    const auto port =
      listen_ssl(server.rt, 0, s.made, tls_server_context{{.identities = {identity}}});
    server.start();
    secure.emplace(port.get_host().port());
  }
  void send(std::string_view data) { secure->send(data); }
  std::string receive(std::size_t size) { return secure->receive(size); }
  std::string rest() { return secure->rest(); }
  [[nodiscard]] bool was_reset() const { return !secure->clean(); }
  void shut_write() { secure->shut_write(); }
  void reset() { secure->socket().reset(); }
  void close() {
    secure->shut_write();
    secure->socket().close();
  }

  std::optional<tls_client> secure;
};

} // namespace troupe::testing

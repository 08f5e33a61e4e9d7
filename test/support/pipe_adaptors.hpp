#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <troupe/net/connect_process.hpp>
#include <troupe/net/open_stdio.hpp>

#include "support/pipe_client.hpp"
#include "support/program_played.hpp"
#include "support/socket_adaptors.hpp"

namespace troupe::testing {

/// The pipes of a process. An abort kills the program, and a program resets its connection by being
/// killed; it ends it in order by exiting.
struct over_process : in_a_thread {
  static constexpr bool hears_abort = true;
  static std::string after_reset() { return "lost: signal 9 (Killed): the process was terminated"; }

  explicit over_process(const subjects& s) {
    const auto killed = std::make_shared<troupe::detail::unique_fd>(::eventfd(0, EFD_CLOEXEC));
    connect_process(server.rt, s.alone, program_played::executable(), {program.argument()})
      ->attach_functor([killed](const caf::error& e) {
        const failure why{e};
        if (why.check(errc::connection_aborted) || why.check(errc::output_limit_reached))
          ::eventfd_write(killed->get(), 1);
      });
    server.start();
    program.begin(*killed);
  }

  void send(std::string_view data) { program.send(data); }
  std::string receive(std::size_t size) { return program.receive(size); }
  std::string rest() { return program.rest(); }
  bool was_reset() { return program.was_killed(); }
  void shut_write() { program.shut_write(); }
  void reset() { program.kill(); }
  void close() { program.exit(); }

  program_played program;
};

/// Standard input and output of a program that ends with its connection. Whatever they are, their
/// other end cannot tell how that was.
struct at_standard_io : in_a_thread {
  static constexpr bool hears_abort = false;
  static std::string after_reset() { return subject::lost(errc::connection_done); }

  void open(const subjects& s, troupe::detail::unique_fd in, troupe::detail::unique_fd out) {
    struct descriptors {
      troupe::detail::unique_fd in, out;
    };
    const auto own = std::make_shared<descriptors>(descriptors{std::move(in), std::move(out)});
    open_stdio(server.rt, s.alone, {.input = own->in.get(), .output = own->out.get()})
      ->attach_functor([own](const caf::error&) {
        own->in = {};
        own->out = {};
      });
    server.start();
  }
};

/// They are pipes.
struct over_stdio : at_standard_io {
  explicit over_stdio(const subjects& s) {
    int to[2];
    int from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0)
      throw std::runtime_error("over_stdio: no pipes");
    peer.emplace(troupe::detail::unique_fd{from[0]}, troupe::detail::unique_fd{to[1]});
    open(s, troupe::detail::unique_fd{to[0]}, troupe::detail::unique_fd{from[1]});
  }

  void send(std::string_view data) { peer->send(data); }
  std::string receive(std::size_t size) { return peer->receive(size); }
  std::string rest() { return peer->rest(); }
  bool was_reset() { return false; }
  void shut_write() { peer->shut_write(); }
  void reset() { close(); }
  void close() { peer->close(); }

  std::optional<pipe_client> peer;
};

/// They are one socket, as with inetd.
struct over_stdio_socket : at_standard_io {
  explicit over_stdio_socket(const subjects& s) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      throw std::runtime_error("over_stdio_socket: no sockets");
    peer.emplace(client{ends[1]});
    troupe::detail::unique_fd both{ends[0]};
    troupe::detail::unique_fd again{::fcntl(both.get(), F_DUPFD_CLOEXEC, 0)};
    open(s, std::move(both), std::move(again));
  }

  void send(std::string_view data) { peer->send(data); }
  std::string receive(std::size_t size) { return peer->receive(size); }
  std::string rest() { return peer->rest(); }
  [[nodiscard]] bool was_reset() const { return peer->was_reset(); }
  void shut_write() { peer->shut_write(); }
  void reset() { peer->reset(); }
  void close() { peer->close(); }

  std::optional<client> peer;
};

} // namespace troupe::testing

#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

/// A child process that accepts so many connections, then waits for the end of each. It is the plainest
/// there is, for what is measured is the process that connects.
class crowd_server {
public:
  /// Call it before there are threads.
  explicit crowd_server(int count) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
      limit.rlim_cur = limit.rlim_max;
      ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&at), length) != 0
        || ::listen(listener, 4096) != 0
        || ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &length) != 0) {
      std::perror("crowd_server");
      std::exit(1);
    }
    port_ = ntohs(at.sin_port);
    child_ = ::fork();
    if (child_ == 0)
      ::_exit(serve(listener, count));
    ::close(listener);
  }
  crowd_server(const crowd_server&) = delete;
  crowd_server& operator=(const crowd_server&) = delete;
  ~crowd_server() {
    if (child_ > 0)
      static_cast<void>(wait());
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  /// Waits for its end, and tells whether every connection came and ended cleanly.
  [[nodiscard]] bool wait() {
    int status = 1;
    ::waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

private:
  static int serve(int listener, int count) {
    ::alarm(120); // it ends by itself
    std::vector<int> all;
    for (int i = 0; i < count; ++i) {
      const int fd = ::accept(listener, nullptr, nullptr);
      if (fd < 0)
        return 1;
      all.push_back(fd);
    }
    char byte;
    for (const int fd : all) {
      if (::recv(fd, &byte, 1, 0) != 0)
        return 1;
      ::close(fd);
    }
    return 0;
  }

  std::uint16_t port_ = 0;
  pid_t child_ = -1;
};

} // namespace bench

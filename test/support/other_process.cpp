#include "support/other_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::testing {

namespace {

constexpr int patience_ms = 60'000;
constexpr auto variable = "TROUPE_TEST_FIRST_PROCESS";

void say(int fd, const std::string& line) {
  const auto text = line + '\n';
  if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    throw std::runtime_error(std::string{"the other process does not listen: "}
                             + std::strerror(errno));
}

std::string next_line(int fd, int patience) {
  std::string line;
  for (char c;;) {
    pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, patience) <= 0 || ::recv(fd, &c, 1, 0) != 1 || c == '\n')
      return line;
    line += c;
  }
}

} // namespace

other_process::other_process(const std::string& test_case,
                             const std::vector<std::string>& variables) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::runtime_error(std::string{"socketpair: "} + std::strerror(errno));
  fd_ = ends[0];
  const int theirs = ::fcntl(ends[1], F_DUPFD, 100); // survives the exec
  ::close(ends[1]);
  auto added = variables;
  added.push_back(std::string{variable} + '=' + std::to_string(theirs));
  std::vector<char*> environment;
  for (auto& one : added) // the first of a name counts
    environment.push_back(one.data());
  for (char** e = environ; *e != nullptr; ++e)
    environment.push_back(*e);
  environment.push_back(nullptr);
  const char* arguments[] = {"other", test_case.c_str(), nullptr};
  const int error = ::posix_spawn(&pid_, "/proc/self/exe", nullptr, nullptr,
                                  const_cast<char**>(arguments), environment.data());
  ::close(theirs);
  if (error != 0) {
    ::close(fd_);
    throw std::runtime_error(std::string{"posix_spawn: "} + std::strerror(error));
  }
}

other_process::~other_process() {
  if (fd_ >= 0)
    ::close(fd_);
  if (pid_ < 0)
    return;
  kill();
  ::waitpid(pid_, nullptr, 0);
}

void other_process::tell(const std::string& line) const {
  say(fd_, line);
}

std::string other_process::hear() const {
  return next_line(fd_, patience_ms);
}

void other_process::kill() const {
  ::kill(pid_, SIGKILL);
}

int other_process::end() {
  ::close(std::exchange(fd_, -1));
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void first_process::tell(const std::string& line) const {
  say(fd_, line);
}

std::string first_process::hear() const {
  return next_line(fd_, -1);
}

const first_process* the_first_process() {
  static const std::optional<first_process> first = [] {
    const auto* const fd = std::getenv(variable);
    return fd != nullptr ? std::optional<first_process>{std::atoi(fd)} : std::nullopt;
  }();
  return first ? &*first : nullptr;
}

} // namespace troupe::testing

#include <troupe/net/open_stdio.hpp>

#include <cerrno>
#include <string>

#include <caf/exit_reason.hpp>
#include <caf/logger.hpp>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <troupe/runtime/detail/standard_descriptors.hpp>

#include "pipe_transport.hpp"
#include "stdio_transport.hpp"

namespace troupe {

namespace {

using detail::unique_fd;

protocol& stdio_protocol_of(const caf::strong_actor_ptr& p) {
  return *static_cast<protocol*>(caf::actor_cast<caf::abstract_actor*>(p));
}

/// A descriptor beside one that other code uses too.
struct borrowed {
  unique_fd own;
  int error = 0; // why there is none
  int original = -1;
  int flags = -1; // of the original, if they had to be changed

  void give_back() noexcept {
    if (flags >= 0)
      ::fcntl(original, F_SETFL, flags);
    flags = -1;
  }
};

// Whether a descriptor blocks is a property of the open file, which a shell, a parent or our own
// standard error may share. Pipes and terminals can be opened once more, which leaves theirs alone.
borrowed borrow(int fd, int mode) {
  borrowed result;
  result.original = fd;
  struct stat about {};
  int number = 0;
  const bool exists = !detail::is_closed(fd) && ::fstat(fd, &about) == 0;
  const bool reopens =
    exists
    && (S_ISFIFO(about.st_mode)
        || (S_ISCHR(about.st_mode) && ::isatty(fd) == 1 && ::ioctl(fd, TIOCGPTN, &number) != 0));
  if (reopens)
    result.own = unique_fd{::open(("/proc/self/fd/" + std::to_string(fd)).c_str(),
                                  mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (!exists)
    result.error = EBADF;
  else if (!result.own) {
    result.own = unique_fd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
    result.error = result.own ? 0 : errno;
    result.flags = ::fcntl(fd, F_GETFL);
    ::fcntl(fd, F_SETFL, result.flags | O_NONBLOCK);
  }
  return result;
}

std::string why_not(const std::string& which, int error) {
  return error == EBADF ? which + " is closed"
                        : which + ": " + std::system_category().message(error);
}

class stdio_transport final : public detail::pipe_transport {
public:
  stdio_transport(event_loop& loop, borrowed in, borrowed out, const output_limits& limits)
    : pipe_transport(loop, std::move(in.own), std::move(out.own), limits), in_(std::move(in)),
      out_(std::move(out)) {}

private:
  void shut_write() noexcept override {
    out_.give_back();
    const unique_fd nothing{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    if (nothing)
      ::dup2(nothing.get(), out_.original);
    pipe_transport::shut_write();
  }

  void close(bool reset) noexcept override {
    pipe_transport::close(reset);
    out_.give_back(); // in this order: both may be the same open file
    in_.give_back();
  }

  borrowed in_;
  borrowed out_;
};

} // namespace

void detail::open_stdio(event_loop& loop, protocol& p, const stdio_options& options) {
  if (loop.stopping())
    return p.enter([&] { p.quit(caf::exit_reason::user_shutdown); });
  auto in = borrow(options.input, O_RDONLY);
  auto out = borrow(options.output, O_WRONLY);
  std::string error;
  stdio_transport* made = nullptr;
  if (!in.own)
    error = why_not("standard input", in.error);
  else if (!out.own)
    error = why_not("standard output", out.error);
  else
    try {
      made = new stdio_transport(loop, std::move(in), std::move(out), options.limits);
    } catch (const std::exception& e) { // the system has no room to watch them
      error = e.what();
    }
  if (made != nullptr)
    return made->open(p);
  out.give_back();
  in.give_back();
  const failure why{errc::not_connected, error};
  p.enter([&] { p.quit(why.to_caf_error()); });
}

caf::actor open_stdio(runtime& rt, const builder<protocol>& p, const stdio_options& options) {
  auto& loop = rt.scheduler().next_loop();
  auto built = p(rt.system(), loop);
  CAF_SET_LOGGER_SYS(nullptr); // left behind by CAF's spawn, it would slow every actor down
  loop.post(
    [&loop, built, options] { detail::open_stdio(loop, stdio_protocol_of(built), options); });
  return caf::actor_cast<caf::actor>(built);
}

} // namespace troupe

#include <troupe/net/connect_process.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <caf/exit_reason.hpp>
#include <caf/logger.hpp>
#include <unistd.h>

#include "child_start.hpp"
#include "pipe_transport.hpp"

namespace troupe {

namespace {

protocol& protocol_of(const caf::strong_actor_ptr& p) {
  return *static_cast<protocol*>(caf::actor_cast<caf::abstract_actor*>(p));
}

/// Ends with its process, and tells how that ended.
class process_pipes final : public detail::pipe_transport {
public:
  /// \throws std::system_error if the system has no room to watch them; `pidfd` is left if it is its
  ///         pipes, else the child is killed
  process_pipes(event_loop& loop, detail::unique_fd in, detail::unique_fd out,
                const output_limits& limits, caf::strong_actor_ptr p, detail::unique_fd& pidfd)
    : pipe_transport(loop, std::move(in), std::move(out), limits), protocol_(std::move(p)),
      watch_(
        detail::child_watch::start(loop, std::move(pidfd), [this](const process_status& status) {
          exit_ = to_failure(status);
          if (input_over_)
            finish();
        })) {}

private:
  // A program that has read enough may still have much to say.
  std::size_t send(std::span<const iovec> pieces, std::error_code& ec) noexcept override {
    const auto sent = pipe_transport::send(pieces, ec);
    if (ec != std::errc::broken_pipe)
      return sent;
    ec.clear();
    std::size_t all = 0;
    for (const auto& piece : pieces)
      all += piece.iov_len;
    return all;
  }

  void input_ended() override {
    if (std::exchange(input_over_, true)) // met again after a pause
      return;
    // The program may live on without an output; how it ends is still to come. As over a socket, it
    // gets what was written for it, and then the end, unless the protocol sees to that.
    auto& p = protocol_of(protocol_);
    if (auto* const half = dynamic_cast<half_closeable*>(&p)) {
      p.enter([half] {
        detail::in_callback("read_connection_lost", [half] { half->read_connection_lost(); });
      });
      if (!connected()) // it closed, which may have been its end too
        return;
    } else if (!exit_) {
      lose_write_connection();
    }
    if (exit_)
      finish();
  }

  void finish() {
    protocol_of(protocol_).end_connection(
      exit_.check(errc::process_done) ? failure{errc::connection_done} : exit_);
  }

  void close(bool reset) noexcept override {
    watch_->forget();
    if (reset)
      watch_->signal(SIGKILL);
    pipe_transport::close(reset);
  }

  const caf::strong_actor_ptr protocol_;
  const std::shared_ptr<detail::child_watch> watch_;
  failure exit_; // how the process ended, once it has
  bool input_over_ = false;
};

void fail(protocol& p, const failure& why) {
  p.enter([&] { p.quit(why.to_caf_error()); });
}

void begin(event_loop& loop, const caf::strong_actor_ptr& built, const std::string& executable,
           const std::vector<std::string>& args, const process_options& options) {
  auto& p = protocol_of(built);
  if (loop.stopping())
    return p.enter([&] { p.quit(caf::exit_reason::user_shutdown); });
  bool lives = false;
  p.enter([&] { lives = true; });
  if (!lives) // it has ended before there was a child, so there is to be none
    return;
  detail::child_watch::reap_orphans();
  auto child = detail::start_child(executable, args, options);
  if (child.error)
    return fail(p, child.error);
  detail::unique_fd in;
  detail::unique_fd out;
  for (auto& pipe : child.pipes)
    (pipe.we_write ? out : in) = std::move(pipe.end);
  process_pipes* made = nullptr;
  try {
    made =
      new process_pipes(loop, std::move(in), std::move(out), options.output, built, child.pidfd);
  } catch (const std::exception& e) { // the system has no room to watch it or its pipes
    if (child.pidfd)
      detail::child_watch::kill(std::move(child.pidfd));
    return fail(p, {errc::spawn_failed, executable + ": " + e.what()});
  }
  made->open(p);
}

} // namespace

caf::actor connect_process(runtime& rt, const builder<protocol>& p, const std::string& executable,
                           std::vector<std::string> args, process_options options) {
  auto& loop = rt.scheduler().next_loop();
  auto built = p(rt.system(), loop);
  CAF_SET_LOGGER_SYS(nullptr); // left behind by CAF's spawn, it would slow every actor down
  options.child_fds = {
    {0, child_fd::we_write()}, {1, child_fd::we_read()}, {2, child_fd::ours(STDERR_FILENO)}};
  loop.post([&loop, built, executable, args = std::move(args), options = std::move(options)] {
    begin(loop, built, executable, args, options);
  });
  return caf::actor_cast<caf::actor>(built);
}

} // namespace troupe

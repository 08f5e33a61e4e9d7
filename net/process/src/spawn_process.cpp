#include <troupe/net/spawn_process.hpp>

#include <caf/logger.hpp>

#include "running_process.hpp"
#include "spawn_on.hpp"

namespace troupe {

namespace {

process_protocol& process_protocol_of(const caf::strong_actor_ptr& p) {
  return *static_cast<process_protocol*>(caf::actor_cast<caf::abstract_actor*>(p));
}

void begin(event_loop& loop, process_protocol& p, const std::string& executable,
           const std::vector<std::string>& args, const process_options& options) {
  if (loop.stopping())
    return p.end(errc::runtime_stopped);
  bool lives = false;
  p.enter([&] { lives = true; });
  if (!lives) // it has ended before there was a child, so there is to be none
    return;
  detail::child_watch::reap_orphans();
  auto child = detail::start_child(executable, args, options);
  if (child.error)
    return p.end(child.error);
  auto pidfd = std::move(child.pidfd);
  std::shared_ptr<detail::running_process> made;
  try {
    made = std::make_shared<detail::running_process>(loop, std::move(child), options.output);
  } catch (const std::exception& e) { // the system has no room to watch its pipes
    detail::child_watch::kill(std::move(pidfd));
    return p.end({errc::spawn_failed, executable + ": " + e.what()});
  }
  try {
    made->watch(std::move(pidfd), options.own_group);
  } catch (const std::exception& e) {
    return p.end({errc::spawn_failed, executable + ": " + e.what()});
  }
  made->open(p);
}

// Runs `fn` with the transport of `p`, in its thread.
template <class F>
void with_transport(const caf::strong_actor_ptr& p, F fn) {
  process_protocol_of(p).loop().post([p, fn] {
    auto& self = process_protocol_of(p);
    if (self.connected())
      self.enter([&] { fn(self.transport()); });
  });
}

} // namespace

child_process detail::spawn_process_on(event_loop& loop, caf::actor_system& sys,
                                       const builder<process_protocol>& p,
                                       const std::string& executable, std::vector<std::string> args,
                                       process_options options) {
  auto built = p(sys, loop);
  CAF_SET_LOGGER_SYS(nullptr); // left behind by CAF's spawn, it would slow every actor down
  loop.post([&loop, built, executable, args = std::move(args), options = std::move(options)] {
    begin(loop, process_protocol_of(built), executable, args, options);
  });
  return child_process{std::move(built)};
}

child_process spawn_process(runtime& rt, const builder<process_protocol>& p,
                            const std::string& executable, std::vector<std::string> args,
                            process_options options) {
  return detail::spawn_process_on(rt.scheduler().next_loop(), rt.system(), p, executable,
                                  std::move(args), std::move(options));
}

void child_process::signal_process(int signal) const {
  with_transport(protocol_, [signal](process_transport& t) { t.signal_process(signal); });
}

void child_process::lose_connection() const {
  with_transport(protocol_, [](process_transport& t) { t.lose_connection(); });
}

} // namespace troupe

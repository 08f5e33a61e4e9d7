#pragma once

#include <stdexcept>
#include <string>

#include <caf/send.hpp>

#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::testing {

/// How an actor may end.
enum class means { quit_inside, quit_outside, kill, exception, stop };

constexpr means all_means[] = {means::quit_inside, means::quit_outside, means::kill,
                               means::exception, means::stop};

inline std::string to_string(means how) {
  constexpr const char* names[] = {"by quitting in its own code", "by quitting outside of it",
                                   "killed by a message", "by an exception", "with the runtime"};
  return names[static_cast<std::size_t>(how)];
}

inline void end(runtime& rt, pinned_actor& who, means how) {
  switch (how) {
  case means::quit_inside:
    return who.enter([&] { who.quit(); });
  case means::quit_outside:
    return who.quit();
  case means::kill:
    return caf::anon_send_exit(caf::actor_cast<caf::actor>(&who), caf::exit_reason::kill);
  case means::exception:
    return who.enter([] { throw std::runtime_error("in the middle"); });
  case means::stop:
    return rt.stop();
  }
}

} // namespace troupe::testing

#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <troupe/runtime/reactor.hpp>

#include "process_signals.hpp"

namespace troupe {

struct reactor::triggers {
  struct entry {
    std::uint64_t id;
    trigger fn;
  };

  /// What the `before` triggers of an event returned, and what follows them.
  struct wait {
    std::size_t left = 1; // the pass over the triggers
    task then;
    void one_less() {
      if (--left == 0)
        go_on();
    }
    void go_on() {
      if (then)
        std::exchange(then, nullptr)();
    }
  };

  // [event][phase], each in the order of adding
  std::array<std::array<std::vector<entry>, 3>, 2> lists;
  std::uint64_t next_id = 1;
  std::shared_ptr<wait> waiting; // of the event that was fired last
  bool started_up = false;       // in the present run, `startup` has been fired

  std::vector<entry>& of(trigger_phase phase, system_event event) {
    return lists[static_cast<std::size_t>(event)][static_cast<std::size_t>(phase)];
  }
};

struct reactor::signals : detail::process_signals {
  using process_signals::process_signals;
};

/// What is known of the end while it comes.
struct reactor::ending {
  std::string cause;          // for the log: "received SIGTERM"
  bool signalled = false;     // by a signal; one more will end the process
  time_point deadline{};      // when the grace time is over
  bool draining = false;      // the actors have been asked to end
  bool actors_gone = false;   // and have
  bool pool_gone = false;     // so have the calls in threads, or they are waited for no more
  bool grace_is_over = false; // and what is left has been told to end at once
  bool told = false;          // what is waited for
  delayed_call limit;         // at the deadline
  delayed_call telling;       // what is waited for, if it is still there then
};

} // namespace troupe

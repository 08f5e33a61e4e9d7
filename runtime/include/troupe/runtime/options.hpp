#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <troupe/runtime/time.hpp>

namespace spdlog {
class logger;
}

namespace caf {
class actor_system_config;
}

namespace troupe {

class clock;

/// What a `runtime` is told at its start. Fill it with designated initialisers:
///
/// ```cpp
/// troupe::runtime rt{{.loops = 2, .grace = 1s}};
/// ```
struct runtime_options {
  /// How many event loops, and so threads, there are; 0 takes one for each core that this process
  /// may use. One loop behaves as Twisted does: everything happens in the thread of `run()`. At most
  /// 1024.
  std::size_t loops = 0;

  /// Ties the thread of each loop to one core. Off, because it helps only where the machine does
  /// nothing else, and harms otherwise.
  bool pin_threads = false;

  /// How many messages an actor handles before others get their turn, if they are short: see
  /// `time_per_turn`. Large enough that switching actors does not show, small enough that an actor
  /// which is flooded with short messages delays I/O by some microseconds only. One for which more than 64
  /// wait, and which only works them off, may handle eight times as many, and for as long
  /// as `time_per_turn` if more than 4096 wait; one that has made 16 KiB of messages or actors lets others have their
  /// turn earlier.
  std::size_t messages_per_actor = 50;

  /// How many actors run before a loop looks at I/O, timers and other threads again. The look
  /// costs a system call; a hundred actors cost some ten microseconds.
  std::size_t actors_per_turn = 100;

  /// How many I/O events a loop serves before it lets actors run and flushes output; twice that, and
  /// twice as many actors, if many connections have some. Asio fetches at most 128 at a time.
  std::size_t events_per_turn = 256;

  /// How long each of these may go on in one turn, whatever its number allows: taking I/O events, making
  /// delayed calls, calling functions of other threads, letting actors run. What is left waits for
  /// the next turn, which comes at once, so a turn takes some four times this, and as long as the
  /// longest single call. Looked at after each call or portion of messages, with a precision of some
  /// 100 us. `duration::max()`: no limit.
  duration time_per_turn = std::chrono::milliseconds(10);

  /// A turn that takes as long as this is logged as a warning, with what took the time: "loop 0 was
  /// busy for 2000 ms in echo::data_received". The same culprit is named once a minute at most,
  /// another one a second later; `loop_counters::long_turns` counts all. `duration::max()`: never.
  duration warn_turn = std::chrono::milliseconds(100);

  /// Functions that belong to a loop throw `std::logic_error` in the wrong thread. That costs a
  /// compare, and is what finds data races before they happen. Turned off it is in builds with
  /// NDEBUG only.
  bool check_threads = true;

  /// How long an idle loop looks for work from other loops before it sleeps. It does so only
  /// while the latest gaps between such work were shorter than this, so an idle process uses no
  /// CPU. Waking a sleeping loop costs some 30 us. 0 turns it off.
  duration poll_before_sleep = std::chrono::microseconds(40);

  /// How much later than the first call is due a sleeping loop may wake, so that one wake-up serves
  /// the calls that are due shortly after it. Calls are never early. The default is what Linux allows
  /// itself.
  duration timer_slack = std::chrono::microseconds(50);

  /// How long `stop()` waits for its `before` triggers, for connections to send what was written, and
  /// for other pinned actors and calls in threads to end, all in all, before it ends what is left;
  /// `duration::max()` waits for ever.
  duration grace = std::chrono::seconds(5);

  /// How many threads there may be for calls that block (`call_in_thread`). They begin when they
  /// are needed. Source: the reactor's pool of Twisted, and `suggestThreadPoolSize`.
  std::size_t max_pool_threads = 10;

  /// Lets SIGINT (unless something else handles or ignores it already) and SIGTERM stop the
  /// runtime while it runs. A second one of them ends the process with 128 and its number: one that
  /// comes at least 100 ms after the first, as whoever sends a signal to a group may send it twice, and
  /// after the log has said what is waited for; or after a second, if loop 0 does not return. After
  /// `run()` both do what they did before.
  bool install_signal_handlers = true;

  /// Where the runtime logs. Null takes spdlog's default logger if the program has set one of its own,
  /// and else one that writes to standard error, never waits and is bounded (`make_logger`), with the
  /// level of spdlog's (`spdlog::set_level`). A logger that is given is used as it is; what its sinks do
  /// when they cannot write is theirs.
  std::shared_ptr<spdlog::logger> logger{};

  /// What tells the time to all loops, timers and actors; null is the steady clock. It is for tests
  /// that turn a runtime by hand (`testing::manual_runtime`): one that sleeps knows only the steady
  /// clock. It must outlive the runtime.
  const clock* time_source = nullptr;

  /// Called with CAF's configuration before the actor system is made: to load CAF's middleman,
  /// to register message types, or to read CAF's own options.
  std::function<void(caf::actor_system_config&)> configure{};
};

} // namespace troupe

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/abstract_actor.hpp>

#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/topics.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/net/net_address.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/loop_counters.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// A loop, and what it did so far.
struct observed_loop {
  std::size_t number = 0;
  loop_counters counters{};
  std::size_t timers = 0; ///< pending calls, those of its actors too
};

/// An actor that is pinned to a loop: a connection, a port, a factory, a supervisor, one of the user's.
struct observed_actor {
  caf::actor_id id = 0;
  std::size_t loop = 0;
  std::string kind;        ///< such as "connection": `pinned_actor::describe`
  std::string name;        ///< under which it logs
  std::size_t timers = 0;  ///< of its own
  std::size_t mailbox = 0; ///< messages that wait for it
};

/// A connection that is open.
struct observed_connection {
  caf::actor_id id = 0; ///< of its protocol
  std::size_t loop = 0;
  std::string protocol; ///< under which it logs, without the peer
  net_address peer{};
  net_address host{};
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_written = 0;
  std::size_t unsent = 0;
  std::uint64_t refused_writes = 0;
  bool tls = false;
  caf::actor_id factory = 0; ///< 0 if none built it
};

/// A factory that runs, and how full it is.
struct observed_factory {
  caf::actor_id id = 0;
  std::size_t loop = 0;
  std::string name;
  std::size_t connections = 0;
  std::size_t max_connections = 0;
};

/// A pending call.
struct observed_timer {
  std::size_t loop = 0;
  duration due_in{};       ///< negative if it is late
  caf::actor_id actor = 0; ///< whose it is; 0 is the reactor's, or nobody's
  std::string name;        ///< of that actor
};

/// A topic of a directory that was added.
struct observed_topic {
  std::string directory; ///< the name by which it was added
  std::string name;
  std::size_t subscribers = 0;
};

/// A supervisor, or one of its children.
struct observed_child {
  std::string id;          ///< the child's, or the name of a supervisor that is nobody's child
  caf::actor_id actor = 0; ///< 0 unless it runs
  child_state state = child_state::running;
  child_type type = child_type::worker;
  restart_type restart = restart_type::permanent;
  std::optional<restart_strategy> strategy{}; ///< of a supervisor that runs
  std::uint64_t restarts = 0; ///< for its crashes so far; of children with the same name, together
  std::vector<observed_child> children{};
};

/// What the loops answered.
template <class T>
struct observed {
  std::vector<T> all; ///< in the order of the loops
  std::vector<std::size_t>
    silent{};              ///< the loops that did not answer in time: something blocks them
  std::size_t omitted = 0; ///< how many more there are than a loop lists
};

/// Looks into a running process: what its loops, actors, connections and supervisors are at the moment, as plain
/// data; and changes the few things that an operator may have to change at once.
///
/// The one source of what consoles and pages show. Each loop looks at its own in a turn of its own, so the
/// parts of an answer are not of one instant. It costs nothing while nobody asks; an answer takes each loop
/// some 100 ns for each of its actors.
///
/// ```cpp
/// troupe::observer seen{rt};
/// seen.connections().add_callback([](troupe::observed<troupe::observed_connection> got) {
///   for (const auto& c : got.all)
///     std::printf("%s %zu\n", c.peer.to_string().c_str(), c.unsent);
/// });
/// ```
///
/// Floating actors, which any loop may run, are not listed; `running_actors` counts them too.
///
/// This is a handle: copies are the same observer. Thread: any loop's, in a turn of that loop, on which the
/// deferreds fire; what returns no deferred: any. Lifetime: as that of the runtime.
/// Source: OTP's observer
class observer {
public:
  /// \param patience  how long a loop may take to answer
  /// \param most      how many of a kind a loop lists, so that none is held up by a crowd
  explicit observer(runtime& rt, duration patience = std::chrono::seconds(1),
                    std::size_t most = 10'000);

  // -- what there is ----------------------------------------------------------------------------

  [[nodiscard]] deferred<observed<observed_loop>> loops() const;
  [[nodiscard]] deferred<observed<observed_actor>> actors() const;
  [[nodiscard]] deferred<observed<observed_connection>> connections() const;
  [[nodiscard]] deferred<observed<observed_factory>> factories() const;

  /// The pending calls, the next one first within each loop.
  [[nodiscard]] deferred<observed<observed_timer>> timers() const;

  /// The supervisors that are nobody's children, each with its tree. Of supervisors and of children a loop
  /// lists `most` each; what hangs below an omitted one is not shown.
  [[nodiscard]] deferred<observed<observed_child>> supervisors() const;

  /// The topics of the directories that were added, by directory and name.
  [[nodiscard]] std::vector<observed_topic> topics() const;

  /// Lets the topics of a directory be seen, under this name.
  void add_topics(std::string name, troupe::topics directory) const;

  /// Returns how many actors there are of all kinds, hidden ones such as connections not among them.
  [[nodiscard]] std::size_t running_actors() const;

  [[nodiscard]] runtime& of() const noexcept;

  // -- what can be changed ----------------------------------------------------------------------

  /// Closes the connection of the protocol with this id: once what was written is sent, or at once.
  ///
  /// \returns whether there was one
  [[nodiscard]] deferred<bool> close_connection(caf::actor_id id, bool abort = false) const;

  /// Sets `factory::set_max_connections` of the factory with this id.
  ///
  /// \returns whether there was one
  [[nodiscard]] deferred<bool> set_max_connections(caf::actor_id id, std::size_t count) const;

  /// Sets from which level on the runtime's logger writes: "trace", "debug", "info", "warning", "error",
  /// "critical", "off".
  ///
  /// \returns whether that is a level
  bool set_log_level(const std::string& level) const;
  [[nodiscard]] std::string log_level() const;

private:
  struct state;
  std::shared_ptr<state> state_;
};

} // namespace troupe

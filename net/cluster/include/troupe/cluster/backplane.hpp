#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe {

class runtime;

/// Who attaches to a backplane.
struct backplane_site {
  runtime& rt;
  std::string cluster; ///< nodes of other clusters are not there, as far as this one can tell
  std::string node;    ///< 1 to 64 of [A-Za-z0-9_-], as is `cluster`
};

/// What an attached node hears from its backplane.
///
/// Thread: loop 0 of the site's runtime. Nothing is called inside of a function of the link.
class backplane_events {
public:
  /// Messages go out, and may come in, from now on: at first, and again after each `backplane_down`.
  virtual void backplane_up() = 0;

  /// No message goes out or comes in until the next `backplane_up`, which the backplane works for. May
  /// be called again with another reason, also when it never was up.
  virtual void backplane_down(const failure& why) = 0;

  /// A message of another node came.
  ///
  /// \param from  the name that the backplane vouches for, where it can: by certificate, by permission
  /// \param message  good for this call
  virtual void backplane_received(std::string_view from, bytes_view message) = 0;

protected:
  ~backplane_events() = default;
};

/// One node's attachment to a backplane; destroying it ends that at once, and nothing is heard any more.
///
/// Messages of one node to another arrive in the order in which they were sent, be it by `send` or by
/// `send_all`, each at most once. Any of them may be lost. The cluster notices either breach.
///
/// Thread: loop 0 of the site's runtime.
class backplane_link {
public:
  virtual ~backplane_link() = default;

  /// Sends to one node. While the backplane is down, messages are dropped.
  virtual void send(std::string_view node, bytes_view message) = 0;

  /// Sends to all other nodes of the cluster, also to those of which this one has not heard yet.
  virtual void send_all(bytes_view message) = 0;

  /// Returns how many bytes are still on their way out of this process.
  [[nodiscard]] virtual std::size_t unsent() const = 0;

  /// Returns the length of the longest message that is carried, in bytes; it may change with each
  /// `backplane_up`.
  [[nodiscard]] virtual std::size_t longest_message() const = 0;

  /// Sends what is still to be sent, and then ends. Fires when that is done, or given up.
  [[nodiscard]] virtual deferred<void> close() = 0;
};

/// What carries messages between the nodes of a cluster: the one thing that a cluster needs from
/// outside. `memory_backplane` is one inside a process.
///
/// To write one, derive from this and from `backplane_link`; net/cluster/README.md has the rules.
class backplane {
public:
  virtual ~backplane() = default;

  /// Begins to attach a node, and goes on trying until the link is destroyed.
  ///
  /// \throws std::invalid_argument if it never can; its text says why and what to do
  /// Thread: loop 0 of the site's runtime, which runs.
  /// Lifetime: `events` outlives the link.
  [[nodiscard]] virtual std::unique_ptr<backplane_link> attach(const backplane_site& site,
                                                               backplane_events& events) = 0;

  /// Returns how people call it, such as "memory".
  [[nodiscard]] virtual std::string name() const = 0;
};

/// A backplane as an option has it: `.via = std::make_shared<troupe::memory_backplane>()`.
using backplane_ref = std::shared_ptr<backplane>;

} // namespace troupe

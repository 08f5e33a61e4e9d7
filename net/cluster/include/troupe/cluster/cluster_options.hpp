#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <troupe/cluster/backplane.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// What a `cluster` is told at its start. Fill it with designated initialisers:
///
/// ```cpp
/// troupe::cluster cluster{rt, {.name = "chat-1", .via = wire}};
/// ```
struct cluster_options {
  /// The name of this node: 1 to 64 of [A-Za-z0-9_-]. It stays the same over restarts; a second process
  /// that has it is refused.
  std::string name{};

  /// Separates clusters that share a backplane: likewise.
  std::string cluster = "troupe";

  /// What carries messages to the other nodes.
  backplane_ref via{};

  /// How often a node says that it lives; also what an idle cluster costs.
  duration heartbeat = std::chrono::milliseconds(500);

  /// How long a node may be silent before it is down; after half of it, it is suspected. At least three
  /// heartbeats. Nodes that beat more slowly than these options allow are given three of their beats.
  duration down_after = std::chrono::milliseconds(2500);

  /// How long we believe what we last knew when our own backplane fails; then all others are down.
  duration isolation_hold = std::chrono::seconds(10);

  /// How long a node that is down, or has left, is remembered: it is listed, and what it misses is
  /// counted and told to it if it comes back.
  duration forget_after = std::chrono::seconds(60);

  /// The longest publication, in bytes. A longer one is an error of whoever publishes it.
  std::size_t max_message = 256 * 1024;

  /// How many bytes may wait for the backplane. Publications beyond are dropped for other nodes, and
  /// counted at both ends.
  std::size_t max_unsent = std::size_t{8} << 20;

  /// How many topics with subscribers this node tells the others of, and each of them may tell us of.
  /// Beyond, subscribers get only what is published on their own node, and the log says so.
  std::size_t max_topics = 1'000'000;

  /// How long those who were present on a node that is lost, or has left, stay present: who is back before, on
  /// whichever node, was never away. 5 s hide the restart of one node after the other.
  duration leave_hold = duration::zero();

  /// Of a room in which this node has more entries of presence than that, it tells the others how many, and not who.
  std::size_t list_limit = 1000;

  /// How many entries of presence this node may have, and each of the others may tell us of.
  std::size_t max_entries = 1'000'000;

  /// That of the program: shown, and compared by `compatible`. At most 64 bytes.
  std::string version{};

  /// Tells whether a node with this version may be in one cluster with us. One that may not is refused, and
  /// both logs say so. Called on loop 0; what it throws is a no. Empty: any may.
  std::function<bool(std::string_view theirs)> compatible{};

  /// Tells whether a publication of another node may be delivered on this one. One that may not is counted, and the log
  /// names the node: for programs whose users see each other's bytes, as what was checked where it was said may come from
  /// whoever may speak at the backplane. Called on loop 0, for each; what it throws is a no. Empty: any may.
  std::function<bool(std::string_view topic, std::string_view bytes)> accepts{};

  /// Gives up the runtime, with the reason, if this node is refused: another process has its name, or the
  /// backplane cannot carry `max_message`. Otherwise it goes on alone, and the observers are told.
  bool stop_if_refused = true;

  /// What random numbers are made from; 0 takes the system's. For simulations that are to run twice alike.
  std::uint64_t seed = 0;
};

/// How `cluster::drain` goes about it.
struct drain_options {
  std::size_t batch = 1000;                  ///< so many clients are told at a time
  duration every = std::chrono::seconds(1);  ///< and so long after them the next ones
  duration grace = std::chrono::seconds(30); ///< all in all; then the node leaves all the same
};

} // namespace troupe

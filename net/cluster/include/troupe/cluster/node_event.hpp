#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// What a node knows of another one.
enum class node_state : std::uint8_t {
  up,        ///< heard lately
  suspected, ///< silent for half of `down_after`
  down, ///< silent for `down_after`, replaced by a new process, or out of reach with our backplane
  left, ///< has said goodbye
  refused, ///< has a version of the program that ours is not compatible with
};

/// What a node is to itself.
enum class own_state : std::uint8_t {
  joining,  ///< the backplane has not been reached yet
  up,       ///< takes part
  isolated, ///< the backplane is lost; for a while we believe what we last knew
  refused,  ///< may not take part: see the log
  left,     ///< has said goodbye
};

/// What happened to a node, for `cluster::observe`.
///
/// Of one incarnation of a node: up, then suspected and up as often as it is, then down, left or refused,
/// and nothing more. A new incarnation, which a process takes when it starts and when it learns that it
/// was taken for down, begins with up; if the one before was not at its end, that is told first.
struct node_event {
  enum kind_type : std::uint8_t {
    up,
    suspected,
    down,
    left,
    refused,  ///< that node by us, or we, if `node` is our own name: then `why` says by what
    isolated, ///< we: the backplane is lost
    rejoined, ///< we: it is back, or we were taken for down and have a new incarnation
    publications_missed, ///< `count` publications of `node` did not reach us
  };

  kind_type kind = up;
  std::string node;              ///< its name; for `isolated` and `rejoined` ours
  std::uint64_t incarnation = 0; ///< grows with each new one of that name
  std::string version{};         ///< of its program
  std::uint64_t count = 0;       ///< of `publications_missed`
  failure why{};                 ///< of `down`, `refused` and `isolated`
};

/// What is known of one node at a moment.
struct node_info {
  std::string name;
  node_state state = node_state::up;
  std::uint64_t incarnation = 0;
  std::string version;
  duration silent_for{};      ///< since it was heard last
  std::size_t topics = 0;     ///< that it has subscribers of
  std::uint64_t sent = 0;     ///< publications due to it, by us
  std::uint64_t dropped = 0;  ///< of these, those that did not fit or that had no way
  std::uint64_t received = 0; ///< publications from it
  std::uint64_t missed = 0;   ///< publications from it that did not arrive
};

[[nodiscard]] std::string_view to_string(node_state state) noexcept;
[[nodiscard]] std::string_view to_string(own_state state) noexcept;
[[nodiscard]] std::string_view to_string(node_event::kind_type kind) noexcept;

/// Returns one line for people, as the log has it: "node b is down: nothing heard for 2500 ms".
[[nodiscard]] std::string to_string(const node_event& what);

} // namespace troupe

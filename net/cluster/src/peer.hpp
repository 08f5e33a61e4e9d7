#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <troupe/cluster/node_event.hpp>
#include <troupe/runtime/time.hpp>

#include "wire.hpp"

namespace troupe::detail {

struct wanted_topic;

/// All that a node knows of another one.
struct peer {
  explicit peer(std::string n) : name(std::move(n)) {}

  const std::string name;
  std::uint64_t boot = 0; // the process
  std::uint64_t incarnation = 0;
  node_state state = node_state::down;
  std::string version;
  time_point heard{};
  time_point ended{};         // when it was taken for down, or left
  time_point told_outdated{}; // when we last told it that it was
  bool refuses_us = false;    // as we have told in the log
  time_point told_refused{};  // when we last told it that it may not be in one cluster with us
  duration down_after{};      // at our patience, or at three of its beats

  // What it wants, and the version of that which we have.
  std::uint64_t interest = 0;
  std::unordered_map<std::string_view, wanted_topic*> topics; // by the name within the topic
  wire::whole_told told_interest; // of what we want, for as long as it is told all of that
  time_point asked_interest{};
  time_point sent_whole_interest{};
  struct {
    bool begun = false;
    std::uint64_t to = 0;
    std::uint32_t next_part = 0;
    std::vector<std::string> names;
  } whole;

  // What it says of itself, and the version of that which we have.
  std::uint64_t facts = 0;
  std::unordered_map<std::string, std::uint64_t> names; // that it serves, as which instance
  wire::whole_told told_facts;                          // of what we say of ourselves, likewise
  time_point asked_facts{};
  time_point sent_whole_facts{};
  struct {
    bool begun = false;
    std::uint64_t to = 0;
    std::uint32_t next_part = 0;
    std::unordered_set<std::string> names;
  } whole_facts;
  std::size_t facts_count = 0; // that it has told since its last whole; a bound, not a count

  // Its questions that an actor here has not answered yet.
  std::shared_ptr<std::size_t> open_questions = std::make_shared<std::size_t>(0);

  // To it: how many publications were due to it, and those of this turn.
  std::uint64_t out_stream = 0;
  std::uint64_t published = 0;
  std::uint64_t dropped = 0;
  wire::writer buffer;
  std::size_t buffer_limit = 0; // how long that may get
  std::size_t topics_in_buffer = 0;
  std::uint64_t message = 1; // counts messages, so that topics know whether theirs has their name
  bool dirty = false;
  unsigned beats_to_tell = 0; // how many more beats tell `published`

  // From it: how many publications of its stream we know of.
  std::uint64_t in_stream = 0;
  std::uint64_t seen = 0;
  std::uint64_t received = 0;
  std::uint64_t missed = 0;
  std::uint64_t missed_untold = 0;

  [[nodiscard]] bool lives() const noexcept {
    return state == node_state::up || state == node_state::suspected;
  }
};

} // namespace troupe::detail

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <troupe/history/kept_topics.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/detail/abandoning_promise.hpp>

#include "history_ring.hpp"
#include "history_tallies.hpp"

namespace troupe::detail {

class history_core;

/// What a loop is told of a topic: all messages that it has not heard of, or what it asked for.
struct history_answer {
  history_page page;
  std::uint64_t asked_after = 0; ///< the question
  std::size_t asked_limit = 0;
  bool unknown = false;                     ///< the store did not answer: `page` is what is known
  std::shared_ptr<const history_ring> ring; ///< what the loop begins with, if it had no ring
};

/// The subscribers of one loop, and what they have in memory.
///
/// It knows of each of its topics the same as loop 0, as far as it was told, in order. So what a subscriber gets from
/// memory and what comes later have no seam.
///
/// Thread: its loop's.
class history_audience : public std::enable_shared_from_this<history_audience> {
public:
  history_audience(history_core& core, history_tallies& tallies, const kept_topics_options& options,
                   std::size_t loop)
    : core_(core), tallies_(tallies), options_(options), loop_(loop) {}

  // -- what actors here want --------------------------------------------------------------------

  deferred<resumed> resume(pinned_actor& who, const std::string& name, history_position since,
                           std::size_t limit, write_published write,
                           std::function<void(const kept_message&)> fn);
  void leave(pinned_actor& who, const std::string& name);

  // -- what loop 0 tells ------------------------------------------------------------------------

  void take(const std::string& name, const std::vector<kept_ref>& messages);
  void take(const std::string& name, const history_answer& answer);
  void adopt(const std::string& name, const history_ring& ring); ///< in place of what was known
  void restart(std::uint64_t epoch);                             ///< all that was known is over
  void drop_idle(time_point before);

private:
  struct listener {
    pinned_actor* who = nullptr; // null: it has left
    write_published write = nullptr;
    std::function<void(const kept_message&)> fn;
    std::uint64_t last = 0; // it has all up to here
    history_position since; // while it waits
    std::size_t limit = 0;
    bool waits = false;
    bool renewed = false; // it has nothing yet of the present epoch
    bool late = false;    // it gave up waiting before there was a ring here
    abandoning_promise<resumed> promise;
    delayed_call patience;
  };
  using listener_ref = std::shared_ptr<listener>;

  struct room {
    room(std::string n, const kept_topics_options& o)
      : name(std::move(n)), ring(o.ring_messages, o.ring_bytes) {}
    const std::string name;
    history_ring ring;
    bool active = false;  // loop 0 tells of it
    bool walking = false; // its listeners are being served
    std::size_t listening =
      0; // of its listeners; the others have left, and their places are made up for later
    std::vector<listener_ref> listeners;
    std::uint64_t asked_after = UINT64_MAX; // the largest question that is on its way
    std::size_t asked_limit = 0;
    time_point idle_since{};
  };

  room& room_of(const std::string& name);
  [[nodiscard]] std::uint64_t sequence_of(const history_position& since) const noexcept;
  void ask(room& of, std::uint64_t after, std::size_t limit);
  void give(listener& to, const kept_ref& message);
  resumed replay(listener& to, const std::vector<kept_ref>& messages, std::uint64_t floor,
                 std::uint64_t last, bool unknown);
  void answer(const room& in, listener& to, const history_answer& with);
  void give_up(const std::string& name, const listener_ref& who);
  void watch_end_of(pinned_actor& who);
  void ended(pinned_actor* who);
  void remove(room& from, pinned_actor* who);
  void silence(room& at, listener& who);
  void catch_up(room& of);
  void tidy(room& of);

  history_core& core_; // there as long as anybody calls this
  history_tallies& tallies_;
  const kept_topics_options options_;
  const std::size_t loop_;
  std::uint64_t epoch_ = 0;
  std::unordered_map<std::string, std::unique_ptr<room>> rooms_;
  std::unordered_map<pinned_actor*, std::vector<std::pair<room*, listener_ref>>>
    actors_; // where each one listens
};

} // namespace troupe::detail

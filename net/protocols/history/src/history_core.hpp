#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <troupe/history/kept_topics.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "history_audience.hpp"
#include "history_ring.hpp"
#include "history_tallies.hpp"

namespace troupe::detail {

/// What `kept_topics` refer to: the store's link, and what is in memory of each topic in use. In two files:
/// history_core.cpp (its life, appending, what the store tells) and history_reading.cpp (who asks for what was kept).
///
/// Each loop has an audience, which is told of all that happens to its topics by functions that are posted to it; they
/// arrive in order, so what a loop knows is what loop 0 knew a moment ago.
///
/// Thread: loop 0, but for what says otherwise.
class history_core final : public history_events,
                           public std::enable_shared_from_this<history_core> {
public:
  template <class T>
  using answer_to = unique_function<void(outcome<T>)>;

  history_core(runtime& rt, history_ref store, kept_topics_options options);
  ~history_core();

  void start();
  void end(); // the kept topics are destroyed

  // -- any thread -------------------------------------------------------------------------------

  [[nodiscard]] runtime& home() const noexcept { return rt_; }
  [[nodiscard]] const kept_topics_options& options() const noexcept { return options_; }
  [[nodiscard]] bool ready() const noexcept { return ready_.load(std::memory_order_relaxed); }
  [[nodiscard]] history_tallies& tallies() noexcept { return tallies_; }
  [[nodiscard]] bool over() const noexcept { return over_.load(std::memory_order_relaxed); }

  /// Returns where in the present epoch that is; before there is one, it may be in it.
  [[nodiscard]] std::uint64_t sequence_of(const history_position& since) const noexcept {
    const auto epoch = epoch_.load(std::memory_order_relaxed);
    return epoch == 0 || epoch == since.epoch ? since.sequence : 0;
  }

  /// Returns that of a loop. Thread: that loop's, for all that it does.
  [[nodiscard]] history_audience& audience(std::size_t loop) const noexcept {
    return *audiences_[loop];
  }

  /// Runs `fn(core)` on loop 0: now if this is it.
  template <class F>
  void on_loop_0(F fn) {
    auto& first = rt_.scheduler().loop(0);
    if (first.is_current())
      fn(*this);
    else
      first.post([self = shared_from_this(), fn = std::move(fn)]() mutable { fn(*self); });
  }

  /// A loop asks for the newest `limit` messages after `after`, and to be told of what follows.
  void ask(std::size_t loop, const std::string& name, std::uint64_t after, std::size_t limit);

  /// A loop has dropped the topic.
  void dropped(std::size_t loop, const std::string& name);

  // -- loop 0 -----------------------------------------------------------------------------------

  void append(const std::string& name, const shared_bytes& bytes, const std::string& id,
              answer_to<history_position> done);
  void history(const std::string& name, const history_request& request,
               answer_to<history_page> done);

  void history_ready(std::uint64_t epoch) override;
  void history_lost(const failure& why) override;
  void history_kept(std::string_view topic, kept_ref message) override;
  void history_kept_so_far() override;

private:
  // Who waits for a page: a loop, or a question for a page of the past.
  struct waiting {
    std::optional<std::size_t> loop{};
    std::uint64_t after = 0;
    std::size_t limit = 0;
    answer_to<history_page> done{}; // of a question
    time_point asked{};
    std::uint64_t needs = 0; // what its page has at least: all that was known when it was asked
    bool again = false;      // what it needs was not in the store yet
  };

  struct room {
    room(std::string n, const kept_topics_options& o, std::size_t loops)
      : name(std::move(n)), ring(o.ring_messages, o.ring_bytes), active(loops, false) {}
    const std::string name;
    history_ring ring;
    std::vector<bool> active;     // by loop: it is told of what is kept
    std::vector<waiting> waits;   // for the store
    std::vector<kept_ref> held;   // came live, and something is missing before them
    std::vector<kept_ref> unsent; // to the loops, of this turn
    std::uint64_t kept = 0;    // up to here it has been said to be kept, to those here who append
    bool stale = false;        // the store was away: it may have more
    bool asking = false;       // the store
    std::uint64_t reading = 0; // the latest question
    bool catches_up = false;   // nobody waits for it
    bool queued = false;       // for reading what was missed
    unsigned failures = 0;     // to fill one gap
    unsigned retries = 0;      // of reading, in a row
    delayed_call again;        // until then nothing is read, unless somebody waits
    time_point used{};
  };
  using room_ref = std::shared_ptr<room>;

  static std::string shown(std::string_view name); // in the log

  // -- what loops and others ask (history_reading.cpp) --------------------------------------------

  room_ref room_of(const std::string& name);
  void asked(const std::string& name, waiting who);
  void serve(const room_ref& r);
  void read(const room_ref& r, const history_query& query);
  void have_read(const room_ref& r, const history_query& query, outcome<history_page> got);
  void have_not_read(const room_ref& r, const failure& why);
  [[nodiscard]] bool may_come(const waiting& who) const;
  void miss(const room_ref& r);
  void end_read(const room_ref& r);
  void read_again(const room_ref& r);
  void next_catch_up();
  static void take_back(delayed_call& call);
  void answer(const room_ref& r, waiting& who, history_page page, bool unknown);
  void feed(const room_ref& r, kept_ref message);
  void feed_held(const room_ref& r);
  void restart_ring(const room_ref& r, std::uint64_t floor);
  void renew_rings(const room_ref& r);
  void pass_on(const room_ref& r);
  void tell(std::size_t loop, unique_function<void(history_audience&), 64> what);
  void sweep();
  deferred<void> close();
  [[nodiscard]] bool store_answers() const noexcept { return ready() && link_ != nullptr; }

  runtime& rt_;
  const history_ref store_;
  const kept_topics_options options_;
  history_tallies tallies_;
  std::vector<std::shared_ptr<history_audience>> audiences_;
  std::unique_ptr<history_link> link_; // null when it is over
  std::atomic<bool> ready_{false};
  std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> epoch_{0};
  failure why_not_{history_errc::store_unavailable, "the store has not been reached yet"};
  std::unordered_map<std::string, room_ref> rooms_;
  std::vector<room_ref> unsent_; // rooms with something to pass on
  std::size_t catching_up_ = 0;  // reads for which nobody waits
  std::deque<room_ref> to_catch_up_;
  std::size_t in_flight_ = 0;
  std::size_t in_flight_bytes_ = 0;
  bool closing_ = false;
  delayed_call sweeping_;
  std::optional<trigger_id> before_end_;
  std::optional<trigger_id> at_end_;
  const std::shared_ptr<const std::atomic<bool>> alive_; // the runtime
};

} // namespace troupe::detail

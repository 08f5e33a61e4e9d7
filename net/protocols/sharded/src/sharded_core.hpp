#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/message.hpp>
#include <caf/message_id.hpp>

#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/sharded/sharded.hpp>

namespace troupe::detail {

/// Checks what a user has chosen. \throws std::invalid_argument
void check(const sharded_options& options);

/// Sends `content` as the response to a question.
void respond_to(const caf::strong_actor_ptr& asker, caf::message_id id, caf::message content);
void respond_to(const caf::strong_actor_ptr& asker, caf::message_id id, const failure& why);

/// A question that waits at a region for somebody else's answer.
struct waiting_question {
  caf::strong_actor_ptr asker;
  caf::message_id id; // of the response
  std::string node;   // whose it is
  std::uint32_t hops = 0;
};

/// What a node sends belongs to one of its stretches: another begins when messages may have been left behind, at a node that
/// was lost. Of an earlier stretch than that which has been heard of, nothing is taken any more: it would come behind.
struct stretch {
  std::uint64_t incarnation = 0; // of the node
  std::uint64_t number = 0;
  friend auto operator<=>(const stretch&, const stretch&) = default;
};

/// A message on its way to an entity.
struct letter {
  std::string key;
  caf::message content;
  caf::strong_actor_ptr asker{}; // null: nobody waits for an answer
  caf::message_id id{};          // of the response
  time_point until{};            // so long does it wait
  time_point answer_by{};        // so long does the asker
  std::uint32_t hops = 0;        // nodes that it has been at
  std::string origin{};          // the node that it is of
  stretch part{};                // of what that sends to this shard
};

/// The place of one entity on this node.
struct seat {
  enum class phase : std::uint8_t { waiting, running, ending };
  phase at = phase::waiting;
  bool starting = false; // is being made
  bool over = false;     // ending, and has ended
  bool pushed = false;   // its state is on its way
  entity_end why = entity_end::idle;
  caf::strong_actor_ptr who{};
  std::uint64_t number = 0;
  std::optional<caf::message> state{}; // that it begins with, or has handed over
  std::vector<caf::message> merges{};  // states that came beside that one
  std::string taken{}; // where that state, or the last one that was merged, comes from
  time_point deadline{};
  std::deque<letter> held{};
};

/// What moves as one.
///
/// ```
///            a message, a state             asked, or leased
///  elsewhere ------------------> starting ------------------> here
///      ^                            |                          | another is to have it, or the lease is lost
///      +----------------------------+                          v
///      +------------------------------------------------- leaving    entities hand over, and end
/// ```
struct shard {
  enum class phase : std::uint8_t { elsewhere, starting, here, leaving };
  const std::uint32_t number;
  phase at = phase::elsewhere;
  std::string owner{}; // who is to have it, by who is there
  std::map<std::string, seat, std::less<>> seats{};
  std::deque<letter> held{};   // until it is here, or goes on
  std::deque<letter> behind{}; // of this node: until what went to `went_to` is known to be ahead
  std::size_t held_in_seats = 0;
  std::string went_to{}; // the node that messages of this one went to last
  bool flushing = false; // that one is asked whether it has dealt with them
  time_point
    patient_until{};   // for other news of who is to have it, before what came back goes out again
  bool sleeps = false; // some of it is on its way to sleep
  bool wanted = false; // loop 0 will look at it
  std::uint64_t round = 0;         // of attempts to start it
  std::set<std::string> unasked{}; // nodes that may have it
  std::set<std::string> asking{};
  bool acquiring = false;
  lease held_lease{};
  std::uint64_t stretch_number = 0;                     // of what this node sends
  std::map<std::string, stretch, std::less<>> latest{}; // of what came, by node
  std::string push_to{};                                // who has it, too: states go there
  std::vector<waiting_question> claims{};
  std::vector<waiting_question> flushes{};

  [[nodiscard]] std::size_t waiting() const noexcept {
    return held.size() + behind.size() + held_in_seats;
  }
  /// Tells whether what this node sends must wait for what it has sent elsewhere.
  [[nodiscard]] bool barred() const noexcept {
    return flushing || (!went_to.empty() && went_to != owner);
  }
};

class shard_region;

/// What a `sharded` refers to. In four files: sharded_core.cpp (what any thread calls), shard_moves.cpp (who has which shard),
/// shard_seats.cpp (entities), shard_region.cpp (what nodes say to each other).
///
/// All is guarded by one mutex, so that a message to an entity here is put into its mailbox in order with the end of that: behind
/// it, messages wait. It may be entered again, for who sends may be told that a mailbox is full and send more. What changes
/// phases runs on loop 0, as the region.
class sharded_core final : public std::enable_shared_from_this<sharded_core> {
public:
  sharded_core(cluster& of, sharded_options options, sharded_base::maker make);
  ~sharded_core();

  void start();
  void end();

  // -- any thread -------------------------------------------------------------------------------

  [[nodiscard]] const sharded_options& options() const noexcept { return options_; }
  [[nodiscard]] sharded_counters counters() const;
  [[nodiscard]] std::string where(std::string_view key) const;
  [[nodiscard]] bool runs_here(std::string_view key) const;
  failure send(const std::string& key, const caf::message& content);
  void ask(basic_actor& self, const std::string& key, duration timeout, caf::message content,
           const std::shared_ptr<question_base>& asked);

  // -- an entity's thread -----------------------------------------------------------------------

  bool sleep(const entity& who);
  void handed(const entity& who, outcome<caf::message> state);

  // -- loop 0, as the region --------------------------------------------------------------------

  void hosts_are(const std::vector<std::string>& nodes);
  void reachable_are(const std::vector<std::string>& nodes);
  void was_out();
  void drains();
  void region_ends();

  void route(letter what, const std::string& bytes);
  void claim(std::uint32_t number, waiting_question what);
  void flush(std::uint32_t number, waiting_question what);
  void aware(waiting_question what);
  void take(const std::string& key, const std::string& origin, const std::string& bytes,
            const waiting_question& what);
  [[nodiscard]] bool agrees(std::uint32_t shards, const caf::strong_actor_ptr& asker,
                            caf::message_id id);

private:
  using lock = std::unique_lock<std::recursive_mutex>;

  [[nodiscard]] time_point time() const noexcept;
  [[nodiscard]] shard& shard_at(std::string_view key) { return shards_[number_of(key)]; }
  [[nodiscard]] std::uint32_t number_of(std::string_view key) const noexcept;
  template <class F>
  void on_loop_0(F fn); // as the region
  [[nodiscard]] failure check_letter(const std::string& key, const caf::message& content) const;
  [[nodiscard]] caf::message envelope(const letter& what, duration timeout,
                                      std::string bytes) const;
  [[nodiscard]] cluster_actor region_of(const std::string& node) const;

  // sharded_core.cpp: on its way
  [[nodiscard]] stretch part_of(const shard& s) const noexcept;
  [[nodiscard]] seat* running(shard& s, const std::string& key) const;
  [[nodiscard]] bool goes_on(const shard& s) const noexcept;
  [[nodiscard]] failure room_for_one(const std::string& key) const;
  void hold(shard& s, letter what, bool ours);
  void want(shard& s);

  // shard_moves.cpp
  void has_settled();
  void look_at(shard& s);
  void begin(shard& s);
  void advance(shard& s);
  void give_up(shard& s);
  void ask_others(shard& s);
  void acquire(shard& s);
  void open(shard& s);
  void leave(shard& s, entity_end why);
  void lease_lost(shard& s, const failure& why);
  void advance_leaving(shard& s);
  void left(shard& s);
  void start_flush(shard& s);
  void flushed(shard& s);
  void settle(shard& s);
  void pass(shard& s, letter what); // shard_region.cpp
  void send_on(shard& s);
  void tick();
  void busy();
  void drained_if_empty();
  void ask_unaware();

  // shard_seats.cpp
  void put(shard& s, letter what);
  void deliver(seat& to, letter what);
  [[nodiscard]] std::shared_ptr<question_base>
  relay(const letter& what) const; // takes the answer to who has asked
  void want_start(shard& s, const std::string& key);
  void start_entities();
  void ended(std::uint32_t number, const std::string& key, std::uint64_t instance);
  void let_go(seat& of, entity_end why);
  void kill(seat& of);
  void push(shard& s, const std::string& key, seat& of);
  void hold_again(shard& s, seat& of);
  void fail_letter(letter& what, const failure& why);
  void expire(shard& s, time_point now);

  friend class shard_region;

  cluster& cluster_;
  runtime& rt_;
  const sharded_options options_;
  const sharded_base::maker make_;
  const std::string us_;
  const std::string host_name_;
  const std::string reach_name_;

  mutable std::recursive_mutex mutex_;
  caf::actor region_actor_;
  shard_region* region_ = nullptr;
  caf::actor guard_; // the drain waits for it
  bool ended_ = false;
  bool out_ = false; // we have left
  bool draining_ = false;
  std::optional<std::set<std::string>> unaware_; // nodes that may yet send to a node that drains
  std::set<std::string> asking_unaware_;
  // Whose answers go through here.
  const std::shared_ptr<std::atomic<std::size_t>> open_questions_ =
    std::make_shared<std::atomic<std::size_t>>(0);
  bool settled_ = false;
  bool begun_settling_ = false;
  std::vector<std::string> hosts_;
  std::vector<std::string> reachable_;
  std::deque<shard> shards_;
  std::vector<std::pair<std::uint32_t, std::string>> to_start_;
  std::uint64_t last_instance_ = 0;
  bool ticking_ = false;
  sharded_counters count_;
};

/// What speaks for a `sharded` on its node: to the others, and to the entities here.
class shard_region final : public pinned_actor {
public:
  shard_region(caf::actor_config& cfg, std::weak_ptr<sharded_core> of);
  caf::behavior make_behavior() override;
  void on_exit() override;
  [[nodiscard]] actor_description describe() const override;

private:
  [[nodiscard]] std::optional<waiting_question> asked(std::string node = {},
                                                      std::uint32_t hops = 0);

  const std::weak_ptr<sharded_core> of_;
};

template <class F>
void sharded_core::on_loop_0(F fn) {
  rt_.scheduler().loop(0).post([weak = weak_from_this(), fn = std::move(fn)]() mutable {
    const auto self = weak.lock();
    if (!self || self->region_ == nullptr)
      return;
    self->region_->enter("entities", [&] { fn(*self); });
  });
}

} // namespace troupe::detail

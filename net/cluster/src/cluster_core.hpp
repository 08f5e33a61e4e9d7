#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/message_id.hpp>

#include <troupe/actors/topic_sharing.hpp>
#include <troupe/actors/topics.hpp>
#include <troupe/cluster/backplane.hpp>
#include <troupe/cluster/cluster.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/names.hpp>
#include <troupe/runtime/reactor.hpp>

#include "facts.hpp"
#include "interest.hpp"
#include "name_directory.hpp"
#include "peer.hpp"
#include "presence_board.hpp"
#include "topic_relay.hpp"
#include "wire.hpp"

namespace troupe::detail {

/// Tells whether this may be the name of a node.
[[nodiscard]] bool is_node_name(std::string_view name) noexcept;

/// Checks what a user has chosen. \throws std::invalid_argument
void check(const cluster_options& options);

/// Returns "250 ms", for what a person reads.
[[nodiscard]] std::string in_ms(duration d);

/// A message of this many bytes is sent in the middle of a turn.
inline constexpr std::size_t longest_batch = 256 * 1024;

/// For how long publications of several turns are gathered, and how many bytes.
inline constexpr duration gather_for = std::chrono::microseconds(50);
inline constexpr std::size_t worth_sending = 32 * 1024;

/// How many bytes of what a node says of itself may wait for the backplane, and how long it waits with the rest then.
inline constexpr std::size_t most_at_once = 512 * 1024;
inline constexpr duration rest_after = std::chrono::milliseconds(1);

/// How long a node that has drained waits for what is to be done before it leaves.
inline constexpr duration longest_farewell = std::chrono::seconds(5);

/// How many names a node may serve.
inline constexpr std::size_t most_names = 10'000;

/// A number that one thread adds to, and any thread reads.
class tally {
public:
  void add(std::uint64_t n = 1) noexcept {
    count_.store(count_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return count_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<std::uint64_t> count_{0};
};

/// A question of ours that another node has not answered yet.
struct open_question {
  caf::strong_actor_ptr asker;
  caf::message_id id; // of the response
  const peer* whom;
  time_point until; // nobody waits for it any longer
};

/// A node: what a `cluster` refers to. In nine files: cluster_core.cpp (its life and its messages),
/// membership.cpp (who is there), shared_topics.cpp (who wants what, and publications), told_facts.cpp
/// (what nodes say of themselves), named_actors.cpp (who serves which name, and who watches that),
/// questions.cpp (messages for actors elsewhere), told_presence.cpp (who is in which room), draining.cpp and
/// telling.cpp (who is told).
///
/// Thread: loop 0, but for what says otherwise.
class cluster_core final : public backplane_events,
                           public end_of_turn,
                           public std::enable_shared_from_this<cluster_core> {
public:
  cluster_core(runtime& rt, cluster_options options, clock* time);
  ~cluster_core();

  void start();

  /// The cluster is destroyed; this may be there for as long as another thread looks at it.
  void end();

  deferred<void> leave();

  // -- any thread -------------------------------------------------------------------------------

  [[nodiscard]] const cluster_options& options() const noexcept { return options_; }
  [[nodiscard]] runtime& home_runtime() const noexcept { return rt_; }
  [[nodiscard]] own_state state() const noexcept { return state_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t incarnation() const noexcept { return incarnation_.load(); }
  [[nodiscard]] std::size_t topics_here() const noexcept { return topics_here_.load(); }
  [[nodiscard]] std::size_t topics_elsewhere() const noexcept { return topics_elsewhere_.load(); }
  [[nodiscard]] bool draining() const noexcept { return draining_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool ready() const noexcept {
    if (draining())
      return false;
    return state() == own_state::up || (state() == own_state::isolated && !gave_up_.load());
  }
  [[nodiscard]] std::vector<node_info> nodes() const;
  [[nodiscard]] cluster_counters counters() const noexcept;
  [[nodiscard]] const topic_sharing& sharing() const noexcept { return *sharing_; }
  void add_observer(caf::strong_actor_ptr who, std::function<void(const node_event&)> fn);

  bool serve(const std::string& name, caf::strong_actor_ptr who, while_draining drains);
  bool serve(const std::string& name, named_actor who, while_draining drains);
  void observe_name(caf::strong_actor_ptr who, std::string name,
                    std::function<void(const std::vector<std::string>&)> fn);
  void unserve(const std::string& name);
  [[nodiscard]] const name_directory& directory() const noexcept { return directory_; }
  [[nodiscard]] failure nobody_serves(const std::string& name, const std::string& node) const;
  std::uint64_t watch(caf::strong_actor_ptr who, std::string name, std::string node,
                      std::function<void(const failure&)> fn);
  void unwatch(std::uint64_t number);

  /// Hands a message to loop 0, for whoever serves a name elsewhere; without an asker nobody waits for an answer.
  failure hand_over(const std::string& name, const std::string& node, std::string bytes,
                    caf::strong_actor_ptr asker, caf::message_id id, duration timeout);

  // What the first byte of a fact's key says that it is.
  static constexpr std::uint8_t name_fact = 1;
  static constexpr std::uint8_t presence_fact = 2;
  static constexpr std::uint8_t count_fact = 3;

  [[nodiscard]] const presence_board& board() const noexcept { return board_; }
  void track(caf::strong_actor_ptr who, std::string room, std::string key, std::string meta);
  void untrack(caf::strong_actor_ptr who, std::string room, std::string key);
  std::uint64_t watch_presence(caf::strong_actor_ptr who, std::string room,
                               std::function<void(const presence_change&)> fn);
  void unwatch_presence(std::uint64_t number);

  void on_drain(caf::strong_actor_ptr who, std::function<void()> fn);
  void before_leaving(std::function<deferred<void>()> fn);
  deferred<void> drain(drain_options how);

  // -- what the backplane tells -----------------------------------------------------------------

  void backplane_up() override;
  void backplane_down(const failure& why) override;
  void backplane_received(std::string_view from, bytes_view message) override;

  // -- what the relay tells ---------------------------------------------------------------------

  void carry(const topic& what, bytes_view bytes);
  void look_at(const std::string& name);

  void turn_ended() noexcept override;

private:
  // -- its life (cluster_core.cpp) --------------------------------------------------------------

  [[nodiscard]] wire::header header(wire::kind what) const noexcept;
  [[nodiscard]] bool talks() const noexcept { return state() == own_state::up; }
  void send(const std::string& to, const wire::writer& message);
  void send_all(const wire::writer& message);
  void joined();
  void tick();
  void beat(peer* only_to);
  void refuse_us(failure why);
  void forget_others(const failure& why);
  void note_bad_message(std::string_view from, std::string_view what);
  void later(duration delay, void (cluster_core::*fn)(), delayed_call& handle);
  static void take_back(delayed_call& call);
  void want_end_of_turn();

  /// Returns the core for what was posted to it, unless its cluster has been destroyed meanwhile.
  [[nodiscard]] static std::shared_ptr<cluster_core>
  running(const std::weak_ptr<cluster_core>& which);

  // -- who is there (membership.cpp) ------------------------------------------------------------

  [[nodiscard]] peer* hear(std::string_view from, const wire::header& h, const wire::beat* b);
  [[nodiscard]] peer* greet(peer& who, const wire::header& h, const wire::beat& b);
  void hear_own_name(const wire::header& h, wire::reader& in);
  void hear_outdated(wire::reader& in);
  void hear_bye(peer& who);
  void hear_beat(peer& who, const wire::beat& b);
  void answer_outdated(const std::string& to, std::uint64_t boot, std::uint64_t incarnation,
                       peer& from);
  [[nodiscard]] std::string why_refused(const peer& who) const;
  void answer_refused(peer& who);
  void lose(peer& who, failure why, duration hold);
  void rejoin(std::uint64_t above);
  void new_process(peer& who, std::uint64_t boot);
  void judge();
  void forgive_silence();
  void forget_old();
  void isolated_for_too_long();

  // -- topics (shared_topics.cpp) ---------------------------------------------------------------

  void send_interest_changes();
  void tell_all_interest(peer& who);
  void ask_interest(peer& who);
  void hear_interest(peer& who, wire::reader& in);
  void hear_interest_wanted(peer& who, wire::reader& in);
  void hear_publications(peer& who, wire::reader& in);
  bool accepts(const peer& who, const std::string& topic, std::string_view bytes);
  void count_missed(peer& who, std::uint64_t stream, std::uint64_t published);
  void add_publication(wanted_topic::by& to, const wanted_topic& on, bytes_view bytes);
  bool begin_publications(peer& who, std::size_t size);
  void drop_publication(peer& who);
  [[nodiscard]] bool gathers() const;
  void flush(peer& who);
  void flush_all();
  void look_at_all();

  // -- what nodes say of themselves (told_facts.cpp) ---------------------------------------------

  void send_facts_changes();
  void tell_facts(peer& who, std::uint64_t from);
  [[nodiscard]] std::size_t most_told() const noexcept;
  [[nodiscard]] bool tell_parts(peer& who);
  void go_on_telling();
  void ask_facts(peer& who);
  void hear_facts(peer& who, wire::reader& in);
  void hear_facts_wanted(peer& who, wire::reader& in);
  bool take_fact(peer& who, const wire::fact& what);
  void forget_facts(peer& who, const failure& why);

  // -- names (named_actors.cpp) -----------------------------------------------------------------

  std::uint64_t put_name(const std::string& name, name_directory::whom who, while_draining drains);
  [[nodiscard]] bool tells_name(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> nodes_that_serve(const std::string& name) const;
  void names_changed();
  void tell_name_observers();
  void tell_name(const std::string& name);
  void set_name(peer& who, std::string_view name, std::uint64_t instance);
  void remove_name(peer& who, const std::string& name, const failure& why);
  void look_at_watches(const std::string& name, const failure& why);
  void look_at_node_watches(const peer& who, const failure& why);
  void end_watches(const failure& why);

  // -- messages for actors elsewhere (questions.cpp) ---------------------------------------------

  failure send_question(const std::string& name, const std::string& node, std::string_view bytes,
                        const caf::strong_actor_ptr& asker, caf::message_id id, duration timeout);
  peer* choose(const std::string& name, const std::string& node);
  void hear_question(peer& who, wire::reader& in);
  void hear_answer(peer& who, wire::reader& in);
  void fail_questions(const peer* whom, const failure& why);
  void expire_questions();
  [[nodiscard]] basic_actor* answerer();

  friend class remote_question;
  void send_answer(const std::string& to, std::uint64_t boot, std::uint64_t number,
                   const caf::type_erased_tuple& content, const failure& why);

  // -- who is in which room (told_presence.cpp) --------------------------------------------------

  struct own_entry {
    std::string room, key, meta;
  };
  void track_here(const caf::strong_actor_ptr& who, own_entry what);
  void drop_own(std::uint64_t id);
  void tell_own(std::uint64_t id);
  void presence_changed();
  void flush_presence();
  bool take_entry(peer& who, const wire::fact& what);
  bool take_count(peer& who, const wire::fact& what);
  void note_too_many_entries(const peer& who);
  void lose_presence(peer& who, presence_cause cause, duration hold);
  void expire_presence();

  // -- before the end (draining.cpp) ------------------------------------------------------------

  void tell_clients();
  void drained_if_empty();
  void drained();
  void farewell_over();
  void end_drains();

  // -- who is told (telling.cpp) ----------------------------------------------------------------

  void tell(node_event what);
  void tell(node_event::kind_type kind, const peer& who, failure why = {});
  void tell_of_us(node_event::kind_type kind, failure why = {});
  void tell_missed();
  [[nodiscard]] std::vector<node_info> look_around() const;
  void changed();

  struct observer {
    caf::weak_actor_ptr who;
    std::shared_ptr<const std::function<void(const node_event&)>> fn;
  };

  runtime& rt_;
  event_loop& home_;
  const cluster_options options_;
  clock& time_;
  const bool own_time_; // by a clock that is not the loop's
  std::mt19937_64 random_;
  std::uint64_t boot_ = 0;
  std::atomic<own_state> state_{own_state::joining};
  std::atomic<std::uint64_t> incarnation_{0};
  const std::shared_ptr<topic_relay> relay_;
  std::optional<topic_sharing> sharing_;
  std::optional<topics> topics_;
  std::unique_ptr<backplane_link> link_;
  bool link_up_ = false;
  bool begun_ = false;               // has been up
  std::atomic<bool> gave_up_{false}; // has been isolated for too long
  time_point joined_at_{};
  time_point last_tick_{};
  delayed_call tick_call_;
  delayed_call judge_call_;
  delayed_call join_call_;
  delayed_call isolation_call_;
  delayed_call parts_call_; // somebody is still to be told the rest of all
  std::optional<trigger_id> trigger_;
  bool end_of_turn_wanted_ = false;
  bool ended_ = false; // the loop and the clock are asked for nothing any more

  std::map<std::string, std::unique_ptr<peer>, std::less<>>
    peers_; // in an order that is no accident
  std::deque<std::pair<std::uint64_t, std::array<std::uint64_t, 2>>>
    old_streams_; // of forgotten processes, by boot: stream and seen
  interest_table wanted_;
  own_interest own_;
  std::uint64_t interest_told_ = 0; // the version that has been sent to all
  bool too_many_topics_ = false;
  std::vector<peer*> dirty_;        // with publications of this turn
  std::size_t buffered_ = 0;        // their bytes
  std::size_t room_ = 0;            // that there was for them, when a message was begun
  std::size_t gathered_before_ = 0; // `buffered_` at the end of the turn before
  time_point flushed_at_{};
  std::uint64_t last_stream_ = 0;
  topic_arrivals arrivals_;
  std::vector<topic> named_; // of the message that is being read

  own_facts facts_;
  std::uint64_t facts_told_ = 0; // the version that has been sent to all
  name_directory directory_;

  struct watch_entry {
    std::uint64_t number;
    caf::weak_actor_ptr who;
    std::string node;           // empty: any
    std::uint64_t instance = 0; // of the name at that node, or its incarnation
    std::shared_ptr<const std::function<void(const failure&)>> fn;
  };
  static void end_watch(const watch_entry& one, const failure& why);
  struct name_observer {
    caf::weak_actor_ptr who;
    std::string name;
    std::shared_ptr<const std::function<void(const std::vector<std::string>&)>> fn;
    std::optional<std::vector<std::string>> told{};
  };
  std::vector<name_observer> name_observers_;
  bool names_changed_ = false; // they are to be looked at
  std::atomic<std::uint64_t> last_watch_{0};
  std::unordered_map<std::string, std::vector<watch_entry>> watches_;      // by name
  std::unordered_map<std::string, std::vector<watch_entry>> node_watches_; // by node

  std::uint64_t last_question_ = 0;
  std::map<std::uint64_t, open_question> questions_; // in an order that is no accident
  std::size_t next_choice_ = 0;
  caf::actor answerer_; // asks the actors here what other nodes want to know

  presence_board board_;
  struct own_room {
    std::set<std::uint64_t> ids;
    bool counted = false; // the others are told how many, and not who
  };
  std::uint64_t last_entry_ = 0;
  std::unordered_map<std::uint64_t, own_entry> own_entries_;
  using ids_by_place = std::unordered_map<std::string, std::uint64_t>;
  std::unordered_map<caf::actor_id, ids_by_place> tracked_; // by who made them
  std::unordered_map<std::string, own_room> own_rooms_;
  std::set<std::string> counted_changed_; // counts that are to be told
  bool presence_dirty_ = false;           // watchers are to be told
  delayed_call presence_call_;
  delayed_call hold_call_;

  struct client {
    caf::weak_actor_ptr who;
    std::shared_ptr<const std::function<void()>> fn;
  };
  std::atomic<bool> draining_{false};
  drain_options drain_;
  std::uint64_t last_client_ = 0;
  std::map<std::uint64_t, client> clients_; // in the order in which they came
  std::deque<std::uint64_t> untold_;
  std::vector<promise<void>> drains_;
  std::vector<std::function<deferred<void>()>> before_leaving_;
  bool drained_ = false; // and about to leave
  delayed_call grace_call_;
  delayed_call batch_call_;

  std::vector<observer> observers_;
  bool missed_untold_ = false;
  bool changed_ = false;
  std::atomic<std::size_t> topics_here_{0};
  std::atomic<std::size_t> topics_elsewhere_{0};
  mutable std::mutex seen_mutex_;
  std::vector<node_info> seen_; // as of the latest change; guarded

  struct {
    tally messages_out, messages_in, bytes_out, bytes_in, refused_messages, publications_out,
      publications_dropped, publications_in, publications_unwanted, publications_refused,
      publications_missed, publications_repeated, isolations, incarnations, questions_out,
      questions_in, questions_refused;
  } count_;
};

} // namespace troupe::detail

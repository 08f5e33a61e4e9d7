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
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <caf/actor_control_block.hpp>

#include <troupe/actors/topic_sharing.hpp>
#include <troupe/actors/topics.hpp>
#include <troupe/cluster/backplane.hpp>
#include <troupe/cluster/cluster.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/reactor.hpp>

#include "interest.hpp"
#include "peer.hpp"
#include "topic_relay.hpp"
#include "wire.hpp"

namespace troupe::detail {

/// Tells whether this may be the name of a node.
[[nodiscard]] bool is_node_name(std::string_view name) noexcept;

/// Checks what a user has chosen. \throws std::invalid_argument
void check(const cluster_options& options);

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

/// A node: what a `cluster` refers to. In four files: cluster_core.cpp (its life and its messages),
/// membership.cpp (who is there), shared_topics.cpp (who wants what, and publications) and telling.cpp
/// (who is told).
///
/// Thread: loop 0, but for what says otherwise.
class cluster_core final : public backplane_events,
                           public end_of_turn,
                           public std::enable_shared_from_this<cluster_core> {
public:
  cluster_core(runtime& rt, cluster_options options, clock* time);
  ~cluster_core();

  void start();
  void end(); // the cluster is destroyed
  deferred<void> leave();

  // -- any thread -------------------------------------------------------------------------------

  [[nodiscard]] const cluster_options& options() const noexcept { return options_; }
  [[nodiscard]] runtime& home_runtime() const noexcept { return rt_; }
  [[nodiscard]] own_state state() const noexcept { return state_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t incarnation() const noexcept { return incarnation_.load(); }
  [[nodiscard]] std::size_t topics_here() const noexcept { return topics_here_.load(); }
  [[nodiscard]] std::size_t topics_elsewhere() const noexcept { return topics_elsewhere_.load(); }
  [[nodiscard]] bool ready() const noexcept {
    return state() == own_state::up || (state() == own_state::isolated && !gave_up_.load());
  }
  [[nodiscard]] std::vector<node_info> nodes() const;
  [[nodiscard]] cluster_counters counters() const noexcept;
  [[nodiscard]] const topic_sharing& sharing() const noexcept { return *sharing_; }
  void add_observer(caf::strong_actor_ptr who, std::function<void(const node_event&)> fn);

  // -- what the backplane tells -----------------------------------------------------------------

  void backplane_up() override;
  void backplane_down(const failure& why) override;
  void backplane_received(std::string_view from, bytes_view message) override;

  // -- what the relay tells ---------------------------------------------------------------------

  void carry(const topic& what, const shared_bytes& bytes);
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
  void note_bad_message(std::string_view from, std::string_view what);
  void later(duration delay, void (cluster_core::*fn)(), delayed_call& handle);
  static void take_back(delayed_call& call);
  void want_end_of_turn();

  // -- who is there (membership.cpp) ------------------------------------------------------------

  [[nodiscard]] peer* hear(std::string_view from, const wire::header& h, const wire::beat* b);
  [[nodiscard]] peer* greet(peer& who, const wire::header& h, const wire::beat& b);
  void hear_own_name(const wire::header& h, wire::reader& in);
  void hear_outdated(wire::reader& in);
  void hear_bye(peer& who);
  void hear_beat(peer& who, const wire::beat& b);
  void answer_outdated(const std::string& to, std::uint64_t boot, std::uint64_t incarnation,
                       peer& from);
  void lose(peer& who, failure why);
  void rejoin(std::uint64_t above);
  void new_process(peer& who, std::uint64_t boot);
  void judge();
  void forgive_silence();
  void forget_old();
  void isolated_for_too_long();

  // -- topics (shared_topics.cpp) ---------------------------------------------------------------

  void send_interest_changes();
  void ask_interest(peer& who);
  void hear_interest(peer& who, wire::reader& in);
  void hear_interest_wanted(peer& who, wire::reader& in);
  void hear_publications(peer& who, wire::reader& in);
  void count_missed(peer& who, std::uint64_t stream, std::uint64_t published);
  void add_publication(wanted_topic::by& to, const wanted_topic& on, const shared_bytes& bytes);
  void drop_publication(peer& who);
  void flush(peer& who);
  void flush_all();
  void look_at_all();

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
  std::optional<trigger_id> trigger_;
  bool end_of_turn_wanted_ = false;

  std::map<std::string, std::unique_ptr<peer>, std::less<>>
    peers_; // in an order that is no accident
  std::deque<std::pair<std::uint64_t, std::array<std::uint64_t, 2>>>
    old_streams_; // of forgotten processes, by boot: stream and seen
  interest_table wanted_;
  own_interest own_;
  std::uint64_t interest_told_ = 0; // the version that has been sent to all
  bool too_many_topics_ = false;
  std::vector<peer*> dirty_; // with publications of this turn
  std::size_t buffered_ = 0; // their bytes
  std::uint64_t last_stream_ = 0;
  std::vector<topic> named_; // of the message that is being read

  std::vector<observer> observers_;
  bool missed_untold_ = false;
  bool changed_ = false;
  std::atomic<std::size_t> topics_here_{0};
  std::atomic<std::size_t> topics_elsewhere_{0};
  mutable std::mutex seen_mutex_;
  std::vector<node_info> seen_; // as of the latest change; guarded

  struct {
    tally messages_out, messages_in, bytes_out, bytes_in, refused_messages, publications_out,
      publications_dropped, publications_in, publications_unwanted, publications_missed,
      publications_repeated, isolations, incarnations;
  } count_;
};

} // namespace troupe::detail

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/actor_control_block.hpp>

#include <troupe/cluster/presence.hpp>
#include <troupe/runtime/time.hpp>

#include "node_pool.hpp"

namespace troupe::detail {

inline constexpr std::size_t longest_room = 200;
inline constexpr std::size_t longest_key = 200;
inline constexpr std::size_t longest_meta = 1024;

/// All entries of all nodes, by rooms; and who watches them.
///
/// Each entry belongs to an owner: a process, by the node's name and its boot number.
/// Thread: `list` and `count`: any; the rest: loop 0.
class presence_board {
public:
  using owner_id = std::pair<std::string, std::uint64_t>;

  /// \param most  how many entries an owner may have
  explicit presence_board(std::size_t most) : most_(most) {}

  // -- what owners say --------------------------------------------------------------------------

  /// The owner is there, again maybe: what it had and does not say until `end_whole` is gone then.
  void begin_whole(const owner_id& whose);
  void end_whole(const owner_id& whose);

  /// Returns false if that is one entry too many.
  bool set(const owner_id& whose, std::uint64_t id, std::string_view room, std::string_view key,
           std::string_view meta);
  void remove(const owner_id& whose, std::uint64_t id, presence_cause cause = presence_cause::left);

  /// Says how many entries an owner has in a room beside those that it lists; 0 for none.
  bool set_count(const owner_id& whose, std::string_view room, std::uint64_t count);

  // -- owners that come and go ------------------------------------------------------------------

  /// Takes an owner's entries away at `until`, if it is not there again before (`keep`); `expire` does it.
  /// What it says after that is `healed`.
  void lose(const owner_id& whose, presence_cause cause, time_point until);

  /// It never comes back; what it has is held as long as it would be.
  void replace(const owner_id& whose);

  /// It is there again; its entries stay.
  void keep(const owner_id& whose);

  /// Ends what was held until `now`; returns when there is more to end.
  std::optional<time_point> expire(time_point now);

  // -- readers ----------------------------------------------------------------------------------

  [[nodiscard]] std::vector<presence_entry> list(std::string_view room, std::size_t limit) const;
  [[nodiscard]] std::size_t count(std::string_view room) const;
  [[nodiscard]] std::size_t entries() const;

  using listener = std::shared_ptr<const std::function<void(const presence_change&)>>;
  void watch(std::uint64_t number, const caf::strong_actor_ptr& who, const std::string& room,
             listener fn);
  void unwatch(std::uint64_t number);

  /// Tells watchers what has changed.
  void flush();

private:
  struct owner;
  struct entry {
    const owner* of;
    std::uint64_t id;
    std::string meta;
  };

  /// The entries of one key, in the order of their owners. Nearly all keys have one, which takes no memory of its own.
  class holders {
  public:
    [[nodiscard]] std::size_t size() const noexcept {
      return (first_.of != nullptr ? 1 : 0) + (more_ ? more_->size() : 0);
    }
    [[nodiscard]] bool empty() const noexcept { return first_.of == nullptr; }
    [[nodiscard]] entry& at(std::size_t i) noexcept { return i == 0 ? first_ : (*more_)[i - 1]; }
    [[nodiscard]] const entry& at(std::size_t i) const noexcept {
      return i == 0 ? first_ : (*more_)[i - 1];
    }
    [[nodiscard]] entry& of(const owner& whose, std::uint64_t id) noexcept;
    void add(entry one);
    void remove(const owner& whose, std::uint64_t id);

  private:
    entry first_{nullptr, 0, {}};
    std::unique_ptr<std::vector<entry>> more_; // null but for keys with several
  };
  using keys = std::map<std::string, holders, std::less<>,
                        pool_allocator<std::pair<const std::string, holders>>>;

  struct room;
  using rooms = std::unordered_map<std::string, room>;

  /// Where an entry is. Both stay where they are as long as it is there.
  struct located {
    std::pair<const std::string, room>* in;
    keys::iterator key;
    std::uint64_t generation; // of the whole that has told it
  };
  struct counted {
    std::uint64_t count, generation;
  };
  using entries_by_number =
    std::unordered_map<std::uint64_t, located, std::hash<std::uint64_t>, std::equal_to<>,
                       pool_allocator<std::pair<const std::uint64_t, located>>>;
  struct owner {
    explicit owner(node_pool& pool) : entries(entries_by_number::allocator_type{pool}) {
      entries.max_load_factor(4); // there are many, and they are looked up rarely
    }
    const owner_id* id = nullptr;
    std::uint64_t generation = 0;
    bool lost = false;     // what it has is held until `until`
    bool replaced = false; // and it never comes back
    bool healing = false;  // it was lost, and what it had with it
    presence_cause cause = presence_cause::node_down;
    time_point until{};
    entries_by_number entries;
    std::unordered_map<std::string, counted> counts; // by room
  };
  struct watcher {
    std::uint64_t number;
    caf::weak_actor_ptr who;
    listener fn;
  };
  struct change {
    std::optional<presence_entry> before;
    presence_cause cause;
  };
  struct room {
    explicit room(node_pool& pool) : keys(presence_board::keys::allocator_type{pool}) {}
    presence_board::keys keys;
    std::size_t counted = 0; // entries that are not listed
    std::vector<watcher> watchers;
    std::map<std::string, change> changes; // since the watchers were told
    std::optional<std::size_t> count_before;
  };

  static presence_entry shown(const std::string& key, const holders& all);
  static std::size_t count_of(const room& in) noexcept { return in.keys.size() + in.counted; }
  owner& owner_of(const owner_id& whose);
  void note(const std::string& name, room& in, const std::string& key, presence_cause cause);
  void note_all(const owner& of, presence_cause cause);
  void note_count(const std::string& name, room& in);
  void take(owner& from, std::uint64_t id, presence_cause cause);
  void take_count(owner& from, const std::string& name);
  room& room_of(const std::string& name) {
    return rooms_.try_emplace(name, key_nodes_).first->second;
  }
  void take_all(owner& from, presence_cause cause);
  void tidy(rooms::iterator which);
  static presence_change present_in(const std::string& name, const room& in);

  const std::size_t most_;
  mutable std::mutex mutex_; // of all below, for readers
  node_pool key_nodes_, entry_nodes_;
  std::map<owner_id, owner> owners_;
  rooms rooms_;
  std::set<std::string> dirty_; // rooms with changes, in an order that is no accident
  std::unordered_map<std::uint64_t, std::string> watched_;
};

} // namespace troupe::detail

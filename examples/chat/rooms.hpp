#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/actor_control_block.hpp>
#include <caf/weak_intrusive_ptr.hpp>

#include <troupe/actors/topics.hpp>
#include <troupe/history/kept_topics.hpp>

namespace troupe {
class loop_scheduler;
}

using room_opened_atom = caf::atom_constant<caf::atom("opened")>; // to user: it may go on

class chat_rooms;

/// Tells whether `lines` may be shown to people: each of them is `troupe::is_printable` and ended. What is said here always
/// is; what comes from other processes must be looked at.
[[nodiscard]] bool are_lines(std::string_view lines) noexcept;

/// A room: what is said there, what happens there, and how far those who listen have come.
///
/// Who talks much in one go may go on as long as the room is open: that is while no listener has fallen
/// behind, and not too much of what was said is on its way to the loops. So somebody who talks without
/// end is as fast as the slowest who listens, and costs nobody the connection.
///
/// Thread: any.
class chat_room : public std::enable_shared_from_this<chat_room> {
public:
  chat_room(troupe::runtime& rt, std::shared_ptr<chat_rooms> all, const std::string& look);
  ~chat_room();

  /// Returns what all names of this room have in common.
  [[nodiscard]] const std::string& look() const noexcept { return said.name(); }

  /// Lets all who are here read `lines`, but for one, and keeps them if anything is kept. `who` says them.
  void say(troupe::pinned_actor& who, std::string_view lines, troupe::except left_out) const;

  /// Tells whether it is open. If not, `who` is sent a `room_opened_atom` when it is.
  [[nodiscard]] bool open_to(const caf::strong_actor_ptr& who);

  /// So much was published from the calling loop: it counts as on its way until every loop has it.
  void published(troupe::loop_scheduler& loops, std::size_t bytes);

  /// Somebody who listens here takes less than is said, and takes all again.
  void fell_behind();
  void caught_up();

  const troupe::topic said; ///< the lines of those who are here
  const troupe::topic
    happens; ///< who comes, leaves, and is called otherwise, for who wants to know
  const troupe::kept_topic kept; ///< what was said, if it is kept

private:
  static constexpr std::size_t most_on_the_way = 128 * 1024; // to each loop

  [[nodiscard]] bool open() const noexcept;
  void arrived(std::size_t bytes);
  void tell_if_open(std::unique_lock<std::mutex> lock);

  const std::shared_ptr<chat_rooms> all_;
  std::mutex mutex_;
  std::size_t on_the_way_ = 0; // bytes, once for each loop
  std::size_t loops_ = 1;
  std::size_t behind_ = 0;
  std::vector<caf::weak_actor_ptr> waiting_;
};

/// The rooms there are; each is gone with the last who was there. Thread: any.
class chat_rooms : public std::enable_shared_from_this<chat_rooms> {
public:
  /// \param kept  where what is said is kept; null: nowhere. It is there as long as anybody talks.
  explicit chat_rooms(troupe::runtime& rt, const troupe::kept_topics* kept = nullptr)
    : chat_rooms(rt, troupe::topics{rt}, kept) {}

  /// Returns the room whose names look like `name`, a new one if there is none.
  [[nodiscard]] std::shared_ptr<chat_room> get(std::string_view name);

  /// With rooms that processes share: `shared` is `topics{cluster}`. One whose name is longer than topics over nodes may be
  /// is this process's alone.
  chat_rooms(troupe::runtime& rt, troupe::topics shared, const troupe::kept_topics* kept = nullptr)
    : rt_(rt), topics_(std::move(shared)), local_(rt), kept_(kept) {}

  /// Returns the room whose names have this in common, or null if nobody is there.
  [[nodiscard]] std::shared_ptr<chat_room> find(const std::string& look);

  /// Tells whether what is said is kept.
  [[nodiscard]] bool keeps() const noexcept { return kept_ != nullptr; }

  /// Returns the topics of what is said, by the looks of the rooms' names.
  [[nodiscard]] const troupe::topics& topics() const noexcept { return topics_; }

private:
  friend class chat_room;

  static constexpr std::size_t longest_shared = 200; // bytes of a name that travels

  [[nodiscard]] troupe::topic said(const std::string& look) const;
  [[nodiscard]] troupe::kept_topic kept(const std::string& look) const;
  void forget(const std::string& look);

  troupe::runtime& rt_;
  const troupe::topics topics_;
  const troupe::topics local_; // of names that do not travel
  const troupe::kept_topics* const kept_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<chat_room>> rooms_; // by the looks of their names
};

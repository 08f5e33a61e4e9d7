#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <troupe/actors/topic.hpp>

namespace troupe::detail {

struct subscriber;

/// One subscription, as the topic's shard has it.
struct subscriber_entry {
  pinned_actor* target;  // null: an actor without a loop of its own, which `who` knows
  write_published write; // null: it gets messages
  subscriber* who;       // null: a hole, left by one that went while the list was walked
  std::uint32_t slot;    // where `who` has this subscription
};

/// Those of one loop who subscribe to one topic in the same way.
///
/// Walking it may run code that adds and removes: what is added is not visited by walks under way,
/// and what is removed is not visited any more.
///
/// Thread: that of the loop.
class subscriber_list {
public:
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size() - holes_; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

  /// Returns the index of the new entry.
  std::uint32_t add(const subscriber_entry& entry);

  /// Removes the entry with this index; another one may take its place.
  void remove(std::uint32_t index) noexcept;

  [[nodiscard]] subscriber_entry& at(std::uint32_t index) noexcept { return entries_[index]; }

  /// Returns the index of the entry of `who`, or `none`. Linear.
  static constexpr std::uint32_t none = UINT32_MAX;
  [[nodiscard]] std::uint32_t find(const subscriber& who) const noexcept;

  /// Calls `fn` with each entry that there is at the beginning.
  template <class F>
  void walk(F fn) {
    struct guard {
      subscriber_list& list;
      ~guard() {
        if (--list.walks_ == 0 && list.holes_ > 0)
          list.close_holes();
      }
    };
    ++walks_;
    const guard leave{*this};
    for (std::size_t i = 0, end = entries_.size(); i < end; ++i)
      if (const auto entry = entries_[i]; entry.who != nullptr)
        fn(entry);
  }

private:
  void close_holes() noexcept;
  void take_last(std::uint32_t index) noexcept;

  std::vector<subscriber_entry> entries_;
  std::uint32_t walks_ = 0; // under way
  std::uint32_t holes_ = 0;
};

} // namespace troupe::detail

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <troupe/runtime/time.hpp>
#include <troupe/runtime/unique_function.hpp>

#include "peer.hpp"
#include "wire.hpp"

namespace troupe::detail {

/// A topic that other nodes have subscribers of. Its address is the mark of `topic_sharing`.
struct wanted_topic {
  struct by {
    peer* who;
    std::uint64_t message = 0; // the message to `who` that has the topic's name already
    std::size_t number = 0;    // the topic's within that message
  };
  std::string name;
  std::vector<by> by_whom;
};

/// What other nodes want. Thread: one.
class interest_table {
public:
  /// Hears when the first node wants a topic, with it, and when the last one does not, with null.
  using change = unique_function<void(std::string_view name, wanted_topic* topic)>;

  explicit interest_table(change changed) : changed_(std::move(changed)) {}

  void add(peer& who, std::string_view name);
  void remove(peer& who, std::string_view name);
  void remove_all(peer& who);

  /// Makes `names` all that `who` wants.
  void replace(peer& who, const std::vector<std::string>& names);

  [[nodiscard]] std::size_t size() const noexcept { return topics_.size(); }

private:
  void take_out(peer& who, wanted_topic& topic);

  change changed_;
  std::unordered_map<std::string_view, std::unique_ptr<wanted_topic>> topics_;
};

/// What this node wants, as it tells the others: numbered changes, of which the latest are kept.
///
/// A topic whose last subscriber has left stays for a while: rooms are left and joined again.
/// Thread: one.
class own_interest {
public:
  static constexpr std::size_t kept_changes = 4096;
  static constexpr duration linger = std::chrono::seconds(5);

  explicit own_interest(std::size_t most_topics) : most_(most_topics) {}

  /// Says how many subscribers a topic has now. Returns false if there are too many topics for this one.
  bool look(std::string_view name, std::size_t subscribers, time_point now);

  /// Ends what has lingered; `wanted` tells whether a topic has subscribers again.
  template <class Wanted>
  void expire(time_point now, Wanted wanted) {
    while (!lingering_.empty() && lingering_.front().until <= now) {
      const auto name = std::move(lingering_.front().name);
      lingering_.pop_front();
      leaving_.erase(name);
      if (!wanted(name) && topics_.erase(name) != 0)
        note(false, name);
    }
  }

  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  [[nodiscard]] std::size_t size() const noexcept { return topics_.size(); }
  [[nodiscard]] bool has(const std::string& name) const { return topics_.count(name) != 0; }

  /// Calls `send(writer&)` with the messages that tell what changed after version `from`; returns false,
  /// and calls nothing, if that is not kept any more.
  template <class Send>
  bool tell_changes(std::uint64_t from, const wire::header& h, std::size_t longest,
                    Send send) const;

  /// Calls `send(writer&)` with the next part of all, which has what is wanted now; `to` is over after the last one.
  template <class Send>
  void tell_part(wire::whole_told& to, const wire::header& h, std::size_t longest, Send send) const;

private:
  struct changed {
    bool wanted;
    std::string name;
  };
  struct lingering {
    time_point until;
    std::string name;
  };

  void note(bool wanted, const std::string& name);

  const std::size_t most_;
  std::uint64_t version_ = 0;
  std::set<std::string> topics_; // that the others are told of, in the order in which all is told
  std::deque<changed> changes_;  // the last one made `version_`
  std::deque<lingering> lingering_;
  std::unordered_set<std::string> leaving_; // those in `lingering_`
};

template <class Send>
bool own_interest::tell_changes(std::uint64_t from, const wire::header& h, std::size_t longest,
                                Send send) const {
  if (from > version_ || version_ - from > changes_.size())
    return false;
  auto next = changes_.end() - static_cast<std::ptrdiff_t>(version_ - from);
  while (next != changes_.end()) {
    auto end = next;
    std::size_t size = 64;
    while (end != changes_.end() && size + end->name.size() + 2 <= longest)
      size += end++->name.size() + 2;
    if (end == next) // a limit that nothing fits
      return false;
    const auto to = from + static_cast<std::uint64_t>(end - next);
    wire::writer out{h};
    wire::write(out, wire::interest{0, 0, from, to});
    for (; next != end; ++next)
      out.u8(next->wanted ? 1 : 0).text(next->name);
    from = to;
    send(out);
  }
  return true;
}

template <class Send>
void own_interest::tell_part(wire::whole_told& to, const wire::header& h, std::size_t longest,
                             Send send) const {
  const auto begin = to.part == 0 ? topics_.begin() : topics_.upper_bound(to.last);
  auto end = begin;
  std::size_t size = 64;
  while (end != topics_.end() && size + end->size() + 2 <= longest)
    size += end++->size() + 2;
  to.begun = end != topics_.end();
  if (end == begin && to.begun) { // a limit that nothing fits
    to.begun = false;
    return;
  }
  const auto last = to.begun ? 0 : wire::interest::last;
  wire::writer out{h};
  wire::write(out, wire::interest{static_cast<std::uint8_t>(wire::interest::whole | last),
                                  to.part++, 0, to.version});
  for (auto next = begin; next != end; ++next)
    out.u8(1).text(*next);
  if (to.begun)
    to.last = *std::prev(end);
  send(out);
}

} // namespace troupe::detail

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include <troupe/history/kept_message.hpp>

namespace troupe::detail {

/// The newest messages of a topic, without a gap: all that came after `floor()`, up to `last()`.
class history_ring {
public:
  history_ring(std::size_t messages, std::size_t bytes) noexcept
    : usual_{messages, bytes}, most_(usual_) {}

  /// Tells whether anything is known at all.
  [[nodiscard]] bool known() const noexcept { return known_; }
  [[nodiscard]] std::uint64_t floor() const noexcept { return floor_; }
  [[nodiscard]] std::uint64_t last() const noexcept { return last_; }
  [[nodiscard]] std::size_t size() const noexcept { return messages_.size(); }

  /// Tells whether it answers who has all up to `after`, or wants the newest `limit` of what came later.
  [[nodiscard]] bool answers(std::uint64_t after, std::size_t limit) const noexcept {
    return known_ && after <= last_ && (after >= floor_ || messages_.size() >= limit);
  }

  /// Forgets all; nothing is known.
  void clear() noexcept;

  /// Forgets all, and knows that nothing came after `floor`.
  void restart(std::uint64_t floor) noexcept;

  /// Adds what follows the last one; the oldest give way.
  void push(kept_ref message);

  /// Takes `page` in place of all that it has.
  void take(const history_page& page);

  /// Adds what `older` has before all that is here, if nothing is missing between; the oldest give way.
  void deepen(const history_page& older);

  /// Keeps up to so many, if that is more than usual, until `narrow`.
  void widen(std::size_t messages, std::size_t bytes) noexcept;

  /// Keeps as many as usual again; the oldest give way.
  void narrow();

  /// Returns a copy with as many as usual.
  [[nodiscard]] std::shared_ptr<const history_ring> narrowed() const;

  /// Returns the newest `limit` of those after `after`.
  [[nodiscard]] history_page newest(std::uint64_t after, std::size_t limit) const;

  [[nodiscard]] const std::deque<kept_ref>& messages() const noexcept { return messages_; }

private:
  struct size_limit {
    std::size_t messages;
    std::size_t bytes;
  };

  void evict();

  size_limit usual_;
  size_limit most_;
  std::deque<kept_ref> messages_;
  std::size_t bytes_ = 0;
  std::uint64_t floor_ = 0;
  std::uint64_t last_ = 0;
  bool known_ = false;
};

} // namespace troupe::detail

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <caf/intrusive_ptr.hpp>

#include <troupe/actors/topics.hpp>

namespace troupe {

namespace detail {
class arriving_publications;
}

/// Takes publications to other processes, for topics that are shared. A `cluster` has one.
///
/// Thread: any; the functions are called by whoever publishes, subscribes or ends.
class topic_carrier {
public:
  virtual ~topic_carrier() = default;

  /// Is handed what was published on a topic that is wanted elsewhere. Called in the publisher's code,
  /// before the subscribers here have it, so what it calls in place must be quick and run nothing of the user's.
  /// The bytes are there for this call.
  virtual void carry(const topic& what, bytes_view bytes) = 0;

  /// Hears that the topic may have its first subscriber here, or may have lost its last one: whoever
  /// wants to know looks, on a loop of its own. May be called more often than that happens.
  virtual void subscribers_changed(const std::string& name) noexcept = 0;
};

/// Topics by name that are shared with other processes: what `topics{cluster}` is made of.
///
/// As long as nobody elsewhere wants a topic, publishing on it costs what it costs among `topics{rt}`:
/// whoever carries says by name what is wanted (`wanted_elsewhere`), and is called for that only.
///
/// Lifetime: topics may outlive it; then nothing is carried any more. Thread: any.
class topic_sharing {
public:
  struct limits {
    std::size_t longest_name = SIZE_MAX; ///< of a topic, in bytes; an empty one is refused, too
    std::size_t longest_publication = SIZE_MAX; ///< in bytes
  };

  topic_sharing(runtime& rt, std::shared_ptr<topic_carrier> carrier, const limits& bounds);
  ~topic_sharing();
  topic_sharing(const topic_sharing&) = delete;
  topic_sharing& operator=(const topic_sharing&) = delete;

  /// Says who else wants the topic with this name, now or as soon as there is one: `mark` means
  /// something to the carrier, and null means nobody.
  void wanted_elsewhere(std::string_view name, void* mark) const;

  /// Returns what `wanted_elsewhere` said of this topic last.
  [[nodiscard]] static void* mark_of(const topic& what) noexcept;

private:
  friend class topics;
  friend class topic_arrivals;
  [[nodiscard]] static detail::topic_state& state_of(const topic& what) { return what.state(); }

  const caf::intrusive_ptr<detail::topic_directory> directory_;
};

/// Gives what other processes published to the subscribers here, as `publish` does, and carries nothing.
///
/// What came together costs one function for each loop with subscribers, however many publications that is: whoever
/// carries adds them all, and hands them over at the end. A long delivery leaves the loop's other work its share.
///
/// Order: a subscriber gets what was added in that order, over topics too. Transports on loop 0 have a publication
/// when `add` returns.
/// Lifetime: what was handed over is delivered, whether or not this is still there.
/// Thread: that of loop 0, in a turn.
class topic_arrivals {
public:
  explicit topic_arrivals(runtime& rt);
  ~topic_arrivals();
  topic_arrivals(const topic_arrivals&) = delete;
  topic_arrivals& operator=(const topic_arrivals&) = delete;

  /// Adds a publication; the bytes are copied. Whoever publishes may be the subscriber's producer, which does anything.
  void add(const topic& what, bytes_view bytes);

  /// Hands over what was added since the last time.
  void hand_over();

private:
  const std::shared_ptr<detail::arriving_publications> state_;
};

} // namespace troupe

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/actors/topic.hpp>

namespace troupe {

class topic_sharing;

namespace detail {
class topic_directory;
void intrusive_ptr_add_ref(const topic_directory* directory) noexcept;
void intrusive_ptr_release(const topic_directory* directory) noexcept;
} // namespace detail

/// Topics by name: the rooms of a chat, the channels of a game.
///
/// A topic begins to exist when it is asked for, and is gone when nobody subscribes to it any more
/// and nobody holds its handle.
///
/// ```cpp
/// troupe::topics rooms{rt};
/// rooms.get("lobby").publish("Good morning.\r\n");
/// ```
///
/// This is a handle: copies are the same directory. Lifetime: as that of the runtime, for `get`.
/// Thread: any.
class topics {
public:
  explicit topics(runtime& rt);

  /// Has the topics that `shared` has, which a `cluster` is: each of its objects the same ones. What is
  /// published reaches the subscribers of other processes, too.
  explicit topics(const topic_sharing& shared);
  topics(const topics&) noexcept;
  topics& operator=(const topics&) noexcept;
  ~topics();

  /// Returns the topic with this name, a new one if there is none.
  ///
  /// \throws std::invalid_argument if topics are shared, and the name is empty or too long to travel
  [[nodiscard]] topic get(std::string_view name) const;

  /// Returns the topic with this name, or no topic if there is none.
  [[nodiscard]] topic find(std::string_view name) const;

  /// Returns the names of those that exist, in no particular order.
  [[nodiscard]] std::vector<std::string> names() const;

  /// Returns how many exist.
  [[nodiscard]] std::size_t size() const;

private:
  caf::intrusive_ptr<detail::topic_directory> directory_;
};

} // namespace troupe

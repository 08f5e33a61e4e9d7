#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>

#include <troupe/runtime/bytes.hpp>

namespace troupe {

/// A place in what a store has kept: what a client remembers, to go on from there.
///
/// Sequences grow over all topics of a store, and with gaps within one. They mean something in one epoch only: it
/// changes when the store was emptied or replaced. One without an epoch is no place at all, as that of who comes for the
/// first time.
struct history_position {
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;

  friend bool operator==(const history_position&, const history_position&) = default;
};

/// Returns the text that `parse_history_position` takes, such as "k3f9q2-1042"; nothing for no place.
[[nodiscard]] std::string to_string(const history_position& p);

/// Returns the place that `text` names, or none if it is not such a text. It comes from clients: whether there is such a
/// place is told by who is asked for what follows.
[[nodiscard]] std::optional<history_position> parse_history_position(std::string_view text);

/// A message as a store has it. It never changes.
struct kept_message {
  history_position at;
  std::uint64_t previous =
    0; ///< sequence of the one before it in its topic, though that may be gone; 0: it is the first
  std::int64_t time =
    0;            ///< when it was stored, in milliseconds since 1970, as the store's clock has it
  std::string id; ///< as `append_options::id` had it
  shared_bytes bytes;
};

/// A message that is shared by all who have it.
using kept_ref = std::shared_ptr<const kept_message>;

/// Some messages of a topic, the oldest first.
struct history_page {
  std::vector<kept_ref> messages;

  /// All that the topic has had after this sequence, up to `last` or to what was asked for, is in `messages`.
  std::uint64_t floor = 0;

  /// The topic's last sequence, though that message may be gone; 0: it never had one.
  std::uint64_t last = 0;
  std::uint64_t epoch = 0;
};

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::history_position)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::history_page)

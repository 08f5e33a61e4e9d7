#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <troupe/actors/topic.hpp>
#include <troupe/history/history_errc.hpp>
#include <troupe/history/history_store.hpp>
#include <troupe/history/kept_message.hpp>
#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

class runtime;

namespace detail {
class history_core;
struct kept_reader;
} // namespace detail

/// How much kept topics hold in memory and wait for.
struct kept_topics_options {
  std::size_t max_message = 256 * 1024; ///< bytes; longer ones are refused
  std::size_t max_name = 200;           ///< bytes of a topic's name, 1 or more

  /// What is kept in memory of each topic in use, for each loop that uses it: whoever missed no more than that costs the
  /// store nothing.
  std::size_t ring_messages = 100;
  std::size_t ring_bytes = 256 * 1024;

  /// What is read from the store in one go at most.
  std::size_t max_replay = 1000;
  std::size_t max_replay_bytes = 4 * 1024 * 1024;

  /// How long `resume` waits for the store; then it goes on without.
  duration patience = std::chrono::seconds(2);

  /// How long the store may take to keep a message, and how many may be on their way.
  duration append_timeout = std::chrono::seconds(5);
  std::size_t max_in_flight = 65536;
  std::size_t max_in_flight_bytes = 64 * 1024 * 1024;

  /// How long a topic that nobody uses stays in memory, for those who come back.
  duration linger = std::chrono::minutes(1);
};

/// What goes with a message.
struct append_options {
  /// Its id, up to 128 bytes: appended again with the same one it is kept once. So whoever got no answer may try again.
  std::string id{};
};

/// What a subscriber has got, and from where it goes on.
struct resumed {
  /// Whether all that came after `since` has been replayed. If not, something is gone, or too much was missed, or the
  /// store did not answer in time, or has another epoch.
  bool complete = true;

  /// Where it stands: what comes next comes after this.
  history_position at;
  std::size_t replayed = 0;
};

/// Which page of a topic's past is wanted: the newest `limit` messages, or those before one.
struct history_request {
  std::size_t limit = 50;
  history_position before{}; ///< no place: up to now
};

/// What kept topics have counted since they were made. All only grow.
struct kept_topics_counters {
  std::uint64_t appends = 0;     ///< that were handed over
  std::uint64_t appended = 0;    ///< of these, that the store has
  std::uint64_t failed = 0;      ///< of these, that it has not, or has not said so
  std::uint64_t delivered = 0;   ///< messages to subscribers, live
  std::uint64_t replayed = 0;    ///< messages to subscribers that they had missed
  std::uint64_t resumes = 0;     ///< of subscribers
  std::uint64_t incomplete = 0;  ///< of these, that were told that something is missing
  std::uint64_t store_reads = 0; ///< asked of the store
  std::uint64_t gaps = 0;        ///< found in what came live, and filled from the store
  std::uint64_t gaps_unfilled =
    0; ///< found, and the store had not what is missing, or did not answer
};

/// A topic whose messages are kept: a handle.
///
/// What is appended reaches, once it is kept, all who have resumed, in the order in which the store has it: the same for
/// all, and for the one who appended it, too. A subscriber says where it left off and gets what it missed and then what
/// is appended from then on: each message once, without a gap, or it is told that there is one.
///
/// ```cpp
/// void connection_made() override {
///   room_.resume(this, since_).add_callback([this](const troupe::resumed& r) {
///     if (!r.complete)
///       send_line("Some lines are missing here.");
///   });
/// }
/// void line_received(std::string_view line) override {
///   room_.append(*this, std::string{line} + "\r\n").add_errback([this](const troupe::failure& why) {
///     send_line("That was not kept: " + why.message());
///   });
/// }
/// ```
///
/// What a subscriber gets: a protocol its bytes at its transport; or whoever gives a function, that function is called
/// with each message, as the actor. It ends with the actor, or with `leave`.
///
/// Thread: that of the actor that is given. Lifetime: no longer than that of its `kept_topics`, for all but `name`.
class kept_topic {
public:
  /// Is no topic: only comparisons, `operator bool` and assignment make sense.
  kept_topic() noexcept = default;

  /// Keeps a message. The deferred fires, as `self`, when the store has it; subscribers get it about then.
  ///
  /// Fails with: `errc::message_too_long`, `errc::invalid_argument` (the id is too long), `errc::queue_overflow` (too many
  /// wait for the store), `errc::timed_out` or one of `history_errc`. Unless it says `store_full`, the store may have it
  /// all the same; with an id it may be sent again.
  /// Order: of one actor, that of these calls.
  deferred<history_position> append(basic_actor& self, const shared_bytes& bytes,
                                    append_options options = {}) const;
  deferred<history_position> append(basic_actor& self, std::string_view text,
                                    append_options options = {}) const {
    return append(self, shared_bytes{text}, std::move(options));
  }

  /// Subscribes a protocol, from `connection_made` on: what it missed since `since`, and what comes, is written to its
  /// transport. Doing it again begins anew from there.
  ///
  /// If memory has what was missed, all of it has been written when this returns, and the deferred has its result.
  ///
  /// \param since  `resumed::at`, or the place of the last message that it has; no place: it begins here
  /// \param limit  how many of the newest are replayed at most; who missed more has not got all
  template <detail::connected_actor A>
  deferred<resumed> resume(A* self, history_position since, std::size_t limit = 1000) const {
    return begin(*self, since, limit, &detail::write_to_transport<A>, {});
  }

  /// As above, for any pinned actor; calls `fn(message)`, as `self`, with each message.
  template <std::derived_from<pinned_actor> A>
  deferred<resumed> resume(A* self, history_position since, std::size_t limit,
                           std::function<void(const kept_message&)> fn) const {
    return begin(*self, since, limit, nullptr, std::move(fn));
  }

  /// Ends the subscription of `self`, if there is one. Nothing more comes.
  void leave(pinned_actor& self) const;

  /// Returns a page of what is kept: it has what was said to be kept to anybody in this process before. The deferred
  /// fires as `self`.
  ///
  /// Fails with: `errc::timed_out`, or one of `history_errc`: where the store is away there is no page, whatever memory has
  deferred<history_page> history(basic_actor& self, history_request request = {}) const;

  [[nodiscard]] const std::string& name() const noexcept;

  [[nodiscard]] explicit operator bool() const noexcept { return core_ != nullptr; }
  friend bool operator==(const kept_topic& a, const kept_topic& b) noexcept {
    return a.core_ == b.core_ && a.name() == b.name();
  }

private:
  friend class kept_topics;

  kept_topic(std::shared_ptr<detail::history_core> core, std::string name)
    : core_(std::move(core)), name_(std::make_shared<const std::string>(std::move(name))) {}
  deferred<resumed> begin(pinned_actor& self, history_position since, std::size_t limit,
                          detail::write_published write,
                          std::function<void(const kept_message&)> fn) const;

  std::shared_ptr<detail::history_core> core_;
  std::shared_ptr<const std::string> name_;
};

/// Topics by name whose messages are kept in a store.
///
/// ```cpp
/// troupe::runtime rt;
/// troupe::kept_topics rooms{rt, std::make_shared<troupe::memory_history>()};
/// troupe::kept_topic lobby = rooms.get("lobby");
/// ```
///
/// It uses the store from its construction on. When the runtime stops, what was handed over before is kept first, and then
/// the store is left.
///
/// Lifetime: `rt` outlives it, unless `rt` has stopped or never ran. Thread: the constructor and the destructor: loop 0, or before and after `run()`; the rest:
/// any.
class kept_topics {
public:
  /// \throws std::invalid_argument if an option makes no sense
  /// \throws std::system_error of `history_errc` if the store cannot be used
  kept_topics(runtime& rt, history_ref store, kept_topics_options options = {});
  ~kept_topics();
  kept_topics(const kept_topics&) = delete;
  kept_topics& operator=(const kept_topics&) = delete;

  /// Returns the topic with this name; it need not have been there before.
  ///
  /// \throws std::invalid_argument if the name is empty or too long
  [[nodiscard]] kept_topic get(std::string_view name) const;

  /// Tells whether the store is there.
  [[nodiscard]] bool ready() const noexcept;
  [[nodiscard]] kept_topics_counters counters() const noexcept;

private:
  const std::shared_ptr<detail::history_core> core_;
};

} // namespace troupe

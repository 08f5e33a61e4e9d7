#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/intrusive_ptr.hpp>

#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe {

class runtime;

namespace detail {

class topic_state;
void intrusive_ptr_add_ref(const topic_state* state) noexcept;
void intrusive_ptr_release(const topic_state* state) noexcept;

/// Writes published bytes to what `who` is connected to. Returns false if it had no room for them;
/// it is asked only if `watched`.
using write_published = bool (*)(pinned_actor& who, const shared_bytes& bytes, bool watched);

/// Tells what is connected by a transport, as a protocol is, without knowing it.
template <class A>
concept connected_actor = std::derived_from<A, pinned_actor> && requires(A& who) {
  { who.connected() } -> std::convertible_to<bool>;
  who.transport().write(shared_bytes{});
  who.transport().refused_writes();
};

template <class Transport>
[[gnu::noinline]] bool write_watched(Transport& transport, const shared_bytes& bytes) {
  const auto refused = transport.refused_writes();
  transport.write(bytes);
  return transport.refused_writes() == refused || transport.disconnecting();
}

template <connected_actor A>
bool write_to_transport(pinned_actor& who, const shared_bytes& bytes, bool watched) {
  auto& self = static_cast<A&>(who);
  if (!self.connected())
    return true; // about to end
  auto& transport = self.transport();
  if (watched) [[unlikely]]
    return write_watched(transport, bytes);
  transport.write(bytes);
  return true;
}

} // namespace detail

/// Names the one subscriber that does not get what is published, or nobody.
class except {
public:
  constexpr except() noexcept = default;
  explicit except(const caf::abstract_actor* who) noexcept : who_(who) {}
  explicit except(const caf::actor& who) noexcept;

  [[nodiscard]] const caf::abstract_actor* who() const noexcept { return who_; }

private:
  const caf::abstract_actor* who_ = nullptr;
};

/// Subscribers to whom bytes are published: a chat room, a price, the presence of a friend.
///
/// A connection subscribes its transport: what is published is appended to its output, and its
/// actor is not woken. Any other actor gets a `published` message. What is published exists once in
/// memory, whoever gets it.
///
/// Subscribers are kept by loop, so publishing costs one message to each other loop that has some,
/// and each loop serves its own. Nobody waits for anybody: a transport that is not read from is
/// subject to its `output_limits`, as with any write.
///
/// ```cpp
/// void connection_made() override { room_.subscribe(this); }
/// void line_received(std::string_view line) override {
///   room_.publish(std::string{line} + "\r\n", troupe::except{this});
/// }
/// ```
///
/// A topic is a handle: copies are the same topic. It exists as long as there is a handle or a
/// subscriber; a subscriber that ends is removed.
///
/// Order: what one actor, or one thread, publishes reaches each subscriber in that order, on one
/// topic and on several, and at a transport it is in order with the subscriber's own writes. No
/// order is promised between what is published and messages that are sent to an actor otherwise.
///
/// Thread: any. A publisher need not subscribe.
class topic {
public:
  /// Is no topic: only comparisons, `operator bool` and assignment make sense.
  topic() noexcept;

  /// Makes a topic that is found by its handle only. `topics` has those with names.
  explicit topic(runtime& rt);

  topic(const topic&) noexcept;
  topic(topic&&) noexcept;
  topic& operator=(const topic&) noexcept;
  topic& operator=(topic&&) noexcept;
  ~topic();

  /// Lets the calling actor have what is published from now on: at its transport if it is a
  /// protocol, else as `published` messages. Doing it twice is doing it once.
  ///
  /// \param self  the calling actor; if it is a protocol, from `connection_made` on
  /// \throws std::logic_error if it belongs to another runtime
  /// Thread: that of `self`.
  template <std::derived_from<basic_actor> A>
  void subscribe(A* self) const {
    if constexpr (detail::connected_actor<A>)
      subscribe_here(*self, &detail::write_to_transport<A>);
    else if constexpr (std::derived_from<A, pinned_actor>)
      subscribe_here(*self, nullptr);
    else
      subscribe(as_actor(*self));
  }

  /// Lets `who` have what is published from now on as `published` messages, whatever kind of actor
  /// it is. The subscription does not keep it alive.
  ///
  /// \throws std::logic_error if it belongs to another node, or another runtime: what is published
  /// stays inside a runtime. An actor here can subscribe, and send what it gets.
  void subscribe(const caf::actor& who) const;

  /// Ends the subscription of the calling actor, or of `who`, if there is one. A pinned actor gets
  /// nothing more once it has called this.
  template <std::derived_from<basic_actor> A>
  void unsubscribe(A* self) const {
    if constexpr (std::derived_from<A, pinned_actor>)
      unsubscribe_here(*self);
    else
      unsubscribe(as_actor(*self));
  }
  void unsubscribe(const caf::actor& who) const;

  /// Sends `bytes` to all who have subscribed; to `left_out` not.
  ///
  /// Transports on the loop of a protocol that calls this have them when it returns; no handler runs
  /// inside.
  ///
  /// \throws std::length_error if the topic is shared with other processes, and these are more bytes than
  /// travel there; nobody has got them then
  void publish(const shared_bytes& bytes, except left_out = {}) const;
  void publish(std::string_view text, except left_out = {}) const;

  /// Lets `who` hear of what was published and did not fit: a `publication_dropped` for each
  /// publication and loop with subscribers whose output was full, and whose policy is
  /// `overflow_policy::drop`. Those who do not drop lose their connection, which is no news for the
  /// topic. Nobody hears of it unless asked for; a later observer takes the place of an earlier one.
  /// As a subscription does not, this does not keep `who` alive.
  ///
  /// \throws std::logic_error as `subscribe` does
  void observe_drops(const caf::actor& who) const;

  /// Returns how many have subscribed. What other threads are about to do may not be counted yet.
  [[nodiscard]] std::size_t subscribers() const noexcept;

  /// Returns the name by which `topics` knows it, or nothing.
  [[nodiscard]] const std::string& name() const noexcept;

  [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
  friend bool operator==(const topic& a, const topic& b) noexcept { return a.state_ == b.state_; }

private:
  friend class detail::topic_state;
  friend class topics;
  friend class topic_sharing;

  explicit topic(caf::intrusive_ptr<detail::topic_state> state) noexcept;
  static caf::actor as_actor(basic_actor& self);
  void subscribe_here(pinned_actor& self, detail::write_published write) const;
  void unsubscribe_here(pinned_actor& self) const;
  [[nodiscard]] bool is_near(const caf::actor& who) const;
  [[noreturn]] static void refuse_subscriber();
  void expect_near(const caf::actor& who) const;
  [[nodiscard]] detail::topic_state& state() const;

  caf::intrusive_ptr<detail::topic_state> state_;
};

/// What an actor that has subscribed is sent.
struct published {
  topic from;
  shared_bytes bytes;
};

/// What an observer of drops is sent: who did not get one publication, for want of room.
struct publication_dropped {
  topic from;
  std::size_t bytes = 0;             // of the publication
  std::vector<caf::actor> missed_by; // some of them may have ended meanwhile
};

} // namespace troupe

// They stay inside a process.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::topic)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::published)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::publication_dropped)

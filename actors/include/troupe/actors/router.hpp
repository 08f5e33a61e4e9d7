#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/type_erased_tuple.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/child_spec.hpp>
#include <troupe/runtime/deferred_list.hpp>
#include <troupe/runtime/outcome.hpp>

namespace troupe {

class runtime;

/// Which of a router's members gets a message.
enum class routing : std::uint8_t {
  /// One after the other. Each loop takes turns of its own, so that they share nothing.
  round_robin,
  /// The one for which the fewest wait, the message that it handles included; of several, the next.
  /// It is for members that handle a message at a time, each of which must have a bound (`bound_mailbox`).
  smallest_mailbox,
  /// The one with the fewest questions of `ask(self, router, ...)` that have no answer yet; of several, the
  /// next. It is for members that answer later, such as by a coroutine. Other messages are not counted.
  least_outstanding,
  /// Always the same one for the same key, as long as it is there: `router_options::key`.
  consistent_hash,
  /// Every one. A question to it has no one answer, and is refused; `ask_all` has them all.
  broadcast,
};

/// Returns a number of a key by which `routing::consistent_hash` finds the member: the same in each process
/// and on each machine.
[[nodiscard]] std::uint64_t routing_hash(std::string_view key) noexcept;
[[nodiscard]] std::uint64_t routing_hash(std::uint64_t key) noexcept;
template <std::integral T>
[[nodiscard]] std::uint64_t routing_hash(T key) noexcept {
  return routing_hash(static_cast<std::uint64_t>(key));
}

/// Returns the number of a message's key, or nothing if it has none: then it is refused. Called in the thread of
/// who sends, in several at once; it must not throw.
using routing_key = std::function<std::optional<std::uint64_t>(const caf::type_erased_tuple&)>;

/// Takes as key the element with number `index`, from 0, of those messages where it is a `T`.
template <class T>
[[nodiscard]] routing_key key_at(std::size_t index) {
  return [index](const caf::type_erased_tuple& message) -> std::optional<std::uint64_t> {
    if (index < message.size() && message.match_element<T>(index))
      return routing_hash(message.get_as<T>(index));
    return std::nullopt;
  };
}

/// How a router chooses among its members.
struct router_options {
  routing by = routing::round_robin;
  routing_key key{}; ///< for `consistent_hash`, which needs it
  std::size_t points =
    128; ///< at which a member is on the ring of `consistent_hash`: more, more even
};

namespace detail {

class router_actor;

/// The member that a question goes to.
struct chosen_member {
  caf::strong_actor_ptr who;
  std::shared_ptr<void> outstanding; // counts among its questions until this is dropped
};

} // namespace detail

/// Several actors that do the same work, behind one handle: a pool of workers, shards of a table, whoever
/// wants to hear.
///
/// ```cpp
/// troupe::router workers{rt};              // one after the other
/// workers.join(rt.spawn<worker>());
/// workers.join(rt.spawn<worker>());
/// ask<int>(*this, workers, 5s, add_atom::value, 1, 2); // as any actor is asked
/// send(workers.handle(), log_atom::value, text);       // as any actor is sent to
/// ```
///
/// A router has no mailbox, and runs nowhere: who sends puts the message into the member's mailbox itself, with
/// his own name on it. So it costs no second message, it is no bottleneck, and the answer comes from the member
/// straight to who asked. A member runs where it ran before, a pinned one on its loop.
///
/// A member that ends leaves; what it had not handled is lost with it, as with any actor: who asked is told
/// `errc::actor_down`, by `ask(self, router, ...)` even if the member had taken the question already. A router
/// without members refuses: who asked gets `errc::actor_down` with a text that says so, and another message is
/// a dead letter (`dead_letter_reason::no_member`).
///
/// A router is a handle: copies are the same router. It keeps its members alive. When the last handle is gone,
/// when it is told to end (`caf::anon_send_exit`), or when its runtime ends, it lets go of them, and they go on.
///
/// Order: messages of one actor to the same member arrive in the order in which they were sent; to different
/// members there is none.
///
/// Thread: any.
///
/// Source: Akka's routers as groups, without its actor in the middle; CAF's actor_pool, which ends its members
class router {
public:
  /// Is no router: only `operator bool` and assignment make sense.
  router() noexcept;

  /// \throws std::invalid_argument if `consistent_hash` has no key, or no points
  explicit router(runtime& rt, router_options options = {});

  router(const router&) noexcept;
  router(router&&) noexcept;
  router& operator=(const router&) noexcept;
  router& operator=(router&&) noexcept;
  ~router();

  /// Lets `member` have its share from now on. Joining twice is joining once.
  ///
  /// \param name  who it is to `consistent_hash`: a successor that joins under the same name gets the keys of
  ///              its predecessor. Without it, a member gets keys by its number, and a successor other ones.
  /// \returns whether it is a member now: false if it, or the router, has ended
  /// \throws std::logic_error if `member` is no actor, or has no bound and `smallest_mailbox` needs it
  bool join(const caf::actor& member, std::string_view name = {}) const;

  /// Gives `member` nothing more; what it has already, it handles. Returns false if it was none.
  bool leave(const caf::actor& member) const;

  /// Returns the members, in the order in which they joined.
  [[nodiscard]] std::vector<caf::actor> members() const;

  [[nodiscard]] std::size_t size() const;

  /// Returns an actor that stands for the router: for `send`, `request`, `delegate`, names, and other nodes.
  /// It may be monitored, and told to end.
  [[nodiscard]] caf::actor handle() const;

  /// Returns the member that a message with this key would go to now, by `consistent_hash`; empty without members.
  [[nodiscard]] caf::actor member_for(std::uint64_t hash) const;
  [[nodiscard]] caf::actor member_for(std::string_view key) const {
    return member_for(routing_hash(key));
  }

  [[nodiscard]] explicit operator bool() const noexcept { return self_ != nullptr; }

  /// Chooses who gets a question, as `ask` does.
  [[nodiscard]] outcome<detail::chosen_member> choose(const caf::type_erased_tuple& question) const;

private:
  detail::router_actor& actor() const;

  caf::strong_actor_ptr self_; // a detail::router_actor
};

/// Asks the member of `to` whose turn it is, as `ask` does.
///
/// Fails with: what `ask` fails with; `errc::actor_down` if there is no member, or the member ends first, be it
/// after it has taken the question; `errc::invalid_argument` if the question has no key, or would go to all.
/// Thread: that of `self`, in its own code.
template <class T, class... Args>
deferred<T> ask(basic_actor& self, const router& to, ask_timeout timeout, Args&&... args) {
  detail::check_question<T, router, Args...>();
  auto asked = detail::make_question<T>(timeout);
  auto result = asked->start();
  auto content = caf::make_message(std::forward<Args>(args)...);
  auto chosen = to.choose(content);
  if (!chosen) {
    asked->fail(chosen.error());
    return result;
  }
  asked->watch(self, chosen->who);
  self.send_request(chosen->who, timeout.time, std::move(content), std::move(asked));
  if (!chosen->outstanding)
    return result;
  return std::move(result).add_both(
    [counted = std::move(chosen->outstanding)](outcome<T> answer) mutable {
      counted = nullptr;
      return answer;
    });
}

/// Asks every member of `to`, whatever its routing; fires with what came of each, in the order of
/// `router::members`, when all have answered, failed or run out of time. Without members it has nothing in it.
///
/// Source: scatter and gather
template <class T, class... Args>
deferred<std::vector<outcome<T>>> ask_all(basic_actor& self, const router& to, ask_timeout timeout,
                                          const Args&... args) {
  std::vector<deferred<T>> answers;
  for (const auto& member : to.members())
    answers.push_back(ask<T>(self, member, timeout, args...));
  return deferred_list(std::move(answers));
}

/// Returns `spec` with a child that joins `pool` at each start, under the spec's id as its name: a supervised
/// pool, each of whose members is healed by itself, and keeps its keys.
///
/// ```cpp
/// root->start_child(troupe::member_of(workers, {.id = "worker 1", .start = troupe::start_actor<worker>()}));
/// ```
[[nodiscard]] child_spec member_of(router pool, child_spec spec);

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::router)

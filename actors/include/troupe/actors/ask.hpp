#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <caf/actor_cast.hpp>
#include <caf/make_message.hpp>
#include <caf/response_type.hpp>
#include <caf/sec.hpp>
#include <caf/type_erased_tuple.hpp>
#include <caf/typed_actor.hpp>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/abandoning_promise.hpp>
#include <troupe/runtime/detail/block_cache.hpp>
#include <troupe/runtime/detail/deferred_timeout.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/names.hpp>
#include <troupe/runtime/sendable.hpp>
#include <troupe/runtime/source_location.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

class runtime;

/// A time-out that never ends.
inline constexpr auto wait_for_ever = duration::max();

/// How long to wait for an answer, and where that was said: every span of time converts to it.
struct ask_timeout {
  template <class Rep, class Period>
  constexpr ask_timeout(std::chrono::duration<Rep, Period> span,
                        source_location at = source_location::current())
    : time(std::chrono::duration_cast<duration>(span)), where(at) {}

  duration time;
  source_location where; ///< named by the failure
};

namespace detail {

class receiver_watches;

/// One question that waits for its answer. The asker owns it; while it waits, the runtime's
/// `receiver_watches` know it by the actor that was asked.
class question_base : public response_taker, public std::enable_shared_from_this<question_base> {
public:
  virtual void fail(const failure& why) = 0;

  /// Fails the question if `receiver` ends first. CAF itself bounces what is still queued then, but
  /// says nothing of a request that the receiver has taken and not answered.
  void watch(basic_actor& asker, const caf::strong_actor_ptr& receiver);

  /// Ends the watch.
  void answered() noexcept;

private:
  friend class receiver_watches;

  // While it waits its asker lives, which has it. The list of the receiver has the reference to that one.
  std::shared_ptr<receiver_watches> watches_; // while watched
  caf::actor_control_block* asker_ = nullptr;
  caf::actor_control_block* receiver_ = nullptr;
  question_base** first_ = nullptr; // of the receiver's list; null: in none
  question_base* next_ = nullptr;
  question_base* previous_ = nullptr;
};

template <class T>
class question final : public question_base {
public:
  explicit question(const ask_timeout& timeout) noexcept : timeout_(timeout) {}

  // Unanswered, it dies with the asker, whose callbacks must not run any more.
  ~question() override {
    answered();
    if (promise_)
      promise_.abandon();
  }

  void fail(const failure& why) override {
    answered();
    if (auto p = std::move(promise_))
      p.errback(why);
  }
  void take_response(caf::type_erased_tuple& content) override {
    if (content.match_elements<caf::error>()) {
      const auto& error = content.get_as<caf::error>(0);
      if (error == caf::sec::request_timeout) // the clock says so
        return fail(no_answer());
      return fail(failure{error});
    }
    answered();
    auto p = std::move(promise_);
    if (!p)
      return;
    if constexpr (std::is_void_v<T>) {
      if (content.empty() || content.match_elements<caf::unit_t>())
        return p.callback();
    } else if (content.match_elements<T>()) {
      return p.callback(std::move(content.get_mutable_as<T>(0)));
    }
    p.errback(failure{caf::make_error(caf::sec::unexpected_response, caf::message::copy(content))});
  }
  deferred<T> start() { return promise_.get_deferred(); }

private:
  failure no_answer() const { return timed_out("ask", timeout_.time, timeout_.where); }

  promise<T> promise_;
  const ask_timeout timeout_;
};

/// Makes a question, in the memory that the thread keeps for messages.
template <class T>
std::shared_ptr<question<T>> make_question(const ask_timeout& timeout) {
  return std::allocate_shared<question<T>>(block_allocator<question<T>>{}, timeout);
}

/// Returns whom `receiver` refers to now; empty if nobody.
template <class Handle>
caf::strong_actor_ptr receiver_of(const Handle& receiver) {
  if constexpr (std::is_same_v<Handle, named_actor>)
    return receiver.who();
  else
    return caf::actor_cast<caf::strong_actor_ptr>(receiver);
}

/// Why there is none.
template <class Handle>
failure no_receiver([[maybe_unused]] const Handle& receiver) {
  if constexpr (std::is_same_v<Handle, named_actor>)
    return {errc::actor_down, "nobody has the name " + receiver.name()};
  else
    return {errc::actor_down, "there is no receiver"};
}

// A typed handle knows what it takes: atoms as their constants.
template <class T>
using typed_element_t = caf::detail::strip_and_convert_t<T>;

template <class Handle>
inline constexpr bool is_typed = false;
template <class... Signatures>
inline constexpr bool is_typed<caf::typed_actor<Signatures...>> = true;

template <class List>
struct answer_of {
  using type = List; // several values: none that `ask` can give
};
template <>
struct answer_of<caf::detail::type_list<>> {
  using type = void;
};
template <>
struct answer_of<caf::detail::type_list<caf::unit_t>> {
  using type = void;
};
template <class R>
struct answer_of<caf::detail::type_list<R>> {
  using type = R;
};

/// Checks at compile time what is known of a question: that its values can be sent, and, of a typed
/// handle, that it takes them and answers with a `T`.
template <class T, class Handle, class... Args>
constexpr void check_question() {
  static_assert(!std::is_reference_v<T> && !std::is_const_v<T>,
                "ask<T>: T is the type of the answer, neither a reference nor const");
  static_assert(sendable<T>,
                "ask<T>: a T cannot be part of a message: give it an inspect(), or name "
                "it in CAF_ALLOW_UNSAFE_MESSAGE_TYPE; see docs/messages.md");
  static_assert(
    (sendable<Args> && ...),
    "ask: one of the values cannot be part of a message: give its type an inspect(), or "
    "name it in CAF_ALLOW_UNSAFE_MESSAGE_TYPE; see docs/messages.md");
  if constexpr (is_typed<Handle>) {
    using response = caf::response_type<typename Handle::signatures, typed_element_t<Args>...>;
    static_assert(response::valid, "ask: this typed actor has no handler for these values");
    if constexpr (response::valid)
      static_assert(std::is_same_v<typename answer_of<typename response::type>::type, T>,
                    "ask<T>: this typed actor does not answer these values with a T");
  }
}

} // namespace detail

/// Sends a request to `receiver`, and returns a deferred of its answer, which fires as `self`.
///
/// ```cpp
/// ask<bool>(*this, users_, 5s, claim_atom::value, name)
///   .add_callback([this](bool ok) { ... })
///   .add_errback([this](const failure& why) { ... });
/// ```
///
/// Its callbacks never run beside the other code of `self`, nor after its end; if `self` ends first,
/// they are destroyed. Cancelling drops the answer. With a typed handle, a question that it does not
/// take, or an answer that is no `T`, does not compile.
///
/// \tparam T        what the receiver answers; void for an empty answer
/// \param receiver  a handle, or a `named_actor`: then whoever has the name now
/// \param timeout   how long to wait; `wait_for_ever` for as long as the receiver lives
/// Fails with: what the receiver failed with; `errc::timed_out`, whose text names the line of this
/// call; `errc::actor_down` if the receiver has ended, or ends before it answers, or there is no
/// receiver; `caf::sec::unexpected_response` if the answer is not a `T`.
/// Thread: that of `self`, in its own code.
template <class T, class Handle, class... Args>
deferred<T> ask(basic_actor& self, const Handle& receiver, ask_timeout timeout, Args&&... args) {
  detail::check_question<T, Handle, Args...>();
  auto asked = detail::make_question<T>(timeout);
  auto result = asked->start();
  const auto to = detail::receiver_of(receiver);
  if (!to) {
    asked->fail(detail::no_receiver(receiver));
    return result;
  }
  asked->watch(self, to);
  self.send_request_of(to, timeout.time, std::move(asked), std::forward<Args>(args)...);
  return result;
}

namespace detail {

/// Calls `ask` as the actor that asks for those that are none, or with nothing if it has ended.
void ask_for_others(runtime& rt, const std::function<void(basic_actor*)>& ask);

} // namespace detail

/// As above, for code that is no actor's, such as the reactor's callbacks: the deferred fires on loop
/// 0. A plain thread may wait for it:
///
/// ```cpp
/// const auto user = blocking_call_from_thread(rt.reactor(), [&] {
///   return ask<record>(rt, users, 5s, find_atom::value, name);
/// });
/// ```
///
/// Fails, in addition, with: `errc::runtime_stopped` if the runtime stops first.
/// Thread: loop 0, or before `run()`.
template <class T, class Handle, class... Args>
deferred<T> ask(runtime& rt, const Handle& receiver, ask_timeout timeout, Args&&... args) {
  detail::check_question<T, Handle, Args...>();
  std::optional<deferred<T>> result;
  detail::ask_for_others(rt, [&](basic_actor* self) {
    result = self != nullptr ? ask<T>(*self, receiver, timeout, std::forward<Args>(args)...)
                             : fail<T>(errc::runtime_stopped);
  });
  return *std::move(result);
}

/// Makes a deferred of the response to a request of CAF's, `self->request(...)`; it fires as the
/// actor that asked. `ask` is shorter, and faster when many wait; this is for requests that exist.
///
/// Fails with: the error of the response; `caf::sec::unexpected_response` if it is not a `T`.
template <class T, class Response>
requires requires(Response r) {
  r.id().request_id();
}
deferred<T> to_deferred(Response response) {
  auto p = std::make_shared<detail::abandoning_promise<T>>();
  auto result = (*p)->get_deferred();
  const auto fail = [p](caf::error& e) {
    (*p)->errback(failure{e});
  };
  if constexpr (std::is_void_v<T>)
    response.then([p] { (*p)->callback(); }, fail);
  else
    response.then([p](T& value) { (*p)->callback(std::move(value)); }, fail);
  return result;
}

} // namespace troupe

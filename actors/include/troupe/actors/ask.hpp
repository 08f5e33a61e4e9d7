#pragma once

#include <memory>
#include <utility>

#include <caf/actor_cast.hpp>
#include <caf/duration.hpp>
#include <caf/response_handle.hpp>
#include <caf/send.hpp>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// A time-out that never ends.
inline constexpr auto wait_for_ever = duration::max();

namespace detail {

/// Converts to CAF's spans, which count with 32 bits: in the finest unit that holds it, rounded up.
caf::duration caf_timeout(duration timeout);

/// One question that waits for its answer: shared by CAF's response handlers, the watch on the
/// receiver, and nobody else.
class question_base : public std::enable_shared_from_this<question_base> {
public:
  virtual ~question_base() = default;
  virtual void fail(const failure& why) = 0;

  /// Fails the question if `receiver` ends first. CAF itself bounces what is still queued then, but
  /// says nothing of a request that the receiver has taken and not answered.
  void watch(basic_actor& asker, const caf::strong_actor_ptr& receiver);

  /// Takes the watch back.
  void answered() noexcept;

private:
  caf::actor_addr receiver_;
};

template <class T>
class question final : public question_base {
public:
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
  void answer(outcome<T> value) {
    answered();
    if (auto p = std::move(promise_))
      p.fire(std::move(value));
  }
  deferred<T> start() { return promise_.get_deferred(); }

private:
  promise<T> promise_;
};

template <class T>
struct answer_handler {
  std::shared_ptr<question<T>> asked;
  void operator()(T value) const { asked->answer(outcome<T>{std::move(value)}); }
};

template <>
struct answer_handler<void> {
  std::shared_ptr<question<void>> asked;
  void operator()() const { asked->answer({}); }
  void operator()(caf::unit_t) const { asked->answer({}); }
};

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
/// they are destroyed. Cancelling drops the answer.
///
/// \tparam T        what the receiver answers; void for an empty answer
/// \param timeout   how long to wait; `wait_for_ever` for as long as the receiver lives
/// Fails with: what the receiver failed with; `errc::timed_out`; `errc::actor_down` if the receiver
/// has ended, or ends before it answers, or there is no receiver; `caf::sec::unexpected_response` if
/// the answer is not a `T`.
/// Thread: that of `self`, in its own code.
template <class T, class Handle, class... Args>
deferred<T> ask(basic_actor& self, const Handle& receiver, duration timeout, Args&&... args) {
  auto asked = std::make_shared<detail::question<T>>();
  auto result = asked->start();
  auto to = caf::actor_cast<caf::strong_actor_ptr>(receiver);
  if (!to) {
    asked->fail(failure{errc::actor_down, "there is no receiver"});
    return result;
  }
  asked->watch(self, to);
  self.request(caf::actor_cast<caf::actor>(to), detail::caf_timeout(timeout), std::forward<Args>(args)...)
    .then(detail::answer_handler<T>{asked},
          [asked](caf::error& why) { asked->fail(failure{why}); });
  return result;
}

} // namespace troupe

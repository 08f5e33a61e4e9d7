#pragma once

#include <memory>
#include <utility>

#include <caf/mailbox_element.hpp>
#include <caf/response_promise.hpp>
#include <caf/result.hpp>
#include <caf/typed_response_promise.hpp>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe {

namespace detail {
class debt_to_asker;
}

/// The answer that an actor owes to a request; it is sent once, and never forgotten.
///
/// CAF's own `response_promise` is silent when it is dropped, and kept in a member of its actor it
/// keeps that actor and the asker alive. This one tells the asker `errc::broken_promise` when it is
/// dropped, and `errc::actor_down` when the actor that owes it ends.
///
/// Thread: any, one at a time.
class owed_response {
public:
  owed_response() = default;

  /// Takes over the request that `self` handles at the moment.
  explicit owed_response(basic_actor& self);

  /// Takes over what `p` owes. `p` must not be used any more. This one does not notice the end of
  /// its actor, and keeps the asker alive.
  owed_response(const caf::response_promise& p);

  owed_response(owed_response&&) noexcept = default;
  owed_response& operator=(owed_response&& other) noexcept;
  ~owed_response();

  /// Tells whether somebody waits for an answer still.
  explicit operator bool() const noexcept;

  /// Answers with `values`.
  template <class... Ts>
  void deliver(Ts&&... values) {
    send(caf::make_message(std::forward<Ts>(values)...));
  }

  /// Answers with `why`, which arrives as the asker's failure.
  void fail(const failure& why);

private:
  void send(caf::message content);

  std::shared_ptr<detail::debt_to_asker> debt_;
};

/// Fulfils `owed` with what comes of `d`: the value, or the failure; `errc::broken_promise` if the
/// deferred is dropped. A promise of CAF's may be given, and must not be used any more.
template <class T>
void respond_with(owed_response owed, deferred<T> d) {
  std::move(d).add_both([owed = std::move(owed)](outcome<T> got) mutable {
    if (!got)
      owed.fail(got.error());
    else if constexpr (std::is_void_v<T>)
      owed.deliver();
    else
      owed.deliver(*std::move(got));
  });
}

template <class T, class... Ts>
void respond_with(caf::typed_response_promise<Ts...> owed, deferred<T> d) {
  respond_with(owed_response{static_cast<caf::response_promise&>(owed)}, std::move(d));
}

/// Answers the request that `self` handles with what comes of `d`: a handler returns this. With
/// `handlers`, a handler returns the deferred itself.
///
/// ```cpp
/// [this](look_up_atom, const std::string& name) {
///   return respond_with(*this, find(name)); // a deferred<record>
/// }
/// ```
///
/// Thread: that of `self`, in a handler.
template <class T>
caf::result<T> respond_with(basic_actor& self, deferred<T> d) {
  respond_with(owed_response{self}, std::move(d));
  return caf::delegated<T>{};
}

} // namespace troupe

#pragma once

#include <concepts>
#include <exception>
#include <memory>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include <asio/async_result.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/abandoning_promise.hpp>
#include <troupe/runtime/detail/asio_definitions.hpp>
#include <troupe/runtime/event_loop.hpp>

namespace troupe {

/// Makes an Asio operation return a deferred, as its completion token.
///
/// ```cpp
/// asio::steady_timer timer{loop.io(), 5s};
/// timer.async_wait(troupe::use_deferred).add_callback([] { ... });
/// auto size = co_await socket.async_read_some(buffer, troupe::use_deferred);
/// ```
///
/// An operation that completes with `(error_code)` returns a `deferred<void>`, one with
/// `(error_code, T)` a `deferred<T>`, one with more values a deferred of their tuple; the same
/// without an error code, or with an `std::exception_ptr` in its place.
///
/// Cancelling the deferred cancels the operation, if it is of a kind that can be; then the deferred
/// fails with `errc::cancelled`. An operation that is dropped, because its context or the runtime ends
/// first, takes along what waits for it.
///
/// Fails with: the operation's error code; `errc::cancelled` in place of
/// `asio::error::operation_aborted`.
/// Thread: that of the loop whose `io()` the operation belongs to.
/// Source: Asio's completion tokens, such as `asio::use_future`
struct use_deferred_t {};
inline constexpr use_deferred_t use_deferred{};

namespace detail {

template <class T>
concept completion_error = std::same_as<T, std::error_code> || std::same_as<T, std::exception_ptr>;

// What the values of a completion come to.
template <class... Ts>
struct values_of {
  using type = std::tuple<std::decay_t<Ts>...>;
};
template <class T>
struct values_of<T> {
  using type = std::decay_t<T>;
};
template <>
struct values_of<> {
  using type = void;
};

// The same, once an error is set aside.
template <class... Ts>
struct completion_value : values_of<Ts...> {};
template <completion_error E, class... Ts>
struct completion_value<E, Ts...> : values_of<Ts...> {};

/// One operation that is under way. Its handler owns it.
template <class T>
struct asio_operation {
  // The promise dies with this object, so the canceller finds it.
  asio_operation() : made(promise<T>([this] { signal.emit(asio::cancellation_type::terminal); })) {}

  template <class... Ts>
  void complete(Ts&&... values) {
    if constexpr (std::is_void_v<T>)
      made->callback();
    else
      made->callback(T(std::forward<Ts>(values)...));
  }

  template <class E, class... Ts>
  requires completion_error<std::remove_cvref_t<E>>
  void complete(E&& error, Ts&&... values) {
    if (!error)
      complete(std::forward<Ts>(values)...);
    else if constexpr (std::same_as<std::remove_cvref_t<E>, std::exception_ptr>)
      made->errback(failure{std::exception_ptr{error}});
    else if (error == asio::error::operation_aborted)
      made->errback(errc::cancelled);
    else
      made->errback(failure{std::error_code{error}});
  }

  asio::cancellation_signal signal;
  abandoning_promise<T> made;
};

/// The handler that Asio calls.
template <class T>
struct asio_handler {
  using cancellation_slot_type = asio::cancellation_slot;
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
    return operation->signal.slot();
  }
  void operator()(auto&&... values) {
    if (event_loop::handler_begins()
        && !operation->made->called()) // else it was cancelled, and this is what came of it
      operation->complete(std::forward<decltype(values)>(values)...);
  }
  std::shared_ptr<asio_operation<T>> operation;
};

} // namespace detail
} // namespace troupe

template <class... Ts>
class asio::async_result<troupe::use_deferred_t, void(Ts...)> {
  using value = typename troupe::detail::completion_value<Ts...>::type;

public:
  using return_type = troupe::deferred<value>;

  template <class Initiation, class... Args>
  static return_type initiate(Initiation&& initiation, troupe::use_deferred_t, Args&&... args) {
    auto operation = std::make_shared<troupe::detail::asio_operation<value>>();
    auto result = operation->made->get_deferred();
    std::forward<Initiation>(initiation)(troupe::detail::asio_handler<value>{std::move(operation)},
                                         std::forward<Args>(args)...);
    return result;
  }
};

#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/gathering.hpp>

namespace troupe {

/// How a `deferred_list` ends before all of its inputs have a result.
struct deferred_list_options {
  /// Fails with a `first_error` at the first failure.
  bool fire_on_one_errback = false;

  /// Drops the failures that come after the list has fired; else they are reported as unhandled,
  /// for no one sees them. Failures that are part of the list's result are never reported.
  bool consume_errors = false;
};

/// Chooses the `deferred_list` that fires with the first value.
struct fire_on_one_callback_t {};
inline constexpr fire_on_one_callback_t fire_on_one_callback{};

/// Fires when every input has a result, with all of them in the order of the inputs.
///
/// An empty list fires at once. Cancelling cancels every input that has no result; their failures
/// are then the list's result, unless a canceller gave values. The list fires once and then leaves
/// the remaining inputs alone.
///
/// Source: twisted.internet.defer.DeferredList
template <class T>
[[nodiscard]] deferred<std::vector<outcome<T>>> deferred_list(std::vector<deferred<T>> inputs,
                                                              deferred_list_options options = {}) {
  using results = std::vector<outcome<T>>;
  using list = detail::gathering<T, results>;
  return list::start(std::move(inputs), options.consume_errors,
                     [options](list& self, std::size_t index, outcome<T>& out) {
                       if (!out && options.fire_on_one_errback)
                         self.errback(first_error(out.error(), index));
                       else if (self.keep(index, std::move(out)))
                         self.callback(self.take_all());
                     });
}

/// Fires with the first value and its index; later results are ignored. If all inputs fail, it
/// fails with a `failure_group`; an empty list fails with `errc::invalid_argument`.
///
/// Source: DeferredList(fireOnOneCallback=True), which waits for ever in these two cases
template <class T>
[[nodiscard]] deferred<indexed<T>> deferred_list(fire_on_one_callback_t,
                                                 std::vector<deferred<T>> inputs,
                                                 deferred_list_options options = {}) {
  using list = detail::gathering<T, indexed<T>>;
  if (inputs.empty())
    return fail<indexed<T>>(failure(errc::invalid_argument, "a deferred_list without inputs"));
  return list::start(std::move(inputs), options.consume_errors,
                     [options](list& self, std::size_t index, outcome<T>& out) {
                       if (out)
                         self.callback(indexed<T>::make(index, std::move(out)));
                       else if (options.fire_on_one_errback)
                         self.errback(first_error(out.error(), index));
                       else if (self.keep(index, std::move(out)))
                         self.errback(failure_group(self.take_failures()));
                     });
}

/// Fires with the values in the order of the inputs, or fails with the `first_error`; the other
/// inputs go on. Cancelling cancels those that have no result.
///
/// Source: twisted.internet.defer.gatherResults
template <class T>
[[nodiscard]] auto gather_results(std::vector<deferred<T>> inputs, bool consume_errors = false) {
  using results = std::conditional_t<std::is_void_v<T>, detail::nothing, std::vector<T>>;
  using list = detail::gathering<T, results>;
  auto all = list::start(std::move(inputs), consume_errors,
                         [](list& self, std::size_t index, outcome<T>& out) {
                           if (!out)
                             self.errback(first_error(out.error(), index));
                           else if (self.keep(index, std::move(out)))
                             self.callback(self.take_values());
                         });
  if constexpr (std::is_void_v<T>)
    return deferred<void>(std::move(all).add_callback([] {}));
  else
    return all;
}

/// As above, for inputs of different types: fires with a tuple, in which void is `std::monostate`.
template <class... Ts>
requires(sizeof...(Ts) > 0) [[nodiscard]] auto gather_results(deferred<Ts>... inputs) {
  using values = std::tuple<std::conditional_t<std::is_void_v<Ts>, std::monostate, Ts>...>;
  using slots =
    std::tuple<std::optional<std::conditional_t<std::is_void_v<Ts>, std::monostate, Ts>>...>;
  auto kept = std::make_shared<slots>();
  std::vector<deferred<void>> all;
  all.reserve(sizeof...(Ts));
  [&]<std::size_t... Is>(std::index_sequence<Is...>) {
    auto keep = [&]<std::size_t I, class T>(std::integral_constant<std::size_t, I>,
                                            deferred<T>& d) {
      if constexpr (std::is_void_v<T>)
        all.push_back(std::move(d).add_callback([kept] { std::get<I>(*kept).emplace(); }));
      else
        all.push_back(std::move(d).add_callback(
          [kept](T value) { std::get<I>(*kept).emplace(std::move(value)); }));
    };
    (keep(std::integral_constant<std::size_t, Is>{}, inputs), ...);
  }
  (std::index_sequence_for<Ts...>{});
  return deferred<values>(gather_results(std::move(all)).add_callback([kept] {
    return std::apply([](auto&... slot) { return values(*std::move(slot)...); }, *kept);
  }));
}

/// Fires with the first value and its index, and cancels the others. If all fail, it fails with a
/// `failure_group`. Cancelling cancels all. What the losers come to is dropped.
///
/// Source: twisted.internet.defer.race
template <class T>
[[nodiscard]] deferred<indexed<T>> race(std::vector<deferred<T>> inputs) {
  using list = detail::gathering<T, indexed<T>>;
  if (inputs.empty())
    return fail<indexed<T>>(failure(errc::invalid_argument, "a race without inputs"));
  return list::start(std::move(inputs), true, [](list& self, std::size_t index, outcome<T>& out) {
    if (out) {
      self.cancel_others();
      self.callback(indexed<T>::make(index, std::move(out)));
    } else if (self.keep(index, std::move(out))) {
      self.errback(failure_group(self.take_failures()));
    }
  });
}

} // namespace troupe
